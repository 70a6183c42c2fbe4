"""Comparison: methods on the networks of a study or of a file, put in words, and stored with what proves them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.counts import counted
from fewlevels.common.places import is_folder, is_same
from fewlevels.common.proportions import percent
from fewlevels.common.words import printable
from fewlevels.errors import StoreError
from fewlevels.networks.activations import written
from fewlevels.networks.networks import Networks
from fewlevels.quantization.sharing import COUNTS
from fewlevels.reporting.text import aligned
from fewlevels.search.contest import MethodResult
from fewlevels.search.methods import MethodComparison
from fewlevels.storage.folder import Folder, checksum
from fewlevels.storage.kinds import require_kind
from fewlevels.study.inputs import part_of

COLUMNS = {
    "method": "\nmethod",
    "solved_fraction": "\nsolved",
    "recognition_before_quantizing_mean": "recognition\nbefore",
    "recognition_mean": "recognition\nafter",
    "q_min": "fewest\nlevels",
    "q_median": "median\nlevels",
    "q_p95": "95th pct\nlevels",
    "occupied_median": "median\noccupied",
    "distinct_weights_median": "median distinct\nweights",
    "differential_pair_states_median": "median states,\npair",
    "offset_column_states_median": "median states,\noffset column",
}
"""The two lines above each column of a comparison's table."""


def describe(comparison: MethodComparison, data: str, test: str | None, remarks: Sequence[str] = ()) -> dict[str, Any]:
    """The comparison with the names of its samples, and what was assumed, ready for `json.dumps`."""
    return {"data": data, "test": test, "remarks": list(remarks), **comparison.to_json()}


def sentences(stored: dict[str, Any]) -> list[str]:
    """What was compared, on which samples, and what the table shows, from `describe`."""
    data, test, alpha = stored["data"], stored["test"], f"{100 * stored['alpha']:g} %"
    own = f"each to keep {alpha} of its own recognition before quantizing"
    aim = own if stored["relative"] else f"{stored['models_trained']} of them trained to {alpha}"
    choosing = "settings are chosen and fine-tuning trains"
    if test is None:
        judged = f"Recognition is of {part_of(data, 'training')}, on which {choosing} too."
    else:
        judged = f"Recognition is of the held-out {part_of(test, 'test')}; {choosing} on {part_of(data, 'training')}."
    nothing = stored["models_recognising_nothing"]
    unsolved = [
        f"Before quantizing {nothing} of them {'recognises' if nothing == 1 else 'recognise'} nothing: there is "
        "nothing to keep, and no method solves them."
    ]
    return [
        f"{counted(stored['models'], 'network')}, {aim}; levels are shared by {stored['share']}, at most "
        f"{stored['q_max']}, and a search finds the fewest {COUNTS[stored['minimise']]}.",
        judged,
        *stored.get("remarks", []),
        *(unsolved if nothing else []),
        *_untrained(stored),
        "The table is over the networks that a method solves; recognition is a mean.",
    ]


def _untrained(stored: dict[str, Any]) -> list[str]:
    """Of one network that does not reach the target before quantizing: what can be asked instead."""
    before = stored.get("recognition_before_quantizing")
    if before is None or stored["models_trained"]:
        return []
    return [f"The network recognises {percent(before)} before quantizing: --relative keeps a fraction of that."]


def traces(stored: dict[str, Any]) -> str:
    """Of one network its recognition at every number of levels, a column a method, as aligned text."""
    by_method = {row["method"]: row["recognition_trace"] for row in stored["methods"]}
    head = ["levels", *map(printable, by_method)]
    rows = [
        [str(q), *("-" if value is None else f"{value:.2%}" for value in values)]
        for q, values in enumerate(zip(*by_method.values(), strict=True), start=1)
    ]
    return aligned([head, *rows])


def table(stored: dict[str, Any]) -> str:
    """The methods of `describe` as aligned text, one row each."""
    lines = [
        *zip(*(heading.split("\n") for heading in COLUMNS.values()), strict=True),
        *([cell(key, row[key]) for key in COLUMNS] for row in stored["methods"]),
    ]
    return aligned(lines)


def cell(key: str, value: Any) -> str:
    """A value of a row as it is shown; '-' where there is none."""
    if value is None or isinstance(value, str):
        return printable(value or "-")
    return f"{value:.2%}" if key == "solved_fraction" or key.startswith("recognition") else f"{value:g}"


