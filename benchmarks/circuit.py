"""The circuit solver against badcrossbar and ngspice, and against the clock, accuracy checked in the same run.

    python benchmarks/circuit.py [--rounds 5] [--json FILE]

Each round runs every contender once; the table gives the median over the rounds with the spread (minimum to maximum).
badcrossbar comes from PyPI (it needs libcairo2-dev), ngspice from the platform; a missing one leaves its rows out.
Errors are of output currents, in the same run. `rival`: the largest relative one against the rival. `SuperLU`: the
same, against SciPy's sparse LU of the nodal matrix. `Kirchhoff`: a bound on the sum of errors, relative to the sum of
outputs: all imbalances that NumPy finds at the node voltages returned, since what a node has in excess leaves once.
`processor`: how often the rival's processor time holds ours, all threads and subprocesses counted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fewlevels as fl
from fewlevels.circuit.network.deck import network_deck
from fewlevels.circuit.solvers.direct import nested_dissection
from fewlevels.circuit.solvers.transfer import transfer_matrix
from fewlevels.circuit.spice.ngspice import ngspice_version, run_deck

Row = dict[str, Any]


def array(size: tuple[int, int], wire_ohm: float, selector: fl.Diode | None = None) -> tuple[fl.Crossbar, np.ndarray]:
    """Resistances 1 kohm to 100 kohm, inputs 0.5 V to 1 V, or 1.15 V to 1.65 V with diodes."""
    rng = np.random.default_rng(size[0])
    ohm = 10 ** rng.uniform(3, 5, size)
    volt = rng.uniform(0.5, 1.0, (1, size[0])) + (0.65 if selector else 0.0)
    return fl.Crossbar(1 / ohm, word_wire_ohm=wire_ohm, bit_wire_ohm=wire_ohm, selector=selector), volt


def output(crossbar: fl.Crossbar, volt: np.ndarray) -> np.ndarray:
    return fl.solve(crossbar, volt).output_ampere


def processor_seconds() -> float:
    """What this process, its threads and its finished subprocesses have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def clock(run: Callable[[], np.ndarray], least_seconds: float = 0.0) -> tuple[float, float, np.ndarray]:
    """Seconds of one call, averaged over as many as fill least_seconds, its processor seconds and its result."""
    calls, begin, begin_processor = 0, time.perf_counter(), processor_seconds()
    while True:
        result = run()
        calls += 1
        if (spent := time.perf_counter() - begin) >= least_seconds:
            return spent / calls, (processor_seconds() - begin_processor) / calls, result


def compare(
    name: str, ours: Callable[[], np.ndarray], rival: Callable[[], np.ndarray] | None, rounds: int, goal: str
) -> Row:
    ours()
    own_times, other_times, ratios, processor_ratios, error = [], [], [], [], 0.0
    for _ in range(rounds):
        seconds, processor, found = clock(ours, 0.02)
        own_times.append(seconds)
        if rival:
            other_seconds, other_processor, expected = clock(rival)
            other_times.append(other_seconds)
            ratios.append(other_seconds / seconds)
            processor_ratios.append(other_processor / processor)
            error = max(error, largest_error(found, expected))
    row: Row = {
        "name": name,
        "seconds": statistics.median(own_times),
        "spread": [min(own_times), max(own_times)],
        "goal": goal,
    }
    if rival:
        row |= {
            "check": "rival",
            "error": error,
            "rival_seconds": statistics.median(other_times),
            "ratio": statistics.median(ratios),
            "processor_ratio": statistics.median(processor_ratios),
        }
    return row


def largest_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.max(np.abs(found / expected - 1)))


