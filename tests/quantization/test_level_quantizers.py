"""Every quantizer beyond the paper's: against brute force, kmeans1d and numbers worked by hand."""

from __future__ import annotations

import itertools
from fractions import Fraction

import kmeans1d
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from fewlevels import (
    Binary,
    Clipped,
    DeadZone,
    KMeans,
    Midpoint,
    Networks,
    PowersOfTwo,
    Quantizer,
    Table,
    Ternary,
    TrainingConfig,
    _kernels,
    additive_powers_of_two,
    device_levels,
    fewest_levels,
    load_digits,
    quantize_networks,
    train,
)
from fewlevels.errors import QuantizationError
from fewlevels.quantization import clipped
from fewlevels.quantization.protocol import SearchableQuantizer, searchable
from tests.support.quantizer_contracts import DEVICE, rows


@pytest.mark.parametrize("signed", [False, True])
@settings(max_examples=60, deadline=None)
@given(weights=rows, q=st.integers(1, 6))
def test_k_means_is_as_good_as_kmeans1d(signed: bool, weights: np.ndarray, q: int) -> None:
    found = KMeans(signed=signed).quantize(weights, q).values
    for row, values in zip(weights, found, strict=True):
        compared = row if signed else np.abs(row)
        clusters, centres = kmeans1d.cluster(compared, min(q, len(row)))
        least = ((np.array(centres)[clusters] - compared) ** 2).sum()
        scale = (compared**2).sum() + 1e-30
        assert ((values - row) ** 2).sum() <= least + 1e-9 * scale


@pytest.mark.parametrize("signed", [False, True])
@settings(max_examples=60, deadline=None)
@given(row=st.lists(st.sampled_from([0.1, 0.5, 1.4, 1.6, -1.6, 0.0]), min_size=1, max_size=12), q=st.integers(1, 6))
@example(row=[0.1, 1.4, 0.5, 1.6, 1.6], q=5)  # the mean of 1.6 and 1.6 about 1.4 is not 1.6
def test_levels_of_repeated_weights_ascend_and_stay_among_them(signed: bool, row: list[float], q: int) -> None:
    found = KMeans(signed=signed).quantize(np.array([row]), q)
    compared = np.array(row) if signed else np.abs(row)
    assert (np.diff(found.levels) >= 0).all()
    assert compared.min() <= found.levels.min() and found.levels.max() <= compared.max()
    assert found.occupied()[0] == min(q, len(set(compared.tolist())))


def test_k_means_of_weights_far_from_zero() -> None:
    # squares of 1e9 leave no digit for differences of 1: sums must be about the weights' own middle
    found = KMeans().quantize(np.array([[1e9, 1e9 + 1, 1e9 + 2, 1e9 + 10, 1e9 + 12]]), 2)
    assert found.levels.tolist() == [[1e9 + 1, 1e9 + 11]] and found.assignment.tolist() == [[0, 0, 0, 1, 1]]


def test_k_means_by_hand() -> None:
    found = KMeans().quantize(np.array([[1.0, -1.0, 2.0, 10.0, -12.0]]), 2)
    np.testing.assert_allclose(found.levels, [[4 / 3, 11.0]], rtol=1e-14)
    np.testing.assert_allclose(found.values, [[4 / 3, -4 / 3, 4 / 3, 11.0, -11.0]], rtol=1e-14)


def test_clipping_by_hand() -> None:
    # magnitudes 1 to 9, clip 5/9: range [1, 5], two intervals of 2, midpoints 2 and 4; 9 falls in the top one
    found = Clipped(clip=5 / 9).quantize(np.array([[1.0, -2.9, 3.5, -9.0]]), 2)
    np.testing.assert_allclose(found.values, [[2.0, -2.0, 4.0, -4.0]], rtol=1e-14)
    found = Clipped(zero=True, clip=0.5).quantize(np.array([[0.9, -1.1, 2.9, 3.1, -8.0]]), 3)
    np.testing.assert_allclose(found.values, [[0.0, -2.0, 2.0, 4.0, -4.0]], rtol=1e-14)


