"""Methods side by side: what is parsed, what is counted, what is drawn."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewlevels import (
    Clipped,
    FinetuningConfig,
    KMeans,
    MethodComparison,
    Midpoint,
    Networks,
    Quantizer,
    Samples,
    Ternary,
    TrainingConfig,
    compare_methods,
    fewest_levels,
    finetune,
    flip_pixels,
    load_digits,
    parse_methods,
    train,
)
from fewlevels.errors import DeviceError, SearchError
from fewlevels.quantization import QUANTIZERS
from fewlevels.quantization.protocol import searchable
from fewlevels.quantization.sharing import Minimise
from fewlevels.reporting.figures.methods import levels_by_method
from fewlevels.search.contest import MethodResult
from fewlevels.search.method import Method
from fewlevels.search.target import Target
from tests.search.test_search import Backwards

DIGITS = load_digits(5)
NETWORKS = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=20_000), models=12, seed=3)
NOISY = flip_pixels(DIGITS, 1, 4, np.random.default_rng(4))


def test_a_list_of_methods_is_read(tmp_path: Path) -> None:
    file = tmp_path / "levels.csv"
    file.write_text("1e-6\n2e-6\n1e-5\n")
    methods = parse_methods(f"paper, clipped,zero,kmeans,device:{file},qat:ternary,qat:device:{file}")
    assert [method.quantizer.name for method in methods] == [
        "midpoint",
        "clipped",
        "zero",
        "kmeans",
        "device",
        "ternary",
        "device",
    ]
    assert [method.finetuned for method in methods] == [False] * 5 + [True] * 2
    assert methods[-1].name == f"qat:device:{file}"


def test_ternary_weights_are_searched_by_threshold_and_fine_tuned_at_a_fixed_one() -> None:
    searched, finetuned = parse_methods("ternary,qat:ternary")
    assert (searched.quantizer, finetuned.quantizer) == (Ternary(threshold=None), Ternary(threshold=1.0))


def test_a_quantizer_of_the_table_is_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    own = searchable(Backwards())
    monkeypatch.setitem(QUANTIZERS, own.name, own)
    assert parse_methods("backwards,qat:backwards") == [
        Method("backwards", own),
        Method("qat:backwards", own, finetuned=True),
    ]


@pytest.mark.parametrize("text", ["", "papers", "qat:", "paper,,zero", "qat:qat:ternary"])
def test_a_method_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(SearchError, match=r"methods are paper, .*; got"):
        parse_methods(text)


def test_bad_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="'zero' stands 2 times"):
        parse_methods("zero,paper,zero")
    with pytest.raises(DeviceError, match="cannot read"):
        parse_methods(f"device:{tmp_path / 'none.csv'}")
    with pytest.raises(SearchError, match="at least one method"):
        compare_methods(NETWORKS, DIGITS, [])


def result(name: str, q: list[int], recognition: list[float], counts: dict[str, list[int]]) -> MethodResult:
    """A method that reached so much at q levels, of four networks."""
    trace = np.full((4, 5), np.nan)
    trace[np.arange(4), np.maximum(q, 1) - 1] = recognition
    arrays = {what: np.array(count) for what, count in counts.items()}
    return MethodResult(
        method=Method(name, Ternary()),
        q=np.array(q),
        stable_q=np.array(q),
        counts=arrays,  # type: ignore[arg-type]
        recognition_trace=trace,
        output_margin_trace=trace,
        networks=NETWORKS[:0],
    )


def test_a_comparison_s_table_by_hand() -> None:
    # Network 3 was not trained to 0.8: it counts nowhere. Method a solves networks 0, 1, 2 with 2, 3, 5 levels.
    occupied, distinct, pair, offset = [1, 2, 4, 9], [3, 5, 6, 9], [2, 3, 7, 9], [8, 9, 10, 9]
    counts = {
        "occupied": occupied,
        "distinct-weights": distinct,
        "differential-pair-states": pair,
        "offset-column-states": offset,
    }
    nothing = {what: [0] * 4 for what in counts}
    before = np.array([0.9, 0.8, 1.0, 0.7])
    results = (result("a", [2, 3, 5, 1], [0.9, 0.8, 0.85, 0.9], counts), result("b", [0, 0, 0, 4], [0.0] * 4, nothing))
    found = MethodComparison(
        results=results, recognition=before, target=Target(0.8), q_max=5, share="network", minimise="requested"
    )
    assert found.rows() == [
        {
            "method": "a",
            "solved_fraction": 1.0,
            "recognition_before_quantizing_mean": pytest.approx(0.9),
            "recognition_mean": pytest.approx(0.85),
            "q_min": 2,
            "q_median": 3.0,
            "q_p95": pytest.approx(4.8),
            "occupied_median": 2.0,
            "distinct_weights_median": 5.0,
            "differential_pair_states_median": 3.0,
            "offset_column_states_median": 9.0,
        },
        {"method": "b", "solved_fraction": 0.0}
        | dict.fromkeys(
            (
                "recognition_before_quantizing_mean",
                "recognition_mean",
                "q_min",
                "q_median",
                "q_p95",
                "occupied_median",
                "distinct_weights_median",
                "differential_pair_states_median",
                "offset_column_states_median",
            )
        ),
    ]
    assert found.levels() == {"a": [2, 3, 5], "b": [0, 0, 0]}
    # relative to its own 0.7, network 3 is trained: the trained fraction changes, and so does what is solved
    relative = dataclasses.replace(found, target=Target(0.8, relative=True))
    assert [row["solved_fraction"] for row in relative.rows()] == [1.0, 0.25] and relative.rows()[0]["q_min"] == 1
    few = dataclasses.replace(
        found, results=(result("a", [2, 0, 0, 0], [0.9] * 4, counts),), minimise="distinct-weights"
    )
    assert few.rows()[0]["solved_fraction"] == pytest.approx(1 / 3) and few.to_json()["models_trained"] == 3
    assert few.to_json()["minimise"] == "distinct-weights"


def test_a_searched_method_is_a_search() -> None:
    options: dict[str, Any] = {
        "alpha": 0.9,
        "q_max": 5,
        "share": "layer",
        "minimise": "distinct-weights",
        "test": NOISY,
        "relative": True,
    }
    found = compare_methods(NETWORKS, DIGITS, "clipped-zero,paper", **options)
    assert np.array_equal(found.recognition, NETWORKS.recognition(NOISY))
    for row, quantizer in zip(found.results, (Clipped(zero=True), Midpoint()), strict=True):
        alone = fewest_levels(NETWORKS, DIGITS, quantizer=quantizer, **options)
        for name in ("q", "stable_q", "recognition_trace", "output_margin_trace"):
            np.testing.assert_array_equal(getattr(row, name), getattr(alone, name))
        np.testing.assert_array_equal(row.networks.joint(), alone.all_quantized().joint())
        np.testing.assert_array_equal(row.counts["occupied"], alone.occupied)
        np.testing.assert_array_equal(row.counts["requested"], alone.q)
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("quantizer", "minimise", "relative"),
    [(KMeans(), "requested", False), (Backwards(), "differential-pair-states", True)],
)
def test_a_fine_tuned_method_is_fine_tuning_at_every_number_of_levels(
    quantizer: Quantizer, minimise: Minimise, relative: bool
) -> None:
    config, method = FinetuningConfig(steps=12), Method("qat:own", quantizer, finetuned=True)
    found = compare_methods(
        NETWORKS,
        DIGITS,
        [method],
        alpha=0.85,
        q_max=6,
        minimise=minimise,
        test=NOISY,
        relative=relative,
        config=config,
        seed=3,
    ).results[0]
    runs = [
        finetune(
            NETWORKS,
            DIGITS,
            quantizer=quantizer,
            levels=q,
            alpha=1.0 if relative else 0.85,
            config=config,
            relative=relative,
            seed=3,
        ).quantized
        for q in (1, 2, 3, 4)
    ]
    recognition = np.stack([run.networks.recognition(NOISY) for run in runs], axis=1)
    np.testing.assert_array_equal(found.recognition_trace[:, :4], recognition)
    assert np.isnan(found.recognition_trace[:, 4:]).all() and np.isnan(found.output_margin_trace[:, 4:]).all()
    passes = recognition >= (0.85 * NETWORKS.recognition(NOISY)[:, None] if relative else 0.85) - 1e-9
    assert 0 < passes.sum() < 48
    margin = np.stack([margins(run.networks) for run in runs], axis=1)
    np.testing.assert_allclose(found.output_margin_trace[:, :4], margin, atol=1e-9)
    for model in range(12):
        least = min(
            (
                (run.counts[minimise][model], -margin[model, at], at + 1)
                for at, run in enumerate(runs)
                if passes[model, at]
            ),
            default=(0, 0, 0),
        )
        assert found.q[model] == least[2] and found.counts[minimise][model] == least[0]
        stable = [at + 1 for at in range(4) if passes[model, at:].all()]
        assert found.stable_q[model] == min(stable, default=0)
    expected = [runs[q - 1].networks.joint()[model] for model, q in enumerate(found.q) if q]
    np.testing.assert_array_equal(found.networks.joint(), expected)


def margins(networks: Networks) -> np.ndarray:
    """The smallest margin over the digits, (models,)."""
    outputs = networks.outputs(DIGITS.x)
    own = np.diagonal(outputs, axis1=1, axis2=2).copy()
    outputs[:, np.arange(10), np.arange(10)] = -1.0
    return (own - outputs.max(axis=2)).min(axis=1)


def test_test_labels_change_neither_settings_nor_fine_tuned_weights() -> None:
    garbage = dataclasses.replace(NOISY, y=np.random.default_rng(2).permutation(NOISY.y))
    methods, config = parse_methods("clipped,qat:ternary"), FinetuningConfig(steps=40)
    judged, misjudged = (
        compare_methods(NETWORKS, DIGITS, methods, alpha=0.05, q_max=3, test=test, config=config)
        for test in (NOISY, garbage)
    )
    for one, other in zip(judged.results, misjudged.results, strict=True):
        assert one.output_margin_trace.tobytes() == other.output_margin_trace.tobytes()
        both = np.flatnonzero((one.q == other.q) & (one.q > 0))
        assert len(both) > 3 and not np.array_equal(one.recognition, other.recognition)
        of_one, of_other = (np.flatnonzero(np.isin(np.flatnonzero(r.q), both)) for r in (one, other))
        assert one.networks[of_one].joint().tobytes() == other.networks[of_other].joint().tobytes()


def test_every_method_s_curve_is_the_share_solved_and_looks_like_no_other() -> None:
    levels = {f"device:/some/folder/{n}.csv": [n % 5, 2, 3, 0] for n in range(16)}
    axes = levels_by_method(levels, 4).axes[0]
    looks = {(line.get_marker(), line.get_linestyle()) for line in axes.lines}
    assert len(axes.lines) == 16 and len({marker for marker, _ in looks}) == 16
    curves = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(curves["device:1.csv"].get_ydata(), [1 / 4, 2 / 4, 3 / 4, 3 / 4])
    np.testing.assert_allclose(curves["device:15.csv"].get_ydata(), [0, 1 / 4, 2 / 4, 2 / 4])


@pytest.mark.filterwarnings("error")
def test_no_trained_network_is_a_table_of_dashes_and_an_empty_figure() -> None:
    found = compare_methods(
        NETWORKS, Samples(DIGITS.x[:, ::-1], DIGITS.y, DIGITS.classes), parse_methods("paper"), q_max=2
    )
    assert (
        not found.trained.any()
        and found.rows()[0]["solved_fraction"] == 0
        and found.rows()[0]["recognition_mean"] is None
    )
    levels_by_method(found.levels(), 2).canvas.draw()
