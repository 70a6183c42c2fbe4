"""What the figures of a study draw, against the numbers it is drawn from."""

import re

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

from fewlevels.reporting.figures import study as figures
from fewlevels.study.result import StudyResult
from tests.support.handmade import EPOCHS, handmade_study

BEST = 2


@pytest.fixture(scope="module")
def study() -> StudyResult:
    """Eight models, of which number 2 alone has the fewest levels, 4; its weights in the levels are those of Figure 3.

    Model 6 is not trained, and recognises everything with 2 levels; model 7 is trained and is not solved.
    """
    q, rng = [9, 12, 4, 30, 25, 7, 2, 0], np.random.default_rng(7)
    weights = rng.uniform(-0.9, 0.9, (8, 350)) * np.array([15, 20, 1, 40, 31, 12, 2, 3])[:, None]
    weights[:, 0], weights[:, 1] = [15, 20, 1, 40, 31, 12, 2, 3], [-15, -20, -1, -40, -31, -12, -2, -3]
    weights[BEST] = rng.permutation(np.repeat([0, 4, 7, 12], (296, 30, 14, 10)) * rng.choice([-1.0, 1.0], 350))
    trace = rng.integers(0, 10, (8, 64)) / 10
    trace[np.arange(8), np.array(q) - 1] = 1.0
    trace[7] = 0.5
    return handmade_study(
        q,
        weights=weights,
        recognition=[1, 1, 1, 1, 1, 1, 0.9, 1],
        recognition_trace=trace,
        zone_ranges=rng.uniform(1, 50, (5, 12)),
        zone_recognition=rng.random((5, 12, len(EPOCHS))),
        zone_recognition_before=rng.random((5, 12, len(EPOCHS))),
        zones={"models": 12},
    )


def numbers(figure: Figure) -> np.ndarray:
    """Every number that is written in a figure."""
    texts = " ".join(text.get_text() for text in figure.findobj(Text)).replace("−", "-")  # type: ignore[union-attr]
    return np.array(re.findall(r"-?\d+\.?\d*", texts), float)


def heights(band: object) -> dict[float, tuple[float, float]]:
    """Lower and upper end of a filled band at each x."""
    (path,) = band.get_paths()  # type: ignore[attr-defined]
    ends: dict[float, list[float]] = {}
    for x, y in path.vertices:
        ends.setdefault(x, []).append(y)
    return {x: (min(y), max(y)) for x, y in ends.items()}


def test_figure_1_shows_each_sample_under_its_name_and_the_two_as_input(study):
    axes = figures.digits_and_network(study).axes
    images = [each for each in axes if each.images]
    assert [each.get_xlabel() for each in images] == list("0123456789")
    for digit, each in enumerate(images):
        np.testing.assert_array_equal(each.images[0].get_array(), study.samples.x[digit].reshape(5, 5))
    (bars,) = (each for each in axes if len(each.containers) == 1)
    np.testing.assert_array_equal([bar.get_width() for bar in bars.patches], study.samples.x[2])


