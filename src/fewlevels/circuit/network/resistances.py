"""Resistances: weights become device conductances, linearly over the window that a device can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from fewlevels.circuit.network.columns import DeviceMap
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import number
from fewlevels.errors import CircuitError

SMALLEST_OHM = 1.0
"""No device is below it: a smaller number was meant in another unit."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Resistances that a device can hold, in ohm: the largest weight gets r_min_ohm, a weight of zero r_max_ohm, which
    may be infinite: an open device."""

    r_min_ohm: float = 10e3
    r_max_ohm: float = 1e9

    def __post_init__(self) -> None:
        largest = self.r_max_ohm
        object.__setattr__(self, "r_min_ohm", number("r_min_ohm", self.r_min_ohm, CircuitError))
        if not (isinstance(largest, Real) and largest == math.inf):
            largest = number("r_max_ohm", largest, CircuitError)
        object.__setattr__(self, "r_max_ohm", float(largest))
        if not SMALLEST_OHM < self.r_min_ohm < self.r_max_ohm:
            raise CircuitError(
                f"a window needs {SMALLEST_OHM:g} < r_min_ohm < r_max_ohm, got {self.r_min_ohm} and "
                f"{self.r_max_ohm}; 10 kohm is 10e3"
            )


@dataclass(frozen=True, kw_only=True)
class ResistanceTable:
    """What a device person takes away: the few resistor values that a network needs.

    weight: what a resistor stands for, or its magnitude where the other device of a pair rests. resistance_ohm: of that
    resistor, infinite where it is open. devices: how many carry it. rest_ohm: what the other device of each pair rests
    at; None where none rests.
    """

    weight: tuple[float, ...]
    resistance_ohm: tuple[float, ...]
    devices: tuple[int, ...]
    rest_ohm: float | None

    @classmethod
    def of(cls, carried: FloatArray, device_map: DeviceMap, rest_ohm: float | None) -> ResistanceTable:
        """The table of devices that carry this, any shape, from the largest conductance down."""
        weights, devices = np.unique(carried, return_counts=True)
        siemens = device_map.conductance(weights)
        ohms = np.divide(1, siemens, out=np.full(len(weights), math.inf), where=siemens > 0)
        return cls(
            weight=tuple(map(float, weights[::-1])),
            resistance_ohm=tuple(map(float, ohms[::-1])),
            devices=tuple(map(int, devices[::-1])),
            rest_ohm=rest_ohm,
        )

    def __str__(self) -> str:
        lines = [f"{'level':>12}  {'resistance':>14}  devices"]
        lines += [
            f"{weight:12.6g}  {engineering(ohm):>14}  {devices}"
            for weight, ohm, devices in zip(self.weight, self.resistance_ohm, self.devices, strict=True)
        ]
        if self.rest_ohm is not None:
            lines.append(f"{'at rest':>12}  {engineering(self.rest_ohm):>14}  {sum(self.devices)}")
        return "\n".join(lines)


def engineering(ohm: float) -> str:
    """A resistance in kohm, Mohm …, four digits; 'open' where it is infinite."""
    if ohm == math.inf:
        return "open"
    for factor, unit in ((1e9, "Gohm"), (1e6, "Mohm"), (1e3, "kohm")):
        if ohm >= factor:
            return f"{ohm / factor:.4g} {unit}"
    return f"{ohm:.4g} ohm"
