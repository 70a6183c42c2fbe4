"""The search over a quantizer's settings: against a loop over models, levels and settings."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from fewlevels import (
    Binary,
    Clipped,
    DeadZone,
    FewestLevels,
    FinetuningConfig,
    KMeans,
    Midpoint,
    Networks,
    Samples,
    Ternary,
    TrainingConfig,
    device_levels,
    fewest_levels,
    finetune,
    flip_pixels,
    load_digits,
    train,
)
from fewlevels.errors import QuantizationError, SearchError
from fewlevels.quantization import clipped
from fewlevels.quantization.layout import Share
from fewlevels.quantization.protocol import SearchableQuantizer, searchable
from fewlevels.quantization.sharing import COUNTS
from fewlevels.search.target import Target, reaches
from fewlevels.search.trace import NEVER, first_stable, least_count
from tests.search.test_search import PAIR, Backwards
from tests.support import oracles

DIGITS = load_digits(5)
NETWORKS = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=20_000), models=6, seed=3)


NOISY = flip_pixels(DIGITS, 2, 3, np.random.default_rng(4))
DEVICE = device_levels([1e-6, 2e-6, 5e-6, 2.5e-5, 1e-4])


def groups(weights: Sequence[np.ndarray], share: Share) -> list[np.ndarray]:
    """The weights that share levels, of one network's layers."""
    if share == "network":
        return [np.concatenate([w.ravel() for w in weights])]
    return [w.ravel() for w in weights] if share == "layer" else [column for w in weights for column in w.T]


def ungrouped(groups: Sequence[np.ndarray], shapes: Sequence[tuple[int, int]], share: Share) -> list[np.ndarray]:
    if share == "network":
        return oracles.layers(groups[0], shapes)
    if share == "layer":
        return [group.reshape(shape) for group, shape in zip(groups, shapes, strict=True)]
    columns = iter(groups)
    return [np.stack([next(columns) for _ in range(fan_out)], axis=1) for _, fan_out in shapes]


def recognition_and_margin(weights: Sequence[np.ndarray], samples: Samples) -> tuple[float, float]:
    """The fraction of samples recognised, and the smallest own output minus the largest other."""
    hidden = oracles.sigmoid(samples.x @ weights[0])
    before = hidden @ weights[1]
    own, others = (np.eye(10)[samples.y] == value for value in (1, 0))
    rounding = 1e-12 * (hidden @ np.abs(weights[1])).max(axis=1)
    ahead = before[own] - np.where(others, before, -np.inf).max(axis=1) > rounding
    outputs = oracles.sigmoid(before)
    return float(ahead.mean()), float((outputs[own] - np.where(others, outputs, -1.0).max(axis=1)).min())


def counted(groups: Sequence[np.ndarray], levels: int, signed: bool) -> dict[str, int]:
    """All of COUNTS, of the group that needs most."""
    weights = [set((group + 0.0).tolist()) for group in groups]
    magnitudes = [set(np.abs(group).tolist()) for group in groups]
    distinct = max(map(len, weights))
    return {
        "requested": levels,
        "occupied": distinct if signed else max(map(len, magnitudes)),
        "distinct-weights": distinct,
        "differential-pair-states": max(len(own | {0.0}) for own in magnitudes),
        "offset-column-states": distinct,
    }


@dataclass(frozen=True)
class Tried:
    """One setting at one number of levels: recognition of the digits and the noisy ones, margin on the digits."""

    levels: int
    digits: float
    noisy: float
    margin: float
    counts: dict[str, int]


def all_tried(model: int, quantizer: SearchableQuantizer, share: Share, q_max: int) -> list[list[Tried]]:
    """By number of levels, every setting."""
    weights = [w[model] for w in NETWORKS.weights]
    signed = bool(getattr(quantizer, "signed", False))
    tried: list[list[Tried]] = [[] for _ in range(q_max)]
    for q in quantizer.numbers(q_max):
        for setting in quantizer.settings():
            parts = [setting.quantize(group[None], q).values[0] for group in groups(weights, share)]
            quantized = ungrouped(parts, NETWORKS.shapes, share)
            digits, margin = recognition_and_margin(quantized, DIGITS)
            noisy, _ = recognition_and_margin(quantized, NOISY)
            tried[q - 1].append(Tried(q, digits, noisy, margin, counted(parts, q, signed)))
    return tried


