"""Hardware: a model of a study, quantized to its fewest levels, as a circuit; the choice of the model."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast, get_args

import numpy as np

from fewlevels.circuit.network.deck import network_deck
from fewlevels.circuit.network.designs import OffPixels
from fewlevels.circuit.network.simulation import INPUT_VOLTS, Agreement, Simulation, verify
from fewlevels.circuit.point import ENGINES
from fewlevels.circuit.spice.crossbar_deck import Dialect
from fewlevels.common.counts import counted
from fewlevels.errors import UsageError
from fewlevels.storage.folder import Folder
from fewlevels.study.inputs import best_of, model_index
from fewlevels.study.result import SearchedStudy


@dataclass(frozen=True, kw_only=True)
class CircuitOptions:
    """What a user chooses of a circuit; the paper gives none of it but the voltages."""

    input_volts: tuple[float, ...] = INPUT_VOLTS
    design: str = "pair-transimpedance"
    r_min_ohm: float = 10e3
    wire_ohm: float = 0.0
    off_pixels: str = "zero"


def simulate_model(
    result: SearchedStudy,
    model: int,
    options: CircuitOptions,
    *,
    engine: str = "native",
    draws: int = 0,
    log_spread: float = 0.05,
) -> Simulation:
    """The circuit of one model at its fewest levels. Raises SearchError where it is unsolved, CircuitError as
    `simulate` does."""
    if engine not in ENGINES:
        raise UsageError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if options.off_pixels not in get_args(OffPixels):
        raise UsageError(f"off pixels are held at {' or '.join(get_args(OffPixels))}, got {options.off_pixels!r}")
    return result.circuit(
        model, engine=engine, draws=draws, log_spread=log_spread, seed=result.config.seed, **asdict(options)
    )


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


def store_simulation(folder: Path, model: int, simulation: Simulation) -> None:
    """Write circuit.json, and the table of resistors as resistances.csv, into a study's folder."""
    store = Folder(folder)
    store.write("circuit.json", json.dumps({"model": model, **simulation.as_dict()}, indent=1).encode())
    table, text = simulation.resistances, io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["weight", "resistance_ohm", "devices"])
    for weight, ohm, devices in zip(table.weight, table.resistance_ohm, table.devices, strict=True):
        rows.writerow([f"{weight:.12g}", f"{ohm:.12g}", devices])
    if table.rest_ohm is not None:
        rows.writerow(["at rest", f"{table.rest_ohm:.12g}", sum(table.devices)])
    store.write("resistances.csv", text.getvalue().encode())


def verify_model(result: SearchedStudy, model: int, options: CircuitOptions, tolerance: float) -> Agreement:
    """Native against ngspice, layer by layer. Raises EngineError where ngspice is missing or fails."""
    circuit = simulate_model(result, model, options).circuit
    return verify(circuit, result.samples.x, input_volts=options.input_volts, tolerance=tolerance)


def store_agreement(folder: Path, model: int, options: CircuitOptions, agreement: Agreement) -> None:
    """Write agreement.json into a study's folder, for its report."""
    rows = [dict(zip(("input_volt", "layer", "relative_difference"), row, strict=True)) for row in agreement.rows]
    circuit = asdict(options)
    found = {
        "model": model,
        "input_volt": circuit.pop("input_volts"),
        **circuit,
        "ngspice_version": agreement.ngspice_version,
        "tolerance": agreement.tolerance,
        "rows": rows,
    }
    Folder(folder).write("agreement.json", json.dumps(found, indent=1).encode())


def netlist_of(result: SearchedStudy, model: int, options: CircuitOptions, *, sample: int, dialect: str) -> str:
    """A deck of the whole network, driven by one sample at the first input voltage, with what to expect of it."""
    if not 0 <= sample < len(result.samples):
        raise UsageError(f"sample must be 0 to {len(result.samples) - 1}, got {sample}")
    circuit = simulate_model(result, model, options).circuit
    data, name = Path(result.config.dataset).name, result.samples.classes[result.samples.y[sample]]
    title = f"fewlevels: model {model} of {data}, {counted(result.search.q[model], 'level')}, showing '{name}'"
    return network_deck(
        circuit, result.samples.x[sample], options.input_volts[0], dialect=cast(Dialect, dialect), title=title
    )
