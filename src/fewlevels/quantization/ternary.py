"""One magnitude, with and without a zero: ternary and binary weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import positive
from fewlevels.errors import QuantizationError
from fewlevels.quantization.cutting import Cuts, CuttingQuantizer
from fewlevels.quantization.protocol import Quantized, Quantizer

THRESHOLDS: tuple[float, ...] = tuple(float(threshold) for threshold in np.geomspace(0.1, 4.0, 512))
"""Thresholds, in mean magnitudes, that a search tries: fine enough to solve what trying every magnitude solves (562 of
566 networks of 5x5 and 7x7)."""


@dataclass(frozen=True, kw_only=True)
class Ternary(CuttingQuantizer):
    """{-a, 0, +a}: two states per device on a differential pair (Li & Liu, Ternary weight networks, 2016).

    threshold: magnitudes up to threshold mean|W| become 0, and a is the mean of the others; a positive number. None
    takes the threshold of least squared error when quantizing, and a search tries THRESHOLDS. The two levels are the
    magnitudes 0 and a.
    """

    threshold: float | None = 1.0
    least_levels: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if self.threshold is not None:
            object.__setattr__(self, "threshold", positive("threshold", self.threshold, QuantizationError))

    @property
    def name(self) -> str:
        return "ternary"

    @property
    def most_levels(self) -> int | None:
        return 2

    def quantize(self, weights: FloatArray, levels: int = 2) -> Quantized:
        return super().quantize(weights, levels)

    def cuts(self, weights: FloatArray, levels: int) -> Cuts:
        magnitudes = np.abs(weights)
        largest = magnitudes.max(axis=1)
        if self.threshold is None:
            threshold = _best_threshold(magnitudes)
        else:
            threshold = np.minimum(self.threshold * magnitudes.mean(axis=1), np.nextafter(largest, -1.0))
        return Cuts(np.stack([np.zeros_like(largest), largest], axis=1), threshold[:, None], means=True)

    def cuts_of_settings(self, weights: FloatArray, levels: int) -> Cuts:
        magnitudes = np.abs(weights)
        thresholds = np.array(THRESHOLDS if self.threshold is None else (self.threshold,))
        below_largest = np.nextafter(magnitudes.max(axis=1, keepdims=True), -1.0)
        thresholds = np.minimum(thresholds * magnitudes.mean(axis=1, keepdims=True), below_largest)
        return Cuts(np.zeros((len(weights), 1, thresholds.shape[1])), thresholds[:, None], means=True)

    def settings(self) -> tuple[Quantizer, ...]:
        return (self,) if self.threshold is not None else tuple(replace(self, threshold=t) for t in THRESHOLDS)

    def for_finetuning(self) -> Quantizer:
        """A free threshold is fixed at 1: so all networks are solved, and 89 % with a free one."""
        return self if self.threshold is not None else Ternary()


@dataclass(frozen=True)
class Binary(CuttingQuantizer):
    """{-a, +a}, a the mean magnitude (Rastegari et al., XNOR-Net, ECCV 2016)."""

    @property
    def name(self) -> str:
        return "binary"

    @property
    def most_levels(self) -> int | None:
        return 1

    def quantize(self, weights: FloatArray, levels: int = 1) -> Quantized:
        return super().quantize(weights, levels)

    def cuts(self, weights: FloatArray, levels: int) -> Cuts:
        return Cuts(np.abs(weights).mean(axis=1, keepdims=True))


def _best_threshold(magnitudes: FloatArray) -> FloatArray:
    """With the k largest at their mean, the error is sum |w|^2 - (sum of the k largest)^2 / k: k by the largest."""
    descending = -np.sort(-magnitudes, axis=1)
    gain = np.cumsum(descending, axis=1) ** 2 / np.arange(1, magnitudes.shape[1] + 1)
    k = gain.argmax(axis=1)[:, None] + 1
    following = np.take_along_axis(np.pad(descending, ((0, 0), (0, 1)), constant_values=-1.0), k, axis=1)
    return following[:, 0]
