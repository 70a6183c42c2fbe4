"""Columns: how signed weights sit on devices, which hold no sign, and the devices on the bit lines of a crossbar."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from fewlevels.common.arrays import FloatArray


@dataclass(frozen=True, kw_only=True)
class DeviceMap:
    """What devices hold: conductance = base + share * siemens_per_weight * (carried - offset).

    carried: what a device stands for, in units of weights. share: of a weight that each of its devices carries.
    Numbers, or arrays with one entry for each of several networks.
    """

    base_siemens: float | FloatArray
    siemens_per_weight: float | FloatArray
    offset: float | FloatArray
    share: float

    def conductance(self, carried: FloatArray) -> FloatArray:
        """Of devices that carry this, in siemens, same shape."""
        return self.base_siemens + self.share * self.siemens_per_weight * (carried - self.offset)


class WeightColumns(ABC):
    """One way to hold signed weights: which devices carry a weight, and which columns make an output.

    pairs: whether each weight has a device to add and one to take off. Where not, all columns are compared with one
    more, of weight zero, the last. rests: whether a device of each pair stays at the lowest conductance. share: see
    DeviceMap.
    """

    pairs: bool
    rests = False
    share = 1.0

    @abstractmethod
    def carried(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What the devices carry that add, and those that take off: (…, outputs) both, or the second (…, 1), for all
        outputs together. weights: (…, outputs)."""

    @abstractmethod
    def listed(self, weights: FloatArray) -> FloatArray:
        """What all devices carry that do not rest, in any order. weights: any shape."""

    @abstractmethod
    def span(self, weights: FloatArray) -> FloatArray:
        """The difference in weight between the lowest and the highest conductance, (…). weights: (…, weights)."""

    @abstractmethod
    def signal(self, column_ampere: FloatArray) -> FloatArray:
        """The current that stands for each output: (…, columns) -> (…, outputs)."""

    @abstractmethod
    def sums(self, column_ampere: FloatArray, ampere_per_weight: float) -> FloatArray:
        """The sum of weights times inputs that each output's current tells: (…, columns) -> (…, outputs)."""

    @abstractmethod
    def signal_of(self, weights: FloatArray, device_map: DeviceMap, x: FloatArray, input_volt: float) -> FloatArray:
        """`signal` without a circuit, by Ohm's law: x (samples, inputs), weights (inputs, outputs) ->
        (samples, outputs)."""

    @abstractmethod
    def joined(self, plus: FloatArray, minus: FloatArray) -> FloatArray:
        """The devices that add and those that take off, as `carried` shapes them, on bit lines: (inputs, columns)."""

    @abstractmethod
    def compared(self, output: int, columns: int) -> tuple[int, int]:
        """The column that adds to an output and the one that takes off. columns: of the crossbar."""

    @abstractmethod
    def places(self, columns: int) -> list[tuple[int, str]]:
        """For each column of a crossbar the output, and '+', '-' or 'reference'."""

    def offset(self, weights: FloatArray) -> FloatArray:
        """What a device at the base conductance carries, (…). weights: (…, weights)."""
        return np.zeros(weights.shape[:-1])

    def base_siemens(self, lowest_siemens: float, highest_siemens: FloatArray | float) -> FloatArray | float:
        return lowest_siemens

    def device_map(self, weights: FloatArray, lowest_siemens: float, highest_siemens: FloatArray | float) -> DeviceMap:
        """All weights of a network on this window. weights: (…, weights), several networks before the last axis."""
        return DeviceMap(
            base_siemens=self.base_siemens(lowest_siemens, highest_siemens),
            siemens_per_weight=(highest_siemens - lowest_siemens) / self.span(weights),
            offset=self.offset(weights),
            share=self.share,
        )

    def conductance(self, weights: FloatArray, device_map: DeviceMap) -> FloatArray:
        """The crossbar of a layer, (inputs, columns), in siemens. weights: (inputs, outputs)."""
        plus, minus = map(device_map.conductance, self.carried(weights))
        return self.joined(plus, minus)


class Pairs(WeightColumns):
    """Two columns side by side for each output, whose difference stands for it."""

    pairs = True

    def span(self, weights: FloatArray) -> FloatArray:
        return np.abs(weights).max(axis=-1)

    def signal(self, column_ampere: FloatArray) -> FloatArray:
        return column_ampere[..., 0::2] - column_ampere[..., 1::2]

    def sums(self, column_ampere: FloatArray, ampere_per_weight: float) -> FloatArray:
        return self.signal(column_ampere) / ampere_per_weight

    def signal_of(self, weights: FloatArray, device_map: DeviceMap, x: FloatArray, input_volt: float) -> FloatArray:
        return device_map.siemens_per_weight * input_volt * (x @ weights)

    def joined(self, plus: FloatArray, minus: FloatArray) -> FloatArray:
        return np.stack([plus, minus], axis=-1).reshape(len(plus), -1)

    def compared(self, output: int, columns: int) -> tuple[int, int]:
        return 2 * output, 2 * output + 1

    def places(self, columns: int) -> list[tuple[int, str]]:
        return [(column // 2, "+-"[column % 2]) for column in range(columns)]


class RestingPairs(Pairs):
    """The device of the weight's sign carries its magnitude, the other rests at the lowest conductance."""

    rests = True

    def carried(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.maximum(weights, 0), np.maximum(-weights, 0)

    def listed(self, weights: FloatArray) -> FloatArray:
        return np.abs(weights)


class BalancedPairs(Pairs):
    """Both devices stand about the middle of the window, as far above as below, so that each pair has the same sum."""

    share = 0.5

    def carried(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        return weights, -weights

    def listed(self, weights: FloatArray) -> FloatArray:
        return np.concatenate([weights.ravel(), -weights.ravel()])

    def base_siemens(self, lowest_siemens: float, highest_siemens: FloatArray | float) -> FloatArray | float:
        return 0.5 * (lowest_siemens + highest_siemens)


class SingleColumns(WeightColumns):
    """One column for each output, its weights counted from the smallest so that all are positive, or from 0, and one
    more column, of weight zero, that all are compared with."""

    pairs = False

    def carried(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        return weights, np.zeros((*weights.shape[:-1], 1))

    def listed(self, weights: FloatArray) -> FloatArray:
        return weights

    def span(self, weights: FloatArray) -> FloatArray:
        return weights.max(axis=-1) - self.offset(weights)

    def offset(self, weights: FloatArray) -> FloatArray:
        return np.minimum(weights.min(axis=-1), 0.0)

    def signal(self, column_ampere: FloatArray) -> FloatArray:
        return column_ampere[..., :-1]

    def sums(self, column_ampere: FloatArray, ampere_per_weight: float) -> FloatArray:
        return self.signal(column_ampere) / ampere_per_weight - column_ampere[..., -1:] / ampere_per_weight

    def signal_of(self, weights: FloatArray, device_map: DeviceMap, x: FloatArray, input_volt: float) -> FloatArray:
        return input_volt * (x @ device_map.conductance(weights))

    def joined(self, plus: FloatArray, minus: FloatArray) -> FloatArray:
        return np.concatenate([plus, minus], axis=1)

    def compared(self, output: int, columns: int) -> tuple[int, int]:
        return output, columns - 1

    def places(self, columns: int) -> list[tuple[int, str]]:
        return [*((column, "+") for column in range(columns - 1)), (columns - 1, "reference")]


RESTING_PAIRS, BALANCED_PAIRS, SINGLE_COLUMNS = RestingPairs(), BalancedPairs(), SingleColumns()