def test_a_dead_zone_by_hand() -> None:
    # largest 10: zero up to 2, then intervals [2, 4], [4, 6] with the rest above; means of 2.1, 3.9 and of 4.1, 10
    found = DeadZone(controls=(0.6, 0.2, 1.0)).quantize(np.array([[1.9, -2.1, 4.1, 10.0, -0.5, 3.9]]), 3)
    np.testing.assert_allclose(found.values, [[0.0, -3.0, 7.05, 7.05, 0.0, 3.0]], rtol=1e-14)
    np.testing.assert_allclose(found.levels, [[0.0, 3.0, 7.05]], rtol=1e-14)


def test_the_spacing_bends_the_intervals_of_a_dead_zone() -> None:
    # largest 10: zero up to 2, ends 2, 2 + 4 (1/2)^2 = 3, 6: 3.5 is above the second end, where even spacing has 4
    found = DeadZone(controls=(0.6, 0.2, 2.0)).quantize(np.array([[2.5, 3.5, -10.0]]), 3)
    np.testing.assert_allclose(found.values, [[2.5, 6.75, -6.75]], rtol=1e-14)


def test_the_settings_of_a_dead_zone_fill_the_space_of_its_controls() -> None:
    clip, _, spacing = np.array([one.controls for one in DeadZone().settings()]).T  # type: ignore[attr-defined]
    cells = set(zip((-10 * np.log10(clip)).astype(int), (5 * (spacing - 0.5)).astype(int), strict=True))
    assert len(cells) == 10 * 10


def test_an_interval_that_holds_no_weight_keeps_its_midpoint() -> None:
    found = DeadZone(controls=(0.6, 0.2, 1.0)).quantize(np.array([[1.9, 10.0]]), 3)
    np.testing.assert_allclose(found.levels, [[0.0, 3.0, 10.0]], rtol=1e-14)


def test_powers_of_two_by_hand() -> None:
    found = PowersOfTwo(clip=1.0).quantize(np.array([[8.0, -5.9, 3.1, 0.9]]), 4)
    np.testing.assert_allclose(found.levels, [[0.0, 2.0, 4.0, 8.0]], rtol=1e-14)
    np.testing.assert_allclose(found.values, [[8.0, -4.0, 4.0, 0.0]], rtol=1e-14)


def test_additive_powers_of_two_are_those_of_the_paper() -> None:
    # two terms of {0, 1, 1/4, 1/16} and {0, 1/2, 1/8, 1/32}: 16 different sums
    table = additive_powers_of_two(bits=4).table
    assert len(set(table)) == 16 and table[0] == 0 and table[-1] == 1.5
    assert additive_powers_of_two(bits=2).table == (0.0, 0.5, 1.0, 1.5)


@settings(max_examples=40, deadline=None)
@given(weights=rows, q=st.integers(1, 5), clip=st.floats(0.1, 1.0))
def test_the_levels_chosen_of_a_table_are_zero_and_the_best_of_all_others(
    weights: np.ndarray, q: int, clip: float
) -> None:
    table = np.array([0.0, 0.1, 0.25, 0.7, 1.0])
    found = Table(table=tuple(table.tolist()), clip=clip).quantize(weights, q)
    ordered, scale = np.sort(np.abs(weights), axis=1), clip * np.abs(weights).max(axis=1)
    scales = np.stack([scale / 2, scale], axis=1)  # the first must leave nothing behind for the second
    chosen, error = np.empty((len(weights), 2, q), np.int64), np.empty((len(weights), 2))
    _kernels.choose_levels(ordered, table, scales, chosen, error, _kernels.instruction_sets()[0])
    assert (chosen[:, :, 0] == 0).all() and (found.levels[:, 0] == 0).all()
    for model, magnitudes in enumerate(np.abs(weights)):
        least = min(
            (np.abs(magnitudes[:, None] - scale[model] * table[[0, *others]]).min(axis=1) ** 2).sum()
            for others in itertools.combinations(range(1, 5), q - 1)
        )
        rounding = 1e-9 * (magnitudes**2).sum() + 1e-30
        assert abs(((np.abs(found.values[model]) - magnitudes) ** 2).sum() - least) <= rounding
        assert abs(error[model, 1] - least) <= rounding


