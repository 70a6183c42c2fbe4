"""Circuits of a network that a user names: simulated, written as decks, checked against ngspice, and stored."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast, get_args

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.network.deck import network_deck
from fewlevels.circuit.network.designs import OffPixels
from fewlevels.circuit.network.periphery import SIGNED
from fewlevels.circuit.network.simulation import INPUT_VOLTS, Agreement, Simulation, simulate, verify
from fewlevels.circuit.point import ENGINES
from fewlevels.circuit.spice.crossbar_deck import Dialect
from fewlevels.common.counts import counted
from fewlevels.errors import UsageError
from fewlevels.samples.samples import Samples
from fewlevels.storage.folder import Folder
from fewlevels.study.chosen import Chosen, of_study
from fewlevels.study.result import SearchedStudy
from fewlevels.study.which_model import best_of, model_index

VERIFIED = 100
"""Samples that ngspice runs, at most: each takes a run of its own."""


@dataclass(frozen=True, kw_only=True)
class CircuitOptions:
    """What a user chooses of a circuit; the paper gives none of it but the voltages."""

    input_volts: tuple[float, ...] = INPUT_VOLTS
    design: str = "pair-transimpedance"
    r_min_ohm: float = 10e3
    wire_ohm: float = 0.0
    off_pixels: str = "zero"
    signed: str = "two-reads"


def simulate_chosen(
    chosen: Chosen, options: CircuitOptions, *, engine: str = "native", draws: int = 0, log_spread: float = 0.05
) -> Simulation:
    """The circuit of a network. Raises CircuitError as `simulate` does."""
    if engine not in ENGINES:
        raise UsageError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    for name, value, known in (
        ("off pixels are held at", options.off_pixels, get_args(OffPixels)),
        ("values of both signs take", options.signed, SIGNED),
    ):
        if value not in known:
            raise UsageError(f"{name} {' or '.join(known)}, got {value!r}")
    return simulate(
        chosen.networks,
        chosen.quantized,
        chosen.samples,
        engine=engine,
        draws=draws,
        log_spread=log_spread,
        seed=chosen.seed,
        **asdict(options),
    )


def simulate_model(
    result: SearchedStudy,
    model: int,
    options: CircuitOptions,
    *,
    engine: str = "native",
    draws: int = 0,
    log_spread: float = 0.05,
) -> Simulation:
    """The circuit of one model of a study at its fewest levels. Raises SearchError where it is unsolved, CircuitError
    as `simulate` does."""
    return simulate_chosen(of_study(result, model), options, engine=engine, draws=draws, log_spread=log_spread)


def choose_model(result: SearchedStudy, model: str, options: CircuitOptions) -> int:
    """The index of a model. model: an index, or 'best': of the models with the fewest levels, the one whose circuit,
    with these options, has the largest margin at its worst voltage. Raises SearchError where there is no such model.
    """
    index = model_index(model, len(result.search.q))
    if index is not None:
        return index
    best = best_of(result)
    if options == CircuitOptions():
        return best
    margins = [simulate_model(result, candidate, options).current_margin for candidate in result.fewest]
    return int(result.fewest[np.argmax(margins)])


def described(model: int, simulation: Simulation, remarks: Sequence[str] = ()) -> dict[str, object]:
    """What circuit.json holds. remarks: on the network's file, to which its circuit adds."""
    return {"model": model, **simulation.as_dict(), "remarks": [*remarks, *simulation.circuit.remarks]}


def store_simulation(folder: Path, model: int, simulation: Simulation, remarks: Sequence[str] = ()) -> None:
    """Write circuit.json, and the table of resistors as resistances.csv, into a folder."""
    store = Folder(folder)
    store.write("circuit.json", json.dumps(described(model, simulation, remarks), indent=1).encode())
    table, text = simulation.resistances, io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["weight", "resistance_ohm", "devices"])
    for weight, ohm, devices in zip(table.weight, table.resistance_ohm, table.devices, strict=True):
        rows.writerow([f"{weight:.12g}", f"{ohm:.12g}", devices])
    if table.rest_ohm is not None:
        rows.writerow(["at rest", f"{table.rest_ohm:.12g}", sum(table.devices)])
    store.write("resistances.csv", text.getvalue().encode())


def verified(samples: Samples) -> npt.NDArray[np.intp]:
    """Which samples ngspice runs: all of a few, else VERIFIED evenly spaced ones."""
    return np.unique(np.linspace(0, len(samples) - 1, min(VERIFIED, len(samples))).astype(np.intp))


def verify_chosen(chosen: Chosen, options: CircuitOptions, tolerance: float) -> Agreement:
    """Native against ngspice, layer by layer, on the samples that `verified` chooses. Raises EngineError where ngspice
    is missing or fails."""
    circuit, samples = simulate_chosen(chosen, options).circuit, chosen.samples
    return verify(circuit, samples.x[verified(samples)], input_volts=options.input_volts, tolerance=tolerance)


def store_agreement(folder: Path, model: int, options: CircuitOptions, agreement: Agreement) -> None:
    """Write agreement.json into a folder, for the report of a study."""
    rows = [dict(zip(("input_volt", "layer", "relative_difference"), row, strict=True)) for row in agreement.rows]
    circuit = {name: value for name, value in asdict(options).items() if name != "signed"}
    found = {
        "model": model,
        "input_volt": circuit.pop("input_volts"),
        **circuit,
        "ngspice_version": agreement.ngspice_version,
        "tolerance": agreement.tolerance,
        "rows": rows,
    }
    Folder(folder).write("agreement.json", json.dumps(found, indent=1).encode())


def netlist_of(chosen: Chosen, options: CircuitOptions, *, sample: int, dialect: str) -> str:
    """A deck of the whole network, driven by one sample at the first input voltage, with what to expect of it."""
    samples, levels = chosen.samples, counted(chosen.quantized.requested, "level")
    if not 0 <= sample < len(samples):
        raise UsageError(f"sample must be 0 to {len(samples) - 1}, got {sample}")
    circuit = simulate_chosen(chosen, options).circuit
    data, name = Path(chosen.data).name, samples.classes[samples.y[sample]]
    title = f"fewlevels: model {chosen.index} of {data}, {levels}, showing '{name}'"
    remarks = (*chosen.remarks, *circuit.remarks)
    return network_deck(
        circuit,
        samples.x[sample],
        options.input_volts[0],
        dialect=cast(Dialect, dialect),
        title=title,
        comments=remarks,
    )
