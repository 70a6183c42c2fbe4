"""The commands simulate, netlist and verify: a network as a circuit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.options import (
    Activation,
    Bias,
    CircuitData,
    CircuitLevels,
    CircuitMethod,
    Json,
    Model,
    Signed,
    Source,
    given,
    names,
    option,
    place,
)
from fewlevels.common.counts import counted
from fewlevels.common.places import is_folder, kind_of
from fewlevels.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from fewlevels.study.chosen import Chosen
    from fewlevels.study.circuits import CircuitOptions

MOST_ROWS = 40
"""Of a table of resistors that is printed; the file holds all."""


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
    source: Source,
    model: Model = "best",
    data: CircuitData = None,
    method: CircuitMethod = None,
    levels: CircuitLevels = None,
    engine: Annotated[str, option("--engine", "native or ngspice. [{default}]", "NAME")] = "native",
    input_volt: InputVolt = None,
    design: Design = None,
    r_min_ohm: RMin = None,
    wire_ohm: Wire = None,
    off_pixels: OffPixels = None,
    signed: Signed = None,
    activation: Activation = None,
    bias: Bias = "digital",
    draws: Annotated[int, option("--draws", "Circuits with varied resistances. [{default}]", "N")] = 0,
    log_spread: Annotated[
        float, option("--log-spread", "Spread of ln(resistance) of the draws. [{default}]", "X")
    ] = 0.05,
    out: Annotated[
        Optional[Path], option("--out", "Folder for circuit.json and resistances.csv. [the study]", "DIR")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a network as a circuit. Prints its resistors, recognition and current gap at each voltage."""
    from fewlevels.common.proportions import percent
    from fewlevels.study.circuits import described, simulate_chosen, store_simulation

    options = _circuit_options(ctx, input_volt)
    chosen = _chosen(ctx, options)
    simulation = simulate_chosen(chosen, options, engine=engine, draws=draws, log_spread=log_spread)
    out = source if out is None and is_folder(source) else out
    if out is not None:
        store_simulation(out, chosen.index, simulation, chosen.remarks)
    if as_json:
        return print(json.dumps(described(chosen.index, simulation, chosen.remarks), indent=1))
    levels_of = counted(simulation.requested_levels, "level")
    print(f"model {chosen.index}: {levels_of}, design {options.design}, engine {engine}")
    print(*chosen.remarks, *simulation.circuit.remarks, "", sep="\n")
    print(*_head(str(simulation.resistances).splitlines()), sep="\n")
    of_draws = "  draws that recognise all" if draws else ""
    print(f"\n{'input':>7}  recognition  largest gap  smallest margin  residual{of_draws}")
    for at in simulation.voltages:
        drawn = f"  {percent((at.draw_recognition == 1).mean())}" if draws else ""
        recognition = percent(at.recognition, 0 if len(at.recognised) <= 100 else 2)
        gap, margin = percent(at.largest_gap), at.current_margin
        print(f"{at.input_volt:>5g} V  {recognition:>11}  {gap:>11}  {margin:>15.4f}  {at.residual:>8.1e}{drawn}")
    if out is not None:
        print(f"\nstored: {out / 'circuit.json'}, {out / 'resistances.csv'}")
    return None


def netlist(
    ctx: typer.Context,
    source: Source,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Deck to write.", show_default=False, parser=place)
    ],
    model: Model = "best",
    data: CircuitData = None,
    method: CircuitMethod = None,
    levels: CircuitLevels = None,
    sample: Annotated[int, option("--sample", "Sample that drives the inputs. [{default}]", "N")] = 0,
    input_volt: InputVolt = None,
    design: Design = None,
    r_min_ohm: RMin = None,
    wire_ohm: Wire = None,
    off_pixels: OffPixels = None,
    signed: Signed = None,
    activation: Activation = None,
    bias: Bias = "digital",
    dialect: Annotated[str, option("--dialect", "spice (ngspice, LTspice) or spectre. [{default}]", "NAME")] = "spice",
) -> None:
    """Write a network's circuit as a SPICE or Spectre deck. It is driven by a sample and says what to expect of it."""
    from fewlevels.storage.files import write_file
    from fewlevels.study.circuits import netlist_of

    options = _circuit_options(ctx, input_volt)
    deck = netlist_of(_chosen(ctx, options), options, sample=sample, dialect=dialect)
    is_file = write_file(out, deck.encode())
    print(f"netlist: {out}", file=sys.stdout if is_file else sys.stderr)


