"""Analysis of a study, against SciPy, closed forms and hand-worked numbers."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from fewlevels.common.proportions import wilson
from fewlevels.study.analysis import quantile_band, rank_correlation, solved_at, summarise
from fewlevels.study.claims import claims
from tests.support.handmade import handmade_study


def test_wilson_interval_equals_scipys():
    for successes, trials in [(0, 10), (3, 10), (10, 10), (125, 6000)]:
        expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
        np.testing.assert_allclose(wilson(np.array(successes), trials), expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("trials", [1, 3, 10, 57, 6000, 123_457])
def test_a_wilson_interval_of_none_starts_at_0_and_of_all_ends_at_1_exactly(trials):
    low, high = wilson([0, trials], trials)
    assert (low[0], high[1]) == (0, 1)
    assert 0 < high[0] < 1 and 0 < low[1] < 1
    assert wilson(0, trials)[0] == 0
    assert wilson(trials, trials)[1] == 1


def test_a_proportion_of_nothing_has_no_interval_and_more_successes_than_trials_are_refused():
    assert np.isnan(wilson([0, 0], 0)).all()
    for successes in (-1, 4, np.nan):
        with pytest.raises(ValueError, match="successes must be 0 to 3"):
            wilson([1, successes], 3)


def test_rank_correlation_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    pearson, n = 0.6, 60
    truth = 6 / np.pi * np.arcsin(pearson / 2)  # Spearman's of a bivariate normal
    covered = 0
    for _ in range(600):
        x, e = rng.standard_normal((2, n))
        _, (low, high) = rank_correlation(x, pearson * x + np.sqrt(1 - pearson**2) * e)
        covered += low <= truth <= high
    assert stats.binomtest(covered, 600, 0.95).pvalue > 1e-3


def test_rank_correlation_interval_is_that_of_bonett_and_wright():
    # Ranks 4 3 2 1 5 6 … 10: sum d² = 20, rho = 1 - 6 · 20 / 990 = 0.8788. atanh rho = 1.3698, its standard error
    # sqrt((1 + rho² / 2) / 7) = 0.4450; tanh(1.3698 ∓ 1.9600 · 0.4450).
    rho, interval = rank_correlation(np.arange(10.0), np.array([4, 3, 2, 1, 5, 6, 7, 8, 9, 10]))
    assert rho == pytest.approx(1 - 6 * 20 / 990, rel=1e-12)
    assert interval == pytest.approx((0.46073890749529567, 0.9777017433478241), rel=1e-9)


def test_rank_correlation_of_ranks_that_agree_is_one_and_of_constants_does_not_exist():
    assert rank_correlation(np.arange(9.0), np.arange(9) ** 3)[0] == pytest.approx(1, rel=1e-12)
    assert np.isnan(rank_correlation(np.arange(9.0), np.ones(9))[0])
    assert np.isnan(rank_correlation(np.arange(3.0), np.arange(3))[0])


def test_the_quantile_band_holds_nine_in_ten_of_other_models_where_the_scatter_grows():
    def drawn(seed, models):
        rng = np.random.default_rng(seed)
        ranges = rng.uniform(20, 80, models)
        return ranges, np.rint(ranges / 3 + (ranges - 15) / 6 * rng.standard_normal(models)).astype(int)

    band = quantile_band(*drawn(1, 20_000))
    ranges, q = drawn(2, 3000)
    held = (q >= np.interp(ranges, band.x, band.low)) & (q <= np.interp(ranges, band.x, band.high))
    below = q < np.interp(ranges, band.x, band.median)
    for low in (20, 40, 60):
        third = (ranges >= low) & (ranges < low + 20)
        assert held[third].mean() == pytest.approx(0.9, abs=0.025)
        assert below[third].mean() == pytest.approx(0.5, abs=0.06)


def test_the_quantile_band_is_of_the_neighbours_in_range_and_ends_where_they_are_not_complete():
    # Ranges 0 to 299, q = 1 up to range 99 and 5 from there on: a window of 101 around 50 holds 100 of the first.
    ranges, q = np.arange(300.0), np.repeat([1, 5], [100, 200])
    shuffled = np.random.default_rng(1).permutation(300)
    band = quantile_band(ranges[shuffled], q[shuffled])
    np.testing.assert_array_equal(band.x, np.arange(50, 250))
    # A whole number stands for one half below to one half above it: 50.5 of 101, all 5, lie below 5.
    np.testing.assert_allclose([band.low[-1], band.median[-1], band.high[-1]], [4.55, 5, 5.45], rtol=1e-12)
    assert band.median[0] == pytest.approx(0.5 + 50.5 / 100, rel=1e-12)
    assert band.high[10] == pytest.approx(4.5 + (0.95 * 101 - 90) / 11, rel=1e-12)


def test_the_quantile_band_of_many_models_is_of_more_neighbours_at_fewer_places():
    ranges = np.random.default_rng(3).permutation(120_000).astype(float)
    band = quantile_band(ranges, (ranges // 10).astype(int))
    assert (band.neighbours, len(band.x)) == (241, 9980)
    np.testing.assert_array_equal(band.x[:2], [120, 132])
    np.testing.assert_allclose(band.median, band.x / 10, atol=1.0)
    np.testing.assert_allclose(band.high - band.low, 0.9 * 24.1, atol=1.0)


def test_of_fewer_than_two_hundred_models_there_is_no_quantile_band():
    assert quantile_band(np.arange(199.0), np.ones(199, int)) is None
    assert quantile_band(np.arange(200.0), np.ones(200, int)) is not None


def test_the_summary_counts_every_model(small_study):
    _, result = small_study
    summary, found = summarise(result), result.search
    trained = found.recognition == 1
    both = trained & (found.q > 0)
    assert summary.models == 200
    assert summary.trained_fraction == trained.mean()
    assert summary.solved_fraction == both.mean()
    assert summary.untrained_but_solved_fraction == (~trained & (found.q > 0)).mean()
    assert summary.q_min == found.q[both].min()
    assert summary.models_at_q_min == (found.q[both] == found.q[both].min()).sum()
    assert summary.q_median == np.median(found.q[both])
    assert summary.reduction_percent == pytest.approx(100 * (1 - summary.q_min / 350), rel=1e-12)
    expected = stats.spearmanr(found.networks.weight_range()[both], found.q[both]).statistic
    assert summary.rank_correlation == pytest.approx(expected, rel=1e-12)


def test_every_number_of_the_summary_is_over_the_models_it_names():
    # Model 5 is trained and unsolved, 6 and 7 are solved and untrained; model 2 never passes for good.
    q = [4, 3, 4, 9, 3, 0, 5, 4, 6, 4]
    ranges = [20, 10, 22, 60, 16, 1, 2, 3, 18, 30]
    result = handmade_study(
        q,
        ranges,
        recognition=[1, 1, 1, 1, 1, 1, 0.9, 0.9, 1, 1],
        stable_q=np.array([6, 5, 0, 11, 7, 0, 5, 4, 13, 8]),
        occupied=np.array([4, 2, 4, 8, 2, 0, 5, 4, 6, 3]),
    )
    summary = summarise(result)
    assert (summary.models, summary.weights, summary.wall_seconds) == (10, 350, 12.5)
    assert (summary.trained_fraction, summary.solved_fraction, summary.untrained_but_solved_fraction) == (0.8, 0.7, 0.2)
    assert (summary.q_min, summary.models_at_q_min, summary.models_at_q_4) == (3, 2, 3)
    assert (summary.occupied_min, summary.models_at_occupied_min, summary.with_empty_levels_fraction) == (2, 2, 4 / 7)
    assert (summary.weight_range_at_q_min_median, summary.weight_range_at_q_4_median) == (13, 22)
    assert (summary.q_median, summary.occupied_median, summary.stable_q_median) == (4, 4, 7.5)
    assert (summary.best_model in (1, 4), summary.best_model_occupied) == (True, 2)
    assert summary.reduction_percent == pytest.approx(100 * 347 / 350, rel=1e-12)
    used = [0, 1, 2, 3, 4, 8, 9]
    expected = stats.spearmanr(np.array(ranges)[used], np.array(q)[used]).statistic
    assert summary.rank_correlation == pytest.approx(expected, rel=1e-12)
    assert summary.rank_correlation_interval[0] < expected < summary.rank_correlation_interval[1]


def test_solved_at_leaves_out_models_that_were_not_trained():
    trace = np.array([[0.5, 1.0, 1.0], [0.5, 0.5, 1.0], [1.0, 1.0, 0.5]])
    result = handmade_study([2, 3, 1], recognition=[1, 1, 0.9], q_max=3, recognition_trace=trace)
    np.testing.assert_array_equal(solved_at(result), [0, 1, 2])


def test_solved_at_counts_trained_models_at_each_q(small_study):
    _, result = small_study
    trace = result.search.recognition_trace[result.search.recognition == 1]
    np.testing.assert_array_equal(solved_at(result), (trace == 1).sum(axis=0))


def test_claims_give_a_verdict_each_and_name_the_rule(small_study):
    _, result = small_study
    found = claims(result)
    assert len(found) >= 11
    assert all(claim.says and claim.found and claim.rule for claim in found)
    assert {claim.verdict for claim in found} <= {
        "reproduced",
        "partly",
        "not reproduced",
        "cannot be judged",
        "reproduced with other starts",
    }


def test_a_claim_that_does_not_hold_is_said_not_to(small_study):

    _, result = small_study
    rng = np.random.default_rng(2)
    shuffled = dataclasses.replace(result.search, q=rng.permutation(result.search.q))
    broken = dataclasses.replace(result, search=shuffled, zone_recognition=1 - result.zone_recognition)
    verdicts = {claim.where + claim.says: claim.verdict for claim in claims(broken)}
    rising = next(verdict for claim, verdict in verdicts.items() if "rise with the weight range" in claim)
    assert rising in ("not reproduced", "partly")


def test_of_fewer_than_ten_models_nothing_is_said_about_many(small_study):
    _, result = small_study
    q = result.search.q.copy()
    q[np.flatnonzero(result.counted)[9:]] = 0
    few = dataclasses.replace(result, search=dataclasses.replace(result.search, q=q))
    said = {claim.says: claim for claim in claims(few)}
    assert few.counted.sum() == 9
    assert said["the fewest levels rise with the weight range"].verdict == "cannot be judged"
    assert said["the fewest levels rise with the weight range"].found == "only 9 models were solved"
    none = dataclasses.replace(few, search=dataclasses.replace(few.search, q=0 * q))
    verdicts = {claim.found: claim.verdict for claim in claims(none)}
    assert verdicts["no model was solved"] == "cannot be judged"
    assert not any("nan" in claim.found or "inf" in claim.found for claim in claims(none))


def test_the_claims_on_the_circuit_are_of_the_best_model(small_study):
    _, result = small_study
    recognises, digits, gap = (claim for claim in claims(result) if claim.where == "Fig. 6b")
    voltages = result.circuit(result.best).voltages
    assert recognises.found.startswith(f"model {result.best}: ")
    assert [f"{100 * at.recognition:.0f} % at {at.input_volt:g} V" in recognises.found for at in voltages] == [True] * 3
    recognising = sum(result.circuit(model).current_margin > 0 for model in result.fewest)
    assert recognises.found.endswith(f" {recognising} at all three")
    all_ten = all(at.recognised.all() for at in voltages) and recognising >= len(result.fewest) / 2
    assert (recognises.verdict == "reproduced") == all_ten
    gaps = np.array([np.abs(at.current_gap) for at in voltages])
    beyond = [str(digit) for digit in range(10) if gaps[0, digit] > 0.1]
    assert digits.found.endswith(f"above 10 % for {', '.join(beyond)}")
    assert digits.found.startswith(f"{100 * gaps[0].max():.1f} % for the digit {gaps[0].argmax()};")
    largest = [f"{100 * g.max():.1f} % at {v} V" for g, v in zip(gaps, (1, 5, 10), strict=True)]
    rising = [str(digit) for digit in range(10) if not gaps[0, digit] > gaps[1, digit] > gaps[2, digit]]
    said = f"not so for every digit: {', '.join(rising)}" if rising else "each digit's shrinks"
    assert gap.found == f"largest {', '.join(largest)}; {said}"
    assert gap.verdict == ("partly" if rising else "reproduced")


def test_the_largest_gap_is_of_samples_whose_computed_current_is_not_zero(small_study):
    at = small_study[1].circuit(small_study[1].best).voltages[0]
    assert dataclasses.replace(at, current_gap=np.array([0.1, -0.3, np.inf, np.nan])).largest_gap == 0.3
    assert np.isnan(dataclasses.replace(at, current_gap=np.array([np.inf])).largest_gap)
