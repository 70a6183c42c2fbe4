"""Search: the fewest levels against a direct loop, and what a search may say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import strategies as st

from fewlevels import (
    FewestLevels,
    KMeans,
    Midpoint,
    Networks,
    Quantized,
    Samples,
    TrainingConfig,
    fewest_levels,
    load_digits,
    train,
)
from fewlevels.errors import NetworksError, SearchError
from tests.support.oracles import given

Q_MAX = 14


@pytest.fixture(scope="module")
def trained() -> Networks:
    """More than one search works on at a time; some do not recognise every digit yet."""
    return train(load_digits(5), TrainingConfig(steps=1500, init="normal:0,0.5"), models=150, seed=1)


@dataclass(frozen=True)
class Scripted:
    """Keeps the weights where the number of levels is one of `passing`, and turns them where it is not."""

    passing: frozenset[int]
    name: str = "scripted"

    def quantize(self, weights: np.ndarray, levels: int) -> Quantized:
        values = weights if levels in self.passing else -weights
        assignment = np.arange(weights.size).reshape(weights.shape) % levels
        return Quantized(np.zeros((len(weights), levels)), assignment, values)


@dataclass(frozen=True)
class Backwards:
    """The more levels it is asked for, the fewer it gives."""

    name: str = "backwards"

    def quantize(self, weights: np.ndarray, levels: int) -> Quantized:
        return KMeans().quantize(weights, max(5 - levels, 1))


PAIR = Samples(np.eye(2), np.array([0, 1]), ("a", "b"))
KNOWS_PAIR = Networks.from_weights([np.eye(2) * 2 - 1])


def scripted_search(passing: Iterable[int], q_max: int) -> FewestLevels:
    return fewest_levels(KNOWS_PAIR, PAIR, quantizer=Scripted(frozenset(passing)), q_max=q_max)


@pytest.mark.parametrize("alpha", [1.0, 0.9, 0.35])
@pytest.mark.parametrize("quantizer", [Midpoint(), Midpoint(signed=True)], ids=lambda quantizer: quantizer.name)
def test_a_search_is_a_loop_over_models_and_levels(trained: Networks, quantizer: Midpoint, alpha: float) -> None:
    digits = load_digits(5)
    found = fewest_levels(trained, digits, quantizer=quantizer, alpha=alpha, q_max=6)
    assert found.recognition_trace.shape == (150, 6)
    solved = 0
    for model in range(150):
        row = trained.joint()[model : model + 1]
        first = stable = occupied = 0
        for q in range(1, 6 + 1):
            quantized = quantizer.quantize(row, q)
            recognition = Networks.from_joint(quantized.values, trained.shapes).recognition(digits)[0]
            assert found.recognition_trace[model, q - 1] == recognition
            passes = recognition > alpha - 0.05  # ten digits: recognition comes in tenths
            if passes and not first:
                first, occupied = q, len(set(quantized.assignment[0].tolist()))
            stable = (stable or q) if passes else 0
        got = found.q[model], found.stable_q[model], found.occupied[model], found.solved[model]
        assert got == (first, stable, occupied, first > 0)
        solved += first > 0
    assert solved > 0 and (solved < 150 or alpha < 1)
    assert np.array_equal(found.recognition, trained.recognition(digits))
    assert np.array_equal(found.trained, trained.recognition(digits) > alpha - 0.05)


def test_the_default_is_the_paper_s_search(trained: Networks) -> None:
    digits = load_digits(5)
    found = fewest_levels(trained[:3], digits)
    assert found.quantizer == Midpoint() and found.alpha == 1.0 and found.recognition_trace.shape == (3, 64)


def test_a_solved_model_is_handed_out_at_its_fewest_levels(trained: Networks) -> None:
    digits = load_digits(5)
    found = fewest_levels(trained, digits, alpha=0.9, q_max=Q_MAX)
    for model in np.flatnonzero(found.solved)[:10].tolist():
        network = found.quantized(model)
        assert len(network) == 1 and network.shapes == trained.shapes
        assert network.recognition(digits)[0] == found.recognition_trace[model, found.q[model] - 1] >= 0.9 - 1e-12
        assert len(np.unique(abs(network.joint()))) == found.occupied[model] <= found.q[model]
        assert found.quantization(model).requested == found.q[model]
        assert np.array_equal(np.sign(network.joint()[0]), np.sign(trained.joint()[model]))


def test_an_unsolved_model_is_a_value_and_asking_for_its_levels_an_error(trained: Networks) -> None:
    found = fewest_levels(trained, load_digits(5), q_max=1)
    assert not found.solved.any()  # one magnitude is not enough for ten digits
    assert not found.q.any() and not found.stable_q.any() and not found.occupied.any()
    for ask in (found.quantized, found.quantization):
        with pytest.raises(SearchError, match=r"model 7 does not reach 100% .* up to 1"):
            ask(7)


def test_a_model_that_was_not_trained_to_alpha_is_counted(trained: Networks) -> None:
    digits = load_digits(5)
    mixed = Networks(
        (
            np.concatenate([trained.weights[0][:2], np.zeros((1, 25, 10))]),
            np.concatenate([trained.weights[1][:2], np.zeros((1, 10, 10))]),
        )
    )
    found = fewest_levels(mixed, digits, q_max=Q_MAX)
    assert len(found.q) == 3 and not found.trained[2] and found.q[2] == 0
    assert found.recognition[2] == 0.0 and not found.recognition_trace[2].any()


def test_recognition_is_not_monotone_in_levels() -> None:
    # Three inputs of 1. Own output: 13 - 5 + 8 = 16, other: 2 + 6 + 3 = 11. Magnitudes 2 .. 13, range A = 11.
    # q = 1: level 7.5:               7.5 - 7.5 + 7.5 = 7.5      against 22.5, fails
    # q = 2: 4.75, 10.25:             10.25 - 4.75 + 10.25 = 15.75 against 14.25, passes
    # q = 3: 3.8333, 7.5, 11.1667:    11.1667 - 3.8333 + 7.5 = 14.8333 against 15.1667, fails
    # q = 4: 3.375, 6.125, 8.875, 11.625: 11.625 - 6.125 + 8.875 = 14.375 against 12.875, passes
    networks = Networks.from_weights([[[13.0, 2.0], [-5.0, 6.0], [8.0, 3.0]]])
    found = fewest_levels(networks, Samples(np.ones((1, 3)), np.array([0]), ("own", "other")), q_max=4)
    assert found.recognition_trace.tolist() == [[0.0, 1.0, 0.0, 1.0]]
    assert (found.q[0], found.stable_q[0], found.occupied[0]) == (2, 4, 2)


@given(q_max=st.integers(1, 12), passing=st.sets(st.integers(1, 12)))
def test_q_is_the_first_that_passes_and_stable_q_the_start_of_the_last_run(q_max: int, passing: set[int]) -> None:
    found = scripted_search(passing, q_max)
    within = [q in passing for q in range(1, q_max + 1)]
    assert found.recognition_trace.tolist() == [[float(passes) for passes in within]]
    assert found.q[0] == (within.index(True) + 1 if any(within) else 0)
    stable = [q for q in range(1, q_max + 1) if all(within[q - 1 :])]
    assert found.stable_q[0] == min(stable, default=0)
    assert (found.stable_q[0] > 0) == within[-1] and found.stable_q[0] in (0, *range(int(found.q[0]), q_max + 1))
    assert found.occupied[0] == (min(found.q[0], 4) if any(within) else 0)  # four weights, dealt out in turn


@given(alpha=st.floats(0.01, 1.0), step=st.floats(0.0, 0.5), model=st.integers(0, 149))
def test_less_recognition_never_needs_more_levels(trained: Networks, alpha: float, step: float, model: int) -> None:
    strict, loose = (
        fewest_levels(trained[model], load_digits(5), alpha=a, q_max=Q_MAX) for a in (alpha, max(alpha - step, 0.001))
    )
    assert np.array_equal(strict.recognition_trace, loose.recognition_trace)
    for name in ("q", "stable_q"):
        fewer, more = getattr(loose, name)[0], getattr(strict, name)[0]
        assert more == 0 or 0 < fewer <= more


@given(q_max=st.integers(1, Q_MAX), model=st.integers(0, 149))
def test_a_shorter_search_is_the_beginning_of_a_longer(trained: Networks, q_max: int, model: int) -> None:
    short, long = (fewest_levels(trained[model], load_digits(5), alpha=0.8, q_max=q) for q in (q_max, Q_MAX))
    assert np.array_equal(short.recognition_trace, long.recognition_trace[:, :q_max])
    assert short.q[0] == (long.q[0] if long.q[0] <= q_max else 0)


@pytest.mark.parametrize("fraction", [1 / 3, 2 / 3, 0.1 + 0.2, 0.7])
def test_a_recognition_of_exactly_alpha_passes(fraction: float) -> None:
    count = 30
    right = round(fraction * count)
    samples = Samples(np.ones((count, 1)), np.array([0] * right + [1] * (count - right)), ("a", "b"))
    networks = Networks.from_weights([[[2.0, 1.0]]])
    assert fewest_levels(networks, samples, alpha=fraction, q_max=2).q[0] == 2  # q = 1 ties
    assert fewest_levels(networks, samples, alpha=fraction + 1e-9, q_max=2).q[0] == 0


@pytest.mark.parametrize("jobs", [1, 2, 3, None])
def test_threads_do_not_matter_nor_does_the_company_of_other_models(trained: Networks, jobs: int | None) -> None:
    many = Networks(tuple(np.concatenate([w, w[::-1]]) for w in trained.weights))
    found = fewest_levels(many, load_digits(5), alpha=0.9, q_max=6, jobs=jobs)
    alone = fewest_levels(trained, load_digits(5), alpha=0.9, q_max=6, jobs=1)
    for name in ("q", "stable_q", "occupied", "recognition", "recognition_trace"):
        expected = getattr(alone, name)
        assert np.array_equal(getattr(found, name), np.concatenate([expected, expected[::-1]]))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("alpha", 0.0),
        ("alpha", -0.5),
        ("alpha", 1.2),
        ("alpha", float("nan")),
        ("q_max", 0),
        ("q_max", -4),
        ("q_max", 2.5),
        ("jobs", -1),
        ("jobs", 1.5),
    ],
)
def test_bad_arguments_of_a_search_are_refused_by_name_and_value(option: str, value: object) -> None:
    with pytest.raises(SearchError) as caught:
        fewest_levels(KNOWS_PAIR, PAIR, **{option: value})  # type: ignore[arg-type]
    assert option in str(caught.value) and str(value) in str(caught.value)


def test_numbers_of_numpy_are_numbers() -> None:
    assert fewest_levels(KNOWS_PAIR, PAIR, q_max=np.int64(2), jobs=np.int64(1)).recognition_trace.shape == (1, 2)  # type: ignore[arg-type]


def test_samples_that_do_not_fit_the_networks_are_refused() -> None:
    with pytest.raises(NetworksError, match=r"2 inputs .* 25 inputs"):
        fewest_levels(KNOWS_PAIR, load_digits(5), q_max=2)


def test_a_search_over_no_networks_finds_nothing() -> None:
    found = fewest_levels(KNOWS_PAIR[:0], PAIR, q_max=3)
    assert found.q.shape == (0,) and found.recognition_trace.shape == (0, 3)
