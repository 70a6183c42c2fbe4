"""Uniform levels over a clipped weight range, with or without a level at zero; and the search of a clip."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import fraction
from fewlevels.errors import QuantizationError
from fewlevels.quantization.cutting import Cuts, CuttingQuantizer, of_least_squared_error
from fewlevels.quantization.protocol import Quantizer

CLIPS: tuple[float, ...] = tuple(float(clip) for clip in np.geomspace(1.0, 0.04, 28))
"""Fractions of a model's largest magnitude among which the clip of least squared error is searched."""

FINER = 11
"""Steps of a search's clips for one of CLIPS."""

SEARCHED_CLIPS: tuple[float, ...] = (
    tuple(
        float(clip)
        for near, far in itertools.pairwise(CLIPS)
        for clip in np.geomspace(near, far, FINER, endpoint=False)
    )
    + CLIPS[-1:]
)
"""The 298 clips that a search of requested levels tries: CLIPS and ten between each two. Recognition jumps where a
weight changes its level, so that a finer grid finds fewer levels: see docs/benchmarks.md. A search that minimises
something else tries CLIPS, because it must quantize and judge each."""


@dataclass(frozen=True, kw_only=True)
class Scaled(CuttingQuantizer):
    """Levels of a fixed pattern, times a scale: magnitudes, every weight keeping its sign.

    clip: the top of the range as a fraction of the model's largest magnitude, in (0, 1]; a larger magnitude falls in
    the top level. None searches: CLIPS by squared error when quantizing, SEARCHED_CLIPS by recognition in a search, or
    CLIPS where it minimises something else than requested levels.
    """

    clip: float | None = None

    def __post_init__(self) -> None:
        if self.clip is not None:
            object.__setattr__(self, "clip", fraction("clip", self.clip, QuantizationError))

    def level_values(self, lowest: FloatArray, top: FloatArray, levels: int) -> FloatArray:
        """The levels (models, levels), ascending, of ranges that end at `top` (models,), for models of these lowest
        magnitudes (models,); or (models, levels, clips) for (models, clips) and (models, 1).
        """
        raise NotImplementedError

    def cuts(self, weights: FloatArray, levels: int) -> Cuts:
        magnitudes = np.abs(weights)
        lowest, largest = magnitudes.min(axis=1), magnitudes.max(axis=1)
        if self.clip is not None:
            return Cuts(self.level_values(lowest, self.clip * largest, levels))
        candidates = (Cuts(self.level_values(lowest, clip * largest, levels)) for clip in CLIPS)
        return of_least_squared_error(weights, candidates)

    def cuts_of_settings(self, weights: FloatArray, levels: int) -> Cuts:
        magnitudes = np.abs(weights)
        lowest, largest = magnitudes.min(axis=1, keepdims=True), magnitudes.max(axis=1, keepdims=True)
        clips = np.array(SEARCHED_CLIPS if self.clip is None else (self.clip,))
        return Cuts(self.level_values(lowest, clips * largest, levels))

    def settings(self) -> tuple[Quantizer, ...]:
        return (self,) if self.clip is not None else tuple(replace(self, clip=clip) for clip in SEARCHED_CLIPS)

    def tried_in_full(self) -> Sequence[int]:
        return range(0, len(self.settings()), FINER)


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

    def level_values(self, lowest: FloatArray, top: FloatArray, levels: int) -> FloatArray:
        numbers = np.arange(levels).reshape(-1, *[1] * (top.ndim - 1))
        if self.zero:
            return top[:, None] * (numbers / max(levels - 1, 1))
        low = np.minimum(lowest, top)
        values = ((top - low) / levels)[:, None] * (numbers + 0.5)
        values += low[:, None]
        return values
