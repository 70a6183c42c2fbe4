"""Analysis of a study, against SciPy, closed forms and hand-worked numbers."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from fewlevels.proportions import wilson
from fewlevels.study.analysis import rank_correlation, regression, solved_at, summarise
from fewlevels.study.paper import claims
from tests.handmade import handmade_study


def test_wilson_interval_equals_scipys():
    for successes, trials in [(0, 10), (3, 10), (10, 10), (125, 6000)]:
        expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
        np.testing.assert_allclose(wilson(np.array(successes), trials), expected, rtol=1e-12, atol=1e-16)


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


def test_regression_bands_are_the_textbook_ones():
    # y = 1 + 2 x + (-1, 1, 1, -1) at x = 0, 1, 2, 3: slope 2, intercept 1, residual variance 4 / 2.
    x, y = np.arange(4.0), 1 + 2 * np.arange(4) + np.array([-1, 1, 1, -1])
    line = regression(x, y, np.array([1.5, 3.5]))
    t = stats.t.ppf(0.975, 2)
    assert (line.slope, line.intercept) == pytest.approx((2, 1), rel=1e-12)
    np.testing.assert_allclose(line.line, [4, 8], rtol=1e-12)
    np.testing.assert_allclose(line.line_half_width, t * np.sqrt(2) * np.sqrt([1 / 4, 1 / 4 + 4 / 5]), rtol=1e-12)
    np.testing.assert_allclose(line.point_half_width, t * np.sqrt(2) * np.sqrt([5 / 4, 5 / 4 + 4 / 5]), rtol=1e-12)


def test_the_summary_counts_every_model(small_study):
    _, result = small_study
    summary, found = summarise(result), result.found
    trained = found.recognition == 1
    both = trained & (found.q > 0)
    assert summary.models == 200
    assert summary.trained == trained.mean()
    assert summary.solved == both.mean()
    assert summary.untrained_but_solved == (~trained & (found.q > 0)).mean()
    assert summary.fewest_levels == found.q[both].min()
    assert summary.models_at_fewest == (found.q[both] == found.q[both].min()).sum()
    assert summary.median_levels == np.median(found.q[both])
    assert summary.reduction_percent == pytest.approx(100 * (1 - summary.fewest_levels / 350), rel=1e-12)
    expected = stats.spearmanr(found.networks.weight_range()[both], found.q[both]).statistic
    assert summary.rank_correlation == pytest.approx(expected, rel=1e-12)


def test_every_number_of_the_summary_is_over_the_models_it_names():
    # Model 5 is trained and unsolved, 6 and 7 are solved and untrained; model 2 never passes for good.
    q = [4, 3, 4, 9, 3, 0, 5, 4, 6, 4]
    ranges = [20, 10, 22, 60, 16, 1, 2, 3, 18, 30]
    result = handmade_study(
        q, ranges, recognition=[1, 1, 1, 1, 1, 1, 0.9, 0.9, 1, 1],
        stable_q=np.array([6, 5, 0, 11, 7, 0, 5, 4, 13, 8]), occupied=np.array([4, 2, 4, 8, 2, 0, 5, 4, 6, 3]),
    )  # fmt: skip
    summary = summarise(result)
    assert (summary.models, summary.weights, summary.seconds) == (10, 350, 12.5)
    assert (summary.trained, summary.solved, summary.untrained_but_solved) == (0.8, 0.7, 0.2)
    assert (summary.fewest_levels, summary.models_at_fewest, summary.models_at_four) == (3, 2, 3)
    assert (summary.range_at_fewest_levels, summary.range_at_four_levels) == (13, 22)
    assert (summary.median_levels, summary.median_stable_levels) == (4, 7.5)
    assert (summary.best_model in (1, 4), summary.occupied_at_fewest) == (True, 2)
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
    trace = result.found.recognition_trace[result.found.recognition == 1]
    np.testing.assert_array_equal(solved_at(result), (trace == 1).sum(axis=0))


def test_claims_give_a_verdict_each_and_name_the_rule(small_study):
    _, result = small_study
    found = claims(result)
    assert len(found) >= 11
    assert all(claim.says and claim.found and claim.rule for claim in found)
    assert {claim.verdict for claim in found} <= {"reproduced", "partly", "not reproduced", "not in this run"}


def test_a_claim_that_does_not_hold_is_said_not_to(small_study):

    _, result = small_study
    rng = np.random.default_rng(2)
    shuffled = dataclasses.replace(result.found, q=rng.permutation(result.found.q))
    broken = dataclasses.replace(result, found=shuffled, zone_recognition=1 - result.zone_recognition)
    verdicts = {claim.where + claim.says: claim.verdict for claim in claims(broken)}
    rising = next(verdict for claim, verdict in verdicts.items() if "rise with the weight range" in claim)
    assert rising in ("not reproduced", "partly")


def test_of_fewer_than_ten_models_nothing_is_said_about_many(small_study):
    _, result = small_study
    q = result.found.q.copy()
    q[np.flatnonzero(result.counted)[9:]] = 0
    few = dataclasses.replace(result, found=dataclasses.replace(result.found, q=q))
    said = {claim.says: claim for claim in claims(few)}
    assert few.counted.sum() == 9
    assert said["the fewest levels rise with the weight range"].verdict == "not in this run"
    assert said["the fewest levels rise with the weight range"].found == "only 9 models were solved"
    none = dataclasses.replace(few, found=dataclasses.replace(few.found, q=0 * q))
    verdicts = {claim.found: claim.verdict for claim in claims(none)}
    assert verdicts["no model was solved"] == "not in this run"
    assert not any("nan" in claim.found or "inf" in claim.found for claim in claims(none))


def test_the_claims_on_the_circuit_are_of_the_best_model(small_study):
    _, result = small_study
    recognises, gap = (claim for claim in claims(result) if claim.where == "Fig. 6b")
    voltages = result.circuit(result.best).voltages
    assert recognises.found.startswith(f"model {result.best}: ")
    assert [f"{100 * at.recognition:.0f} % at {at.input_volt:g} V" in recognises.found for at in voltages] == [True] * 3
    assert (recognises.verdict == "reproduced") == all(at.recognised.all() for at in voltages)
    largest = [np.abs(at.current_gap).max() for at in voltages]
    assert gap.found == "at most " + ", ".join(
        f"{100 * g:.1f} % at {v} V" for g, v in zip(largest, (1, 5, 10), strict=True)
    )
    assert (gap.verdict == "reproduced") == (largest[0] > largest[1] > largest[2])


def test_the_largest_gap_is_of_samples_whose_computed_current_is_not_zero(small_study):
    at = small_study[1].circuit(small_study[1].best).voltages[0]
    assert dataclasses.replace(at, current_gap=np.array([0.1, -0.3, np.inf, np.nan])).largest_gap == 0.3
    assert np.isnan(dataclasses.replace(at, current_gap=np.array([np.inf])).largest_gap)
