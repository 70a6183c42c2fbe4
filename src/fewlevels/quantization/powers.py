"""Levels that shift instead of multiply: powers of two, and sums of two of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_whole, shown
from fewlevels.errors import QuantizationError
from fewlevels.quantization.clipped import Scaled
from fewlevels.quantization.device_table import Table


@dataclass(frozen=True, kw_only=True)
class PowersOfTwo(Scaled):
    """0 and clip max|W| times 1, 1/2, 1/4 … (Zhou et al., Incremental network quantization, ICLR 2017)."""

    @property
    def name(self) -> str:
        return "pow2"

    def level_values(self, lowest: FloatArray, top: FloatArray, levels: int) -> FloatArray:
        powers = np.concatenate([[0.0], 0.5 ** np.arange(levels - 2, -1, -1.0)])
        return top[:, None] * powers.reshape(-1, *[1] * (top.ndim - 1))


def additive_powers_of_two(*, bits: int = 4, clip: float | None = None) -> Table:
    """Sums of two terms, each 0 or a power of two, 2^bits of them (Li, Dong & Wang, ICLR 2020, Equation 6, k = bits/2).

    Asked for fewer levels, the quantizer takes the best of these (see Table). bits: even, 2 to 8.
    """
    if not is_whole(bits) or bits not in (2, 4, 6, 8):
        raise QuantizationError(f"bits must be 2, 4, 6 or 8, got {shown(bits)}")
    choices = 2 ** (bits // 2)
    terms = ([0.0] + [2.0 ** -(first + 2 * i) for i in range(choices - 1)] for first in (0, 1))
    return Table(table=tuple(sorted(map(sum, itertools.product(*terms)))), label="apot", clip=clip)
