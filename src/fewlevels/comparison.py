"""Comparison: methods to few levels on the networks of a study or of a file, as a table, and stored for the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast, get_args

from fewlevels.errors import UsageError
from fewlevels.methods import MethodComparison, compare_methods, parse_methods
from fewlevels.networks import Networks, load_networks
from fewlevels.quantization.sharing import COUNTS, Share
from fewlevels.samples import Samples
from fewlevels.study.config import StudyConfig
from fewlevels.study.run import load_study
from fewlevels.study.store import Store

COLUMNS = {
    "method": "method", "solved": "solved", "q_min": "fewest", "q_median": "median", "q_p95": "95th pct",
    "occupied_median": "occupied", "distinct_weights_median": "distinct weights",
    "states_per_device_median": "states per device",
}  # fmt: skip


def networks_and_samples(source: Path, data: str | None) -> tuple[Networks, Samples]:
    """The networks of a study's folder with its samples, or of a NET.npz with those of `data`.

    Raises UsageError where a file comes without data, and what reading either raises.
    """
    if source.is_dir():
        result = load_study(source)
        return result.found.networks, result.samples if data is None else StudyConfig(dataset=data).samples()
    if data is None:
        raise UsageError(f"{source} brings no samples; give them with --data")
    return load_networks(source), StudyConfig(dataset=data).samples()


def run_methods(
    networks: Networks, samples: Samples, methods: str, *, alpha: float, q_max: int, share: str, minimise: str,
    seed: int,
) -> MethodComparison:  # fmt: skip
    """`compare_methods` for methods, sharing and what to minimise as they are typed. Raises UsageError for names that
    there are not.
    """
    if share not in get_args(Share):
        raise UsageError(f"levels are shared by {', '.join(get_args(Share))}, got {share!r}")
    if minimise not in COUNTS:
        raise UsageError(f"what is minimised is {', '.join(COUNTS)}, got {minimise!r}")
    return compare_methods(
        networks, samples, parse_methods(methods), alpha=alpha, q_max=q_max, share=cast(Share, share),
        minimise=minimise, seed=seed,
    )  # fmt: skip


def table(comparison: MethodComparison) -> str:
    """The comparison as aligned text, one row a method; medians are over the networks it solved."""
    rows = [[_cell(key, row[key]) for key in COLUMNS] for row in comparison.rows()]
    widths = [max(len(row[i]) for row in [list(COLUMNS.values()), *rows]) for i in range(len(COLUMNS))]
    lines = [list(COLUMNS.values()), *rows]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines)


def store_comparison(folder: Path, comparison: MethodComparison) -> None:
    """Write search.json into a study's folder: the summary, and q of every network for the figure."""
    q = {result.method.name: result.q[comparison.trained].tolist() for result in comparison.results}
    Store(folder).write("search.json", json.dumps({**comparison.to_json(), "q": q}).encode())


def _cell(key: str, value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2%}" if key == "solved" else f"{value:g}" if isinstance(value, float) else str(value)
