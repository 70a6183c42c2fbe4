"""Proportions and how sure one can be of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray

CONFIDENCE = 0.95


def wilson(successes: npt.ArrayLike, trials: int) -> tuple[FloatArray, FloatArray]:
    """Wilson's 95 % score interval of a proportion (JASA 22, 1927), for each number of successes.

    It starts at 0 where nothing succeeds and ends at 1 where everything does, exactly. Without trials there is no
    proportion, and both ends are NaN. Raises ValueError unless 0 <= successes <= trials.
    """
    from scipy.stats import norm

    successes = np.asarray(successes, dtype=np.float64)
    if not ((successes >= 0) & (successes <= trials)).all():
        raise ValueError(f"successes must be 0 to {trials}, the number of trials, got {successes}")
    if trials == 0:
        return np.full(successes.shape, math.nan), np.full(successes.shape, math.nan)
    z = norm.ppf((1 + CONFIDENCE) / 2)
    p = successes / trials
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    # At either end centre and half differ from each other, or from 1, by rounding only.
    return np.where(successes == 0, 0.0, centre - half), np.where(successes == trials, 1.0, centre + half)


def percent(value: float, digits: int = 2) -> str:
    """A fraction in percent; 'none' for NaN, a statistic that does not exist."""
    return "none" if math.isnan(value) else f"{100 * value:.{digits}f} %"
