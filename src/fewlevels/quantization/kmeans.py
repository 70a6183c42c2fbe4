"""Levels wherever the weights are: optimal one-dimensional k-means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.quantization.cutting import Cuts, CuttingQuantizer


@dataclass(frozen=True, kw_only=True)
class KMeans(CuttingQuantizer):
    """The levels of least squared error (Wang & Song, The R Journal 3(2), 2011: optimal, not Lloyd's iteration).

    On magnitudes, every weight keeping its sign, or with `signed` on the signed values. Weights of fewer distinct
    values than levels leave the levels above them empty. Weight clustering as in Han et al., ICLR 2016.
    """

    signed: bool = False

    @property
    def name(self) -> str:
        return "kmeans-signed" if self.signed else "kmeans"

    def cuts(self, weights: FloatArray, levels: int) -> Cuts:
        return Cuts(self._centres(weights, 1, levels)[:, 0])

    def sweep_cuts(self, weights: FloatArray, levels: Sequence[int]) -> Iterator[Cuts]:
        """One dynamic programme gives the optimum for every number of levels up to the largest."""
        centres = self._centres(weights, max(levels), max(levels)) if levels else np.empty(0)
        return (Cuts(centres[:, q - 1, :q]) for q in levels)

    def _centres(self, weights: FloatArray, rows: int, clusters: int) -> FloatArray:
        centres = np.empty((len(weights), rows, clusters))
        sorted_values = np.sort(weights if self.signed else np.abs(weights), axis=1)
        _kernels.cluster(sorted_values, centres, INSTRUCTION_SET)
        return centres
