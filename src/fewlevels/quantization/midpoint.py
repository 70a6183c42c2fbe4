"""The paper's quantizer: equal intervals over the weight range, each weight moved to its interval's midpoint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fewlevels.quantization.protocol import Quantized, Quantizer, check
from fewlevels.samples import FloatArray


@dataclass(frozen=True, kw_only=True)
class Midpoint(Quantizer):
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
        check(self, weights, levels)
        values = weights if self.signed else np.abs(weights)
        low = values.min(axis=1, keepdims=True)
        interval = (values.max(axis=1, keepdims=True) - low) / levels
        level_values = low + interval * (np.arange(levels) + 0.5)
        scale = np.divide(1.0, interval, out=np.zeros_like(interval), where=interval > 0)  # equal weights: level 0
        assignment = np.minimum(((values - low) * scale).astype(np.intp), levels - 1)
        quantized = np.take_along_axis(level_values, assignment, axis=1)
        return Quantized(level_values, assignment, quantized if self.signed else np.copysign(quantized, weights))