def nodal_system(crossbar: fl.Crossbar, volt: np.ndarray) -> tuple[Any, np.ndarray]:
    """Kirchhoff's equations of a linear crossbar with equal wires on virtual ground, word nodes and then bit nodes:
    conductances (nodes, nodes), and what the sources put in, (nodes, samples)."""
    from scipy.sparse import coo_array

    rows, columns = crossbar.conductance_siemens.shape
    word = np.arange(rows * columns).reshape(rows, columns)
    bit, wire = word + word.size, np.full(word.shape, 1 / crossbar.word_wire_ohm)
    links = [
        (word, bit, crossbar.conductance_siemens),
        (word[:, 1:], word[:, :-1], wire[:, 1:]),
        (bit[1:], bit[:-1], wire[1:]),
    ]
    p, q, g = (np.concatenate([part.ravel() for part in parts]) for parts in zip(*links, strict=True))
    ends, end = np.concatenate([word[:, 0], bit[-1]]), np.full(rows + columns, 1 / crossbar.word_wire_ohm)
    at = np.concatenate([p, q, p, q, ends]), np.concatenate([p, q, q, p, ends])
    injected = np.zeros((2 * word.size, len(volt)), order="F")
    injected[word[:, 0]] = volt.T / crossbar.word_wire_ohm
    return coo_array((np.concatenate([g, g, -g, -g, end]), at)).tocsc(), injected


