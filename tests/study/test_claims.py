"""The verdict on each of the paper's claims, on both sides of every bound."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from fewlevels.study.claims import NOT, OTHER_STARTS, PARTLY, REPRODUCED, UNJUDGED, applies, claims
from fewlevels.study.result import StudyResult
from tests.support.handmade import EPOCHS, handmade_study


def verdicts(result: StudyResult, text: str) -> list[str]:
    """The verdicts of the claims whose place and statement hold this text."""
    return [claim.verdict for claim in claims(result) if text in f"{claim.where}: {claim.says}"]


def ordered(*, reversed_first: int) -> tuple[range, list[int]]:
    """Thirty numbers of levels and ranges of the same order, but for the first ones, which are reversed."""
    order = [*range(reversed_first)[::-1], *range(reversed_first, 30)]
    return range(5, 35), [10 + rank for rank in order]


@pytest.mark.parametrize(("untrained", "verdict"), [(0, REPRODUCED), (2, PARTLY), (3, NOT)])
def test_training_is_reproduced_by_all_models_and_partly_by_90_percent(untrained, verdict):
    result = handmade_study([5] * 20, recognition=[0.9] * untrained + [1.0] * (20 - untrained))
    assert verdicts(result, "every model is trained") == [verdict]


@pytest.mark.parametrize(
    ("fewest", "four_levels", "four_values"),
    [
        (0, UNJUDGED, UNJUDGED),
        (1, NOT, REPRODUCED),
        (2, NOT, REPRODUCED),
        (3, PARTLY, REPRODUCED),
        (4, REPRODUCED, REPRODUCED),
        (5, PARTLY, PARTLY),
        (6, NOT, NOT),
    ],
)
def test_four_levels_are_reproduced_by_the_fewest_of_any_model(fewest, four_levels, four_values):
    result = handmade_study([fewest, *([fewest + 4] * 9 if fewest else [0] * 9)])
    assert verdicts(result, "with four levels") == [four_levels]
    assert verdicts(result, "350 weights become") == [four_values]


@pytest.mark.parametrize(("with_three", "verdict"), [(0, REPRODUCED), (1, REPRODUCED), (2, PARTLY)])
def test_fewer_than_four_levels_in_one_model_of_a_hundred_are_an_exception(with_three, verdict):
    assert verdicts(handmade_study([3] * with_three + [4] * (100 - with_three)), "with four levels") == [verdict]


def test_both_counts_of_levels_are_said_requested_and_occupied():
    result = handmade_study([4, 9, 12, 6, 7], occupied=np.array([4, 3, 8, 5, 7]))
    (found,) = (claim.found for claim in claims(result) if "with four levels" in claim.says)
    assert found == "fewest 4 (1 model); with 4: 1 model; median 7. Of levels occupied: fewest 3, median 5"


def test_values_are_said_with_their_signs_too():
    weights = np.tile([-12.0, 12.0, 4.0, 0.1, -0.1], 70)
    result = handmade_study([4, 5], weights=np.array([weights, np.linspace(-12, 12, 350)]))
    (found,) = (claim.found for claim in claims(result) if "become 4 values" in claim.says)
    assert found.endswith("with their signs 5 values")


@pytest.mark.parametrize(
    ("median", "verdict"),
    [
        (16.7, NOT),
        (16.9, PARTLY),
        (18.8, PARTLY),
        (19.0, REPRODUCED),
        (23.0, REPRODUCED),
        (23.2, PARTLY),
        (25.1, PARTLY),
        (25.3, NOT),
    ],
)
def test_the_range_at_four_levels_is_reproduced_within_10_percent_of_21(median, verdict):
    ranges = [10] * 5 + [median] * 2 + [70] * 5
    assert verdicts(handmade_study([4] * 12 + [9] * 3, [*ranges, 21, 21, 21]), "about 21") == [verdict]
    assert verdicts(handmade_study([4] * 9 + [9] * 6, [*ranges, 21, 21, 21]), "about 21") == [UNJUDGED]


def test_the_range_at_four_levels_is_not_judged_in_a_run_without_such_models_and_told_of_one():
    assert verdicts(handmade_study([5, 6, 7], [20, 21, 22]), "about 21") == [UNJUDGED]
    (found,) = (claim.found for claim in claims(handmade_study([4, 6], [20, 21])) if "about 21" in claim.says)
    assert found == "median 20.0 over 1 model"


@pytest.mark.parametrize(("reversed_first", "verdict"), [(14, REPRODUCED), (16, PARTLY), (20, PARTLY), (21, NOT)])
def test_rising_levels_are_reproduced_by_the_lower_end_of_the_interval(reversed_first, verdict):
    # sum d² = n (n² - 1) / 3 of the first n: rho = 0.798, 0.697, 0.408, 0.315; lower ends 0.57, 0.41, 0.04, -0.06.
    assert verdicts(handmade_study(*ordered(reversed_first=reversed_first)), "rise with the weight range") == [verdict]


def test_levels_that_are_all_the_same_neither_rise_nor_fall():
    said = [claim for claim in claims(handmade_study([5] * 20)) if "rise with the weight range" in claim.says]
    assert [claim.verdict for claim in said] == [UNJUDGED]
    assert "nan" not in said[0].found


@pytest.mark.parametrize(("outside", "verdict"), [(1, REPRODUCED), (2, PARTLY), (4, PARTLY), (5, NOT)])
@pytest.mark.parametrize("q", [9, 41])
def test_wide_models_are_reproduced_by_95_percent_of_10_to_40_levels(outside, verdict, q):
    inside = ([10, 40] * 10)[outside:]
    result = handmade_study([*[q] * outside, *inside, 50, 5], [60.1] * 20 + [60, 31])
    assert verdicts(result, "10 to 40 levels") == [verdict]


def test_wide_models_are_not_judged_in_a_run_that_has_fewer_than_ten():
    assert verdicts(handmade_study([20, 20, 30, 9], [60, 50, 40, 30]), "10 to 40 levels") == [UNJUDGED]
    assert verdicts(handmade_study([20] * 9, [70] * 9), "10 to 40 levels") == [UNJUDGED]


@pytest.mark.parametrize(("point", "levels", "middle"), [("point A", 8, 32), ("point B", 25, 62)])
def test_a_point_is_reproduced_within_the_5th_and_95th_percentile_of_the_models_within_3_of_its_range(
    point, levels, middle
):
    def verdict(q: list[int], ranges: list[float]) -> list[str]:
        return verdicts(handmade_study([levels - 6, *q, levels + 6], [10, *ranges, 90]), point)

    near: list[float] = [middle - 3, middle + 3]
    assert verdict([levels, levels + 1] * 5, near * 5) == [REPRODUCED]
    assert verdict([levels - 1, levels] * 5, near * 5) == [REPRODUCED]
    assert verdict([levels - 1, levels] * 4, near * 4) == [UNJUDGED]
    assert verdict([levels - 1] + [levels + 1] * 39, near * 20) == [PARTLY]
    assert verdict([levels + 1] + [levels - 1] * 39, near * 20) == [PARTLY]
    assert verdict([levels + 1, levels + 2] * 5, near * 5) == [NOT]
    assert verdict([levels - 2, levels - 1] * 5, near * 5) == [NOT]
    assert verdict([levels] * 10, [middle - 3.1, middle + 3.1] * 5) == [UNJUDGED]


def of_counts(*counts: tuple[int, int, int, int]) -> StudyResult:
    """Models with four levels that hold so many weights each."""
    magnitudes = [np.repeat([0, 4, 7, 12], each) for each in counts]
    weights = np.array(magnitudes) * np.where(np.arange(350) % 2, 1.0, -1.0)
    return study_of(weights)


def study_of(weights: np.ndarray) -> StudyResult:
    """A study of these models with four levels, and of ten others with nine."""
    others = np.tile(np.linspace(-12, 12, 350), (10, 1))
    return handmade_study([4] * len(weights) + [9] * 10, weights=np.concatenate([weights, others]))


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((296, 30, 14, 10), REPRODUCED),
        ((313, 20, 12, 5), REPRODUCED),
        ((280, 30, 30, 10), REPRODUCED),
        ((314, 20, 11, 5), PARTLY),
        ((278, 30, 30, 12), PARTLY),
        ((296, 31, 13, 10), PARTLY),
        ((296, 30, 0, 24), PARTLY),
        ((210, 60, 50, 30), PARTLY),
        ((209, 60, 51, 30), NOT),
    ],
)
def test_the_crowd_of_figure_3_is_reproduced_within_5_points_of_85_percent_and_30_in_each_other_level(counts, verdict):
    assert verdicts(of_counts(counts), "296 of 350") == [verdict]


@pytest.mark.parametrize(("alike", "others", "verdict"), [(1, 9, REPRODUCED), (1, 10, PARTLY), (1, 8, PARTLY)])
def test_the_crowd_of_figure_3_is_reproduced_by_a_tenth_of_the_models_with_four_levels(alike, others, verdict):
    result = of_counts(*[(250, 40, 40, 20)] * others, *[(296, 30, 14, 10)] * alike)
    vars(result)["best"] = 0
    assert verdicts(result, "296 of 350") == [verdict]


@pytest.mark.parametrize(
    ("largest", "verdict"),
    [
        (9.9, NOT),
        (10.1, PARTLY),
        (11.2, PARTLY),
        (11.3, REPRODUCED),
        (13.7, REPRODUCED),
        (13.8, PARTLY),
        (14.9, PARTLY),
        (15.1, NOT),
    ],
)
def test_the_largest_magnitude_of_figure_3_is_reproduced_within_10_percent(largest, verdict):
    assert verdicts(study_of(np.linspace([-largest], [1], 350, axis=1)), "12.5") == [verdict]


def test_growing_starts_are_judged_by_the_medians_and_the_spread_of_their_ranges():
    grown = np.arange(1, 6)[:, None] * np.linspace(10, 12, 12)
    same_spread = np.arange(1, 6)[:, None] + np.linspace(10, 12, 12)
    unordered = grown[[0, 1, 2, 2, 4]]
    for ranges, verdict in ((grown, OTHER_STARTS), (same_spread, PARTLY), (unordered, NOT), (grown[::-1], NOT)):
        result = handmade_study([4, 5], zone_ranges=ranges, zones={"models": 12})
        assert verdicts(result, "growing mean and spread") == [verdict]
    few = handmade_study([4, 5], zone_ranges=grown[:, :9], zones={"models": 9})
    assert verdicts(few, "growing mean and spread") == [UNJUDGED]


def of_start(start: int, mean: np.ndarray, *, before: float = 1.0, init: str | None = None) -> StudyResult:
    """A study whose mean recognition from this start is so at each of EPOCHS, over ten models; 0 from the others."""
    recognition = np.zeros((5, 10, len(EPOCHS)))
    recognition[start] = mean + np.where(np.arange(10) % 2, 0.05, -0.05)[:, None]
    zones = {"models": 10} if init is None else {"models": 10, "starts": [init] * 5}
    return handmade_study(
        [4, 5], zone_recognition=recognition, zones=zones, zone_recognition_before=np.full((5, 10, len(EPOCHS)), before)
    )


@pytest.mark.parametrize(
    ("start", "letter", "since", "mean", "verdict"),
    [
        (0, "A", 400, 0.905, OTHER_STARTS),
        (0, "A", 400, 0.895, PARTLY),
        (0, "A", 400, 0.805, PARTLY),
        (0, "A", 400, 0.795, NOT),
        (2, "C", 600, 0.495, NOT),
        (2, "C", 600, 0.505, PARTLY),
        (2, "C", 600, 0.595, PARTLY),
        (2, "C", 600, 0.605, OTHER_STARTS),
        (2, "C", 600, 0.795, OTHER_STARTS),
        (2, "C", 600, 0.805, PARTLY),
        (2, "C", 600, 0.895, PARTLY),
        (2, "C", 600, 0.905, NOT),
        (4, "E", 200, 0.295, OTHER_STARTS),
        (4, "E", 200, 0.305, NOT),
        (4, "E", 200, 0.105, OTHER_STARTS),
        (4, "E", 200, 0.095, NOT),
    ],
)
def test_a_start_is_judged_by_its_mean_from_the_papers_epoch_on(start, letter, since, mean, verdict):
    for earlier in (0.0, 0.95):
        means = np.where(np.array(EPOCHS) >= since, mean, earlier)
        assert verdicts(of_start(start, means), f"its Seed {letter} ") == [verdict]


def test_what_other_starts_reproduce_is_said_to_be_reproduced_by_them():
    means = np.full(len(EPOCHS), 0.95)
    assert verdicts(of_start(0, means), "its Seed A ") == [OTHER_STARTS]
    assert verdicts(of_start(0, means, init="uniform:0,1"), "its Seed A ") == [REPRODUCED]


def test_seed_c_that_improves_on_is_reproduced_in_part():
    for rise, verdict in ((0.04, OTHER_STARTS), (0.06, PARTLY)):
        means = np.where(np.array(EPOCHS) == EPOCHS[-1], 0.7 + rise, 0.7)
        assert verdicts(of_start(2, means), "its Seed C ") == [verdict]


def test_seed_e_that_is_low_before_quantizing_is_reproduced_in_part_and_the_claim_says_how_low():
    low = np.full(len(EPOCHS), 0.2)
    assert verdicts(of_start(4, low, before=0.9), "its Seed E ") == [OTHER_STARTS]
    result = of_start(4, low, before=0.26)
    assert verdicts(result, "its Seed E ") == [PARTLY]
    (found,) = (claim.found for claim in claims(result) if "its Seed E " in claim.says)
    assert "before quantizing 26 % at the end" in found


def test_a_start_of_fewer_than_ten_models_is_not_judged():
    result = handmade_study(
        [4, 5],
        zone_recognition=np.full((5, 9, len(EPOCHS)), 0.95),
        zones={"models": 9},
        zone_recognition_before=np.ones((5, 9, len(EPOCHS))),
    )
    assert [verdicts(result, f"its Seed {letter} ") for letter in "ACE"] == [[UNJUDGED]] * 3


def test_the_studys_own_start_is_told_with_seed_a():
    trace = np.full((2, 64), 0.5)
    trace[:, 3] = [0.5, 0.6]
    result = dataclasses.replace(of_start(0, np.full(len(EPOCHS), 0.9)))
    result = dataclasses.replace(result, search=dataclasses.replace(result.search, recognition_trace=trace))
    (found,) = (claim.found for claim in claims(result) if "its Seed A " in claim.says)
    assert found.endswith("the study's own start, uniform:0,1: 55 % when trained")


def test_a_start_is_not_judged_before_the_papers_epoch():
    short = {"epochs": 500, "every_epochs": 100, "models": 10}
    result = handmade_study(
        [4, 5], zones=short, zone_recognition=np.full((5, 10, 6), 0.95), zone_recognition_before=np.ones((5, 10, 6))
    )
    assert [verdicts(result, f"its Seed {letter} ") for letter in "ACE"] == [[OTHER_STARTS], [], []]


@pytest.mark.parametrize(("risen", "verdict"), [(50, NOT), (100, PARTLY), (150, PARTLY), (200, REPRODUCED)])
def test_an_improvement_is_gradual_where_it_takes_200_epochs(risen, verdict):
    epochs = np.arange(0, 1001, 50)
    recognition = np.broadcast_to(np.where(epochs < risen, 0.3, 0.9), (5, 10, len(epochs)))
    result = handmade_study(
        [4, 5],
        zones={"models": 10, "epochs": 1000, "every_epochs": 50},
        zone_recognition=recognition,
        zone_recognition_before=recognition,
    )
    assert verdicts(result, "improve gradually") == [verdict]


def of_gaps(*gaps: list[float], margins: tuple[float, ...] = (1.0,), recognition: float = 1.0) -> StudyResult:
    """A study whose best model's circuit has these current gaps of the ten digits at 1, 5 and 10 V."""
    result = handmade_study([4] * len(margins) + [9] * 10)
    at = [
        SimpleNamespace(input_volt=volt, recognition=recognition if volt < 10 else 1.0, current_gap=np.array(gap))
        for volt, gap in zip((1.0, 5.0, 10.0), gaps, strict=True)
    ]
    vars(result).update(best=0, fewest_margins=np.array(margins))
    object.__setattr__(result, "circuit", lambda model: SimpleNamespace(voltages=at))
    return result


