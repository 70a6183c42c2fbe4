"""Analysis: what a study says about levels and weight range, as numbers with their uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.proportions import CONFIDENCE
from fewlevels.study.result import SearchedStudy

NEIGHBOURS = 101
"""Models, neighbours in the weight range, that each quantile of q is taken over, at least."""

NEIGHBOURHOODS = 500
"""So many of them, side by side, all models of a large study make."""

PLACES = 10_000
"""Ranges at which quantiles are taken, about, where there are more models."""

FEWEST_FOR_BAND = 200
"""Of fewer models no quantiles are estimated: half of them would have no complete neighbourhood."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A study in numbers; the names are the keys of `fewlevels show --json`.

    Statistics of q are over the models that reached alpha before quantizing and again with q levels.
    trained_fraction: of all models, those that reached alpha before quantizing. solved_fraction: of all models, those
    that also reach it quantized. q counts requested levels; occupied ones hold a weight at that q. occupied_min: of any
    model. with_empty_levels_fraction: of the counted models, those that leave some of their q levels empty.
    weight_range_at_q_min_median: over the models with the fewest levels.
    rank_correlation: Spearman's, of q with the weight range; NaN where fewer than four models are solved.
    reduction_percent: 100 (1 - q_min / weights), as the paper counts it (350 -> 4 is 98.9 %).
    wall_seconds: of the run that completed the study.
    """

    models: int
    weights: int
    trained_fraction: float
    solved_fraction: float
    untrained_but_solved_fraction: float
    q_min: int
    models_at_q_min: int
    models_at_q_4: int
    best_model_occupied: int
    occupied_min: int
    models_at_occupied_min: int
    weight_range_at_q_min_median: float
    weight_range_at_q_4_median: float
    q_median: float
    occupied_median: float
    with_empty_levels_fraction: float
    stable_q_median: float
    rank_correlation: float
    rank_correlation_interval: tuple[float, float]
    reduction_percent: float
    best_model: int
    wall_seconds: float


def summarise(result: SearchedStudy) -> Summary:
    """The summary of a study; where no model is solved, levels are 0 and statistics of them NaN."""
    found = result.search
    ranges, used = found.networks.weight_range(), result.counted
    q, occupied, weights = found.q[used], found.occupied[used], sum(map(math.prod, found.networks.shapes))
    q_min, occupied_min = (int(levels.min()) if q.size else 0 for levels in (q, occupied))
    correlation, interval = rank_correlation(ranges[used], q)
    return Summary(
        models=len(found.networks),
        weights=weights,
        trained_fraction=float(found.trained.mean()),
        solved_fraction=float(used.mean()),
        untrained_but_solved_fraction=float((found.solved & ~found.trained).mean()),
        q_min=q_min,
        models_at_q_min=int((q == q_min).sum()),
        models_at_q_4=int((q == 4).sum()),
        best_model_occupied=int(found.occupied[result.best]) if q.size else 0,
        occupied_min=occupied_min,
        models_at_occupied_min=int((occupied == occupied_min).sum()),
        weight_range_at_q_min_median=_median(ranges[used][q == q_min]),
        weight_range_at_q_4_median=_median(ranges[used][q == 4]),
        q_median=_median(q),
        occupied_median=_median(occupied),
        with_empty_levels_fraction=float((occupied < q).mean()) if q.size else math.nan,
        stable_q_median=_median(found.stable_q[used][found.stable_q[used] > 0]),
        rank_correlation=correlation,
        rank_correlation_interval=interval,
        reduction_percent=100 * (1 - q_min / weights) if q.size else math.nan,
        best_model=result.best,
        wall_seconds=result.wall_seconds,
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


@dataclass(frozen=True, kw_only=True)
class QuantileBand:
    """The 5 %, 50 % and 95 % quantiles of q among so many models of like weight range, at the ranges x, ascending."""

    neighbours: int
    x: FloatArray
    low: FloatArray
    median: FloatArray
    high: FloatArray


def quantile_band(ranges: FloatArray, q: np.ndarray) -> QuantileBand | None:
    """Quantiles of q given the range, each over the neighbours of a model in the order of their ranges, itself among
    them. A large study has more neighbours to a model, and not every model is such a middle.

    ranges, q: (models,). A q stands for q - 1/2 to q + 1/2, evenly, so that quantiles of whole numbers can lie between
    them and 90 % of the models between the outer two. The band ends where a neighbourhood would be incomplete; None for
    fewer than FEWEST_FOR_BAND models.
    """
    if len(q) < FEWEST_FOR_BAND:
        return None
    order = np.argsort(ranges, kind="stable")
    neighbours = max(NEIGHBOURS, len(q) // NEIGHBOURHOODS | 1)
    every = max(len(q) // PLACES, 1)
    near = np.sort(np.lib.stride_tricks.sliding_window_view(q[order], neighbours)[::every], axis=1)

    def quantile(share: float) -> FloatArray:
        rank = share * neighbours
        value = near[:, [int(rank)]]
        below, equal = (near < value).sum(axis=1), (near == value).sum(axis=1)
        return value[:, 0] - 0.5 + (rank - below) / equal

    x = ranges[order][neighbours // 2 :: every][: len(near)]
    return QuantileBand(neighbours=neighbours, x=x, low=quantile(0.05), median=quantile(0.5), high=quantile(0.95))


def solved_at(result: SearchedStudy) -> np.ndarray:
    """How many of the trained models reach alpha with q levels, for q = 1 .. q_max, (q_max,)."""
    found, trained = result.search, result.search.trained
    return found.target.reached(found.recognition_trace[trained], found.recognition[trained, None]).sum(axis=0)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else math.nan