def test_device_magnitudes_are_differences_from_the_lowest_conductance() -> None:
    found = device_levels([1e-6, 3e-6, 1.1e-5], clip=1.0).quantize(np.array([[10.0, -2.2, 0.4]]), 3)
    np.testing.assert_allclose(found.values, [[10.0, -2.0, 0.0]], rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_a_device_of_one_conductance_holds_zeros() -> None:
    assert device_levels([1e-6]).quantize(np.array([[3.0, -2.0]]), 1).values.tolist() == [[0.0, -0.0]]


def test_ternary_by_hand() -> None:
    # mean 2.75: with threshold 1 the magnitudes 3 and 5 stay, at their mean 4
    np.testing.assert_allclose(Ternary().quantize(np.array([[1.0, -2.0, 3.0, -5.0]])).values, [[0.0, 0.0, 4.0, -4.0]])
    np.testing.assert_allclose(Ternary(threshold=9.0).quantize(np.array([[1.0, -2.0, 3.0]])).values, [[0.0, 0.0, 3.0]])
    np.testing.assert_allclose(Binary().quantize(np.array([[1.0, -1.0, 3.0, -5.0]])).values, [[2.5, -2.5, 2.5, -2.5]])


@settings(max_examples=60, deadline=None)
@given(weights=rows)
def test_the_best_threshold_of_ternary_weights_is_the_best_of_all(weights: np.ndarray) -> None:
    found = Ternary(threshold=None).quantize(weights).values
    for row, values in zip(weights, found, strict=True):
        ordered = np.sort(np.abs(row))[::-1]
        least = min(
            ((ordered[:k] - ordered[:k].mean()) ** 2).sum() + (ordered[k:] ** 2).sum() for k in range(1, len(row) + 1)
        )
        assert ((values - row) ** 2).sum() <= least + 1e-9 * ((row**2).sum() + 1e-30)


def squared_errors(quantizer: Quantizer, weights: np.ndarray, levels: int) -> np.ndarray:
    return ((quantizer.quantize(weights, levels).values - weights) ** 2).sum(axis=1)


@pytest.mark.parametrize(
    ("quantizer", "compared"),
    [
        (Clipped(), slice(0, None, 11)),
        (Clipped(zero=True), slice(0, None, 11)),
        (PowersOfTwo(), slice(0, None, 11)),
        (DEVICE, slice(28)),
        (DeadZone(), slice(24)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_free_controls_are_those_of_least_squared_error(quantizer: SearchableQuantizer, compared: slice) -> None:
    weights = np.random.default_rng(2).standard_t(2, size=(50, 60))
    errors = [squared_errors(one, weights, 4) for one in quantizer.settings()[compared]]
    np.testing.assert_allclose(squared_errors(quantizer, weights, 4), np.min(errors, axis=0), rtol=1e-9)
    assert len({int(best) for best in np.argmin(errors, axis=0)}) > 3


@pytest.mark.parametrize("quantizer", [Clipped(clip=0.5), DeadZone(controls=(0.6, 0.2, 1.0)), Ternary()])
def test_a_search_leaves_a_control_that_is_given(quantizer: SearchableQuantizer) -> None:
    assert quantizer.settings() == (quantizer,)


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_the_clips_tried_come_within_a_hundredth_of_the_best_clip_s_error(levels: int) -> None:
    weights = np.random.default_rng(2).standard_t(1.5, size=(40, 350))
    least = np.min(
        [squared_errors(Clipped(clip=float(clip)), weights, levels) for clip in np.geomspace(1, 0.04, 200)], axis=0
    )
    assert (squared_errors(Clipped(), weights, levels) <= 1.01 * least).all()


def test_the_thresholds_tried_solve_what_every_threshold_solves() -> None:
    digits = load_digits(5)
    start = TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=50_000, range_limit=3.0)
    networks = train(digits, start, models=40, seed=1)
    solvable = []
    for row in networks.joint():
        magnitudes = np.abs(row)
        kept = magnitudes >= magnitudes[:, None]  # at each magnitude as the threshold
        level = (kept * magnitudes).sum(axis=1) / kept.sum(axis=1)
        every = Networks.from_joint(np.where(kept, np.copysign(level[:, None], row), 0.0), networks.shapes)
        solvable.append((every.recognition(digits) == 1).any())
    assert 10 < sum(solvable) < 40
    found = fewest_levels(networks, digits, quantizer=Ternary(threshold=None), q_max=2)
    assert (found.solved <= solvable).all() and found.solved.sum() >= sum(solvable) - 1


@pytest.mark.parametrize(
    ("conductances", "named"),
    [
        ([], "at least one conductance, got none"),
        ([1e-6, 20.0], "below 1 S, got 20.0 S; 20 µS is 2e-05"),
        ([1e-6, 1e-6], "1e-06 stands twice"),
        ([0.0, 1e-13], "at most 1e-12 S are all open"),
        ([-1e-6], "at least 0 and below 1 S, got -1e-06 S"),
        ([1e-6, float("nan")], "below 1 S, got nan S"),
        ([1e-6, 10**5000], "below 1 S, got a number of thou"),
        (["a"], "a list of numbers, got \\['a'\\]"),
        ("123", "a list of numbers, got '123'"),
        (["1e-6", "2e-6"], "a list of numbers"),
        (1e-6, "a list of numbers, got"),
        ([True], "a list of numbers"),
        (np.ones((2, 2)) / 9, "a list of numbers"),
    ],
)
def test_a_list_of_conductances_that_no_device_has_is_refused(conductances: list[float], named: str) -> None:
    with pytest.raises(QuantizationError, match=named):
        device_levels(conductances)


far_apart = st.one_of(
    st.sampled_from([0.0, 1.0, 3.0, 1e8, 1e8 + 1, 1e15, 1e15 + 2, 1e-12, 2e-12, 7e-12]), st.floats(1e-9, 1)
).flatmap(lambda size: st.sampled_from([size, -size]))


@pytest.mark.parametrize("signed", [False, True])
@settings(max_examples=150, deadline=None)
@given(row=st.lists(far_apart, min_size=1, max_size=8), q=st.integers(1, 5))
@example(row=[0.0, 0.0, 0.0, 0.0, 1e8, 1e8 + 1], q=3)
@example(row=[-1e15, 1e-12, 2e-12, 7e-12], q=3)
@example(row=[1.0, 0.9999999999999999], q=2)
def test_k_means_has_the_least_error_of_all_partitions_however_far_groups_lie_apart(
    signed: bool, row: list[float], q: int
) -> None:
    found = KMeans(signed=signed).quantize(np.array([row]), q).assignment[0]
    compared = [Fraction(weight if signed else abs(weight)) for weight in row]

    def error(group: list[Fraction]) -> Fraction:
        return sum(((one - sum(group) / len(group)) ** 2 for one in group), Fraction(0))

    ordered = sorted(compared)
    ends = (sorted({0, *inner, len(row)}) for inner in itertools.combinations_with_replacement(range(len(row)), q - 1))
    least = min(sum(error(ordered[i:j]) for i, j in itertools.pairwise(cuts)) for cuts in ends)
    own = sum(error([one for one, level in zip(compared, found, strict=True) if level == k]) for k in set(found))
    assert own <= least * (1 + Fraction(1, 10**12))


def test_fewer_conductances_than_levels_asked_for_are_refused() -> None:
    with pytest.raises(QuantizationError, match="'device' must be 1 to 5, got 6"):
        DEVICE.quantize(np.ones((1, 3)), 6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Clipped(clip=0.0),
        lambda: Clipped(clip=1.1),
        lambda: DeadZone(controls=(0.5, 0.6, 1.0)),
        lambda: DeadZone(controls=(0.5, 0.0, 1.0)),
        lambda: DeadZone(controls=(0.5, 0.1, 0.0)),
        lambda: Ternary(threshold=0.0),
        lambda: additive_powers_of_two(bits=3),
        lambda: Table(table=(0.1, 1.0)),
        lambda: Table(table=()),
        lambda: Table(table=(0.0, float("inf"))),
        lambda: DeadZone(controls=(1, 2)),  # type: ignore
        lambda: searchable("ternary"),
        lambda: searchable(Midpoint),  # type: ignore[arg-type]
        lambda: quantize_networks(Networks.from_weights([np.ones((2, 2))]), "ternary", 2),  # type: ignore[arg-type]
    ],
)
def test_controls_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(QuantizationError, match="got"):
        make()  # type: ignore[operator]


def test_a_search_that_tries_settings_in_full_tries_every_clip_of_a_table_and_each_eleventh_of_a_grid() -> None:
    assert list(DEVICE.tried_in_full()) == list(range(len(DEVICE.settings())))
    assert [Clipped().settings()[at].clip for at in Clipped().tried_in_full()] == list(clipped.CLIPS)
