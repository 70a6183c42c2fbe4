"""The commands study, report and show."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.interrupt import GOES_ON, on_interrupt
from fewlevels.cli.options import SAMPLES, EngineName, Folder, Jobs, Json, OutFolder, PartName, Verify, given, option
from fewlevels.cli.progress import say_damaged, shown_progress
from fewlevels.errors import ConfigError

if TYPE_CHECKING:
    from fewlevels.study.analysis import Summary
    from fewlevels.study.config import StudyConfig


def study(
    ctx: typer.Context,
    out: OutFolder,
    dataset: Annotated[
        Optional[str], option("--dataset", f"Samples to train on: {SAMPLES}. [{{study.dataset}}]", "NAME|FILE")
    ] = None,
    preset: Annotated[
        Optional[str], option("--preset", "paper: 60 x 100 models; quick: a tenth of them. [paper]", "paper|quick")
    ] = None,
    config: Annotated[
        Optional[Path], option("--config", "TOML file in place of a preset; options still win.", "FILE")
    ] = None,
    seed: Annotated[Optional[int], option("--seed", "Root of all randomness. [{study.seed}]", "N")] = None,
    seeds: Annotated[Optional[int], option("--seeds", "Seeds, each with its own repeats. [{study.seeds}]", "N")] = None,
    repeats: Annotated[Optional[int], option("--repeats", "Models of each seed. [{study.repeats}]", "N")] = None,
    epochs: Annotated[Optional[int], option("--epochs", "Epochs of training. [{study.epochs}]", "N")] = None,
    iterations: Annotated[
        Optional[int], option("--iterations", "Backpropagations of an epoch. [{study.iterations}]", "N")
    ] = None,
    hidden: Annotated[Optional[int], option("--hidden", "Hidden units. [{study.hidden}]", "N")] = None,
    learning_rate: Annotated[
        Optional[float], option("--learning-rate", "Learning rate. [{study.learning_rate}]", "X")
    ] = None,
    init: Annotated[
        Optional[str],
        option("--init", "Start of the weights: uniform:LOW,HIGH or normal:MEAN,SD. [{study.init}]", "START"),
    ] = None,
    alpha: Annotated[
        Optional[float], option("--alpha", "Recognition to keep, above 0 and up to 1. [{study.alpha}]", "X")
    ] = None,
    q_max: Annotated[Optional[int], option("--q-max", "Most levels tried. [{study.q_max}]", "N")] = None,
    quantizer: Annotated[
        Optional[str],
        option("--quantizer", "midpoint (of magnitudes, signs kept) or midpoint-signed. [{study.quantizer}]", "NAME"),
    ] = None,
    instruction_set: Annotated[
        Optional[str],
        option(
            "--instruction-set",
            "v4 (AVX-512), v3 (AVX2) or baseline: training rounds differently in each. [the best here]",
            "NAME",
        ),
    ] = None,
    no_weights: Annotated[
        bool, typer.Option("--no-weights", help="Store no weights; a network is trained again when it is asked for.")
    ] = False,
    part: PartName = None,
    verify: Verify = False,
    engine: EngineName = "threads",
    jobs: Jobs = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train networks, find their fewest levels, write a report.

    Stopped at any time, the same command goes on where it was.
    """
    on_interrupt(GOES_ON)
    from fewlevels.engines.choose import engine_named
    from fewlevels.engines.parts import Part
    from fewlevels.reporting.study import write_report
    from fewlevels.study.analysis import summarise
    from fewlevels.study.present import Present
    from fewlevels.study.run import run_part, run_study

    study_config = _configuration(ctx, preset, config)
    run = run_study if part is None else partial(run_part, part=Part.parse(part))
    say = (lambda _: None) if quiet else partial(print, file=sys.stderr)
    with (
        engine_named(engine, jobs, say) as workers,
        shown_progress("training and searching", "models", quiet) as on_progress,
    ):
        result = run(study_config, out, workers, on_progress=on_progress, on_damaged=say_damaged, verify=verify)
    if isinstance(result, Present):
        return None if quiet else print(f"part {part} is done; {result}")
    report_path = write_report(out, result)
    if not quiet:
        _print_summary(summarise(result))
        print(f"report: {report_path}", flush=True)


def _configuration(ctx: typer.Context, preset: str | None, file: Path | None) -> StudyConfig:
    """What the options make of a preset or of a file."""
    from fewlevels.study.config import PRESETS, StudyConfig, found_beside, make_config, read_config

    if preset is not None and preset not in PRESETS:
        raise ConfigError(f"--preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    if preset is not None and file is not None:
        raise ConfigError("give either --preset or --config, not both")
    options = given(ctx, StudyConfig) | ({"keep_weights": False} if ctx.params["no_weights"] else {})
    values = (read_config(file) if file else dict(PRESETS[preset or "paper"])) | options
    values = found_beside(values, file.parent if file and "dataset" not in options else Path())
    return make_config(values, str(file) if file else "study")


def report(folder: Folder) -> None:
    """Rebuild figures and report from the stored results."""
    from fewlevels.reporting.study import write_report
    from fewlevels.study.result import load_study

    print(f"report: {write_report(folder, load_study(folder))}")


def show(
    folder: Folder,
    as_json: Json = False,
    progress: Annotated[bool, typer.Option("--progress", help="Print how much of it is there instead.")] = False,
) -> None:
    """Print the summary of a study, or how much of it is there."""
    if progress:
        _show_progress(folder, as_json)
        return
    from fewlevels.reporting.study import summary_json
    from fewlevels.study.analysis import summarise
    from fewlevels.study.result import load_searched

    summary = summarise(load_searched(folder))
    if as_json:
        print(json.dumps(summary_json(summary), indent=1))
    else:
        _print_summary(summary)


def _show_progress(folder: Path, as_json: bool) -> None:
    from fewlevels.search.run import searches_in
    from fewlevels.study.folder import Store
    from fewlevels.study.present import present

    store, searches = Store(folder), searches_in(folder)
    study = present(store) if store.is_begun or not searches else None
    if as_json:
        print(json.dumps((asdict(study) if study else {}) | {"searches": list(map(asdict, searches))}, indent=1))
    else:
        print(*([study] if study else []), *searches, sep="\n")


def _print_summary(summary: Summary) -> None:
    from fewlevels.reporting.study import summary_rows
    from fewlevels.reporting.text import aligned

    print(aligned(summary_rows(summary)))
