"""The command `fewlevels search`: parse, call, print."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.interrupt import GOES_ON, on_interrupt
from fewlevels.cli.options import (
    Activation,
    Bias,
    Data,
    EngineName,
    Jobs,
    Json,
    KeepDigital,
    PartName,
    PieceSeconds,
    Quiet,
    Source,
    Test,
    Verify,
    names,
    option,
)
from fewlevels.cli.progress import say_damaged, shown_progress
from fewlevels.common.places import is_folder
from fewlevels.errors import UsageError

if TYPE_CHECKING:
    from fewlevels.search.methods import MethodComparison
    from fewlevels.search.run import Present
    from fewlevels.study.inputs import Inputs


def search(
    ctx: typer.Context,
    source: Source,
    method: Annotated[
        Optional[str],
        option(
            "--method",
            "With commas between: {methods}, device:FILE.csv (or a device's TOML), and qat:METHOD, fine-tuned for "
            "any of these, where layers are dense. [paper,clipped and, where layers are dense, qat:ternary]",
            "M,...",
        ),
    ] = None,
    data: Data = None,
    test: Test = None,
    alpha: Annotated[float, option("--alpha", "Recognition to keep. [{default}]", "X")] = 1.0,
    relative: Annotated[
        bool, typer.Option("--relative", help="Alpha is a fraction of each network's own unquantized recognition.")
    ] = False,
    q_max: Annotated[int, option("--q-max", "Most levels tried. [{default}]", "N")] = 16,
    share: Annotated[
        str, option("--share", "Share levels by network, layer or column. [{default}]", "WHO")
    ] = "network",
    minimise: Annotated[str, option("--minimise", "What is made small: {counts}. [{default}]", "COUNT")] = "requested",
    seed: Annotated[int, option("--seed", "Of fine-tuning. [{default}]", "N")] = 1,
    out: Annotated[
        Optional[Path],
        option(
            "--out", "Folder for search.json, the traces and weights in search.npz, and the figure. [the study]", "DIR"
        ),
    ] = None,
    activation: Activation = None,
    keep_digital: KeepDigital = None,
    bias: Bias = "digital",
    part: PartName = None,
    piece_seconds: PieceSeconds = 60.0,
    verify: Verify = False,
    engine: EngineName = "threads",
    jobs: Jobs = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the fewest levels by several methods on the same networks.

    What is stored goes on where it was, when the same command is stopped and given again.
    """
    on_interrupt("nothing was stored")
    from fewlevels.reporting.comparison import require_room
    from fewlevels.search.run import Present
    from fewlevels.study.inputs import read_inputs
    from fewlevels.study.reading import Reading

    out = source if out is None and is_folder(source) else out
    if out is not None:
        require_room(out, source)
    elif part is not None or verify or engine != "threads":
        raise UsageError("--part, --verify and --engine are of searches that are stored; say where by --out")
    reading = Reading(activations=names(activation), keep_digital=names(keep_digital), bias=bias)
    inputs = read_inputs(source, data, test, reading=reading)
    found = _run(ctx, inputs, out)
    if isinstance(found, Present):
        return print(json.dumps(asdict(found), indent=1) if as_json else f"part {part} is done; {found}")
    files = [] if out is None else _store(out, found, inputs)
    _say(found, inputs, files, as_json)
    if out == source and not as_json:
        print(f"'fewlevels report {source}' shows it")
    return None


def _run(ctx: typer.Context, inputs: Inputs, out: Path | None) -> MethodComparison | Present:
    """What the methods reach, or of a part how much of the search is there. out: where pieces are kept, if at all."""
    from fewlevels.engines.choose import engine_named
    from fewlevels.engines.parts import Part
    from fewlevels.networks.networks import Networks
    from fewlevels.search.contest import Contest
    from fewlevels.search.method import DEFAULT_METHODS, DEFAULT_OF_GRAPHS, checked_methods
    from fewlevels.search.methods import compare
    from fewlevels.search.run import run_search, run_search_part
    from fewlevels.search.target import Target

    asked, stacked = ctx.params, isinstance(inputs.networks, Networks)
    part = None if asked["part"] is None else Part.parse(asked["part"])
    methods = checked_methods(asked["method"] or (DEFAULT_METHODS if stacked else DEFAULT_OF_GRAPHS))
    contest = Contest.of(
        inputs.networks,
        inputs.samples,
        methods,
        test=inputs.test,
        target=Target(asked["alpha"], asked["relative"]),
        **{name: asked[name] for name in ("q_max", "share", "minimise", "seed")},
    )
    quiet = asked["quiet"]
    say = (lambda _: None) if quiet else partial(print, file=sys.stderr)
    with (
        engine_named(asked["engine"], asked["jobs"], say) as engine,
        shown_progress("searching", "tried", quiet) as on_progress,
    ):
        if out is None:
            return compare(contest, methods, jobs=asked["jobs"], on_progress=on_progress)
        on_interrupt(GOES_ON)
        kept = {"on_progress": on_progress, "on_damaged": say_damaged}
        kept |= {name: asked[name] for name in ("piece_seconds", "verify")}
        if part is None:
            return run_search(contest, methods, out, engine, **kept)
        return run_search_part(contest, methods, out, engine, part, **kept)


def _say(comparison: MethodComparison, inputs: Inputs, files: list[Path], as_json: bool) -> None:
    from fewlevels.reporting.comparison import describe, sentences, table, traces

    found = describe(comparison, inputs.data_name, inputs.test_name, inputs.remarks)
    if as_json:
        return print(json.dumps(found, indent=1))
    print(*sentences(found), "", table(found), sep="\n")
    if found["models"] == 1:
        print("", "Recognition at each number of levels:", "", traces(found), sep="\n")
    if files:
        print("\nstored:", *files, sep="\n  ")


def _store(out: Path, comparison: MethodComparison, inputs: Inputs) -> list[Path]:
    """The files that were stored."""
    from fewlevels.reporting.comparison import store_comparison
    from fewlevels.reporting.quantized import store_quantized

    stored = partial(on_interrupt, "search.json and search.npz were stored")
    files = store_comparison(
        out, comparison, inputs.data_name, inputs.test_name, remarks=inputs.remarks, on_stored=stored
    )
    return files + (store_quantized(out, comparison, inputs.network) if inputs.network else [])