PAPERS = [0.15, 0.05, 0.05, 0.05, 0.05, 0.12, 0.2, 0.05, 0.05, 0.27]


def shrunk(gaps: list[float], factor: float) -> list[float]:
    return [factor * gap for gap in gaps]


def test_the_gap_shrinks_where_that_of_every_digit_does():
    whole = of_gaps(PAPERS, shrunk(PAPERS, 0.5), shrunk(PAPERS, 0.2))
    assert verdicts(whole, "the current gap shrinks") == [REPRODUCED]
    one_grows = of_gaps(PAPERS, [*shrunk(PAPERS[:6], 0.5), 0.21, 0.02, 0.02, 0.1], shrunk(PAPERS, 0.2))
    assert verdicts(one_grows, "the current gap shrinks") == [PARTLY]
    (found,) = (claim.found for claim in claims(one_grows) if "the current gap shrinks" in claim.says)
    assert found == "largest 27.0 % at 1 V, 21.0 % at 5 V, 5.4 % at 10 V; not so for every digit: 6"
    assert verdicts(of_gaps(PAPERS, PAPERS, PAPERS), "the current gap shrinks") == [NOT]


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        (PAPERS, REPRODUCED),
        ([*PAPERS[:9], 0.19], PARTLY),
        ([*PAPERS[:8], 0.11, 0.27], PARTLY),
        ([0.05, 0.11, 0.05, 0.11, 0.05, 0.05, 0.2, 0.05, 0.05, 0.27], NOT),
        ([0.05] * 10, NOT),
    ],
)
def test_the_gaps_of_figure_6b_are_judged_by_which_digits_exceed_10_percent(gaps, verdict):
    assert verdicts(of_gaps(gaps, gaps, gaps), "27 % for the digit 9") == [verdict]


