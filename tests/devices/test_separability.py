"""Levels that can be told apart: counts by hand and from the literature, and levels at equal error."""

from __future__ import annotations

import io
import itertools
import math
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from scipy.stats import norm

from fewlevels import Device, load_device, separable_levels
from fewlevels.devices import MeasuredRetention, PolynomialSpread, RetentionTable, SaturatingSpread, TableSpread
from fewlevels.devices.separability import compare, equal_error_levels, geometric_levels, when
from fewlevels.errors import DeviceError
from fewlevels.reporting.figures.devices import separability_figure
from tests.support.oracles import given

DAY = 86400.0


def window(spread, low=1e-6, high=101e-6) -> Device:
    return Device(name="mine", lowest_siemens=low, highest_siemens=high, spread=spread)


@pytest.mark.parametrize(
    ("name", "count", "error"),
    [
        ("milo2021_hfo2", 9.4, 0.01),
        ("cmo_hfox", 33, 0.01),
        ("cmo_hfox_fine", 346, 0.01),
        ("joshi2020_pcm", 6.3, 0.01),
        ("wan2022_rram", 5.2, 0.04),
    ],
)
def test_published_devices_offer_what_their_spreads_say(name, count, error):
    """Counts worked out elsewhere from the same sources; Wan's from a quartic that lies above our straight lines."""
    assert separable_levels(load_device(name)).count == pytest.approx(count, rel=error)


def test_wan_falls_below_four_levels_within_a_day():
    wan = load_device("wan2022_rram")
    assert separable_levels(wan, after_seconds=DAY).count == pytest.approx(3.2, rel=0.025)
    offered = separable_levels(wan, after_seconds=DAY)
    assert compare(4, offered) == "needs 4, offers 3.2 after a day"
    assert len(offered.level_siemens) == 3


def test_a_table_of_straight_lines_is_integrated_exactly():
    """Of one piece: the integral of dG / sigma is the step times ln(s2 / s1) / (s2 - s1)."""
    table = load_device("wan2022_rram").retention.table[0]
    pieces = zip(np.diff(table.conductance_siemens), itertools.pairwise(table.sigma_siemens), strict=True)
    integral = sum(step * math.log(b / a) / (b - a) for step, (a, b) in pieces)
    assert separable_levels(load_device("wan2022_rram")).count == pytest.approx(1 + integral / 6, rel=1e-12)


@given(amplitude=st.floats(1e-7, 1e-5), scale=st.floats(1e-7, 1e-4), k_sigma=st.floats(0.5, 6))
def test_a_saturating_spread_is_integrated_as_in_closed_form(amplitude, scale, k_sigma):
    device = window(SaturatingSpread(amplitude_siemens=amplitude, scale_siemens=scale))
    found = separable_levels(device, k_sigma)
    ends = [scale * (x + math.log(-math.expm1(-x))) for x in (1e-6 / scale, 101e-6 / scale)]
    count = 1 + (ends[1] - ends[0]) / (2 * k_sigma * amplitude)
    if found.count == pytest.approx(count, rel=1e-4):
        return
    levels = equal_error_levels(device, math.floor(count))  # fewer only where these do not reach k sigma
    sigma = device.sigma_siemens(levels)
    assert found.count < count and (np.diff(levels) / (sigma[1:] + sigma[:-1])).min() < k_sigma


@given(slope=st.floats(0.01, 0.6), k_sigma=st.floats(1, 5))
def test_levels_are_counted_only_where_they_reach_k_sigma(slope, k_sigma):
    """sigma = r G: each level lies by the factor (1 + k r) / (1 - k r) above the one before."""
    found = separable_levels(window(PolynomialSpread(slope=slope), 1e-6, 1e-3), k_sigma)
    fit = 1 + math.log(1e3) / (2 * math.atanh(k_sigma * slope)) if k_sigma * slope < 1 else 1.0
    assert len(found.level_siemens) == pytest.approx(math.floor(fit), abs=1 if fit % 1 < 1e-2 else 0)
    assert math.floor(found.count + 1e-9) == len(found.level_siemens)
    assert found.reached_k_sigma is None or found.reached_k_sigma >= k_sigma * (1 - 1e-8)


