"""Quantization: the paper's equations worked by hand, and what holds for any weights."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fewlevels import Midpoint, Networks, Quantized
from fewlevels.errors import QuantizationError
from fewlevels.quantization import PAPER_QUANTIZERS, QUANTIZERS
from tests.support.oracles import ISAS, given

MIXED = [-1.0, 0.5, 3.0, -4.5]
POSITIVE = [1.0, 2.0, 6.0, 9.0]

both = pytest.mark.parametrize("signed", [False, True])
numbers = st.floats(1e-6, 1e6).flatmap(lambda size: st.sampled_from([size, -size])) | st.sampled_from([0.0, -0.0])
weight_arrays = arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 30)), elements=numbers)
level_numbers = st.integers(1, 64)


def quantize(weights: list[float], levels: int, signed: bool = False) -> Quantized:
    return Midpoint(signed=signed).quantize(np.array([weights]), levels)


@pytest.mark.parametrize(
    ("weights", "signed", "q", "interval", "levels", "assignment", "values", "counts"),
    [
        # |W| = 1, 0.5, 3, 4.5: Equation 2 gives 4.5 - 0.5 = 4
        (MIXED, False, 2, 2.0, [1.5, 3.5], [0, 0, 1, 1], [-1.5, 1.5, 3.5, -3.5], [2, 2]),
        (MIXED, False, 4, 1.0, [1.0, 2.0, 3.0, 4.0], [0, 0, 2, 3], [-1.0, 1.0, 3.0, -4.0], [2, 0, 1, 1]),
        # Equation 1 gives 3 + 4.5 = 7.5
        (MIXED, True, 3, 2.5, [-3.25, -0.75, 1.75], [1, 2, 2, 0], [-0.75, 1.75, 1.75, -3.25], [1, 1, 2]),
        (
            MIXED,
            True,
            5,
            1.5,
            [-3.75, -2.25, -0.75, 0.75, 2.25],
            [2, 3, 4, 0],
            [-0.75, 0.75, 2.25, -3.75],
            [1, 0, 1, 1, 1],
        ),
        # all positive: Equations 1 and 2 agree, 9 - 1 = 8
        (POSITIVE, False, 2, 4.0, [3.0, 7.0], [0, 0, 1, 1], [3.0, 3.0, 7.0, 7.0], [2, 2]),
        (POSITIVE, True, 2, 4.0, [3.0, 7.0], [0, 0, 1, 1], [3.0, 3.0, 7.0, 7.0], [2, 2]),
        (POSITIVE, False, 4, 2.0, [2.0, 4.0, 6.0, 8.0], [0, 0, 2, 3], [2.0, 2.0, 6.0, 8.0], [2, 0, 1, 1]),
        (POSITIVE, True, 4, 2.0, [2.0, 4.0, 6.0, 8.0], [0, 0, 2, 3], [2.0, 2.0, 6.0, 8.0], [2, 0, 1, 1]),
    ],
)
def test_four_weights_by_hand(
    weights: list[float],
    signed: bool,
    q: int,
    interval: float,
    levels: list[float],
    assignment: list[int],
    values: list[float],
    counts: list[int],
) -> None:
    got = quantize(weights, q, signed)
    networks = Networks.from_weights([np.array([weights])])
    span = networks.weight_range() if signed else networks.weight_range_a()
    assert span / q == interval  # Equation 3
    assert got.levels.tolist() == [levels]  # Equation 4
    assert got.assignment.tolist() == [assignment]
    assert got.values.tolist() == [values]
    assert got.requested == q
    assert got.counts().tolist() == [counts]
    assert got.occupied().tolist() == [sum(count > 0 for count in counts)]


@both
def test_one_level_is_the_middle_of_the_range(signed: bool) -> None:
    got = quantize(MIXED, 1, signed)
    assert got.levels.tolist() == [[-0.75 if signed else 2.5]]
    assert got.values.tolist() == [[-0.75] * 4 if signed else [-2.5, 2.5, 2.5, -2.5]]
    assert got.occupied().tolist() == [1]


@both
def test_a_weight_on_a_boundary_belongs_to_the_level_above_and_the_largest_to_the_last(signed: bool) -> None:
    assert quantize([0.0, 1.0, 2.0, 3.0], 3, signed).assignment.tolist() == [[0, 1, 2, 2]]


@both
@given(interval=st.integers(1, 1000), levels=level_numbers)
def test_a_boundary_belongs_to_the_level_above_whatever_the_interval(
    signed: bool, interval: int, levels: int
) -> None:  # whole numbers: min, interval and boundaries are exact
    got = quantize([float(interval * i) for i in range(levels + 1)], levels, signed)
    assert got.assignment.tolist() == [[*range(levels), levels - 1]]


@both
@given(value=numbers, count=st.integers(1, 5), levels=level_numbers)
def test_equal_weights_stay_as_they_are_in_the_first_level(signed: bool, value: float, count: int, levels: int) -> None:
    got = quantize([value] * count, levels, signed)
    assert got.values.tolist() == [[value] * count] and not got.assignment.any()
    assert got.occupied().tolist() == [1] and got.counts().tolist() == [[count] + [0] * (levels - 1)]


def test_opposite_weights_have_equal_magnitudes_and_share_a_level() -> None:
    assert quantize([2.0, -2.0], 3).values.tolist() == [[2.0, -2.0]]
    assert quantize([2.0, -2.0], 2, signed=True).values.tolist() == [[1.0, -1.0]]


@both
@given(weights=weight_arrays, levels=level_numbers)
def test_every_value_is_a_level_with_the_weight_s_sign(signed: bool, weights: np.ndarray, levels: int) -> None:
    got = Midpoint(signed=signed).quantize(weights, levels)
    assert got.levels.shape == (len(weights), levels) and (np.diff(got.levels) >= 0).all()
    assert got.assignment.min() >= 0 and got.assignment.max() < levels
    chosen = np.take_along_axis(got.levels, got.assignment, axis=1)
    assert np.array_equal(got.values if signed else abs(got.values), chosen)
    if not signed:
        assert np.array_equal(np.signbit(got.values), np.signbit(weights))


@both
@given(weights=weight_arrays, levels=level_numbers)
def test_no_weight_moves_by_more_than_half_an_interval(signed: bool, weights: np.ndarray, levels: int) -> None:
    # 4 ulps of the largest magnitude and of the range: a level is rounded three times (interval, product, sum), and a
    # weight within the rounding of its boundary may go to either side.
    networks = Networks((weights[:, None],))
    span = networks.weight_range() if signed else networks.weight_range_a()
    ulps = 4 * np.spacing(np.maximum(abs(weights).max(axis=1), span))
    moved = abs(Midpoint(signed=signed).quantize(weights, levels).values - weights).max(axis=1)
    assert (moved <= span / levels / 2 + ulps).all()


@both
@given(weights=weight_arrays, levels=level_numbers)
def test_counts_and_occupied_levels_are_those_of_the_assignment(signed: bool, weights: np.ndarray, levels: int) -> None:
    got = Midpoint(signed=signed).quantize(weights, levels)
    for model, row in enumerate(got.assignment):
        assert got.counts()[model].tolist() == [int((row == level).sum()) for level in range(levels)]
        assert got.occupied()[model] == len(set(row.tolist())) <= min(levels, len(row))
        values = weights[model] if signed else abs(weights[model])
        if np.ptp(values) > 0:  # the smallest and the largest weight lie in the first and the last level
            assert row.min() == 0 and row.max() == levels - 1
        assert (np.diff(row[np.argsort(values, kind="stable")]) >= 0).all()  # and the order is kept


@both
@given(weights=weight_arrays, levels=level_numbers)
def test_a_batch_is_quantized_as_its_models_one_by_one(signed: bool, weights: np.ndarray, levels: int) -> None:
    before = weights.copy()
    whole = Midpoint(signed=signed).quantize(weights, levels)
    for model in range(len(weights)):
        alone = Midpoint(signed=signed).quantize(weights[model : model + 1], levels)
        for a, b in [(whole.levels, alone.levels), (whole.assignment, alone.assignment), (whole.values, alone.values)]:
            assert a[model].tobytes() == b[0].tobytes()
    assert weights.tobytes() == before.tobytes()


@both
@given(weights=weight_arrays, levels=level_numbers)
def test_every_instruction_set_quantizes_alike(signed: bool, weights: np.ndarray, levels: int) -> None:
    found = []
    for isa in ISAS:
        with mock.patch("fewlevels.quantization.midpoint.INSTRUCTION_SET", isa):
            found.append(Midpoint(signed=signed).quantize(weights, levels))
        assert np.array_equal(found[-1].assignment, found[0].assignment)
        assert found[-1].values.tobytes() == found[0].values.tobytes()


@both
@given(weights=weight_arrays, levels=level_numbers, exponent=st.integers(-60, 60))
def test_scaling_by_a_power_of_two_scales_the_values_exactly(
    signed: bool, weights: np.ndarray, levels: int, exponent: int
) -> None:
    one, scaled = (Midpoint(signed=signed).quantize(w, levels) for w in (weights, weights * 2.0**exponent))
    assert np.array_equal(scaled.values, one.values * 2.0**exponent)
    assert np.array_equal(scaled.levels, one.levels * 2.0**exponent)
    assert np.array_equal(scaled.assignment, one.assignment)


@given(weights=weight_arrays, levels=level_numbers)
def test_turning_every_sign_turns_every_value(weights: np.ndarray, levels: int) -> None:
    assert np.array_equal(Midpoint().quantize(-weights, levels).values, -Midpoint().quantize(weights, levels).values)


@given(weights=weight_arrays, levels=level_numbers)
def test_positive_weights_are_quantized_alike_with_and_without_signs(weights: np.ndarray, levels: int) -> None:
    one, other = (Midpoint(signed=signed).quantize(abs(weights), levels) for signed in (False, True))
    assert np.array_equal(one.values, other.values) and np.array_equal(one.assignment, other.assignment)


@both
@given(weights=weight_arrays)
def test_one_level_is_idempotent(signed: bool, weights: np.ndarray) -> None:
    once = Midpoint(signed=signed).quantize(weights, 1).values
    assert np.array_equal(Midpoint(signed=signed).quantize(once, 1).values, once)


def test_two_levels_are_not_idempotent_because_midpoints_span_half_the_range() -> None:
    once = quantize([0.0, 4.0], 2).values
    assert once.tolist() == [[1.0, 3.0]]
    assert Midpoint().quantize(once, 2).values.tolist() == [[1.5, 2.5]]


@pytest.mark.parametrize(
    ("weights", "signed", "levels"),
    [
        ([0.0, 1e-310], False, 1),
        ([0.0, -1e-310, 3e-310], True, 3),
        ([-1e308, 1.5e308], True, 2),
        ([1e308, -1.5e308], False, 2),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_at_the_ends_of_float64_are_quantized_or_refused(
    weights: list[float], signed: bool, levels: int
) -> None:
    try:
        got = quantize(weights, levels, signed)
    except QuantizationError:
        return
    values = np.array(weights) if signed else abs(np.array(weights))
    half = values.max() / levels / 2 - values.min() / levels / 2
    assert (abs(got.values - weights) <= half * (1 + 1e-9) + 5e-324).all()


@both
@pytest.mark.parametrize("levels", [0, -1, 2.5, float("nan")])
def test_a_number_of_levels_that_is_none_is_refused(signed: bool, levels: object) -> None:
    with pytest.raises(QuantizationError, match=f"got {levels}"):
        quantize(MIXED, levels, signed)  # type: ignore[arg-type]


@both
@pytest.mark.parametrize(
    ("weights", "named"),
    [
        (np.ones(3), "(3,)"),
        (np.ones((1, 2, 3)), "(1, 2, 3)"),
        (np.ones((2, 0)), "(2, 0)"),
        (np.array([[1.0, np.nan]]), "nan"),
        (np.array([[1.0, -np.inf]]), "-inf"),
    ],
)
def test_weights_that_are_not_finite_rows_are_refused(signed: bool, weights: np.ndarray, named: str) -> None:
    with pytest.raises(QuantizationError) as caught:
        Midpoint(signed=signed).quantize(weights, 2)
    assert named in str(caught.value)


def test_the_paper_s_quantizers_are_listed() -> None:
    assert [QUANTIZERS[name] for name in PAPER_QUANTIZERS] == [Midpoint(), Midpoint(signed=True)]
