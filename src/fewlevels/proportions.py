"""Proportions and how sure one can be of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fewlevels.samples import FloatArray

CONFIDENCE = 0.95


def wilson(successes: npt.ArrayLike, trials: int) -> tuple[FloatArray, FloatArray]:
    """Wilson's 95 % score interval of a proportion (JASA 22, 1927), for each number of successes."""
    from scipy.stats import norm

    z = norm.ppf((1 + CONFIDENCE) / 2)
    p = np.asarray(successes) / trials
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    return centre - half, centre + half


def percent(value: float, digits: int = 2) -> str:
    """A fraction in percent; 'none' for NaN, a statistic that does not exist."""
    return "none" if math.isnan(value) else f"{100 * value:.{digits}f} %"