def superlu(crossbar: fl.Crossbar, volt: np.ndarray, order: str = "COLAMD", block: int = 1) -> np.ndarray:
    """Output currents by SciPy's sparse LU, `block` samples at a time; see nodal_system. order: of elimination, one of
    SuperLU's or "nested dissection"."""
    from scipy.sparse.linalg import splu

    nodal, injected = nodal_system(crossbar, volt)
    feet = np.arange(len(injected) - crossbar.bit_lines, len(injected))
    symmetric: dict[str, Any] = {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    if order == "COLAMD":
        factors = splu(nodal)
    elif order == "nested dissection":
        nodes = nested_dissection(*crossbar.conductance_siemens.shape)
        factors = splu(nodal[nodes][:, nodes].tocsc(), permc_spec="NATURAL", **symmetric)
        injected, feet = np.asfortranarray(injected[nodes]), np.argsort(nodes)[feet]
    else:
        factors = splu(nodal, permc_spec=order, **symmetric)
    parts = [factors.solve(injected[:, at : at + block])[feet] for at in range(0, len(volt), block)]
    return np.concatenate(parts, axis=1).T / crossbar.bit_wire_ohm


def checked_by_superlu(crossbar: fl.Crossbar, volt: np.ndarray) -> Row:
    return {"check": "SuperLU", "error": largest_error(output(crossbar, volt), superlu(crossbar, volt))}


def checked_by_kirchhoff(crossbar: fl.Crossbar, volt: np.ndarray) -> Row:
    """A crossbar on virtual ground."""
    point = fl.solve(crossbar, volt, nodes=True)
    cell, output, excess = cell_current(crossbar, point.cell_volt()[0]), point.output_ampere[0], 0.0
    if crossbar.word_wire_ohm > 0:
        assert point.drop_volt is not None and point.bit_volt is not None
        along = np.diff(point.drop_volt[0], axis=1, prepend=0) / crossbar.word_wire_ohm
        excess += np.abs(along - np.append(along[:, 1:], np.zeros((len(cell), 1)), axis=1) - cell).sum()
        down = np.diff(-point.bit_volt[0], axis=0, append=0) / crossbar.bit_wire_ohm
        excess += np.abs(np.diff(down, axis=0, prepend=0) - cell).sum() + np.abs(down[-1] - output).sum()
    else:
        excess += np.abs(cell.sum(axis=0) - output).sum()
    return {"check": "Kirchhoff", "error": float(excess / output.sum())}


def cell_current(crossbar: fl.Crossbar, volt: np.ndarray) -> np.ndarray:
    """Ohm's law; of diodes the library's currents after a Newton step on I = Is (exp(v / n Vt) - 1) + gmin v."""
    diode = crossbar.selector
    if not isinstance(diode, fl.Diode):
        return crossbar.conductance_siemens * volt
    ampere, ohm = crossbar.cell_current(volt)[0], 1 / crossbar.conductance_siemens + diode.series_ohm
    own = volt - ohm * ampere
    rising = diode.saturation_ampere * np.exp(own / diode.slope_volt)
    gap = rising - diode.saturation_ampere + diode.gmin_siemens * own - ampere
    return ampere + gap / (1 + ohm * (rising / diode.slope_volt + diode.gmin_siemens))


def against_sparse_lu(rounds: int) -> list[Row]:
    """The transfer matrix of a tile; its rival is SuperLU with one right side a word line, in the order and by blocks
    of right sides that are its fastest here."""
    rows = []
    for wire, goal in ((1.0, "25 x"), (100.0, "12 x")):
        crossbar = array((128, 128), wire)[0]
        rivals = {
            f"{order}, {block} right sides at a time": partial(superlu, crossbar, np.eye(128), order, block)
            for order in ("COLAMD", "MMD_AT_PLUS_A", "nested dissection")
            for block in (4, 128)
        }
        times = {which: clock(rival)[0] for which, rival in rivals.items()}
        best = min(times, key=times.__getitem__)
        print(f"SuperLU for {wire:g} ohm:", "; ".join(f"{which} {seconds:.2f} s" for which, seconds in times.items()))
        print(f"the rival is {best}")
        name = f"transfer matrix 128 x 128, {wire:g} ohm"
        rows.append(compare(name, partial(transfer_matrix, crossbar), rivals[best], rounds, goal))
    return rows


def against_unit_solves(rounds: int) -> list[Row]:
    """The transfer matrix, and solving for one volt at each word line in turn."""
    rows = []
    for size, wire in ((16, 1.0), (64, 1.0), (256, 1.0), (512, 1.0), (256, 100.0)):
        crossbar = array((size, size), wire)[0]
        rows.append(
            compare(
                f"transfer matrix {size} x {size}, {wire:g} ohm",
                partial(transfer_matrix, crossbar),
                partial(output, crossbar, np.eye(size)),
                min(rounds, 3),
                "1 x",
            )
        )
    return rows


def against_badcrossbar(rounds: int) -> list[Row]:
    try:
        import badcrossbar
    except ImportError:
        print("badcrossbar is not installed: pip install badcrossbar (needs libcairo2-dev)", file=sys.stderr)
        return []
    logging.disable(logging.INFO)
    rows = []
    for size in (128, 256):
        crossbar, volt = array((size, size), 1.0)

        def rival(crossbar: fl.Crossbar = crossbar, volt: np.ndarray = volt) -> np.ndarray:
            found = badcrossbar.compute(
                volt.T, 1 / crossbar.conductance_siemens, 1.0, node_voltages=False, all_currents=False
            )
            return np.asarray(found.currents.output)

        def ours(crossbar: fl.Crossbar = crossbar, volt: np.ndarray = volt) -> np.ndarray:
            return fl.solve(crossbar, volt).output_ampere

        rows.append(compare(f"badcrossbar {size} x {size}, wires", ours, rival, rounds, "100 x"))
    return rows


def against_ngspice(rounds: int) -> list[Row]:
    if not shutil.which("ngspice"):
        print("ngspice is not installed", file=sys.stderr)
        return []
    crossbar, volt = array((64, 64), 1.0, fl.Diode())
    rows = [
        compare(
            f"ngspice {ngspice_version()}, 64 x 64, wires and diodes",
            lambda: fl.solve(crossbar, volt).output_ampere,
            lambda: fl.solve(crossbar, volt, engine="ngspice").output_ampere,
            min(rounds, 3),
            "1000 x",
        )
    ]
    samples = fl.load_digits(5)
    circuit = paper_network(samples)
    decks = [network_deck(circuit, x, 1.0) for x in samples.x]
    columns = range(circuit.crossbars[-1].bit_lines)
    rows.append(
        compare(
            "ngspice, the paper's network, ten digits",
            lambda: circuit.run(samples.x, 1.0).stages[-1].point.output_ampere,
            lambda: np.array([[values[f"i(vl2c{j})"] for j in columns] for values in map(run_deck, decks)]),
            rounds,
            "50 x",
        )
    )
    return rows


def paper_network(samples: fl.Samples) -> fl.NetworkCircuit:
    """A 25-10-10 network at its fewest levels, as a differential pair with diodes."""
    found = fl.fewest_levels(fl.train(samples, fl.TrainingConfig(), models=16, seed=1), samples, q_max=16)
    return fl.NetworkCircuit.from_networks(found.quantized(int(np.argmin(np.where(found.solved, found.q, 99)))))


def against_the_clock(rounds: int) -> list[Row]:
    rows = []
    for name, size, wire, selector, goal, check in (
        ("25 x 10, wires", (25, 10), 1.0, None, "20 us", checked_by_superlu),
        ("64 x 64, wires", (64, 64), 1.0, None, "700 us", checked_by_superlu),
        ("1024 x 1024, wires", (1024, 1024), 1.0, None, "0.15 s", checked_by_kirchhoff),
        ("2048 x 2048, wires", (2048, 2048), 1.0, None, "0.8 s", checked_by_kirchhoff),
        ("1024 x 1024, wires and diodes", (1024, 1024), 1.0, fl.Diode(), "1 s", checked_by_kirchhoff),
        ("1000 x 1000 diodes, ideal wires", (1000, 1000), 0.0, fl.Diode(), "25 ms", checked_by_kirchhoff),
    ):
        crossbar, volt = array(size, wire, selector)
        row = compare(name, partial(output, crossbar, volt), None, rounds, goal)
        rows.append(row | check(crossbar, volt))
    samples = fl.load_digits(5)
    for design in ("pair-transimpedance", "reference-buffered"):
        network = fl.Networks.from_weights(paper_network(samples).weights)
        circuit = fl.NetworkCircuit.from_networks(network, design=design)

        def draws(circuit: fl.NetworkCircuit = circuit) -> np.ndarray:
            return circuit.run_draws(samples.x, 1.0, draws=10_000, log_spread=0.05, rng=np.random.default_rng(1))

        rows.append(compare(f"10 000 draws x 10 digits, {design}", draws, None, rounds, "2 s"))
    return rows


def memory() -> Row:
    """Peak memory of a process that solves 1024 x 1024 once, and of one that only imports."""
    solving = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport circuit\n"
        "circuit.fl.solve(*circuit.array((1024, 1024), 1.0))"
    )
    peaks = []
    for code in ("import fewlevels; fewlevels.solve", solving):
        code += "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-2]) / 1024)
    return {"name": "1024 x 1024, wires: peak memory", "megabytes": peaks[1], "of_imports": peaks[0], "goal": "300 MB"}


