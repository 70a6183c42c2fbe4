"""What every quantizer takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fewlevels.samples import FloatArray


@dataclass(frozen=True)
class Quantized:
    """Weights that take level values only.

    levels: (models, requested levels), the values that a level stands for, ascending.
    assignment: (models, weights), the index of the level that each weight falls in.
    values: (models, weights), the quantized weights: the level, with the weight's sign where magnitudes are quantized.
    """

    levels: FloatArray
    assignment: npt.NDArray[np.intp]
    values: FloatArray

    @property
    def requested(self) -> int:
        """Levels asked for: q."""
        return self.levels.shape[1]

    def counts(self) -> npt.NDArray[np.intp]:
        """Weights that fall in each level, (models, requested levels)."""
        models, q = self.levels.shape
        flat = (self.assignment + q * np.arange(models)[:, None]).ravel()
        return np.bincount(flat, minlength=models * q).reshape(models, q)

    def occupied(self) -> npt.NDArray[np.intp]:
        """Levels that at least one weight falls in, (models,)."""
        return np.count_nonzero(self.counts(), axis=1)


class Quantizer(Protocol):
    """Turns joint weights (models, weights) into at most `levels` level values per model, model by model."""

    @property
    def name(self) -> str: ...

    def quantize(self, weights: FloatArray, levels: int) -> Quantized: ...
