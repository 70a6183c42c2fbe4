"""The commands study, report and show."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.interrupt import GOES_ON, on_interrupt
from fewlevels.cli.options import SAMPLES, Folder, option
from fewlevels.cli.progress import shown_progress
from fewlevels.common.words import printable
from fewlevels.errors import ConfigError

if TYPE_CHECKING:
    from fewlevels.study.analysis import Summary


def study(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the results.", show_default=False)],
    dataset: Annotated[
        Optional[str], option("--dataset", f"Samples to train on: {SAMPLES}. [digits5]", "NAME|FILE")
    ] = None,
    preset: Annotated[
        Optional[str], option("--preset", "paper: 60 x 100 models; quick: a tenth of them. [paper]", "paper|quick")
    ] = None,
    config: Annotated[
        Optional[Path], option("--config", "TOML file in place of a preset; options still win.", "FILE")
    ] = None,
    seed: Annotated[Optional[int], option("--seed", "Root of all randomness. [1]", "N")] = None,
    seeds: Annotated[Optional[int], option("--seeds", "Seeds, each with its own repeats. [60]", "N")] = None,
    repeats: Annotated[Optional[int], option("--repeats", "Models of each seed. [100]", "N")] = None,
    epochs: Annotated[Optional[int], option("--epochs", "Epochs of training. [5000]", "N")] = None,
    iterations: Annotated[Optional[int], option("--iterations", "Backpropagations of an epoch. [100]", "N")] = None,
    hidden: Annotated[Optional[int], option("--hidden", "Hidden units. [10]", "N")] = None,
    learning_rate: Annotated[Optional[float], option("--learning-rate", "Learning rate. [1.0]", "X")] = None,
    init: Annotated[
        Optional[str],
        option("--init", "Start of the weights: uniform:LOW,HIGH or normal:MEAN,SD. [uniform:0,1]", "START"),
    ] = None,
    alpha: Annotated[Optional[float], option("--alpha", "Recognition to keep, above 0 and up to 1. [1.0]", "X")] = None,
    q_max: Annotated[Optional[int], option("--q-max", "Most levels tried. [64]", "N")] = None,
    quantizer: Annotated[
        Optional[str],
        option("--quantizer", "midpoint (of magnitudes, signs kept) or midpoint-signed. [midpoint]", "NAME"),
    ] = None,
    instruction_set: Annotated[
        Optional[str],
        option(
            "--instruction-set",
            "v4 (AVX-512), v3 (AVX2) or baseline: training rounds differently in each. [the best here]",
            "NAME",
        ),
    ] = None,
    jobs: Annotated[Optional[int], option("--jobs", "Threads; does not change the result. [all cores]", "N")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train networks, find their fewest levels, write a report.

    Stopped at any time, the same command goes on where it was.
    """
    on_interrupt(GOES_ON)
    from fewlevels.engines.threads import Threads
    from fewlevels.reporting.study import write_report
    from fewlevels.samples.datasets import NAMES
    from fewlevels.study.analysis import summarise
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
        _print_summary(summarise(result))
    say(f"report: {report_path}")


def report(folder: Folder) -> None:
    """Rebuild figures and report from the stored results."""
    from fewlevels.reporting.study import write_report
    from fewlevels.study.result import load_study

    print(f"report: {write_report(folder, load_study(folder))}")


def show(
    folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False
) -> None:
    """Print the summary of a study."""
    from fewlevels.reporting.study import summary_json
    from fewlevels.study.analysis import summarise
    from fewlevels.study.result import load_searched

    summary = summarise(load_searched(folder))
    if as_json:
        print(json.dumps(summary_json(summary), indent=1))
    else:
        _print_summary(summary)


def _print_summary(summary: Summary) -> None:
    from fewlevels.reporting.study import summary_rows

    rows = summary_rows(summary)
    width = max(len(quantity) for quantity, _ in rows)
    for quantity, value in rows:
        print(f"{quantity:<{width}}  {value}")