def checked(stored: Any) -> dict[str, Any]:
    """A stored comparison, gone through; raises one of Python's own errors where some of it is not there."""
    sentences(stored), table(stored)
    for name, q in stored["q_of_trained"].items():
        if not all(isinstance(number, int) for number in (stored["q_max"], *q)):
            raise TypeError(f"levels of {name} are not whole numbers")
    if not isinstance(stored["file_checksums"]["search.npz"], str):
        raise TypeError("the checksum of search.npz is no text")
    return dict(stored)


def require_whole(folder: Path, stored: dict[str, Any]) -> None:
    """Raises StoreError where search.npz is not the one that search.json was written with."""
    if Folder(folder).checksum_of("search.npz") != stored["file_checksums"]["search.npz"]:
        raise StoreError(
            f"{folder / 'search.npz'} is missing, damaged or of another search than search.json beside it; run the "
            "search again, or remove both"
        )


def require_room(folder: Path, source: Path) -> None:
    """Raises StoreError where a search of the networks of `source` is not to be stored: in a folder of a fit, or of
    another study than its own."""
    if not (is_folder(folder) and is_folder(source) and is_same(folder, source)):
        require_kind(folder, "search")


def store_comparison(
    folder: Path,
    comparison: MethodComparison,
    data: str,
    test: str | None,
    *,
    remarks: Sequence[str] = (),
    on_stored: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Write a comparison into a folder, a study's own or any; returns the files.

    search.npz: for every method, in the order of `methods`, q, stable_q (methods, models), the traces over all numbers
    of levels (methods, models, q_max), and the weights at q as W1, W2 … (methods, models, fan_in, fan_out), NaN where a
    network is unsolved. search.json: `describe`, q of every trained network by method, and the checksum of search.npz:
    written after it, it says that both are of one search. figures/levels_by_method: as PNG and SVG.
    on_stored: called once the search is stored, all but its figure. Raises StoreError where they cannot be written.
    """
    from fewlevels.reporting.figures.methods import levels_by_method
    from fewlevels.reporting.figures.style import store_figure

    store, name = Folder(folder), "levels_by_method"
    figure, certificate = levels_by_method(comparison.levels(), comparison.q_max), _certificate(comparison)
    stored = {
        **describe(comparison, data, test, remarks),
        "q_of_trained": comparison.levels(),
        "file_checksums": {"search.npz": checksum(certificate)},
    }
    store.write("search.npz", certificate)
    store.write("search.json", json.dumps(stored, indent=1).encode())
    on_stored()
    store_figure(store, name, figure)
    return [folder / file for file in ("search.json", "search.npz", f"figures/{name}.png", f"figures/{name}.svg")]


def _certificate(comparison: MethodComparison) -> bytes:
    results = comparison.results
    arrays = {
        "methods": np.array([result.method.name for result in results]),
        "recognition_before_quantizing": comparison.recognition,
        "q": np.stack([result.q for result in results]),
        "stable_q": np.stack([result.stable_q for result in results]),
        "recognition_trace": np.stack([result.recognition_trace for result in results]),
        "output_margin_trace": np.stack([result.output_margin_trace for result in results]),
    }
    for layer in range(len(results[0].networks.weights)):
        weights = np.full((len(results), len(comparison.recognition), *results[0].networks.shapes[layer]), np.nan)
        for own, result in zip(weights, results, strict=True):
            own[result.q > 0] = result.networks.weights[layer]
        arrays[f"W{layer + 1}"] = weights
    arrays |= _beside_weights(results)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # the stubs take the keys for allow_pickle
    return buffer.getvalue()


def _beside_weights(results: Sequence[MethodResult]) -> dict[str, npt.NDArray[Any]]:
    """Biases b1, b2 … (methods, models, fan_out), NaN where unsolved, and the activations' names, where the networks
    are not the paper's.
    """
    networks = results[0].networks
    if networks.plain or not isinstance(networks, Networks):
        return {}
    arrays: dict[str, npt.NDArray[Any]] = {"activations": np.array([written(one) for one in networks.activations])}
    for layer, given in enumerate(networks.biases):
        if given is not None:
            biases = np.full((len(results), len(results[0].q), given.shape[1]), np.nan)
            for own, result in zip(biases, results, strict=True):
                own[result.q > 0] = result.networks.biases[layer]
            arrays[f"b{layer + 1}"] = biases
    return arrays