@given(constant=st.floats(1e-7, 1e-5), slope=st.floats(0, 0.2), levels=st.integers(2, 40), drift=st.floats(0.5, 1.0))
def test_neighbours_at_equal_error_are_confused_equally_often_and_fill_the_window(constant, slope, levels, drift):
    """The error of a pair at its best boundary is Q(d): normal tails on both sides of it."""
    ends = (1e-6, 101e-6)
    device = replace(
        window(PolynomialSpread(constant_siemens=constant, slope=slope)),
        retention=MeasuredRetention(
            table=(
                RetentionTable(
                    after_seconds=1.0,
                    conductance_siemens=ends,
                    mean_siemens=tuple(drift * g for g in ends),
                    sigma_siemens=tuple(constant + slope * g for g in ends),
                ),
            )
        ),
    )
    placed = equal_error_levels(device, levels, 1.0)
    mean, sigma = drift * placed, constant + slope * placed
    boundary = (mean[:-1] * sigma[1:] + mean[1:] * sigma[:-1]) / (sigma[:-1] + sigma[1:])
    below, above = norm.logsf(boundary, mean[:-1], sigma[:-1]), norm.logcdf(boundary, mean[1:], sigma[1:])
    np.testing.assert_allclose(below, above, rtol=1e-9)
    np.testing.assert_allclose(below, below[0], rtol=1e-6)
    np.testing.assert_allclose(placed[[0, -1]], ends, rtol=1e-9)


def test_equal_spreads_are_equal_steps_and_wider_spreads_wider_steps():
    even = equal_error_levels(window(PolynomialSpread(constant_siemens=1e-6)), 5)
    np.testing.assert_allclose(even, np.linspace(1e-6, 101e-6, 5), rtol=1e-9)
    growing = equal_error_levels(window(PolynomialSpread(constant_siemens=1e-6, slope=0.05)), 5)
    assert (np.diff(growing, 2) > 0).all()


def test_exactly_as_many_levels_as_fit_reach_k_sigma():
    """100 uS in gaps of 6 sigma, 12 uS each: 9.3 levels; nine are placed, 100 / 8 uS apart."""
    found = separable_levels(window(PolynomialSpread(constant_siemens=2e-6)))
    assert found.count == pytest.approx(1 + 100 / 12, rel=1e-12)
    assert len(found.level_siemens) == 9
    assert found.reached_k_sigma == pytest.approx(100 / 8 / 4, rel=1e-9)
    whole = separable_levels(window(PolynomialSpread(constant_siemens=2.5e-6)), 2.0)  # 1 + 100 / 10
    assert len(whole.level_siemens) == 11 and str(whole) == "11.0"


@pytest.mark.parametrize("least", [0.0, 1e-30, 1e-22])
def test_a_spread_below_rounding_vanishes(least):
    device = window(TableSpread(conductance_siemens=(1e-6, 101e-6), sigma_siemens=(least, 1e-6)))
    for asked in (separable_levels, lambda each: equal_error_levels(each, 3)):
        with pytest.raises(DeviceError, match="its spread vanishes within its window"):
            asked(device)


@given(
    gaps=st.lists(st.floats(0.1, 10), min_size=2, max_size=8),
    sigmas=st.lists(st.floats(0.01, 2), min_size=8, max_size=8),
)
def test_of_a_level_table_the_most_levels_are_kept_that_do_not_overlap(gaps, sigmas):
    levels, sigma = 1e-3 * (2 + np.cumsum(gaps)), 1e-3 * np.array(sigmas[: len(gaps)])
    device = Device(name="table", level_siemens=tuple(levels), level_sigma_siemens=tuple(sigma))
    found = separable_levels(device)

    def apart(chosen: tuple[int, ...]) -> bool:
        pairs = itertools.combinations(chosen, 2)
        return all(levels[b] - 3 * sigma[b] >= levels[a] + 3 * sigma[a] for a, b in pairs)

    subsets = (s for size in range(1, len(gaps) + 1) for s in itertools.combinations(range(len(gaps)), size))
    able = [chosen for chosen in subsets if apart(chosen)]
    largest = [chosen for chosen in able if len(chosen) == found.count]
    assert found.count == max(map(len, able))
    assert apart(tuple(np.searchsorted(levels, found.level_siemens)))
    if found.count > 1:
        closest = (
            min((levels[b] - levels[a]) / (sigma[a] + sigma[b]) for a, b in itertools.pairwise(chosen))
            for chosen in largest
        )
        assert found.reached_k_sigma == pytest.approx(max(closest), rel=1e-9)


