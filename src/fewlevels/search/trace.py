"""Trace: recognition at each number of levels, and which number it points to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.search.target import reaches

NEVER = np.iinfo(np.intp).max
"""The count of a number of levels that does not reach alpha."""


def first_and_stable(
    trace: FloatArray, target: float | FloatArray
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The first number of levels that reaches the target, and the first from which all tried do; 0 where there is none.

    trace: (models, q_max). target: one, or (models, 1).
    """
    passes, tried = reaches(trace, target), ~np.isnan(trace)
    first = np.where(passes.any(axis=1), passes.argmax(axis=1) + 1, 0)
    after_last_failure = trace.shape[1] - np.argmax((tried & ~passes)[:, ::-1], axis=1)
    after_last_failure[~(tried & ~passes).any(axis=1)] = 0
    later = passes & (np.arange(trace.shape[1]) >= after_last_failure[:, None])
    return first, np.where(later.any(axis=1), later.argmax(axis=1) + 1, 0)


def least_count(counts: npt.NDArray[np.intp], margins: FloatArray) -> npt.NDArray[np.intp]:
    """Of counts and margins (models, q_max), the number of levels of least count, then of largest margin; 0 where all
    are NEVER.
    """
    least = counts.min(axis=1, keepdims=True)
    chosen = np.where(counts == least, margins, -np.inf).argmax(axis=1) + 1
    return np.where(least[:, 0] == NEVER, 0, chosen)
