"""Resistances: weights become device conductances, linearly over the window that a device can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

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

    @property
    def span_siemens(self) -> float:
        return 1 / self.r_min_ohm - 1 / self.r_max_ohm


@dataclass(frozen=True)
class DeviceMap:
    """How weights sit on devices: conductance = 1 / r_max + siemens_per_weight * (weight - offset).

    In a pair the device of the weight's sign carries its magnitude and the other rests at r_max; the offset is 0.
    Alone, a device carries the signed weight, counted from the smallest weight of the network or from 0.
    """

    window: Window
    siemens_per_weight: float
    offset: float

    @classmethod
    def for_pairs(cls, weights: FloatArray, window: Window) -> DeviceMap:
        """weights: any shape, all of a network. Raises CircuitError where all are zero."""
        return cls(window, window.span_siemens / _positive(float(np.abs(weights).max())), 0.0)

    @classmethod
    def for_single_devices(cls, weights: FloatArray, window: Window) -> DeviceMap:
        """weights: any shape, all of a network. Raises CircuitError where they are all equal and not positive."""
        lowest = min(0.0, float(weights.min()))
        return cls(window, window.span_siemens / _positive(float(weights.max()) - lowest), lowest)

    def conductance(self, weights: FloatArray) -> FloatArray:
        """Of devices that carry these weights, in siemens, same shape."""
        return 1 / self.window.r_max_ohm + self.siemens_per_weight * (weights - self.offset)

    def pair(self, weights: FloatArray) -> FloatArray:
        """(fan_in, fan_out) weights as (fan_in, 2 fan_out) siemens: each weight's positive and negative device side by
        side."""
        both = np.stack([np.maximum(weights, 0), np.maximum(-weights, 0)], axis=-1)
        return self.conductance(both).reshape(len(weights), -1)

    def balanced_pair(self, weights: FloatArray) -> FloatArray:
        """The same with both devices of a pair about the middle of the window, so that each pair has the same sum."""
        middle = 0.5 * (1 / self.window.r_min_ohm + 1 / self.window.r_max_ohm)
        step = 0.5 * self.siemens_per_weight * weights
        return np.stack([middle + step, middle - step], axis=-1).reshape(len(weights), -1)

    def table(self, weights: FloatArray, *, pairs: bool) -> ResistanceTable:
        """The resistors that these weights need, from the largest conductance down."""
        carried = np.abs(weights) if pairs else weights
        levels, devices = np.unique(carried, return_counts=True)
        siemens = self.conductance(levels)
        ohms = np.divide(1, siemens, out=np.full(len(levels), math.inf), where=siemens > 0)
        return ResistanceTable(
            tuple(map(float, levels[::-1])),
            tuple(map(float, ohms[::-1])),
            tuple(map(int, devices[::-1])),
            self.window.r_max_ohm if pairs else None,
        )


@dataclass(frozen=True)
class ResistanceTable:
    """What a device person takes away: the few resistor values that a network needs.

    level: the weight (in pairs its magnitude) that a resistor stands for. ohm: its resistance. devices: how many carry
    it. rest_ohm: what the other device of each pair rests at; None where there are no pairs.
    """

    level: tuple[float, ...]
    ohm: tuple[float, ...]
    devices: tuple[int, ...]
    rest_ohm: float | None

    def __str__(self) -> str:
        lines = [f"{'level':>12}  {'resistance':>14}  devices"]
        lines += [
            f"{level:12.6g}  {engineering(ohm):>14}  {devices}"
            for level, ohm, devices in zip(self.level, self.ohm, self.devices, strict=True)
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


def _positive(largest: float) -> float:
    if not largest > 0:
        raise CircuitError("weights that are all zero have no scale to map onto resistances")
    return largest
