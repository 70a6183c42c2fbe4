"""Schemes: how the signed weights of a network sit on the devices of a chip, and what that asks of a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.network.columns import BALANCED_PAIRS, SINGLE_COLUMNS, DeviceMap
from fewlevels.circuit.network.designs import DEFAULT_DESIGN, DESIGNS, StageDesign
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import shown
from fewlevels.errors import FewlevelsError

Moments = tuple[FloatArray, FloatArray]
"""Means and variances, both of one shape."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """One way to put signed weights on devices.

    design: the circuit, with the columns that devices stand on. fixed_reference: whether the column that all others are
    compared with is of fixed resistors, not of devices.
    """

    name: str
    summary: str
    design: StageDesign
    fixed_reference: bool = False

    @property
    def rests(self) -> bool:
        """Whether a weight of zero is two devices at the lowest conductance, so that magnitudes are what lies above it.
        Else zero lies between the conductances of negative and of positive weights."""
        return self.design.columns.rests

    def programmed(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Which cells of a crossbar of this shape are devices that are programmed, not fixed resistors."""
        mask = np.ones(shape, bool)
        if self.fixed_reference:
            mask[:, -1] = False
        return mask

    def states(self, values: FloatArray) -> npt.NDArray[np.intp]:
        """Conductances that devices need for quantized weights (networks, weights), (networks,)."""
        plus, minus = self.design.columns.carried(values)
        carried = np.sort(plus if self.fixed_reference else np.concatenate([plus, minus], axis=1), axis=1)
        return 1 + np.count_nonzero(carried[:, 1:] != carried[:, :-1], axis=1)

    def magnitudes(self, states: int) -> int:
        """Magnitudes of weights, zero included, that devices of so many states carry."""
        return states if self.rests else (states + 1) // 2

    def on_devices(
        self, weights: FloatArray, device_map: DeviceMap, moments: Callable[[FloatArray], Moments]
    ) -> Moments:
        """Means and variances of the weights (…, fan_in, fan_out) on devices, in units of weights.

        moments: of the conductance of devices that are programmed to a conductance. What single columns are compared
        with is taken to hit its target.
        """
        columns = self.design.columns
        plus, minus = map(device_map.conductance, columns.carried(weights))
        mean, variance = moments(plus)
        minus_mean, minus_variance = moments(minus) if columns.pairs else (minus, np.zeros(()))
        per_weight = device_map.siemens_per_weight
        return (mean - minus_mean) / per_weight, (variance + minus_variance) / per_weight**2


_SINGLE = StageDesign(
    name="single-column", summary="one column an output, and one that all are compared with", columns=SINGLE_COLUMNS
)
SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            name="differential-pair",
            summary="the device of the weight's sign carries its magnitude, the other rests at the lowest conductance",
            design=DESIGNS[DEFAULT_DESIGN],
        ),
        Scheme(
            name="balanced-pair",
            summary="two devices a weight, both about the middle of the window",
            design=StageDesign(name="balanced-pair", summary="two columns about a middle", columns=BALANCED_PAIRS),
        ),
        Scheme(
            name="offset-column",
            summary="one device a weight, counted from the smallest, and one column of devices that hold weight zero",
            design=_SINGLE,
        ),
        Scheme(
            name="bias-column",
            summary="one device a weight, counted from the smallest, and one column of fixed resistors of weight zero",
            design=_SINGLE,
            fixed_reference=True,
        ),
    )
}
DEFAULT_SCHEME = "differential-pair"


def find_scheme(name: str, error: type[FewlevelsError]) -> Scheme:
    """The scheme of this name. Raises the error for another."""
    if not isinstance(name, str) or name not in SCHEMES:
        raise error(f"scheme must be one of {', '.join(SCHEMES)}, got {shown(name)}")
    return SCHEMES[name]
