"""Command line: parse, call, print, exit code; nothing else."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from fewlevels import __version__
from fewlevels.cli_devices import devices
from fewlevels.cli_fit import fit
from fewlevels.cli_interrupt import GOES_ON, INTERRUPTED, leave, leaving_soon, on_interrupt
from fewlevels.cli_options import SAMPLES, Model, option as _option
from fewlevels.cli_output import ShownStream
from fewlevels.cli_progress import shown_progress
from fewlevels.cli_search import search
from fewlevels.common.counts import counted
from fewlevels.common.words import printable
from fewlevels.errors import ConfigError, FewlevelsError, FewlevelsWarning, UsageError

if TYPE_CHECKING:
    from fewlevels.study.circuits import CircuitOptions
    from fewlevels.study.result import StudyResult

app = typer.Typer(
    name="fewlevels",
    help="How few conductance levels does a neural network need, and which ones?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

LONGEST_ERROR = 2000
ParseError: Any = typer.BadParameter.__base__

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.", show_default=False)]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fewlevels {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def study(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the results.", show_default=False)],
    dataset: Annotated[
        Optional[str], _option("--dataset", f"Samples to train on: {SAMPLES}. [digits5]", "NAME|FILE")
    ] = None,
    preset: Annotated[
        Optional[str], _option("--preset", "paper: 60 x 100 models; quick: a tenth of them. [paper]", "paper|quick")
    ] = None,
    config: Annotated[
        Optional[Path], _option("--config", "TOML file in place of a preset; options still win.", "FILE")
    ] = None,
    seed: Annotated[Optional[int], _option("--seed", "Root of all randomness. [1]", "N")] = None,
    seeds: Annotated[Optional[int], _option("--seeds", "Seeds, each with its own repeats. [60]", "N")] = None,
    repeats: Annotated[Optional[int], _option("--repeats", "Models of each seed. [100]", "N")] = None,
    epochs: Annotated[Optional[int], _option("--epochs", "Epochs of training. [5000]", "N")] = None,
    iterations: Annotated[Optional[int], _option("--iterations", "Backpropagations of an epoch. [100]", "N")] = None,
    hidden: Annotated[Optional[int], _option("--hidden", "Hidden units. [10]", "N")] = None,
    learning_rate: Annotated[Optional[float], _option("--learning-rate", "Learning rate. [1.0]", "X")] = None,
    init: Annotated[
        Optional[str],
        _option("--init", "Start of the weights: uniform:LOW,HIGH or normal:MEAN,SD. [uniform:0,1]", "START"),
    ] = None,
    alpha: Annotated[
        Optional[float], _option("--alpha", "Recognition to keep, above 0 and up to 1. [1.0]", "X")
    ] = None,
    q_max: Annotated[Optional[int], _option("--q-max", "Most levels tried. [64]", "N")] = None,
    quantizer: Annotated[
        Optional[str],
        _option("--quantizer", "midpoint (of magnitudes, signs kept) or midpoint-signed. [midpoint]", "NAME"),
    ] = None,
    instruction_set: Annotated[
        Optional[str],
        _option(
            "--instruction-set",
            "v4 (AVX-512), v3 (AVX2) or baseline: training rounds differently in each. [the best here]",
            "NAME",
        ),
    ] = None,
    jobs: Annotated[Optional[int], _option("--jobs", "Threads; does not change the result. [all cores]", "N")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train networks, find their fewest levels, write a report.

    Stopped at any time, the same command goes on where it was.
    """
    on_interrupt(GOES_ON)
    from fewlevels.engines.threads import Threads
    from fewlevels.reporting.study import write_report
    from fewlevels.samples.datasets import NAMES
    from fewlevels.study.config import PRESETS, make_config, read_config
    from fewlevels.study.run import run_study

    if preset is not None and preset not in PRESETS:
        raise ConfigError(f"--preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    if preset is not None and config is not None:
        raise ConfigError("give either --preset or --config, not both")
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs must be at least 1, got {jobs}")
    values = read_config(config) if config else dict(PRESETS[preset or "paper"])
    options = {
        "dataset": dataset,
        "seed": seed,
        "seeds": seeds,
        "repeats": repeats,
        "epochs": epochs,
        "iterations": iterations,
        "hidden": hidden,
        "learning_rate": learning_rate,
        "init": init,
        "alpha": alpha,
        "q_max": q_max,
        "quantizer": quantizer,
        "instruction_set": instruction_set,
    }
    values |= {key: value for key, value in options.items() if value is not None}
    beside = config.parent if config and dataset is None else Path()
    if isinstance(named := values.get("dataset"), str) and named not in NAMES and (beside / named).is_file():
        values["dataset"] = str((beside / named).resolve())  # found again from any folder
    study_config = make_config(values, str(config) if config else "study")

    def say(message: str) -> None:
        if not quiet:
            print(message, flush=True)

    with shown_progress("training and searching", "models", quiet) as on_progress:
        result = run_study(
            study_config,
            out,
            Threads(jobs),
            on_progress=on_progress,
            on_damaged=lambda path: print(f"{printable(path)} was damaged and is computed again", file=sys.stderr),
        )
    report_path = write_report(out, result)
    if not quiet:
        _print_summary(result)
    say(f"report: {report_path}")


@app.command()
def report(folder: Folder) -> None:
    """Rebuild figures and report from the stored results."""
    from fewlevels.reporting.study import write_report

    print(f"report: {write_report(folder)}")


@app.command()
def show(
    folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False
) -> None:
    """Print the summary of a study."""
    from fewlevels.study.result import load_study

    if not as_json:
        return _print_summary(load_study(folder))
    from fewlevels.reporting.study import summary_json
    from fewlevels.study.analysis import summarise

    print(json.dumps(summary_json(summarise(load_study(folder))), indent=1))
    return None


InputVolt = Annotated[str, _option("--input-volt", "Input voltages, with commas between. [1,5,10]", "V,...")]
Design = Annotated[str, _option("--design", "Stage design; a wrong name lists them. [differential-pair]", "NAME")]
RMin = Annotated[float, _option("--r-min-ohm", "Resistance of the largest weight. [10000]", "X")]
Wire = Annotated[float, _option("--wire-ohm", "Resistance of every wire segment. [0]", "X")]
OffPixels = Annotated[
    Optional[str], _option("--off-pixels", "Where inputs of 0 are held: zero or threshold. [zero]", "WHERE")
]
VOLTS = "1,5,10"


@app.command("simulate")
def simulate_command(
    folder: Folder,
    model: Model = "best",
    engine: Annotated[str, _option("--engine", "native or ngspice. [native]", "NAME")] = "native",
    input_volt: InputVolt = VOLTS,
    design: Design = "differential-pair",
    r_min_ohm: RMin = 10e3,
    wire_ohm: Wire = 0.0,
    off_pixels: OffPixels = None,
    draws: Annotated[int, _option("--draws", "Circuits with varied resistances. [0]", "N")] = 0,
    spread: Annotated[float, _option("--spread", "Spread of ln(resistance) of the draws. [0.05]", "X")] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Run a model of a study as a circuit. Prints its resistors, recognition and current gap at each voltage."""
    from fewlevels.common.proportions import percent
    from fewlevels.study.circuits import choose_model, simulate_model, store_simulation
    from fewlevels.study.result import load_study

    result, options = load_study(folder), _circuit_options(input_volt, design, r_min_ohm, wire_ohm, off_pixels)
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


@app.command()
def netlist(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Deck to write.", show_default=False)],
    model: Model = "best",
    sample: Annotated[int, _option("--sample", "Sample that drives the inputs. [0]", "N")] = 0,
    input_volt: InputVolt = VOLTS,
    design: Design = "differential-pair",
    r_min_ohm: RMin = 10e3,
    wire_ohm: Wire = 0.0,
    off_pixels: OffPixels = None,
    dialect: Annotated[str, _option("--dialect", "spice (ngspice, LTspice) or spectre. [spice]", "NAME")] = "spice",
) -> None:
    """Write a model's circuit as a SPICE or Spectre deck. It is driven by a sample and says what to expect of it."""
    from fewlevels.storage.files import write_file
    from fewlevels.study.circuits import choose_model, netlist_of
    from fewlevels.study.result import load_study

    result, options = load_study(folder), _circuit_options(input_volt, design, r_min_ohm, wire_ohm, off_pixels)
    deck = netlist_of(result, choose_model(result, model, options), options, sample=sample, dialect=dialect)
    is_file = write_file(out, deck.encode())
    print(f"netlist: {out}", file=sys.stdout if is_file else sys.stderr)


@app.command()
def verify(
    folder: Folder,
    model: Model = "best",
    input_volt: InputVolt = VOLTS,
    design: Design = "differential-pair",
    r_min_ohm: RMin = 10e3,
    wire_ohm: Wire = 0.0,
    off_pixels: OffPixels = None,
    tolerance: Annotated[float, _option("--tolerance", "Largest relative difference allowed. [1e-9]", "X")] = 1e-9,
) -> None:
    """Check a model's circuit against ngspice. Exit code 1 where the two engines differ."""
    from fewlevels.study.circuits import choose_model, store_agreement, verify_model
    from fewlevels.study.result import load_study

    result, options = load_study(folder), _circuit_options(input_volt, design, r_min_ohm, wire_ohm, off_pixels)
    index = choose_model(result, model, options)
    agreement = verify_model(result, index, options, tolerance)
    store_agreement(folder, index, options, agreement)
    print(f"model {index}, native against ngspice {agreement.ngspice}\n  input  layer  largest relative difference")
    for volt, layer, difference in agreement.rows:
        print(f"{volt:>5g} V  {layer:>5}  {difference:.2e}")
    print("agreed" if agreement.passed else f"differs by more than {tolerance:g}")
    raise typer.Exit(0 if agreement.passed else 1)


app.command()(search)
app.command()(devices)
app.command()(fit)


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


def _print_summary(result: StudyResult) -> None:
    from fewlevels.reporting.study import summary_rows
    from fewlevels.study.analysis import summarise

    rows = summary_rows(summarise(result))
    width = max(len(quantity) for quantity, _ in rows)
    for quantity, value in rows:
        print(f"{quantity:<{width}}  {value}")


@leaving_soon()
def main() -> None:
    """The `fewlevels` command: exit code 2 for usage, 1 for failure, 130 when interrupted."""
    sys.stdout, sys.stderr = ShownStream(sys.stdout), ShownStream(sys.stderr)
    warnings.formatwarning = _in_words
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()  # what cannot be written is said below
        if code == INTERRUPTED:  # what newer typers make of Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code)
    except FewlevelsError as error:
        if "--debug" in sys.argv:
            raise
        _say(f"{error}")
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except ParseError as error:
        if len(sys.argv) == 1:
            print(error.format_message())  # the help
        else:
            _say(f"{error.format_message()} See 'fewlevels --help'.")
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        leave()
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        _drop_output()
        sys.exit(1)
    except (MemoryError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        what = "not enough memory" if isinstance(error, MemoryError) else "the system refuses"
        _say(f"{what}: {error or 'ask for less'}")
        _drop_output()
        sys.exit(1)


def _say(message: str) -> None:
    """One line on standard error, whatever is named in the message."""
    print(f"fewlevels: {printable(message, LONGEST_ERROR)}", file=sys.stderr)


def _in_words(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Of a warning that is ours, its sentence; of another, where it comes from, too."""
    where = "" if issubclass(category, FewlevelsWarning) else f"{filename}:{lineno}: {category.__name__}: "
    return f"fewlevels: {printable(where + str(message), LONGEST_ERROR)}\n"


def _drop_output() -> None:
    """Let go of output that cannot be written, which Python would try once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
