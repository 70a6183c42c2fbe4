"""Target: what a quantized network must still recognise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import fraction, instance, jobs_or_all, whole_number
from fewlevels.errors import SearchError
from fewlevels.quantization.protocol import MOST_LEVELS
from fewlevels.samples.samples import Samples


def reaches(recognition: FloatArray, target: float | FloatArray) -> npt.NDArray[np.bool_]:
    """recognition >= target, for fractions that were divided out and a target that was typed in. To recognise nothing
    reaches no target, and a target of NaN is not reached."""
    return (recognition > 0) & (recognition >= target - 1e-12)


def targets(recognition: FloatArray, alpha: float, relative: bool) -> FloatArray:
    """What networks of this recognition before quantizing must reach, (models,): alpha, or that fraction of it; NaN
    where they recognise nothing, so that there is no fraction of it to keep."""
    return np.where(recognition > 0, alpha * recognition, np.nan) if relative else np.full_like(recognition, alpha)


def in_words(alpha: float, relative: bool) -> str:
    """The target: '99.5%', or '99.5% of its unquantized recognition'."""
    return f"{100 * alpha:g}%" + " of its unquantized recognition" * relative


def check_search(alpha: float, q_max: int, jobs: int | None = None) -> None:
    """Raises SearchError where a target, a largest number of levels or of threads makes no search."""
    fraction("alpha", alpha, SearchError)
    whole_number("q_max", q_max, SearchError, least=1, most=MOST_LEVELS)
    jobs_or_all(jobs, SearchError)


def check_classes(samples: Samples, others: Samples | None) -> None:
    """Raises SearchError where other samples of the same networks name their classes otherwise."""
    for each in (samples, *([] if others is None else [others])):
        instance("samples", each, Samples, SearchError)
    for one, other in zip(samples.classes, () if others is None else others.classes, strict=False):
        if one != other:
            raise SearchError(f"all samples must have the same classes in the same order, got {one!r} and {other!r}")
