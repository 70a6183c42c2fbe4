"""Trace: recognition at each number of levels, and which number it points to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray

NEVER = np.iinfo(np.intp).max
"""The count of a number of levels that does not reach the target."""


def first_stable(trace: FloatArray, passes: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """The first number of levels from which all that were tried reach the target, (models,); 0 where there is none.

    trace: recognition, (models, q_max), NaN where a number of levels was not tried. passes: where it reaches the
    target, (models, q_max).
    """
    fails = ~np.isnan(trace) & ~passes
    after_last_failure = np.where(fails.any(axis=1), trace.shape[1] - np.argmax(fails[:, ::-1], axis=1), 0)
    later = passes & (np.arange(trace.shape[1]) >= after_last_failure[:, None])
    return np.where(later.any(axis=1), later.argmax(axis=1) + 1, 0)


def at_levels(trace: npt.NDArray[Any], q: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    """The values of a trace (models, q_max) at each model's number of levels, (models,); where that is 0, at 1."""
    return np.take_along_axis(trace, np.maximum(q, 1)[:, None] - 1, axis=1)[:, 0]


def least_count(counts: npt.NDArray[np.intp], margins: FloatArray) -> npt.NDArray[np.intp]:
    """Of counts and margins (models, q_max), the number of levels of least count, then of largest margin; 0 where all
    are NEVER.
    """
    least = counts.min(axis=1, keepdims=True)
    chosen = np.where(counts == least, margins, -np.inf).argmax(axis=1) + 1
    return np.where(least[:, 0] == NEVER, 0, chosen)
