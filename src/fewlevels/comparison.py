"""Comparison: methods on the networks of a study or of a file, put in words, and stored with what proves them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from fewlevels.common.words import printable
from fewlevels.datasets import DATASETS, samples_of
from fewlevels.errors import UsageError
from fewlevels.methods import MethodComparison
from fewlevels.networks import Networks, load_networks, refuse_transposed
from fewlevels.samples import Samples
from fewlevels.search import check_classes
from fewlevels.study.run import load_study
from fewlevels.study.store import Store

COLUMNS = {
    "method": "\nmethod", "solved": "\nsolved", "recognition_before": "recognition\nbefore",
    "recognition_after": "recognition\nafter", "q_min": "fewest\nlevels", "q_median": "median\nlevels",
    "q_p95": "95th pct\nlevels", "occupied_median": "median\noccupied",
    "distinct_weights_median": "median distinct\nweights", "states_per_device_median": "median states,\npair",
    "states_per_device_offset_column_median": "median states,\noffset column",
}  # fmt: skip
"""The two lines above each column of a comparison's table."""


def networks_and_samples(source: Path, data: str | None) -> tuple[Networks, Samples]:
    """The networks of a study's folder with its samples or, as for the networks of a NET.npz, which brings none, with
    those that `data` names (see samples_of).

    Raises UsageError where there is no such path or a file comes without data, and what reading any of them raises.
    """
    if source.is_dir():
        study = load_study(source)
        samples = study.samples if data is None else samples_of(data)
        check_classes(study.samples, samples)
        return study.found.networks, samples
    if not source.is_file():
        raise UsageError(f"there is no {source}; the folder of a study is expected, or a .npz with W1, W2 …")
    if data is None:
        raise UsageError(f"{source} brings no samples; give them with --data")
    networks, samples = load_networks(source), samples_of(data)
    refuse_transposed(networks, samples, printable(source))
    return networks, samples


def describe(comparison: MethodComparison, data: str, test: str | None) -> dict[str, Any]:
    """The comparison with the names of its samples, ready for `json.dumps`."""
    return {"data": data, "test": test, **comparison.to_json()}


def sentences(stored: dict[str, Any]) -> list[str]:
    """What was compared, on which samples, and what the table shows, from `describe`."""
    data, test, alpha = stored["data"], stored["test"], f"{100 * stored['alpha']:g} %"
    own = f"each to keep {alpha} of its own recognition before quantizing"
    aim = own if stored["relative"] else f"{stored['trained']} of them trained to {alpha}"
    choosing = "settings are chosen and fine-tuning trains"
    if test is None:
        judged = f"Recognition is of {_part(data, 'training')}, on which {choosing} too."
    else:
        judged = f"Recognition is of the held-out {_part(test, 'test')}; {choosing} on {_part(data, 'training')}."
    networks = "1 network" if stored["models"] == 1 else f"{stored['models']} networks"
    return [
        f"{networks}, {aim}; levels are shared by {stored['share']}, at most {stored['q_max']}, and a "
        f"search finds the fewest {stored['minimises']}.",
        judged,
        "The table is over the networks that a method solves; recognition is a mean.",
    ]


def table(stored: dict[str, Any]) -> str:
    """The methods of `describe` as aligned text, one row each."""
    lines = [*zip(*(heading.split("\n") for heading in COLUMNS.values()), strict=True),
             *([cell(key, row[key]) for key in COLUMNS] for row in stored["methods"])]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def cell(key: str, value: Any) -> str:
    """A value of a row as it is shown; '-' where there is none."""
    if value is None or isinstance(value, str):
        return printable(value or "-")
    return f"{value:.2%}" if key == "solved" or key.startswith("recognition") else f"{value:g}"


def checked(stored: Any) -> dict[str, Any]:
    """A stored comparison, gone through; raises one of Python's own errors where some of it is not there."""
    sentences(stored), table(stored)
    for name, q in stored["q"].items():
        if not all(isinstance(number, int) for number in (stored["q_max"], *q)):
            raise TypeError(f"levels of {name} are not whole numbers")
    return dict(stored)


def store_comparison(folder: Path, comparison: MethodComparison, data: str, test: str | None) -> list[Path]:
    """Write a comparison into a folder, a study's own or any; returns the files.

    search.json: `describe`, and q of every trained network by method. search.npz: for every method, in the order of
    `methods`, q, stable_q (methods, models), the traces over all numbers of levels (methods, models, q_max), and the
    weights at q as W1, W2 … (methods, models, fan_in, fan_out), NaN where a network is unsolved.
    figures/levels_by_method: as PNG and SVG. Raises StoreError where they cannot be written.
    """
    from fewlevels.figures import store_figure
    from fewlevels.method_figures import levels_by_method

    store, name = Store(folder), "levels_by_method"
    stored = {**describe(comparison, data, test), "q": comparison.levels()}
    store.write("search.json", json.dumps(stored, indent=1).encode())
    store.write("search.npz", _certificate(comparison))
    store_figure(store, name, levels_by_method(comparison.levels(), comparison.q_max))
    return [folder / file for file in ("search.json", "search.npz", f"figures/{name}.png", f"figures/{name}.svg")]


def _certificate(comparison: MethodComparison) -> bytes:
    results = comparison.results
    arrays = {"methods": np.array([result.method.name for result in results]), "recognition": comparison.recognition}
    arrays |= {name: np.stack([getattr(result, name) for result in results])
               for name in ("q", "stable_q", "recognition_trace", "margin_trace")}  # fmt: skip
    for layer in range(len(results[0].networks.weights)):
        weights = np.full((len(results), len(comparison.recognition), *results[0].networks.shapes[layer]), np.nan)
        for own, result in zip(weights, results, strict=True):
            own[result.q > 0] = result.networks.weights[layer]
        arrays[f"W{layer + 1}"] = weights
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # the stubs take the keys for allow_pickle
    return buffer.getvalue()


def _part(name: str, part: str) -> str:
    return f"{part} samples of {name}" if name in DATASETS else f"samples of {printable(name)}"
