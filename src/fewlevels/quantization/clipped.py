"""Uniform levels over a clipped weight range, with or without a level at zero; and the search of a clip."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fewlevels.common.checks import fraction
from fewlevels.errors import QuantizationError
from fewlevels.quantization.protocol import Quantized, Quantizer, SearchableQuantizer, assign, check, squared_error
from fewlevels.samples import FloatArray

CLIPS: tuple[float, ...] = tuple(float(clip) for clip in np.geomspace(1.0, 0.04, 28))
"""Fractions of a model's largest magnitude that a clip is searched among."""


@dataclass(frozen=True, kw_only=True)
class Scaled(SearchableQuantizer):
    """Levels of a fixed pattern, times a scale: magnitudes, every weight keeping its sign.

    clip: the top of the range as a fraction of the model's largest magnitude, in (0, 1]; a larger magnitude falls in
    the top level. None searches CLIPS, by squared error when quantizing and by recognition in a search.
    """

    clip: float | None = None

    def __post_init__(self) -> None:
        if self.clip is not None:
            object.__setattr__(self, "clip", fraction("clip", self.clip, QuantizationError))

    def level_values(self, magnitudes: FloatArray, top: FloatArray, levels: int) -> FloatArray:
        """The levels (models, levels), ascending, of ranges that end at `top` (models, 1)."""
        raise NotImplementedError

    def quantize(self, weights: FloatArray, levels: int) -> Quantized:
        """weights: (models, weights), finite. levels: magnitudes, a zero included. Raises QuantizationError."""
        weights = check(self, weights, levels)
        magnitudes = np.abs(weights)
        largest = magnitudes.max(axis=1, keepdims=True)
        if self.clip is not None:
            return assign(weights, self.level_values(magnitudes, self.clip * largest, levels))
        least = np.full(len(weights), np.inf)
        best = np.empty((len(weights), levels))
        for clip in CLIPS:
            candidate = self.level_values(magnitudes, clip * largest, levels)
            error = squared_error(weights, candidate)
            better = error < least
            least[better], best[better] = error[better], candidate[better]
        return assign(weights, best)

    def settings(self) -> tuple[Quantizer, ...]:
        return (self,) if self.clip is not None else tuple(replace(self, clip=clip) for clip in CLIPS)


@dataclass(frozen=True, kw_only=True)
class Clipped(Scaled):
    """Uniform levels up to a clip, which makes the weight range a control instead of an observation.

    Without `zero`, the midpoints of equal intervals over [min|W|, clip max|W|]: the paper's quantizer for clip = 1.
    With `zero`, 0 and equal steps up to clip max|W|, as signed fixed-point numbers have them (Jacob et al., CVPR
    2018). The zero counts as one of the levels; with one level it is the only one.
    """

    zero: bool = False

    @property
    def name(self) -> str:
        return "clipped-zero" if self.zero else "clipped"

    def level_values(self, magnitudes: FloatArray, top: FloatArray, levels: int) -> FloatArray:
        if self.zero:
            return top * (np.arange(levels) / max(levels - 1, 1))
        low = np.minimum(magnitudes.min(axis=1, keepdims=True), top)
        return low + (top - low) / levels * (np.arange(levels) + 0.5)