def verify(
    ctx: typer.Context,
    source: Source,
    model: Model = "best",
    data: CircuitData = None,
    method: CircuitMethod = None,
    levels: CircuitLevels = None,
    input_volt: InputVolt = None,
    design: Design = None,
    r_min_ohm: RMin = None,
    wire_ohm: Wire = None,
    off_pixels: OffPixels = None,
    signed: Signed = None,
    activation: Activation = None,
    bias: Bias = "digital",
    tolerance: Annotated[
        float, option("--tolerance", "Largest relative difference allowed. [{default:g}]", "X")
    ] = 1e-9,
) -> None:
    """Check a network's circuit against ngspice. Exit code 1 where the two engines differ."""
    from fewlevels.study.circuits import store_agreement, verified, verify_chosen

    options = _circuit_options(ctx, input_volt)
    chosen = _chosen(ctx, options)
    agreement = verify_chosen(chosen, options, tolerance)
    if is_folder(source):
        store_agreement(source, chosen.index, options, agreement)
    print(*chosen.remarks, f"model {chosen.index}, native against ngspice {agreement.ngspice_version}", sep="\n")
    if (ran := len(verified(chosen.samples))) < len(chosen.samples):
        print(f"{ran} of {len(chosen.samples)} samples, evenly spaced")
    print("  input  layer  largest relative difference")
    for volt, layer, difference in agreement.rows:
        print(f"{volt:>5g} V  {layer:>5}  {difference:.2e}")
    print("agreed" if agreement.passed else f"differs by more than {tolerance:g}")
    raise typer.Exit(0 if agreement.passed else 1)


def _chosen(ctx: typer.Context, options: CircuitOptions) -> Chosen:
    """The network that the options of a command name."""
    from fewlevels.study.chosen import of_file, of_study
    from fewlevels.study.circuits import choose_model
    from fewlevels.study.inputs import read_inputs
    from fewlevels.study.reading import Reading
    from fewlevels.study.result import load_searched

    asked, source = ctx.params, ctx.params["source"]
    if kind_of(source) in (None, "directory"):
        if given := [name for name in ("data", "method", "levels", "activation") if asked[name] is not None]:
            raise UsageError(f"--{given[0]} is of the file of a network; {source} is a study, which says it itself")
        result = load_searched(source)
        return of_study(result, choose_model(result, asked["model"], options))
    reading = Reading(activations=names(asked["activation"]), bias=asked["bias"], dense=True)
    inputs = read_inputs(source, asked["data"], None, asked["model"], reading=reading)
    return of_file(inputs, asked["method"], asked["levels"])


def _head(lines: list[str]) -> list[str]:
    """The first lines of a table, and how many more there are."""
    more = len(lines) - MOST_ROWS
    return lines if more <= 0 else [*lines[:MOST_ROWS], f"… and {more} more"]


def _circuit_options(ctx: typer.Context, input_volt: str | None) -> CircuitOptions:
    from fewlevels.study.circuits import CircuitOptions

    options = given(ctx, CircuitOptions)
    if input_volt is not None:
        try:
            options["input_volts"] = tuple(float(volt) for volt in input_volt.split(","))
        except ValueError:
            raise ConfigError(f"--input-volt must be numbers with commas between, got {input_volt!r}") from None
    return CircuitOptions(**options)
