"""Which weights share levels: all of a network (the paper), those of a layer, or those of a column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, shown
from fewlevels.errors import QuantizationError
from fewlevels.networks.networks import Networks
from fewlevels.quantization.protocol import Quantizer, searchable

Share = Literal["network", "layer", "column"]
Minimise = Literal["requested", "occupied", "distinct", "differential-pair", "offset-column"]
COUNTS: dict[Minimise, str] = {
    "requested": "requested levels",
    "occupied": "occupied levels",
    "distinct": "distinct signed weights",
    "differential-pair": "states per device of a differential pair",
    "offset-column": "states per device of an offset column",
}
"""What a search can minimise, by the name it is asked for."""

Shapes = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class QuantizedNetworks:
    """Networks that hold level values only, and what their hardware needs.

    share: which weights share levels. Levels of their own for a layer or a column cost a scale each in hardware (an
    amplifier or a shift), and every count is then of the group that needs most.
    counts: of each model, by its name in COUNTS, (models,); see `counts_of`.
    """

    networks: Networks
    share: Share
    counts: dict[Minimise, npt.NDArray[np.intp]]

    @property
    def occupied(self) -> npt.NDArray[np.intp]:
        """Levels that hold a weight, (models,)."""
        return self.counts["occupied"]

    @property
    def distinct_weights(self) -> npt.NDArray[np.intp]:
        """Different signed weights, (models,)."""
        return self.counts["distinct"]

    @property
    def differential_pair_states(self) -> npt.NDArray[np.intp]:
        """States of each device of a differential pair, (models,)."""
        return self.counts["differential-pair"]

    @property
    def offset_column_states(self) -> npt.NDArray[np.intp]:
        """States of each device of an offset column, (models,)."""
        return self.counts["offset-column"]


def quantize_networks(
    networks: Networks, quantizer: Quantizer, levels: int, *, share: Share = "network"
) -> QuantizedNetworks:
    """Quantize networks with this many levels for all weights that share them.

    Raises QuantizationError for levels that the quantizer does not give, or another `share`.
    """
    instance("networks", networks, Networks, QuantizationError)
    joint, _ = quantize_joint(networks.joint(), networks.shapes, quantizer, levels, share)
    return describe(joint, networks.shapes, quantizer, levels, share)


def describe(joint: FloatArray, shapes: Shapes, quantizer: Quantizer, levels: int, share: Share) -> QuantizedNetworks:
    """Quantized joint weights (models, weights) that this quantizer gave, with what their hardware needs."""
    counts = counts_of(joint, shapes, quantizer, levels, share)
    return QuantizedNetworks(Networks.from_joint(joint, shapes), share, counts)


def counts_of(
    joint: FloatArray, shapes: Shapes, quantizer: Quantizer, requested: npt.ArrayLike, share: Share
) -> dict[Minimise, npt.NDArray[np.intp]]:
    """All of COUNTS for joint weights (models, weights) that this quantizer gave, each (models,), of the group that
    asks most.

    requested: levels asked for, one number or (models,). A device in a differential pair needs a state for every
    magnitude and, to rest, the one of weight 0; a device in an offset column one for every signed weight (its reference
    column, of fixed value, is not counted).
    """
    signed = bool(getattr(quantizer, "signed", False))
    groups = []
    for block in split(joint, shapes, share):
        magnitudes = np.abs(block)
        distinct, different = _distinct(block), _distinct(magnitudes)
        pair = different + (magnitudes.min(axis=1) > 0)
        groups.append([_most(count, len(joint)) for count in (distinct if signed else different, distinct, pair)])
    occupied, distinct, pair = np.max(groups, axis=0)
    return {
        "requested": np.array(np.broadcast_to(requested, len(joint)), np.intp),
        "occupied": occupied,
        "distinct": distinct,
        "differential-pair": pair,
        "offset-column": distinct,
    }


def check_minimise(what: str) -> None:
    """Raises QuantizationError for what cannot be minimised."""
    if not isinstance(what, str) or what not in COUNTS:
        raise QuantizationError(f"what is minimised must be {', '.join(COUNTS)}, got {shown(what)}")


def quantize_joint(
    joint: FloatArray, shapes: Shapes, quantizer: Quantizer, levels: int, share: Share
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """The quantized joint weights (models, weights), and the occupied levels (models,) of the fullest group."""
    parts = [searchable(quantizer).quantize(block, levels) for block in split(joint, shapes, share)]
    occupied = [_most(part.occupied(), len(joint)) for part in parts]
    return join([part.values for part in parts], len(joint), shapes, share), np.max(occupied, axis=0)


def sweep_joint(
    joint: FloatArray, shapes: Shapes, quantizer: Quantizer, levels: Iterable[int], share: Share
) -> Iterator[FloatArray]:
    """The quantized joint weights (models, weights) for each number of levels."""
    numbers = list(levels)
    sweeps = [searchable(quantizer).sweep(block, numbers) for block in split(joint, shapes, share)]
    for parts in zip(*sweeps, strict=True):
        yield join(parts, len(joint), shapes, share)


def split(joint: FloatArray, shapes: Shapes, share: Share) -> list[FloatArray]:
    """Joint weights (models, weights) as blocks (models * groups, weights of a group)."""
    if not isinstance(share, str) or share not in get_args(Share):
        raise QuantizationError(f"share must be {', '.join(get_args(Share))}, got {shown(share)}")
    if share == "network":
        return [joint]
    blocks = np.split(joint, np.cumsum([fan_in * fan_out for fan_in, fan_out in shapes])[:-1], axis=1)
    if share == "layer":
        return blocks
    return [
        block.reshape(-1, fan_in, fan_out).transpose(0, 2, 1).reshape(-1, fan_in)
        for block, (fan_in, fan_out) in zip(blocks, shapes, strict=True)
    ]


def join(blocks: Sequence[FloatArray], models: int, shapes: Shapes, share: Share) -> FloatArray:
    """The inverse of `split`."""
    if share == "column":
        blocks = [
            block.reshape(models, fan_out, fan_in).transpose(0, 2, 1).reshape(models, -1)
            for block, (fan_in, fan_out) in zip(blocks, shapes, strict=True)
        ]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


def _most(counts: npt.NDArray[np.intp], models: int) -> npt.NDArray[np.intp]:
    return counts.reshape(models, -1).max(axis=1) if models else counts


def _distinct(rows: FloatArray) -> npt.NDArray[np.intp]:
    ordered = np.sort(rows, axis=1)
    return 1 + np.count_nonzero(ordered[:, 1:] != ordered[:, :-1], axis=1)