def test_of_several_largest_subsets_of_a_table_the_one_furthest_apart_is_taken():
    """7.9 and 12 uS are 4.1 / 1.4 = 2.9 standard deviations apart; 6 and 7.9 uS 1.9 / 0.5 = 3.8, 6 and 12 uS
    6 / 1.5 = 4."""
    device = Device(
        name="table", level_siemens=(1e-6, 6e-6, 7.9e-6, 12e-6), level_sigma_siemens=(0.2e-6, 0.3e-6, 0.2e-6, 1.2e-6)
    )
    found = separable_levels(device)
    assert found.level_siemens.tolist() == [1e-6, 6e-6, 12e-6]
    assert found.reached_k_sigma == pytest.approx(4, rel=1e-9)


def test_the_closest_pair_of_levels_says_what_is_reached():
    """Gaps of 9, 3 and 6 uS between levels of 0.5, 0.5, 0.25 and 0.25 uS: 9, 4 and 12 standard deviations of both."""
    device = Device(
        name="table", level_siemens=(1e-6, 10e-6, 13e-6, 19e-6), level_sigma_siemens=(0.5e-6, 0.5e-6, 0.25e-6, 0.25e-6)
    )
    assert separable_levels(device).reached_k_sigma == pytest.approx(4.0, rel=1e-9)


def test_levels_that_change_places_in_time_are_told_apart_by_where_they_stand():
    """Programmed to 1, 5 and 9 uS, they stand at 1, 8 and 4 uS: the closest two are 3 uS apart, 0.2 uS wide each."""
    later = RetentionTable(
        after_seconds=10.0,
        conductance_siemens=(1e-6, 5e-6, 9e-6),
        mean_siemens=(1e-6, 8e-6, 4e-6),
        sigma_siemens=(0.2e-6,) * 3,
    )
    device = Device(
        name="table",
        level_siemens=(1e-6, 5e-6, 9e-6),
        level_sigma_siemens=(0.1e-6,) * 3,
        retention=MeasuredRetention(table=(later,)),
    )
    found = separable_levels(device, after_seconds=10.0)
    assert found.level_siemens.tolist() == [1e-6, 5e-6, 9e-6]
    assert found.reached_k_sigma == pytest.approx(3 / 0.4, rel=1e-9)


def test_where_means_fall_and_rise_again_no_level_is_gained():
    """Means rise by 60 uS, fall by 40 and rise by 60, to 80 uS in gaps of 12: the second time through they say nothing
    new."""
    ends = (0.0, 40e-6, 60e-6, 100e-6)
    later = RetentionTable(
        after_seconds=10.0, conductance_siemens=ends, mean_siemens=(0.0, 60e-6, 20e-6, 80e-6), sigma_siemens=(2e-6,) * 4
    )
    device = replace(
        window(PolynomialSpread(constant_siemens=2e-6), 0.0, 100e-6), retention=MeasuredRetention(table=(later,))
    )
    found = separable_levels(device, after_seconds=10.0)
    mean = device.mean_siemens(found.level_siemens, 10.0)
    assert found.count == pytest.approx(1 + 80 / 12, rel=1e-3) and len(found.level_siemens) == 7
    assert (np.diff(mean) >= 3 * 4e-6 * (1 - 1e-6)).all()


def test_levels_stated_without_spreads_are_taken_at_the_sources_word():
    found = separable_levels(load_device("lee2018_taox"))
    assert (found.count, found.basis, found.level_siemens) == (4, "stated", None)
    assert compare(4, found) == "needs 4, offers 4 by its source, which gives no spreads"
    np.testing.assert_allclose(
        geometric_levels(load_device("lee2018_taox"), 4) / 0.04e-6, 150 ** (np.arange(4) / 3), rtol=1e-12
    )


