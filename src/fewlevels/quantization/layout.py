"""Layout: where a network's weights lie in one row, and which of them share levels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import shown
from fewlevels.errors import QuantizationError
from fewlevels.networks.forward import sizes_of
from fewlevels.networks.networks import Networks
from fewlevels.quantization.protocol import Quantizer, searchable

Share = Literal["network", "layer", "column"]


@dataclass(frozen=True)
class Layout:
    """How the joint weights (models, weights) of networks of one shape are cut into groups that share levels.

    shapes: (fan_in, fan_out) of each layer, in the order of the weights. share: the weights of a whole network share
    levels (the paper), those of a layer, or those of a column, which are what one unit sums.
    Raises QuantizationError for another `share`.
    """

    shapes: tuple[tuple[int, int], ...]
    share: Share = "network"

    def __post_init__(self) -> None:
        if not isinstance(self.share, str) or self.share not in get_args(Share):
            raise QuantizationError(f"share must be {', '.join(get_args(Share))}, got {shown(self.share)}")

    @classmethod
    def of(cls, networks: Networks, share: Share = "network") -> Layout:
        """The layout of these networks' joint weights."""
        return cls(tuple(networks.shapes), share)

    @property
    def sizes(self) -> list[int]:
        """How many inputs there are, then how many units in each layer."""
        return sizes_of(self.shapes)

    @property
    def column_groups(self) -> npt.NDArray[np.int32]:
        """The number of the group of each column, layer after layer, (columns,)."""
        columns = [fan_out for _, fan_out in self.shapes]
        groups = {
            "network": np.zeros(sum(columns)),
            "layer": np.repeat(np.arange(len(columns)), columns),
            "column": np.arange(sum(columns)),
        }
        return groups[self.share].astype(np.int32)

    def split(self, joint: FloatArray) -> list[FloatArray]:
        """Joint weights (models, weights) as blocks (models * groups, weights of a group)."""
        if self.share == "network":
            return [joint]
        blocks = np.split(joint, np.cumsum([fan_in * fan_out for fan_in, fan_out in self.shapes])[:-1], axis=1)
        if self.share == "layer":
            return blocks
        return [
            block.reshape(-1, fan_in, fan_out).transpose(0, 2, 1).reshape(-1, fan_in)  # (models * fan_out, fan_in)
            for block, (fan_in, fan_out) in zip(blocks, self.shapes, strict=True)
        ]

    def join(self, blocks: Sequence[FloatArray]) -> FloatArray:
        """The inverse of `split`."""
        if self.share == "column":
            blocks = [
                block.reshape(-1, fan_out, fan_in).transpose(0, 2, 1).reshape(-1, fan_in * fan_out)  # (models, weights)
                for block, (fan_in, fan_out) in zip(blocks, self.shapes, strict=True)
            ]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)

    def quantize(self, joint: FloatArray, quantizer: Quantizer, levels: int) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        """The quantized joint weights (models, weights), and the occupied levels (models,) of the fullest group."""
        parts = [searchable(quantizer).quantize(block, levels) for block in self.split(joint)]
        occupied = [most_of_groups(part.occupied(), len(joint)) for part in parts]
        return self.join([part.values for part in parts]), np.max(occupied, axis=0)

    def sweep(self, joint: FloatArray, quantizer: Quantizer, levels: Iterable[int]) -> Iterator[FloatArray]:
        """The quantized joint weights (models, weights) for each number of levels."""
        numbers = list(levels)
        sweeps = [searchable(quantizer).sweep(block, numbers) for block in self.split(joint)]
        return map(self.join, zip(*sweeps, strict=True))


def most_of_groups(counts: npt.NDArray[np.intp], models: int) -> npt.NDArray[np.intp]:
    """Of a count of each group of a block, (models * groups,), the largest of each model, (models,)."""
    return counts.reshape(models, -1).max(axis=1) if models else counts