def test_figure_2_shows_the_best_models_search_and_its_weights_quantized(study):
    search, *panels = figures.quantization(study).axes
    np.testing.assert_array_equal(search.lines[0].get_xdata(), np.arange(1, 65))
    np.testing.assert_array_equal(search.lines[0].get_ydata(), study.search.recognition_trace[BEST])
    assert [4, 1.0] in [line.get_xydata().tolist()[0] for line in search.lines if len(line.get_xdata()) == 1]
    magnitudes = np.sort(np.abs(study.search.networks.joint()[BEST]))
    for panel, levels in zip(panels, (1, 2, 4), strict=True):
        interval = 12 / levels
        midpoints = (np.minimum(magnitudes // interval, levels - 1) + 0.5) * interval
        np.testing.assert_array_equal(panel.lines[0].get_ydata(), magnitudes)
        np.testing.assert_allclose(panel.lines[1].get_ydata(), midpoints, rtol=1e-12)
        reached = study.search.recognition_trace[BEST, levels - 1]
        assert f"{reached:.0%}" in panel.get_title() + panel.get_title(loc="left")


def test_figure_3_writes_how_many_weights_each_level_holds(study):
    (axes,) = figures.weights_and_levels(study).axes
    np.testing.assert_allclose(np.unique(axes.lines[1].get_ydata()), [1.5, 4.5, 7.5, 10.5], rtol=1e-12)
    held = [(int(text.get_text().split()[0]), *text.xy) for text in axes.texts]
    np.testing.assert_allclose(held, [(296, 148, 1.5), (30, 311, 4.5), (14, 333, 7.5), (10, 345, 10.5)], rtol=1e-12)


def test_figure_4_draws_the_least_squares_line_and_the_rank_correlation(study):
    figure = figures.levels_against_range(study)
    axes, used = figure.axes[0], slice(0, 6)
    x, y = np.ptp(study.search.networks.joint(), axis=1)[used], study.search.q[used]
    slope, intercept = np.polyfit(x, y, 1)
    (line,) = (line for line in axes.lines if "least-squares" in str(line.get_label()))
    np.testing.assert_array_equal(line.get_xdata(), [x.min(), x.max()])
    np.testing.assert_allclose(line.get_ydata(), intercept + slope * np.array([x.min(), x.max()]), rtol=1e-9)
    assert f"Pearson {np.corrcoef(x, y)[0, 1]:.2f}" in str(line.get_label())
    rho = stats.spearmanr(x, y).statistic
    error = stats.norm.ppf(0.975) * np.sqrt((1 + rho**2 / 2) / 3)
    for value in (rho, np.tanh(np.arctanh(rho) - error), np.tanh(np.arctanh(rho) + error)):
        assert np.isclose(numbers(figure), value, atol=0.0051, rtol=0).any()
    assert [21, 21] in [list(each.get_xdata()) for each in axes.lines]


def scattered(models: int) -> tuple[np.ndarray, np.ndarray]:
    """Ranges and fewest levels as a study has them: skewed to the left, the levels the more scattered the wider."""
    rng = np.random.default_rng(11)
    ranges = 20 + rng.gamma(1.5, 10, models)
    return ranges, np.maximum(1, np.rint(ranges / 3 + (ranges - 18) / 6 * rng.standard_normal(models))).astype(int)


def test_the_band_of_figure_4_holds_nine_in_ten_models_of_each_third_of_the_ranges():
    ranges, q = scattered(1500)
    axes = figures.levels_against_range(handmade_study(q.tolist(), ranges.tolist(), q_max=int(q.max()))).axes[0]
    (band,) = (each for each in axes.collections if "5 to 95 %" in str(each.get_label()))
    ends = heights(band)
    x = np.array(sorted(ends))
    low, high = np.array([ends[at] for at in x]).T
    within = (ranges >= x[0]) & (ranges <= x[-1])
    assert within.mean() > 0.9
    for third in np.array_split(np.flatnonzero(within)[np.argsort(ranges[within])], 3):
        held = (q >= np.interp(ranges, x, low)) & (q <= np.interp(ranges, x, high))
        assert 0.86 <= held[third].mean() <= 0.94


def test_figure_4_of_few_models_has_no_band_and_says_so(study):
    axes = figures.levels_against_range(study).axes[0]
    assert len([each for each in axes.collections if len(each.get_paths()) and each.get_label() != "6 models"]) == 0
    assert "no quantile band below 200 models" in axes.get_legend_handles_labels()[1]


def test_figure_5_shows_the_starts_in_order_before_and_after_quantizing_and_the_papers_levels(study):
    boxes, *panels = figures.starts(study).axes
    level_lines = [line.get_xydata() for line in boxes.lines if len(set(line.get_ydata())) == 1]
    centres = {(round(line[:, 0].mean(), 6), line[0, 1]) for line in level_lines}
    assert centres >= set(enumerate(np.median(study.zone_ranges, axis=1), start=1))
    papers = {0: (0.9, 400), 2: (0.7, 600), 4: (0.2, 0)}
    for panel, (zone, (level, since)) in zip(panels, papers.items(), strict=True):
        drawn = [np.asarray(line.get_ydata()) for line in panel.lines if len(line.get_xdata()) == len(EPOCHS)]
        assert all(list(line.get_xdata()) == list(EPOCHS) for line in panel.lines if len(line.get_xdata()))
        np.testing.assert_array_equal(drawn[:10], study.zone_recognition[zone][:10])
        means = [study.zone_recognition_before[zone].mean(axis=0), study.zone_recognition[zone].mean(axis=0)]
        np.testing.assert_allclose(drawn[10:], means, rtol=1e-12)
        (paper,) = (each for each in panel.collections if isinstance(each, LineCollection))
        np.testing.assert_allclose(paper.get_segments(), [[[since, level], [1000, level]]], rtol=1e-12)
        assert study.config.zones.starts[zone] in panel.get_title() + panel.get_title(loc="left")


def test_solved_at_each_number_of_levels_is_drawn_of_the_trained_models_with_its_interval(study):
    (axes,) = figures.solved_at_each(study).axes
    trained = [0, 1, 2, 3, 4, 5, 7]
    exactly = (study.search.recognition_trace[trained] == 1).sum(axis=0)
    up_to = [sum(0 < q <= n for q in study.search.q[trained]) for n in range(1, 65)]
    assert exactly.tolist() == [int(n in (4, 7, 9, 12, 25, 30)) for n in range(1, 65)]
    np.testing.assert_allclose(
        [line.get_ydata() for line in axes.lines], [exactly / 7, np.array(up_to) / 7], rtol=1e-12
    )
    band = heights(axes.collections[0])
    for levels in (1, 4, 64):
        interval = stats.binomtest(int(exactly[levels - 1]), 7).proportion_ci(method="wilson")
        assert band[levels] == pytest.approx(tuple(interval), rel=1e-9, abs=1e-12)


def test_figure_2_of_a_search_of_one_level_shows_that_one():
    search, *panels = figures.quantization(handmade_study([1, 1], q_max=1)).axes
    assert list(search.lines[0].get_xdata()) == [1]
    assert [len(panel.lines) for panel in panels] == [2, 0, 2]


def test_figure_4_of_models_with_the_same_levels_names_no_correlation():
    axes = figures.levels_against_range(handmade_study([4] * 5)).axes[0]
    written = [axes.get_title(), axes.get_title(loc="left"), *axes.get_legend_handles_labels()[1]]
    assert not [text for text in written if "nan" in text]
