"""Analysis: what a study says about levels and weight range, as numbers with their uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fewlevels.proportions import CONFIDENCE
from fewlevels.samples import FloatArray
from fewlevels.study.run import StudyResult


@dataclass(frozen=True)
class Summary:
    """A study in numbers; the names are the keys of `fewlevels show --json`.

    Statistics of q are over the models that reached alpha before quantizing and again with q levels.
    trained: fraction of all models that reached alpha before quantizing. solved: fraction of all models that also
    reach it quantized. occupied_at_fewest: levels that hold a weight in the best model.
    range_at_fewest_levels: median weight range of the models with the fewest levels.
    rank_correlation: Spearman's, of q with the weight range; NaN where fewer than four models are solved.
    reduction_percent: 100 (1 - fewest / weights), as the paper counts it (350 -> 4 is 98.9 %).
    """

    models: int
    weights: int
    trained: float
    solved: float
    untrained_but_solved: float
    fewest_levels: int
    models_at_fewest: int
    models_at_four: int
    occupied_at_fewest: int
    range_at_fewest_levels: float
    range_at_four_levels: float
    median_levels: float
    median_stable_levels: float
    rank_correlation: float
    rank_correlation_interval: tuple[float, float]
    reduction_percent: float
    best_model: int
    seconds: float


def summarise(result: StudyResult) -> Summary:
    """The summary of a study; where no model is solved, levels are 0 and statistics of them NaN."""
    found = result.found
    ranges, used = found.networks.weight_range(), result.counted
    q, weights = found.q[used], found.networks.joint().shape[1]
    fewest = int(q.min()) if q.size else 0
    correlation, interval = rank_correlation(ranges[used], q)
    return Summary(
        models=len(found.networks),
        weights=weights,
        trained=float(found.trained.mean()),
        solved=float(used.mean()),
        untrained_but_solved=float((found.solved & ~found.trained).mean()),
        fewest_levels=fewest,
        models_at_fewest=int((q == fewest).sum()),
        models_at_four=int((q == 4).sum()),
        occupied_at_fewest=int(found.occupied[result.best]) if q.size else 0,
        range_at_fewest_levels=_median(ranges[used][q == fewest]),
        range_at_four_levels=_median(ranges[used][q == 4]),
        median_levels=_median(q),
        median_stable_levels=_median(found.stable_q[used][found.stable_q[used] > 0]),
        rank_correlation=correlation,
        rank_correlation_interval=interval,
        reduction_percent=100 * (1 - fewest / weights) if q.size else math.nan,
        best_model=result.best,
        seconds=result.seconds,
    )


def rank_correlation(x: FloatArray, y: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Spearman's rank correlation and its 95 % interval (Fisher's z with the error of Bonett & Wright,
    Psychometrika 65, 2000); NaN where there are fewer than four pairs or one side does not vary.
    """
    from scipy.stats import norm, spearmanr

    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan, (math.nan, math.nan)
    rho = float(spearmanr(x, y).statistic)
    z, error = np.arctanh(np.clip(rho, -1 + 1e-15, 1 - 1e-15)), math.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    half = norm.ppf((1 + CONFIDENCE) / 2) * error
    return rho, (float(np.tanh(z - half)), float(np.tanh(z + half)))


@dataclass(frozen=True)
class Regression:
    """Least squares y = intercept + slope x, with the 95 % band of the line and of single points at `x`."""

    x: FloatArray
    line: FloatArray
    line_half_width: FloatArray
    point_half_width: FloatArray
    slope: float
    intercept: float
    pearson: float


def regression(x: FloatArray, y: np.ndarray, at: FloatArray) -> Regression:
    """The regression line of y on x, evaluated at `at`, with the usual t bands for n - 2 degrees of freedom."""
    from scipy.stats import linregress, t

    fit = linregress(x, y)
    n, mean = len(x), x.mean()
    residual = math.sqrt(float(((y - fit.intercept - fit.slope * x) ** 2).sum()) / (n - 2))
    leverage = 1 / n + (at - mean) ** 2 / ((x - mean) ** 2).sum()
    quantile = t.ppf((1 + CONFIDENCE) / 2, n - 2)
    return Regression(
        at, fit.intercept + fit.slope * at, quantile * residual * np.sqrt(leverage),
        quantile * residual * np.sqrt(1 + leverage), float(fit.slope), float(fit.intercept), float(fit.rvalue),
    )  # fmt: skip


def solved_at(result: StudyResult) -> np.ndarray:
    """How many of the trained models reach alpha with q levels, for q = 1 .. q_max, (q_max,)."""
    from fewlevels.search import reaches

    found = result.found
    return reaches(found.recognition_trace[found.trained], found.alpha).sum(axis=0)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else math.nan