def test_a_computed_current_of_zero_is_no_gap_in_a_claim():
    infinite = [float("inf"), *PAPERS[1:9], float("nan")]
    (found,) = (claim.found for claim in claims(of_gaps(infinite, PAPERS, PAPERS)) if "27 % for" in claim.says)
    assert found == "20.0 % for the digit 6; above 10 % for 5, 6"


@pytest.mark.parametrize(
    ("recognition", "margins", "verdict"),
    [
        (1.0, (0.1,), REPRODUCED),
        (1.0, (0.1, -0.1), REPRODUCED),
        (1.0, (0.1, -0.1, -0.1), PARTLY),
        (0.9, (-0.1,), PARTLY),
    ],
)
def test_the_circuit_that_recognises_is_not_the_only_one_of_as_few_levels_to_do_so(recognition, margins, verdict):
    result = of_gaps(PAPERS, PAPERS, PAPERS, margins=margins, recognition=recognition)
    assert verdicts(result, "recognises every digit") == [verdict]


def test_the_best_of_fewer_than_ten_models_is_not_judged():
    for models, unjudged in ((9, True), (10, False)):
        result = handmade_study([4] * models)
        said = {claim.verdict for claim in claims(result) if claim.where in ("3.1, Fig. 3", "Fig. 3", "Fig. 6b")}
        assert (said == {UNJUDGED}) is unjudged
        assert (UNJUDGED in said) is unjudged


def test_of_another_hidden_layer_the_paper_says_nothing():
    result = handmade_study([4, 5])
    assert applies(result)
    assert not applies(dataclasses.replace(result, config=result.config.model_copy(update={"hidden": 12})))
