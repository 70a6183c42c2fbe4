"""The circuit solver against badcrossbar and ngspice, and against the clock, accuracy checked in the same run.

    python benchmarks/circuit.py [--rounds 5] [--json FILE]

Each round runs every contender once; the table gives the median over the rounds with the spread (minimum to maximum).
badcrossbar comes from PyPI (it needs libcairo2-dev), ngspice from the platform; a missing one leaves its rows out.
Errors are relative, the largest over the outputs: against badcrossbar's or ngspice's currents, or, without a rival,
against the same circuit solved to a hundred times the accuracy.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fewlevels as fl
from fewlevels.circuit.network_netlist import network_deck
from fewlevels.circuit.ngspice import ngspice_version, run_deck

Row = dict[str, object]


def array(size: tuple[int, int], wire_ohm: float, selector: fl.Diode | None = None) -> tuple[fl.Crossbar, np.ndarray]:
    """Resistances 1 kohm to 100 kohm, inputs 0.5 V to 1 V, or 1.15 V to 1.65 V with diodes."""
    rng = np.random.default_rng(size[0])
    ohm = 10 ** rng.uniform(3, 5, size)
    volt = rng.uniform(0.5, 1.0, (1, size[0])) + (0.65 if selector else 0.0)
    return fl.Crossbar(1 / ohm, word_wire_ohm=wire_ohm, bit_wire_ohm=wire_ohm, selector=selector), volt


def clock(run: Callable[[], np.ndarray], least_seconds: float = 0.02) -> tuple[float, np.ndarray]:
    """Seconds of one call, averaged over as many as fill least_seconds, and its result."""
    calls, begin = 0, time.perf_counter()
    while True:
        result = run()
        calls += 1
        if (spent := time.perf_counter() - begin) >= least_seconds:
            return spent / calls, result


def compare(name: str, ours: Callable[[], np.ndarray], other: Callable[[], np.ndarray], rounds: int, goal: str) -> Row:
    """A contender and a rival, or the more accurate solution whose time does not count."""
    ours()
    own_times, other_times, error = [], [], 0.0
    rival = "x" in goal
    for _ in range(rounds):
        seconds, found = clock(ours)
        own_times.append(seconds)
        if rival or not other_times:
            begin = time.perf_counter()
            expected = other()
            other_times.append(time.perf_counter() - begin)
            error = max(error, float(np.max(np.abs(found / expected - 1))))
    row: Row = {"name": name, "seconds": statistics.median(own_times), "spread": [min(own_times), max(own_times)],
                "error": error, "goal": goal}  # fmt: skip
    if rival:
        ratios = [theirs / own for theirs, own in zip(other_times, own_times, strict=True)]
        row |= {"rival_seconds": statistics.median(other_times), "ratio": statistics.median(ratios)}
    return row


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
            found = badcrossbar.compute(volt.T, 1 / crossbar.conductance_siemens, 1.0, node_voltages=False,
                                        all_currents=False)  # fmt: skip
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
    rows = [compare(
        f"ngspice {ngspice_version()}, 64 x 64, wires and diodes", lambda: fl.solve(crossbar, volt).output_ampere,
        lambda: fl.solve(crossbar, volt, engine="ngspice").output_ampere, min(rounds, 3), "1000 x",
    )]  # fmt: skip
    samples = fl.load_digits(5)
    circuit = paper_network(samples)
    decks = [network_deck(circuit, x, 1.0) for x in samples.x]
    columns = range(circuit.crossbars[-1].bit_lines)
    rows.append(compare(
        "ngspice, the paper's network, ten digits", lambda: circuit.run(samples.x, 1.0).stages[-1].point.output_ampere,
        lambda: np.array([[values[f"i(vl2c{j})"] for j in columns] for values in map(run_deck, decks)]), rounds, "50 x",
    ))  # fmt: skip
    return rows


def paper_network(samples: fl.Samples) -> fl.NetworkCircuit:
    """A 25-10-10 network at its fewest levels, as a differential pair with diodes."""
    found = fl.fewest_levels(fl.train(samples, fl.TrainingConfig(), models=16, seed=1), samples, q_max=16)
    return fl.NetworkCircuit.from_networks(found.quantized(int(np.argmin(np.where(found.solved, found.q, 99)))))


def against_the_clock(rounds: int) -> list[Row]:
    rows = []
    for name, size, wire, selector, goal in (
        ("25 x 10, wires", (25, 10), 1.0, None, "20 us"),
        ("64 x 64, wires", (64, 64), 1.0, None, "700 us"),
        ("1024 x 1024, wires", (1024, 1024), 1.0, None, "0.15 s"),
        ("2048 x 2048, wires", (2048, 2048), 1.0, None, "0.8 s"),
        ("1024 x 1024, wires and diodes", (1024, 1024), 1.0, fl.Diode(), "1 s"),
        ("1000 x 1000 diodes, ideal wires", (1000, 1000), 0.0, fl.Diode(), "25 ms"),
    ):
        crossbar, volt = array(size, wire, selector)
        rows.append(compare(
            name, lambda c=crossbar, v=volt: fl.solve(c, v).output_ampere,
            lambda c=crossbar, v=volt: fl.solve(c, v, tolerance=1e-14, keep_unconverged=True).output_ampere,
            rounds, goal,
        ))  # fmt: skip
    samples = fl.load_digits(5)
    for design in ("differential-pair", "reference-buffered"):
        network = fl.Networks.from_weights(paper_network(samples).weights)
        circuit = fl.NetworkCircuit.from_networks(network, design=design)

        def draws(circuit: fl.NetworkCircuit = circuit) -> np.ndarray:
            return circuit.run_draws(samples.x, 1.0, draws=10_000, spread=0.05, rng=np.random.default_rng(1))

        rows.append(compare(f"10 000 draws x 10 digits, {design}", draws, draws, rounds, "2 s"))
    return rows


def memory() -> Row:
    """Peak memory of a process that solves 1024 x 1024 once, and of one that only imports."""
    solving = (f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport circuit\n"
               "circuit.fl.solve(*circuit.array((1024, 1024), 1.0))")  # fmt: skip
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
    low, high = row["spread"]  # type: ignore[misc]
    ratio = f"{row['rival_seconds']:9.3g} s {row['ratio']:8.0f} x" if "ratio" in row else " " * 22
    return (f"{row['name']:44} {row['seconds']:9.3g} s ({low:.2g} - {high:.2g}) {ratio}  error {row['error']:.1e}  "
            f"goal {row['goal']}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for part in (against_the_clock, against_badcrossbar, against_ngspice):
        for row in part(arguments.rounds):
            print(show(row), flush=True)
            rows.append(row)
    if Path("/proc/self/status").exists():
        rows.append(memory())
        print(show(rows[-1]))
    if arguments.json:
        machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
                   "python": platform.python_version(), "numpy": np.__version__}  # fmt: skip
        arguments.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
