"""The command `fewlevels search`: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from fewlevels.cli_options import option


def search(
    source: Annotated[
        Path, typer.Argument(metavar="DIR|NET.npz", help="A study, or networks W1, W2 …", show_default=False)
    ],
    method: Annotated[
        str,
        option(
            "--method",
            "With commas between: paper, paper-signed, clipped, clipped-zero, zero, kmeans, kmeans-signed, pow2, apot, "
            "ternary, binary, device:FILE.csv (or a device's TOML), and qat:METHOD, fine-tuned for any of "
            "these. [paper,clipped,qat:ternary]",
            "M,...",
        ),
    ] = "paper,clipped,qat:ternary",
    data: Annotated[
        Optional[str],
        option(
            "--data",
            "Samples that settings are chosen and fine-tuned on, in place of a study's own: digits5, digits7, the "
            "training part of digits8 or mnist5000, or a glyph file or .npz with X and y.",
            "NAME|FILE",
        ),
    ] = None,
    test: Annotated[
        Optional[str],
        option(
            "--test",
            "Held-out samples that alpha is judged on; of digits8 or mnist5000 the test part. [the data]",
            "NAME|FILE",
        ),
    ] = None,
    alpha: Annotated[float, option("--alpha", "Recognition to keep. [1.0]", "X")] = 1.0,
    relative: Annotated[
        bool, typer.Option("--relative", help="Alpha is a fraction of each network's own unquantized recognition.")
    ] = False,
    q_max: Annotated[int, option("--q-max", "Most levels tried. [16]", "N")] = 16,
    share: Annotated[str, option("--share", "Share levels by network, layer or column. [network]", "WHO")] = "network",
    minimise: Annotated[
        str,
        option(
            "--minimise",
            "requested, occupied (levels), distinct (weights), differential-pair, offset-column (states). [requested]",
            "COUNT",
        ),
    ] = "requested",
    seed: Annotated[int, option("--seed", "Of fine-tuning. [1]", "N")] = 1,
    out: Annotated[
        Optional[Path],
        option(
            "--out", "Folder for search.json, the traces and weights in search.npz, and the figure. [the study]", "DIR"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Find the fewest levels by several methods on the same networks."""
    from fewlevels.comparison import describe, networks_and_samples, sentences, store_comparison, table
    from fewlevels.datasets import samples_of
    from fewlevels.methods import compare_methods
    from fewlevels.study.store import Store

    networks, samples = networks_and_samples(source, data)
    comparison = compare_methods(
        networks, samples, method, test=None if test is None else samples_of(test, test=True),
        alpha=alpha, relative=relative, q_max=q_max, share=share,  # type: ignore[arg-type]  # any text, checked there
        minimise=minimise, seed=seed,  # type: ignore[arg-type]
    )  # fmt: skip
    data = Store(source).config().dataset if data is None else data
    out = source if out is None and source.is_dir() else out
    files = [] if out is None else store_comparison(out, comparison, data, test)
    found = describe(comparison, data, test)
    if as_json:
        return print(json.dumps(found, indent=1))
    print(*sentences(found), "", table(found), sep="\n")
    if files:
        print("\nstored:", *files, sep="\n  ")
    if out == source:
        print(f"'fewlevels report {source}' shows it")
    return None
