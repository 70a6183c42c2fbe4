"""The command `fewlevels search`: parse, call, print."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.interrupt import on_interrupt
from fewlevels.cli.options import NETWORKS, Activation, Bias, Data, Json, KeepDigital, Quiet, Test, names, option
from fewlevels.cli.progress import shown_progress

if TYPE_CHECKING:
    from fewlevels.search.methods import MethodComparison
    from fewlevels.study.inputs import Inputs


def search(
    source: Annotated[Path, typer.Argument(metavar="DIR|MODEL", help=NETWORKS, show_default=False)],
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
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the fewest levels by several methods on the same networks."""
    on_interrupt("nothing was stored")
    from fewlevels.networks.networks import Networks
    from fewlevels.reporting.comparison import describe, require_room, sentences, table, traces
    from fewlevels.search.method import DEFAULT_METHODS, DEFAULT_OF_GRAPHS
    from fewlevels.search.methods import compare_methods
    from fewlevels.study.inputs import read_inputs
    from fewlevels.study.reading import Reading

    out = source if out is None and source.is_dir() else out
    if out is not None:
        require_room(out, source)
    reading = Reading(activations=names(activation), keep_digital=names(keep_digital), bias=bias)
    inputs = read_inputs(source, data, test, reading=reading)
    with shown_progress("searching", "tried", quiet) as on_progress:
        comparison = compare_methods(
            inputs.networks,
            inputs.samples,
            method or (DEFAULT_METHODS if isinstance(inputs.networks, Networks) else DEFAULT_OF_GRAPHS),
            test=inputs.test,
            alpha=alpha,
            relative=relative,
            q_max=q_max,
            share=share,  # type: ignore[arg-type]  # any text, checked there
            minimise=minimise,  # type: ignore[arg-type]  # the same
            seed=seed,
            on_progress=on_progress,
        )
    files = [] if out is None else _store(out, comparison, inputs)
    found = describe(comparison, inputs.data_name, inputs.test_name, inputs.remarks)
    if as_json:
        return print(json.dumps(found, indent=1))
    print(*sentences(found), "", table(found), sep="\n")
    if found["models"] == 1:
        print("", "Recognition at each number of levels:", "", traces(found), sep="\n")
    if files:
        print("\nstored:", *files, sep="\n  ")
    if out == source:
        print(f"'fewlevels report {source}' shows it")
    return None


def _store(out: Path, comparison: MethodComparison, inputs: Inputs) -> list[Path]:
    """The files that were stored."""
    from fewlevels.reporting.comparison import store_comparison
    from fewlevels.reporting.quantized import store_quantized

    stored = partial(on_interrupt, "search.json and search.npz were stored")
    files = store_comparison(
        out, comparison, inputs.data_name, inputs.test_name, remarks=inputs.remarks, on_stored=stored
    )
    return files + (store_quantized(out, comparison, inputs.network) if inputs.network else [])