@pytest.mark.parametrize(
    ("quantizer", "share"),
    [
        *itertools.product(
            (Midpoint(signed=True), Clipped(zero=True), KMeans(signed=True), DEVICE), ("network", "layer", "column")
        ),
        (DeadZone(), "network"),
        (Binary(), "layer"),
        (searchable(Backwards()), "column"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_search_is_a_loop_over_models_levels_and_settings(
    quantizer: SearchableQuantizer, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipped, "SEARCHED_CLIPS", clipped.SEARCHED_CLIPS[100:134])
    models, q_max = (1, 4) if len(quantizer.settings()) > 100 else (3, 4)
    tried = [all_tried(model, quantizer, share, q_max) for model in range(models)]
    before = [recognition_and_margin([w[model] for w in NETWORKS.weights], NOISY)[0] for model in range(models)]
    for minimise, (alpha, test, relative) in itertools.product(
        COUNTS, ((1.0, None, False), (0.8, None, False), (0.8, NOISY, False), (0.95, NOISY, True))
    ):
        found = fewest_levels(
            NETWORKS[:models],
            DIGITS,
            quantizer=quantizer,
            alpha=alpha,
            q_max=q_max,
            share=share,
            minimise=minimise,
            test=test,
            relative=relative,
        )
        assert found.output_margin_trace is not None
        for model in range(models):
            target = alpha * before[model] if relative else alpha
            passing: list[tuple[int, float, Tried]] = []
            passes = []
            for at, of_all in enumerate(tried[model]):
                coarse = quantizer.tried_in_full() if of_all else ()
                settings = of_all if minimise == "requested" else [of_all[index] for index in coarse]
                if not settings:
                    assert np.isnan([found.recognition_trace[model, at], found.output_margin_trace[model, at]]).all()
                    continue
                # NETWORKS recognise all digits, so that alpha is the target on them, relative or not
                best = min(
                    settings,
                    key=lambda one: (
                        one.counts[minimise] if one.digits >= alpha - 1e-9 else np.inf,
                        -one.digits,
                        -one.margin,
                    ),
                )
                judged = best.digits if test is None else best.noisy
                assert found.recognition_trace[model, at] == pytest.approx(judged, abs=1e-12)
                assert found.output_margin_trace[model, at] == pytest.approx(best.margin, abs=1e-9)
                passes.append((at + 1, judged >= target - 1e-9))
                if passes[-1][1]:
                    passing.append((best.counts[minimise], -best.margin, best))
            assert found.solved[model] == bool(passing)
            stable = [q for q, _ in passes if all(ok for later, ok in passes if later >= q)]
            assert found.stable_q[model] == min(stable, default=0)
            if passing:
                least = min(passing, key=lambda one: one[:2])[2]
                assert found.q[model] == least.levels and found.occupied[model] == least.counts["occupied"]
                parts = groups([w[0] for w in found.quantized(model).weights], share)
                signed = bool(getattr(quantizer, "signed", False))
                assert counted(parts, least.levels, signed) == least.counts


def test_test_samples_decide_whether_alpha_is_reached_and_nothing_else() -> None:
    garbage = dataclasses.replace(NOISY, y=np.random.default_rng(1).permutation(NOISY.y))
    alone, judged, misjudged = (
        fewest_levels(NETWORKS, DIGITS, quantizer=Clipped(zero=True), alpha=0.6, q_max=6, test=test)
        for test in (None, NOISY, garbage)
    )
    for found in (judged, misjudged):
        for name in ("setting_trace", "output_margin_trace"):
            assert getattr(found, name).tobytes() == getattr(alone, name).tobytes()
    assert judged.solved.all() and not misjudged.solved.any()
    np.testing.assert_array_equal(judged.recognition, NETWORKS.recognition(NOISY))
    recognition = judged.all_quantized().recognition(NOISY)
    assert (recognition >= 0.6).all() and (
        recognition == [trace[q - 1] for trace, q in zip(judged.recognition_trace, judged.q, strict=True)]
    ).all()


def test_a_relative_target_is_each_network_s_own() -> None:
    # recognition of the noisy digits differs from network to network: so does what 90 % of it is
    found = fewest_levels(NETWORKS, DIGITS, quantizer=Clipped(), alpha=0.9, q_max=8, test=NOISY, relative=True)
    own = 0.9 * NETWORKS.recognition(NOISY)
    assert len(set(own.tolist())) > 1 and found.trained.all() and found.solved.all()
    for trace, q, target in zip(found.recognition_trace, found.q, own, strict=True):
        assert trace[q - 1] >= target and (trace[: q - 1] < target).all()


def test_test_samples_of_other_classes_are_refused() -> None:
    with pytest.raises(SearchError, match="same classes in the same order, got '0' and '9'"):
        fewest_levels(NETWORKS, DIGITS, test=dataclasses.replace(NOISY, classes=NOISY.classes[::-1]))


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


def test_the_first_stable_number_by_hand() -> None:
    nan = np.nan
    trace = np.array(
        [[0.5, 1, 0.9, 1, 1], [1, 1, 1, 1, 0.5], [nan, 1, nan, nan, nan], [0.5, 1, nan, nan, nan], [0, 0, 0, 0, 0.0]]
    )
    assert first_stable(trace, trace >= 1.0).tolist() == [4, 0, 2, 2, 0]
    assert first_stable(trace[:2], trace[:2] >= [[0.9], [0.5]]).tolist() == [2, 1]


def test_of_equal_counts_the_largest_margin_is_taken_by_hand() -> None:
    counts = np.array([[4, 3, NEVER, 3, 3], [NEVER] * 5, [2, 2, 2, 3, 3]])
    margins = np.array([[0.9, 0.1, 0.8, 0.3, 0.2], [0.5] * 5, [-0.2, -0.1, -0.1, 0.3, 0.3]])
    assert least_count(counts, margins).tolist() == [4, 0, 2]


def test_pareto_drops_what_fewer_levels_equal() -> None:
    zeros = np.zeros(1, np.intp)
    found = FewestLevels(
        networks=NETWORKS[:1],
        quantizer=Midpoint(),
        target=Target(1.0),
        q=zeros,
        stable_q=zeros,
        occupied=zeros,
        recognition=np.ones(1),
        recognition_trace=np.array([[np.nan, 0.5, 1.0, 1.0, 0.9, 1.0]]),
        output_margin_trace=np.array([[np.nan, -0.2, 0.1, 0.05, 0.3, 0.2]]),
    )
    assert found.pareto(0) == [(2, 0.5, -0.2), (3, 1.0, 0.1), (5, 0.9, 0.3), (6, 1.0, 0.2)]


def test_what_was_not_kept_is_refused() -> None:
    ones = np.ones(1, np.intp)
    found = FewestLevels(
        networks=NETWORKS[:1],
        quantizer=Clipped(),
        target=Target(1.0),
        q=ones,
        stable_q=ones,
        occupied=ones,
        recognition=np.ones(1),
        recognition_trace=np.ones((1, 1)),
    )
    with pytest.raises(SearchError, match="settings of 'clipped' were not kept"):
        found.quantized(0)
    with pytest.raises(SearchError, match="margins were not kept"):
        found.pareto(0)
    shared = fewest_levels(NETWORKS, DIGITS, quantizer=KMeans(), q_max=6, share="column")
    with pytest.raises(SearchError, match="share is 'network', it is 'column'"):
        shared.quantization(0)
    with pytest.raises(QuantizationError, match="share must be"):
        fewest_levels(NETWORKS, DIGITS, share="row")  # type: ignore[arg-type]


BLIND = Networks.from_weights([np.ones((25, 3)), np.ones((3, 10))])
"""It gives all digits equal outputs, and so recognises none."""


@pytest.mark.parametrize("test", [None, NOISY])
def test_a_network_that_recognises_nothing_has_nothing_to_keep(test: Samples | None) -> None:
    found = fewest_levels(BLIND, DIGITS, alpha=0.5, relative=True, q_max=3, test=test)
    assert not found.trained.any() and not found.solved.any() and found.stable_q[0] == found.occupied[0] == 0
    assert (found.recognition_trace == 0).all()


def test_quantizing_is_no_way_to_keep_what_is_not_there() -> None:
    # Before quantizing the wrong output is ahead by little; with one level both are equal, with two the right one is.
    wrong = Networks.from_weights([np.array([[1.0, 1.1], [1.1, 1.0]])])
    assert wrong.recognition(PAIR)[0] == 0
    for quantizer in (Midpoint(), Clipped(), KMeans(), DeadZone()):
        found = fewest_levels(wrong, PAIR, quantizer=quantizer, alpha=0.01, relative=True, q_max=4)
        assert not found.solved.any() and not found.trained.any()


def test_nothing_reaches_no_target_however_small() -> None:
    assert reaches(np.array([0.0, 0.1, 0.1]), np.array([1e-13, 1e-13, np.nan])).tolist() == [False, True, False]
    found = fewest_levels(BLIND, DIGITS, alpha=1e-15, q_max=2)
    assert not found.trained.any() and not found.solved.any()


def test_networks_searched_or_fine_tuned_few_at_once_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    many = NETWORKS[np.arange(40) % len(NETWORKS)]
    config = FinetuningConfig(steps=30, batch=7, noise=0.05, ramp=0.5, check_every=10)

    def found() -> tuple[np.ndarray, np.ndarray]:
        searched = fewest_levels(many, DIGITS, quantizer=KMeans(), q_max=5)
        tuned = finetune(many, DIGITS, config=config, jobs=1)
        return searched.output_margin_trace, tuned.quantized.networks.joint()

    whole = found()
    for module in ("search.sweep", "search.finetuning"):
        monkeypatch.setattr(f"fewlevels.{module}.at_once", lambda *_, **__: 1)
    for one, other in zip(whole, found(), strict=True):
        np.testing.assert_array_equal(one, other)
