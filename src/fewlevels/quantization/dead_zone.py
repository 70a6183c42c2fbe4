"""A level at zero for all small weights, and above them levels where the weights are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_number, shown
from fewlevels.errors import QuantizationError
from fewlevels.quantization.cutting import Cuts, CuttingQuantizer, of_least_squared_error
from fewlevels.quantization.protocol import Quantizer

SETTINGS = 512
"""Combinations of the three controls that a search tries."""

EVEN_SETTINGS = 24
"""Combinations that `quantize` compares by squared error where none is given."""


@dataclass(frozen=True, kw_only=True)
class DeadZone(CuttingQuantizer):
    """0 for magnitudes up to a threshold, and above it the means of the weights in q - 1 intervals up to a clip.

    A companded quantizer with a dead zone (Gray & Neuhoff, IEEE Trans. Inf. Theory 44, 1998, section II), its levels
    at the centroids (Lloyd, IEEE Trans. Inf. Theory 28, 1982); an interval that is empty keeps its midpoint.
    controls: (clip, dead zone, spacing). Clip and dead zone are fractions of the model's largest magnitude,
    0 < dead zone < clip <= 1; the ends of the intervals rise as the power `spacing` of their number, 1 being even, and
    the last interval takes what lies above the clip as well.
    None: a search tries SETTINGS combinations that fill the space evenly, `quantize` takes the one of least squared
    error among the first few. The zero counts as one of the levels.
    """

    controls: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.controls is None:
            return
        given = isinstance(self.controls, list | tuple) and len(self.controls) == 3
        if not (given and all(map(is_number, self.controls))):
            raise QuantizationError(f"controls are a clip, a dead zone and a spacing, got {shown(self.controls)}")
        clip, dead_zone, spacing = self.controls
        if not (0 < dead_zone < clip <= 1 and spacing > 0):
            raise QuantizationError(
                f"controls need 0 < dead zone < clip <= 1 and spacing > 0, got dead zone "
                f"{dead_zone}, clip {clip}, spacing {spacing}"
            )

    @property
    def name(self) -> str:
        return "zero"

    def cuts(self, weights: FloatArray, levels: int) -> Cuts:
        largest = np.abs(weights).max(axis=1, keepdims=True)
        tried = _controls()[:EVEN_SETTINGS] if self.controls is None else [self.controls]
        tables = (_table(controls, levels) for controls in tried)
        candidates = (Cuts(largest * table, largest * ends, means=True) for table, ends in tables)
        return next(candidates) if self.controls is not None else of_least_squared_error(weights, candidates)

    def cuts_of_settings(self, weights: FloatArray, levels: int) -> Cuts:
        ends = _ends(self.controls, levels)
        thresholds = np.abs(weights).max(axis=1)[:, None, None] * ends
        return Cuts(np.zeros((len(weights), 1, ends.shape[1])), thresholds, means=True)

    def settings(self) -> tuple[Quantizer, ...]:
        return (self,) if self.controls else tuple(DeadZone(controls=controls) for controls in _controls())


def _table(controls: tuple[float, float, float], levels: int) -> tuple[FloatArray, FloatArray]:
    """Levels (q,) and thresholds (q - 1,), in largest magnitudes."""
    clip, dead_zone, spacing = controls
    ends = dead_zone + (clip - dead_zone) * (np.arange(levels) / max(levels - 1, 1)) ** spacing
    return np.concatenate([[0.0], (ends[1:] + ends[:-1]) / 2]), ends[:-1]


@cache
def _ends(controls: tuple[float, float, float] | None, levels: int) -> FloatArray:
    """The thresholds of every setting, (q - 1, settings), in largest magnitudes."""
    return np.stack([_table(each, levels)[1] for each in ([controls] if controls else _controls())], axis=1)


@cache
def _controls() -> tuple[tuple[float, float, float], ...]:
    """Points of the additive recurrence of Roberts (2018), R3: any first part of it fills the cube evenly."""
    step = 1.2207440846057596 ** -np.arange(1.0, 4.0)
    points = (0.5 + np.arange(SETTINGS)[:, None] * step) % 1.0
    clips = 10.0 ** -points[:, 0]
    dead_zones = clips * np.minimum(0.02 * 45.0 ** points[:, 1] / np.sqrt(clips), 0.9)
    return tuple(zip(clips.tolist(), dead_zones.tolist(), (0.5 + 2.0 * points[:, 2]).tolist(), strict=True))
