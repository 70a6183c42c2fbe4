"""The commands simulate, netlist and verify: a study's model as a circuit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.options import Folder, Model, option
from fewlevels.common.counts import counted
from fewlevels.errors import ConfigError

if TYPE_CHECKING:
    from fewlevels.study.circuits import CircuitOptions


InputVolt = Annotated[str, option("--input-volt", "Input voltages, with commas between. [1,5,10]", "V,...")]


Design = Annotated[str, option("--design", "Stage design; a wrong name lists them. [differential-pair]", "NAME")]


RMin = Annotated[float, option("--r-min-ohm", "Resistance of the largest weight. [10000]", "X")]


Wire = Annotated[float, option("--wire-ohm", "Resistance of every wire segment. [0]", "X")]


OffPixels = Annotated[
    Optional[str], option("--off-pixels", "Where inputs of 0 are held: zero or threshold. [zero]", "WHERE")
]


VOLTS = "1,5,10"


def simulate(
    folder: Folder,
    model: Model = "best",
    engine: Annotated[str, option("--engine", "native or ngspice. [native]", "NAME")] = "native",
    input_volt: InputVolt = VOLTS,
    design: Design = "differential-pair",
    r_min_ohm: RMin = 10e3,
    wire_ohm: Wire = 0.0,
    off_pixels: OffPixels = None,
    draws: Annotated[int, option("--draws", "Circuits with varied resistances. [0]", "N")] = 0,
    spread: Annotated[float, option("--spread", "Spread of ln(resistance) of the draws. [0.05]", "X")] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Run a model of a study as a circuit. Prints its resistors, recognition and current gap at each voltage."""
    from fewlevels.common.proportions import percent
    from fewlevels.study.circuits import choose_model, simulate_model, store_simulation
    from fewlevels.study.result import load_searched

    result, options = load_searched(folder), _circuit_options(input_volt, design, r_min_ohm, wire_ohm, off_pixels)
    index = choose_model(result, model, options)
    simulation = simulate_model(result, index, options, engine=engine, draws=draws, spread=spread)
    store_simulation(folder, index, simulation)
    if as_json:
        return print(json.dumps({"model": index, **simulation.as_dict()}, indent=1))
    print(f"model {index}: {counted(simulation.requested_levels, 'level')}, design {design}, engine {engine}\n")
    print(simulation.resistances)
    print(
        f"\n{'input':>7}  recognition  largest gap  smallest margin  residual"
        + "  draws that recognise all" * (draws > 0)
    )
    for at in simulation.voltages:
        drawn = f"  {percent((at.draws_recognition == 1).mean())}" if draws else ""
        recognition, gap = percent(at.recognition, 0), percent(at.largest_gap)
        print(f"{at.input_volt:>5g} V  {recognition:>11}  {gap:>11}  {at.margin:>15.4f}  {at.residual:>8.1e}{drawn}")
    print(f"\nstored: {folder / 'circuit.json'}, {folder / 'resistances.csv'}")
    return None


def netlist(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Deck to write.", show_default=False)],
    model: Model = "best",
    sample: Annotated[int, option("--sample", "Sample that drives the inputs. [0]", "N")] = 0,
    input_volt: InputVolt = VOLTS,
    design: Design = "differential-pair",
    r_min_ohm: RMin = 10e3,
    wire_ohm: Wire = 0.0,
    off_pixels: OffPixels = None,
    dialect: Annotated[str, option("--dialect", "spice (ngspice, LTspice) or spectre. [spice]", "NAME")] = "spice",
) -> None:
    """Write a model's circuit as a SPICE or Spectre deck. It is driven by a sample and says what to expect of it."""
    from fewlevels.storage.files import write_file
    from fewlevels.study.circuits import choose_model, netlist_of
    from fewlevels.study.result import load_searched

    result, options = load_searched(folder), _circuit_options(input_volt, design, r_min_ohm, wire_ohm, off_pixels)
    deck = netlist_of(result, choose_model(result, model, options), options, sample=sample, dialect=dialect)
    is_file = write_file(out, deck.encode())
    print(f"netlist: {out}", file=sys.stdout if is_file else sys.stderr)


def verify(
    folder: Folder,
    model: Model = "best",
    input_volt: InputVolt = VOLTS,
    design: Design = "differential-pair",
    r_min_ohm: RMin = 10e3,
    wire_ohm: Wire = 0.0,
    off_pixels: OffPixels = None,
    tolerance: Annotated[float, option("--tolerance", "Largest relative difference allowed. [1e-9]", "X")] = 1e-9,
) -> None:
    """Check a model's circuit against ngspice. Exit code 1 where the two engines differ."""
    from fewlevels.study.circuits import choose_model, store_agreement, verify_model
    from fewlevels.study.result import load_searched

    result, options = load_searched(folder), _circuit_options(input_volt, design, r_min_ohm, wire_ohm, off_pixels)
    index = choose_model(result, model, options)
    agreement = verify_model(result, index, options, tolerance)
    store_agreement(folder, index, options, agreement)
    print(f"model {index}, native against ngspice {agreement.ngspice}\n  input  layer  largest relative difference")
    for volt, layer, difference in agreement.rows:
        print(f"{volt:>5g} V  {layer:>5}  {difference:.2e}")
    print("agreed" if agreement.passed else f"differs by more than {tolerance:g}")
    raise typer.Exit(0 if agreement.passed else 1)


def _circuit_options(
    input_volt: str, design: str, r_min_ohm: float, wire_ohm: float, off_pixels: str | None
) -> CircuitOptions:
    from fewlevels.study.circuits import CircuitOptions

    try:
        volts = tuple(float(volt) for volt in input_volt.split(","))
    except ValueError:
        raise ConfigError(f"--input-volt must be numbers with commas between, got {input_volt!r}") from None
    return CircuitOptions(
        input_volts=volts, design=design, r_min_ohm=r_min_ohm, wire_ohm=wire_ohm, off_pixels=off_pixels or "zero"
    )