def test_without_spread_any_number_of_levels_fits():
    device = window(PolynomialSpread())
    found = separable_levels(device)
    assert compare(4, found) == "needs 4, offers any number as programmed"
    assert found.count == math.inf and found.level_siemens is None and found.to_json()["separable_levels"] is None
    np.testing.assert_allclose(equal_error_levels(device, 3), (1e-6, 51e-6, 101e-6), rtol=1e-12)


def test_more_levels_than_a_window_is_divided_into_are_counted_and_not_placed():
    found = separable_levels(window(PolynomialSpread(constant_siemens=1e-15)))
    assert found.count == pytest.approx(1 + 1e-4 / 6e-15) and found.level_siemens is None


def test_what_is_not_known_is_refused():
    bare = Device(name="bare", lowest_siemens=1e-6, highest_siemens=2e-6)
    steep = Device(name="steep", lowest_siemens=0.0, highest_siemens=1e-4, spread=PolynomialSpread(slope=0.05))
    refused = {
        "bare: neither spreads nor a number of levels are known": lambda: separable_levels(bare),
        "lee2018_taox: no spread of its conductances is known after 60 s": lambda: separable_levels(
            load_device("lee2018_taox"), after_seconds=60
        ),
        "milo2021_hfo2: nothing is known of it after 60 s": lambda: separable_levels(
            load_device("milo2021_hfo2"), after_seconds=60
        ),
        "sonos: its spread vanishes within": lambda: separable_levels(
            replace(load_device("sonos"), lowest_siemens=0.0)
        ),
        "steep: its spread vanishes within": lambda: equal_error_levels(steep, 3),
        "k_sigma must be positive, got 0": lambda: separable_levels(load_device("sonos"), 0),
        "bare: no spread of its conductances is known": lambda: equal_error_levels(bare, 3),
        "rao2023: levels at equal ratios need a conductance window": lambda: geometric_levels(
            load_device("rao2023"), 4
        ),
    }
    for said, asked in refused.items():
        with pytest.raises(DeviceError, match=said):
            asked()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "as programmed"),
        (1, "after 1 s"),
        (3600, "after an hour"),
        (DAY, "after a day"),
        (2 * DAY, "after 2 days"),
        (31557600, "after a year"),
    ],
)
def test_times_are_said_in_words(seconds, words):
    assert when(seconds) == words


def test_the_figure_of_one_time_leaves_the_others_out():
    bars = separability_figure(load_device("wan2022_rram"), 4, after_seconds=DAY).axes[1]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["as programmed", "after a day"]


@pytest.mark.parametrize("times", [2, 4, 6])
def test_the_legend_of_the_spreads_stands_clear_of_the_curves(times):
    """Spreads that rise with the conductance, to the corner where the legend is."""
    levels, sigma = np.linspace(2e-6, 95e-6, 8), np.linspace(0.25e-6, 2.6e-6, 8)
    tables = tuple(
        RetentionTable(after_seconds=10.0**i, conductance_siemens=tuple(levels), sigma_siemens=tuple(sigma * (1 + i)))
        for i in range(times - 1)
    )
    device = Device(
        name="mine",
        level_siemens=tuple(levels),
        level_sigma_siemens=tuple(sigma),
        retention=MeasuredRetention(table=tables),
    )
    figure = separability_figure(device)
    figure.savefig(io.BytesIO())  # lays it out
    spreads = figure.axes[0]
    legend, highest = spreads.get_legend().get_window_extent(), max(line.get_ydata().max() for line in spreads.lines)
    assert len(spreads.lines) == times
    assert legend.y0 > spreads.transData.transform((0, highest))[1] + 3
    assert spreads.get_window_extent().x0 <= legend.x0


def test_the_figure_shows_the_offer_at_each_time_against_the_need():
    bars, places = separability_figure(load_device("wan2022_rram"), 4).axes[1:]
    widths = [bar.get_width() for bar in bars.patches]
    np.testing.assert_allclose(
        widths, [separable_levels(load_device("wan2022_rram"), 3, t).count for t in (None, DAY, 2 * DAY)], rtol=1e-12
    )
    assert bars.get_title("left") == "(b) Needs 4, offers 3.2 after 2 days"
    assert [label.get_text() for label in places.get_yticklabels()][-1] == "the 4 needed\nafter 2 days"
