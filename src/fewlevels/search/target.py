"""Target: what a quantized network must still recognise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import fraction, instance
from fewlevels.errors import SearchError
from fewlevels.samples.samples import Samples

ROUNDING = 1e-12
"""How far a fraction of samples may lie below a target that it reaches: both are rounded."""


@dataclass(frozen=True)
class Target:
    """The recognition that a quantized network must reach.

    alpha: in (0, 1]. relative: alpha is a fraction of each network's own recognition before quantizing; a network that
    recognises nothing has nothing to keep, and reaches no target.
    Raises SearchError for an alpha out of range.
    """

    alpha: float
    relative: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", fraction("alpha", self.alpha, SearchError))

    def __str__(self) -> str:
        """'99.5%', or '99.5% of its unquantized recognition'."""
        alpha = f"{100 * self.alpha:g}%"
        return f"{alpha} of its unquantized recognition" if self.relative else alpha

    def least(self, before: FloatArray) -> FloatArray:
        """The recognition to reach, for networks of this recognition before quantizing; NaN where a relative target
        has nothing to keep. Both of one shape.
        """
        if self.relative:
            return np.where(before > 0, self.alpha * before, np.nan)
        return np.full_like(before, self.alpha)

    def reached(self, recognition: FloatArray, before: FloatArray | None = None) -> npt.NDArray[np.bool_]:
        """Whether this recognition reaches the target. before: recognition before quantizing, of a shape that fits;
        the same where None.
        """
        return reaches(recognition, self.least(recognition if before is None else before))


class Aimed:
    """What a search of either kind says of its target, and of the recognition before quantizing, (models,)."""

    target: Target
    recognition: FloatArray

    @property
    def alpha(self) -> float:
        """The recognition to keep, in (0, 1]."""
        return self.target.alpha

    @property
    def relative(self) -> bool:
        """Whether alpha is a fraction of each network's own recognition before quantizing."""
        return self.target.relative

    @property
    def trained(self) -> npt.NDArray[np.bool_]:
        """Whether a network reaches the target before quantizing, (models,)."""
        return self.target.reached(self.recognition)


def reaches(recognition: FloatArray, least: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether recognition is at least so much. To recognise nothing reaches no target; nothing reaches NaN."""
    return (recognition > 0) & (recognition >= least - ROUNDING)


def check_classes(samples: Samples, others: Samples | None) -> None:
    """Raises SearchError where other samples of the same networks name their classes otherwise."""
    instance("samples", samples, Samples, SearchError)
    if others is None:
        return
    instance("samples", others, Samples, SearchError)
    for one, other in zip(samples.classes, others.classes, strict=False):
        if one != other:
            raise SearchError(f"all samples must have the same classes in the same order, got {one!r} and {other!r}")
