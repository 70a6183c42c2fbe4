"""The verdict on each of the paper's claims, on both sides of every bound."""

import numpy as np
import pytest

from fewlevels.study.paper import NOT, PARTLY, REPRODUCED, UNSEEN, claims
from fewlevels.study.run import StudyResult
from tests.handmade import EPOCHS, handmade_study


def verdicts(result: StudyResult, text: str) -> list[str]:
    """The verdicts of the claims whose place and statement hold this text."""
    return [claim.verdict for claim in claims(result) if text in f"{claim.where}: {claim.says}"]


def ordered(*, reversed_first: int) -> tuple[range, list[int]]:
    """Thirty numbers of levels and ranges of the same order, but for the first ones, which are reversed."""
    order = [*range(reversed_first)[::-1], *range(reversed_first, 30)]
    return range(5, 35), [10 + rank for rank in order]


@pytest.mark.parametrize(("untrained", "verdict"), [(0, REPRODUCED), (2, PARTLY), (3, NOT)])
def test_training_is_reproduced_by_all_models_and_partly_by_80_percent(untrained, verdict):
    result = handmade_study([5] * 10, recognition=[0.9] * untrained + [1.0] * (10 - untrained))
    assert verdicts(result, "every model is trained") == [verdict]


@pytest.mark.parametrize(("fewest", "four_levels", "four_values"), [
    (0, UNSEEN, UNSEEN), (1, NOT, REPRODUCED), (2, PARTLY, REPRODUCED), (3, REPRODUCED, REPRODUCED),
    (4, REPRODUCED, REPRODUCED), (5, PARTLY, PARTLY), (6, NOT, NOT),
])  # fmt: skip
def test_four_levels_are_reproduced_by_the_fewest_of_any_model(fewest, four_levels, four_values):
    result = handmade_study([fewest, *([fewest + 4] * 4 if fewest else [0] * 4)])
    assert verdicts(result, "with four levels") == [four_levels]
    assert verdicts(result, "350 weights become") == [four_values]


@pytest.mark.parametrize(("median", "verdict"), [
    (14.6, NOT), (14.8, PARTLY), (17.8, PARTLY), (17.9, REPRODUCED), (24.1, REPRODUCED), (24.2, PARTLY), (27.2, PARTLY),
    (27.4, NOT),
])  # fmt: skip
def test_the_range_at_four_levels_is_reproduced_within_15_percent_of_21(median, verdict):
    result = handmade_study([4, 4, 4, 9, 9, 9], [10, median, 70, 21, 21, 21])
    assert verdicts(result, "about 21") == [verdict]


def test_the_range_at_four_levels_is_not_in_a_run_without_such_models():
    assert verdicts(handmade_study([5, 6, 7], [20, 21, 22]), "about 21") == [UNSEEN]


@pytest.mark.parametrize(("reversed_first", "verdict"), [(14, REPRODUCED), (16, PARTLY), (20, PARTLY), (21, NOT)])
def test_rising_levels_are_reproduced_by_the_lower_end_of_the_interval(reversed_first, verdict):
    # sum d² = n (n² - 1) / 3 of the first n: rho = 0.798, 0.697, 0.408, 0.315; lower ends 0.57, 0.41, 0.04, -0.06.
    assert verdicts(handmade_study(*ordered(reversed_first=reversed_first)), "rise with the weight range") == [verdict]


@pytest.mark.parametrize(("outside", "verdict"), [(1, REPRODUCED), (2, PARTLY), (5, PARTLY), (6, NOT)])
@pytest.mark.parametrize("q", [9, 41])
def test_wide_models_are_reproduced_by_90_percent_of_10_to_40_levels(outside, verdict, q):
    inside = ([10, 40] * 5)[outside:]
    result = handmade_study([*[q] * outside, *inside, 50, 5], [60.1] * 10 + [60, 31])
    assert verdicts(result, "10 to 40 levels") == [verdict]


def test_wide_models_are_not_in_a_run_that_has_none():
    assert verdicts(handmade_study([20, 20, 30, 9], [60, 50, 40, 30]), "10 to 40 levels") == [UNSEEN]


