"""The commands simulate, netlist and verify: a study's model as a circuit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.options import Folder, Json, Model, given, option
from fewlevels.common.counts import counted
from fewlevels.errors import ConfigError

if TYPE_CHECKING:
    from fewlevels.study.circuits import CircuitOptions


VOLTS = "{circuit.input_volts[0]:g},{circuit.input_volts[1]:g},{circuit.input_volts[2]:g}"
InputVolt = Annotated[Optional[str], option("--input-volt", f"Input voltages, with commas between. [{VOLTS}]", "V,...")]
Design = Annotated[
    Optional[str], option("--design", "Stage design; a wrong name lists them. [{circuit.design}]", "NAME")
]
RMin = Annotated[
    Optional[float], option("--r-min-ohm", "Resistance of the largest weight. [{circuit.r_min_ohm:g}]", "X")
]
Wire = Annotated[Optional[float], option("--wire-ohm", "Resistance of every wire segment. [{circuit.wire_ohm:g}]", "X")]
OffPixels = Annotated[
    Optional[str],
    option("--off-pixels", "Where inputs of 0 are held: zero or threshold. [{circuit.off_pixels}]", "WHERE"),
]


def simulate(
    ctx: typer.Context,
    folder: Folder,
    model: Model = "best",
    engine: Annotated[str, option("--engine", "native or ngspice. [{default}]", "NAME")] = "native",
    input_volt: InputVolt = None,
    design: Design = None,
    r_min_ohm: RMin = None,
    wire_ohm: Wire = None,
    off_pixels: OffPixels = None,
    draws: Annotated[int, option("--draws", "Circuits with varied resistances. [{default}]", "N")] = 0,
    log_spread: Annotated[
        float, option("--log-spread", "Spread of ln(resistance) of the draws. [{default}]", "X")
    ] = 0.05,
    as_json: Json = False,
) -> None:
    """Run a model of a study as a circuit. Prints its resistors, recognition and current gap at each voltage."""
    from fewlevels.common.proportions import percent
    from fewlevels.study.circuits import choose_model, simulate_model, store_simulation
    from fewlevels.study.result import load_searched

    result, options = load_searched(folder), _circuit_options(ctx, input_volt)
    index = choose_model(result, model, options)
    simulation = simulate_model(result, index, options, engine=engine, draws=draws, log_spread=log_spread)
    store_simulation(folder, index, simulation)
    if as_json:
        return print(json.dumps({"model": index, **simulation.as_dict()}, indent=1))
    print(f"model {index}: {counted(simulation.requested_levels, 'level')}, design {options.design}, engine {engine}\n")
    print(simulation.resistances)
    of_draws = "  draws that recognise all" if draws else ""
    print(f"\n{'input':>7}  recognition  largest gap  smallest margin  residual{of_draws}")
    for at in simulation.voltages:
        drawn = f"  {percent((at.draw_recognition == 1).mean())}" if draws else ""
        recognition, gap, margin = percent(at.recognition, 0), percent(at.largest_gap), at.current_margin
        print(f"{at.input_volt:>5g} V  {recognition:>11}  {gap:>11}  {margin:>15.4f}  {at.residual:>8.1e}{drawn}")
    print(f"\nstored: {folder / 'circuit.json'}, {folder / 'resistances.csv'}")
    return None


def netlist(
    ctx: typer.Context,
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Deck to write.", show_default=False)],
    model: Model = "best",
    sample: Annotated[int, option("--sample", "Sample that drives the inputs. [{default}]", "N")] = 0,
    input_volt: InputVolt = None,
    design: Design = None,
    r_min_ohm: RMin = None,
    wire_ohm: Wire = None,
    off_pixels: OffPixels = None,
    dialect: Annotated[str, option("--dialect", "spice (ngspice, LTspice) or spectre. [{default}]", "NAME")] = "spice",
) -> None:
    """Write a model's circuit as a SPICE or Spectre deck. It is driven by a sample and says what to expect of it."""
    from fewlevels.storage.files import write_file
    from fewlevels.study.circuits import choose_model, netlist_of
    from fewlevels.study.result import load_searched

    result, options = load_searched(folder), _circuit_options(ctx, input_volt)
    deck = netlist_of(result, choose_model(result, model, options), options, sample=sample, dialect=dialect)
    is_file = write_file(out, deck.encode())
    print(f"netlist: {out}", file=sys.stdout if is_file else sys.stderr)


def verify(
    ctx: typer.Context,
    folder: Folder,
    model: Model = "best",
    input_volt: InputVolt = None,
    design: Design = None,
    r_min_ohm: RMin = None,
    wire_ohm: Wire = None,
    off_pixels: OffPixels = None,
    tolerance: Annotated[
        float, option("--tolerance", "Largest relative difference allowed. [{default:g}]", "X")
    ] = 1e-9,
) -> None:
    """Check a model's circuit against ngspice. Exit code 1 where the two engines differ."""
    from fewlevels.study.circuits import choose_model, store_agreement, verify_model
    from fewlevels.study.result import load_searched

    result, options = load_searched(folder), _circuit_options(ctx, input_volt)
    index = choose_model(result, model, options)
    agreement = verify_model(result, index, options, tolerance)
    store_agreement(folder, index, options, agreement)
    print(f"model {index}, native against ngspice {agreement.ngspice_version}")
    print("  input  layer  largest relative difference")
    for volt, layer, difference in agreement.rows:
        print(f"{volt:>5g} V  {layer:>5}  {difference:.2e}")
    print("agreed" if agreement.passed else f"differs by more than {tolerance:g}")
    raise typer.Exit(0 if agreement.passed else 1)


def _circuit_options(ctx: typer.Context, input_volt: str | None) -> CircuitOptions:
    from fewlevels.study.circuits import CircuitOptions

    options = given(ctx, CircuitOptions)
    if input_volt is not None:
        try:
            options["input_volts"] = tuple(float(volt) for volt in input_volt.split(","))
        except ValueError:
            raise ConfigError(f"--input-volt must be numbers with commas between, got {input_volt!r}") from None
    return CircuitOptions(**options)