def show(row: Row) -> str:
    if "megabytes" in row:
        return (
            f"{row['name']:44} {row['megabytes']:.0f} MB, of which imports {row['of_imports']:.0f}  goal {row['goal']}"
        )
    low, high = row["spread"]
    ratio = f"{row['rival_seconds']:9.3g} s {row['ratio']:8.1f} x" if "ratio" in row else " " * 22
    checked = f"{row['check']:>9} {row['error']:.1e}" if "check" in row else " " * 17
    processor = f", processor {row['processor_ratio']:.1f} x" if "processor_ratio" in row else ""
    timed = f"{row['name']:44} {row['seconds']:9.3g} s {f'({low:.2g} - {high:.2g})':19}"
    return f"{timed} {ratio}  {checked}  {row['goal']}{processor}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    print(f"{'circuit':44} {'ours (min - max)':31} {'rival':>11} {'times':>10}  {'check and error':17}  goal")
    for part in (against_the_clock, against_sparse_lu, against_unit_solves, against_badcrossbar, against_ngspice):
        for row in part(arguments.rounds):
            print(show(row), flush=True)
            rows.append(row)
    if Path("/proc/self/status").exists():
        rows.append(memory())
        print(show(rows[-1]))
    if arguments.json:
        machine = {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        }
        arguments.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
