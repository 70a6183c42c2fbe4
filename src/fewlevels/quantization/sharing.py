"""Networks whose weights share few levels, and what these ask of the hardware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import jobs_or_all, shown
from fewlevels.common.parallel import in_order
from fewlevels.errors import QuantizationError
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import stack_of
from fewlevels.quantization.layout import Layout, Share, most_of_groups
from fewlevels.quantization.protocol import Quantizer

MODELS_AT_ONCE = 128
"""Models quantized together: their weights stay in the second-level cache."""

Minimise = Literal["requested", "occupied", "distinct-weights", "differential-pair-states", "offset-column-states"]
COUNTS: dict[Minimise, str] = {
    "requested": "requested levels",
    "occupied": "occupied levels",
    "distinct-weights": "distinct signed weights",
    "differential-pair-states": "states per device of a differential pair",
    "offset-column-states": "states per device of an offset column",
}
"""What a search can minimise, by the name it is asked for."""


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

    @classmethod
    def of(cls, networks: Networks, share: Share, quantizer: Quantizer, levels: int) -> QuantizedNetworks:
        """Of networks whose weights this quantizer gave when asked for so many levels."""
        return cls(networks, share, counts_of(networks.joint(), Layout.of(networks, share), quantizer, levels))

    @property
    def occupied(self) -> npt.NDArray[np.intp]:
        """Levels that hold a weight, (models,)."""
        return self.counts["occupied"]

    @property
    def distinct_weights(self) -> npt.NDArray[np.intp]:
        """Different signed weights, (models,)."""
        return self.counts["distinct-weights"]

    @property
    def differential_pair_states(self) -> npt.NDArray[np.intp]:
        """States of each device of a differential pair, (models,)."""
        return self.counts["differential-pair-states"]

    @property
    def offset_column_states(self) -> npt.NDArray[np.intp]:
        """States of each device of an offset column, (models,)."""
        return self.counts["offset-column-states"]


def quantize_networks(
    networks: Networks | Network,
    quantizer: Quantizer,
    levels: int,
    *,
    share: Share = "network",
    jobs: int | None = None,
) -> QuantizedNetworks:
    """Quantize networks, stacked ones or a `Network`, with this many levels for all weights that share them.

    jobs: threads; all cores where None.

    Raises QuantizationError for levels that the quantizer does not give, or another `share`.
    """
    stack, jobs = stack_of(networks, QuantizationError), jobs_or_all(jobs, QuantizationError)
    layout, joint = Layout.of(stack, share), stack.joint()
    parts = np.array_split(joint, -(-len(joint) // MODELS_AT_ONCE) or 1)
    values = in_order(lambda part: layout.quantize(part, quantizer, levels)[0], parts, jobs)
    return QuantizedNetworks.of(stack.with_joint(np.concatenate(values)), share, quantizer, levels)


def counts_of(
    joint: FloatArray, layout: Layout, quantizer: Quantizer, requested: npt.ArrayLike
) -> dict[Minimise, npt.NDArray[np.intp]]:
    """All of COUNTS for joint weights (models, weights) that this quantizer gave, each (models,), of the group that
    needs most.

    requested: levels asked for, one number or (models,). A device in a differential pair needs a state for every
    magnitude and, to rest, the one of weight 0; a device in an offset column one for every signed weight (its reference
    column, of fixed value, is not counted).
    """
    signed = bool(getattr(quantizer, "signed", False))
    groups = []
    for block in layout.split(joint):
        magnitudes = np.abs(block)
        distinct, different = _distinct(block), _distinct(magnitudes)
        pair = different + (magnitudes.min(axis=1) > 0)
        occupied = distinct if signed else different
        groups.append([most_of_groups(count, len(joint)) for count in (occupied, distinct, pair)])
    occupied, distinct, pair = np.max(groups, axis=0)
    return {
        "requested": np.array(np.broadcast_to(requested, len(joint)), np.intp),
        "occupied": occupied,
        "distinct-weights": distinct,
        "differential-pair-states": pair,
        "offset-column-states": distinct,
    }


def check_minimise(what: str) -> None:
    """Raises QuantizationError for what cannot be minimised."""
    if not isinstance(what, str) or what not in COUNTS:
        raise QuantizationError(f"what is minimised must be {', '.join(COUNTS)}, got {shown(what)}")


def _distinct(rows: FloatArray) -> npt.NDArray[np.intp]:
    """Different values of each row, (rows,)."""
    ordered = np.sort(rows, axis=1)
    return 1 + np.count_nonzero(ordered[:, 1:] != ordered[:, :-1], axis=1)
