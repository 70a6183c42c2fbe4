"""Levels wherever the weights are: optimal one-dimensional k-means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from fewlevels import _kernels
from fewlevels.networks import INSTRUCTION_SET
from fewlevels.quantization.protocol import Quantized, SearchableQuantizer, assign, assigned_values, check
from fewlevels.samples import FloatArray


@dataclass(frozen=True, kw_only=True)
class KMeans(SearchableQuantizer):
    """The levels of least squared error (Wang & Song, The R Journal 3(2), 2011: optimal, not Lloyd's iteration).

    On magnitudes, every weight keeping its sign, or with `signed` on the signed values. Weights of fewer distinct
    values than levels leave the levels above them empty. Weight clustering as in Han et al., ICLR 2016.
    """

    signed: bool = False

    @property
    def name(self) -> str:
        return "kmeans-signed" if self.signed else "kmeans"

    def quantize(self, weights: FloatArray, levels: int) -> Quantized:
        """weights: (models, weights), finite. levels: at least 1. Raises QuantizationError otherwise."""
        weights = check(self, weights, levels)
        return assign(weights, self._centres(weights, 1, levels)[:, 0], signed=self.signed)

    def sweep(self, weights: FloatArray, levels: Iterable[int]) -> Iterator[FloatArray]:
        """One dynamic programme gives the optimum for every number of levels up to the largest."""
        numbers = list(levels)
        for q in numbers:
            weights = check(self, weights, q)
        centres = self._centres(weights, max(numbers), max(numbers)) if numbers else np.empty(0)
        for q in numbers:
            yield assigned_values(weights, centres[:, q - 1, :q], signed=self.signed)

    def _centres(self, weights: FloatArray, rows: int, clusters: int) -> FloatArray:
        centres = np.empty((len(weights), rows, clusters))
        sorted_values = np.sort(weights if self.signed else np.abs(weights), axis=1)
        _kernels.cluster(sorted_values, centres, INSTRUCTION_SET)
        return centres
