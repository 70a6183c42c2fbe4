"""The search over a quantizer's settings: against a loop over models, levels and settings."""

from __future__ import annotations

import numpy as np
import pytest

from fewlevels import (
    Clipped,
    DeadZone,
    FewestLevels,
    KMeans,
    Midpoint,
    Networks,
    Ternary,
    TrainingConfig,
    fewest_levels,
    load_digits,
    quantize_networks,
    train,
)
from fewlevels.errors import QuantizationError, SearchError
from fewlevels.quantization.sharing import Minimise
from fewlevels.search import first_and_stable
from tests.test_search import PAIR

DIGITS = load_digits(5)
NETWORKS = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=20_000), models=6, seed=3)


def margin_of(networks: Networks) -> np.ndarray:
    """NumPy's own: the own output minus the largest other, the smallest over the samples."""
    outputs = networks.outputs(DIGITS.x)
    own = np.take_along_axis(outputs, DIGITS.y[None, :, None], axis=2)[:, :, 0]
    others = outputs.copy()
    np.put_along_axis(others, DIGITS.y[None, :, None], -1.0, axis=2)
    return (own - others.max(axis=2)).min(axis=1)


@pytest.mark.parametrize("share", ["network", "layer"])
def test_the_trace_holds_the_best_setting_at_every_number_of_levels(share: str) -> None:
    quantizer = Clipped(zero=True)
    found = fewest_levels(NETWORKS, DIGITS, quantizer=quantizer, q_max=5, share=share)  # type: ignore[arg-type]
    assert found.margin_trace is not None and found.setting_trace is not None
    for q in range(1, 6):
        tried = [quantize_networks(NETWORKS, one, q, share=share).networks for one in quantizer.settings()]  # type: ignore[arg-type]
        recognition = np.array([one.recognition(DIGITS) for one in tried])
        margins = np.array([margin_of(one) for one in tried])
        for model in range(len(NETWORKS)):
            best = max(range(len(tried)), key=lambda i: (recognition[i, model], margins[i, model]))
            assert found.recognition_trace[model, q - 1] == recognition[best, model]
            np.testing.assert_allclose(found.margin_trace[model, q - 1], margins[best, model], atol=1e-12)


def count_by_hand(weights: np.ndarray, what: str) -> int:
    magnitudes = set(np.abs(weights).tolist())
    if what == "occupied":
        return len(magnitudes)
    return len(magnitudes | {0.0}) if what == "differential-pair" else len(set(weights.tolist()))


@pytest.mark.parametrize("what", ["occupied", "distinct", "differential-pair", "offset-column"])
def test_a_search_finds_the_least_of_what_it_minimises_then_the_largest_margin(what: Minimise) -> None:
    quantizer = DeadZone()
    found = fewest_levels(NETWORKS[:2], DIGITS, quantizer=quantizer, q_max=4, minimise=what)
    assert found.margin_trace is not None and found.minimise == what
    for model in range(2):
        tried = []
        for q in range(1, 5):
            for setting in quantizer.settings():
                one = quantize_networks(NETWORKS[model], setting, q).networks
                if one.recognition(DIGITS)[0] == 1:
                    tried.append((count_by_hand(one.joint()[0], what), -margin_of(one)[0]))
        count, margin = min(tried)
        assert count_by_hand(found.quantized(model).joint()[0], what) == count
        np.testing.assert_allclose(found.margin_trace[model, found.q[model] - 1], -margin, rtol=1e-12)


def test_levels_that_stay_empty_are_not_minimised_away() -> None:
    weights = np.array([[1.0, -1.0], [-1.0, 1.0]])  # every number of levels leaves one magnitude
    found = fewest_levels(Networks.from_weights([weights]), PAIR, q_max=3, minimise="occupied")
    assert (found.q[0], found.occupied[0]) == (1, 1)
    with pytest.raises(QuantizationError, match=r"what is minimised must be requested, .*, got 'levels'"):
        fewest_levels(NETWORKS, DIGITS, minimise="levels")  # type: ignore[arg-type]


def test_a_solved_network_recognises_with_its_levels() -> None:
    found = fewest_levels(NETWORKS, DIGITS, quantizer=DeadZone(), q_max=6)
    assert found.solved.all()
    whole = found.all_quantized()
    assert (whole.recognition(DIGITS) == 1).all()
    for model in range(len(NETWORKS)):
        one = found.quantized(model)
        np.testing.assert_array_equal(one.joint()[0], whole.joint()[model])
        assert len(np.unique(np.abs(one.joint()))) == found.occupied[model] <= found.q[model]


def test_searching_settings_needs_no_more_levels_than_one_of_them() -> None:
    searched = fewest_levels(NETWORKS, DIGITS, quantizer=Clipped(), q_max=12)
    unclipped = fewest_levels(NETWORKS, DIGITS, quantizer=Midpoint(), q_max=12)
    assert (searched.q[unclipped.solved] <= unclipped.q[unclipped.solved]).all()
    assert (searched.recognition_trace >= unclipped.recognition_trace).all()


def test_numbers_that_a_quantizer_does_not_give_are_not_tried() -> None:
    found = fewest_levels(NETWORKS, DIGITS, quantizer=Ternary(), q_max=4)
    assert np.isnan(found.recognition_trace[:, [0, 2, 3]]).all() and not np.isnan(found.recognition_trace[:, 1]).any()


def test_first_and_stable_by_hand() -> None:
    trace = np.array([[0.5, 1, 0.9, 1, 1], [1, 1, 1, 1, 0.5], [np.nan, 1, np.nan, np.nan, np.nan], [0, 0, 0, 0, 0.0]])
    first, stable = first_and_stable(trace, 1.0)
    assert first.tolist() == [2, 1, 2, 0] and stable.tolist() == [4, 0, 2, 0]


def test_pareto_drops_what_fewer_levels_equal() -> None:
    zeros = np.zeros(1, np.intp)
    found = FewestLevels(NETWORKS[:1], Midpoint(), 1.0, zeros, zeros, zeros, np.ones(1),
                         np.array([[0.5, 1.0, 1.0, 0.9, 1.0]]), np.array([[-0.2, 0.1, 0.05, 0.3, 0.2]]))  # fmt: skip
    assert found.pareto(0) == [(1, 0.5, -0.2), (2, 1.0, 0.1), (4, 0.9, 0.3), (5, 1.0, 0.2)]


def test_threads_do_not_matter() -> None:
    one, two = (fewest_levels(NETWORKS, DIGITS, quantizer=KMeans(), q_max=6, jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.recognition_trace, two.recognition_trace)


def test_what_was_not_kept_is_refused() -> None:
    ones = np.ones(1, np.intp)
    found = FewestLevels(NETWORKS[:1], Clipped(), 1.0, ones, ones, ones, np.ones(1), np.ones((1, 1)))
    with pytest.raises(SearchError, match="settings of 'clipped' were not kept"):
        found.quantized(0)
    with pytest.raises(SearchError, match="margins were not kept"):
        found.pareto(0)
    shared = fewest_levels(NETWORKS, DIGITS, quantizer=KMeans(), q_max=6, share="column")
    with pytest.raises(SearchError, match="share is 'network', it is 'column'"):
        shared.quantization(0)
    with pytest.raises(QuantizationError, match="share must be"):
        fewest_levels(NETWORKS, DIGITS, share="row")  # type: ignore[arg-type]
