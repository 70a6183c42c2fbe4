"""The paper's quantizer: equal intervals over the weight range, each weight moved to its interval's midpoint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.errors import QuantizationError
from fewlevels.quantization.protocol import Quantized, SearchableQuantizer, check


@dataclass(frozen=True, kw_only=True)
class Midpoint(SearchableQuantizer):
    """Uniform midpoint quantizer (paper, section 3.1, Equations 1 to 4).

    interval = range / q, level_i = min + interval * (i + 1/2) for i = 0 .. q - 1.
    By default on magnitudes, with the range max|W| - min|W| (Equation 2) and every weight keeping its sign; with
    `signed`, on the signed values, with the range max W - min W (Equation 1). On positive weights the two agree.
    Equation 4 is printed as a product and counts i from 1; a midpoint needs the sum and i from 0.
    """

    signed: bool = False

    @property
    def name(self) -> str:
        return "midpoint-signed" if self.signed else "midpoint"

    def quantize(self, weights: FloatArray, levels: int) -> Quantized:
        """weights: (models, weights), finite. levels: q, at least 1. Raises QuantizationError otherwise."""
        weights = check(self, weights, levels)
        values = weights if self.signed else np.abs(weights)
        low = values.min(axis=1, keepdims=True)
        interval = (values.max(axis=1, keepdims=True) - low) / levels
        if not np.isfinite(interval).all():
            raise QuantizationError(f"the weight range must be below 1.8e308, got weights up to {values.max()}")
        level_values = low + interval * (np.arange(levels) + 0.5)
        assignment, quantized = np.empty(weights.shape, np.int64), np.empty(weights.shape)
        _kernels.quantize(weights, low, interval, level_values, not self.signed, assignment, quantized, INSTRUCTION_SET)
        return Quantized(level_values, assignment, quantized)