@pytest.mark.parametrize(("point", "levels", "middle"), [("point A", 8, 32), ("point B", 25, 62)])
def test_a_point_is_reproduced_by_levels_on_both_sides_of_it_within_3_of_its_range(point, levels, middle):
    def verdict(q: list[int], ranges: list[float]) -> list[str]:
        return verdicts(handmade_study([levels - 6, *q, levels + 6], [10, *ranges, 90]), point)

    near: list[float] = [middle - 3, middle + 3]
    assert verdict([levels, levels + 1], near) == [REPRODUCED]
    assert verdict([levels - 1, levels], near) == [REPRODUCED]
    assert verdict([levels + 1, levels + 2], near) == [UNSEEN]
    assert verdict([levels + 1, levels + 2] * 5, near * 5) == [NOT]
    assert verdict([levels - 2, levels - 1] * 5, near * 5) == [NOT]
    assert verdict([levels, levels], [middle - 3.1, middle + 3.1]) == [UNSEEN]


@pytest.mark.parametrize(("counts", "verdict"), [
    ((296, 30, 14, 10), REPRODUCED), ((280, 35, 25, 10), REPRODUCED), ((278, 36, 26, 10), PARTLY),
    ((262, 33, 33, 22), PARTLY), ((210, 60, 50, 30), PARTLY), ((209, 60, 51, 30), NOT),
])  # fmt: skip
def test_the_crowd_of_figure_3_is_reproduced_by_75_percent_and_10_in_each_other_level(counts, verdict):
    weights = np.repeat([0, 4, 7, 12], counts) * np.where(np.arange(350) % 2, 1.0, -1.0)
    result = handmade_study([4, 5], weights=np.array([weights, np.linspace(-12, 12, 350)]))
    assert verdicts(result, "296 of 350") == [verdict]


@pytest.mark.parametrize(("largest", "verdict"), [
    (6.9, NOT), (7, PARTLY), (9.9, PARTLY), (10, REPRODUCED), (15, REPRODUCED), (15.1, PARTLY), (20, PARTLY),
    (20.1, NOT),
])  # fmt: skip
def test_the_largest_magnitude_of_figure_3_is_reproduced_within_20_percent(largest, verdict):
    weights = np.linspace([-largest, -12], [1, 12], 350, axis=1)
    assert verdicts(handmade_study([4, 5], weights=weights), "12.5") == [verdict]


def test_growing_starts_are_judged_by_the_medians_of_their_ranges():
    growing = np.array([[1, 2, 90], [1, 3, 80], [1, 4, 70], [1, 5, 60], [1, 6, 50]])
    for zone_ranges, verdict in ((growing, REPRODUCED), (growing[[0, 1, 2, 2, 4]], NOT), (growing[::-1], NOT)):
        assert verdicts(handmade_study([4, 5], zone_ranges=zone_ranges), "growing weight range") == [verdict]


@pytest.mark.parametrize(("zone", "letter", "since", "mean", "verdict"), [
    (0, "A", 400, 0.905, REPRODUCED), (0, "A", 400, 0.895, PARTLY), (0, "A", 400, 0.805, PARTLY),
    (0, "A", 400, 0.795, NOT),
    (2, "C", 600, 0.495, NOT), (2, "C", 600, 0.505, PARTLY), (2, "C", 600, 0.595, PARTLY),
    (2, "C", 600, 0.605, REPRODUCED), (2, "C", 600, 0.795, REPRODUCED), (2, "C", 600, 0.805, PARTLY),
    (2, "C", 600, 0.895, PARTLY), (2, "C", 600, 0.905, NOT),
    (4, "E", 1000, 0.295, REPRODUCED), (4, "E", 1000, 0.305, PARTLY), (4, "E", 1000, 0.395, PARTLY),
    (4, "E", 1000, 0.405, NOT),
])  # fmt: skip
def test_a_zone_is_judged_by_its_mean_from_the_papers_epoch_on(zone, letter, since, mean, verdict):
    late = np.array(EPOCHS) >= since
    for others in (0.0, 1.0):  # other zones, and the same one before that epoch
        recognition = np.full((5, 2, len(EPOCHS)), others)
        recognition[zone][:, late] = [[mean - 0.05], [mean + 0.05]]
        assert verdicts(handmade_study([4, 5], zone_recognition=recognition), f"seed {letter}:") == [verdict]


def test_a_zone_is_not_judged_before_the_papers_epoch():
    short = {"epochs": 500, "every_epochs": 100}
    result = handmade_study([4, 5], zones=short, zone_recognition=np.full((5, 2, 6), 0.95))
    assert [verdicts(result, f"seed {letter}:") for letter in "ACE"] == [[REPRODUCED], [], []]
