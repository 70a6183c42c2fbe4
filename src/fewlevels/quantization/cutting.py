"""Cutting: quantizers that say where magnitudes are cut into levels; the kernels do the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.quantization.protocol import Quantized, SearchableQuantizer, check, check_levels, check_weights


@dataclass(frozen=True)
class Cuts:
    """Where magnitudes are cut into levels, for each row of weights, or for each row and setting.

    levels: (rows, q) or (rows, q, settings), ascending. thresholds: the same but q - 1, ascending; a magnitude on a
    threshold falls below it; halfway between levels where None. means: levels from the second on are the means of what
    falls in them; `levels` then says what one that holds nothing is, which the cuts of settings leave out: (rows, 1,
    settings).
    """

    levels: FloatArray
    thresholds: FloatArray | None = None
    means: bool = False

    @classmethod
    def concatenated(cls, parts: Sequence[Cuts]) -> Cuts:
        """The cuts of the rows of one part after another's."""
        thresholds = [part.thresholds for part in parts if part.thresholds is not None]
        levels = np.concatenate([part.levels for part in parts])
        return cls(levels, np.concatenate(thresholds) if thresholds else None, parts[0].means)


class CuttingQuantizer(SearchableQuantizer):
    """A quantizer that says for each model where magnitudes are cut into levels, of weights that are in `Units`."""

    signed: bool = False  # whether signed values are cut in place of magnitudes

    def cuts(self, weights: FloatArray, levels: int) -> Cuts:
        """The cuts of each row of weights (models, weights)."""
        raise NotImplementedError

    def sweep_cuts(self, weights: FloatArray, levels: Sequence[int]) -> Iterator[Cuts]:
        """The cuts for several numbers of levels, in their order."""
        return (self.cuts(weights, q) for q in levels)

    def cuts_of_settings(self, weights: FloatArray, levels: int) -> Cuts:
        """The cuts of all `settings`, each as its own `cuts` says; of weights (models, weights) in `Units`."""
        settings = cast("tuple[CuttingQuantizer, ...]", self.settings())
        cuts = [setting.cuts(weights, levels) for setting in settings]
        means = cuts[0].means
        thresholds = [one.thresholds for one in cuts if one.thresholds is not None]
        return Cuts(
            np.stack([one.levels[:, : 1 if means else None] for one in cuts], axis=2),
            np.stack(thresholds, axis=2) if thresholds else None,
            means,
        )

    def quantize(self, weights: FloatArray, levels: int) -> Quantized:
        """weights: (models, weights), finite. levels: of magnitudes, a zero included, or of signed values where
        `signed`. Raises QuantizationError for others, and for a number of levels that it does not give.
        """
        weights = check(self, weights, levels)
        units = Units.of(weights)
        scaled = units.scaled(weights)
        found = assign(scaled, self.cuts(scaled, levels), signed=self.signed)
        return Quantized(units.back(found.levels), found.assignment, units.back(found.values))

    def sweep(self, weights: FloatArray, levels: Iterable[int]) -> Iterator[FloatArray]:
        numbers = list(levels)
        for q in numbers:
            check_levels(self, q)
        weights = check_weights(weights)
        units = Units.of(weights)
        weights = units.scaled(weights)
        for cuts in self.sweep_cuts(weights, numbers):
            yield units.back(assigned_values(weights, cuts, signed=self.signed))


@dataclass(frozen=True)
class Units:
    """A power of two for each row of weights, (models, 1): in these units the largest magnitude lies at 2^450, where
    squares and their sums neither overflow nor vanish. So quantizing 2^k times the weights gives 2^k times the values.
    """

    exponents: npt.NDArray[np.intp]

    @classmethod
    def of(cls, weights: FloatArray) -> Units:
        return cls(np.frexp(np.abs(weights).max(axis=1, keepdims=True))[1].astype(np.intp) - 450)

    def scaled(self, weights: FloatArray) -> FloatArray:
        return _times_power_of_two(weights, -self.exponents)

    def back(self, values: FloatArray) -> FloatArray:
        return _times_power_of_two(values, self.exponents)


def _times_power_of_two(values: FloatArray, exponents: npt.NDArray[np.intp]) -> FloatArray:
    """values (rows, any) 2^exponents (rows, 1). In two steps where 2^exponent leaves float64."""
    if np.abs(exponents).max(initial=0) <= 1000:
        return values * np.ldexp(1.0, exponents)
    first = np.clip(exponents, -1000, 1000)
    return values * np.ldexp(1.0, first) * np.ldexp(1.0, exponents - first)


def assign(weights: FloatArray, cuts: Cuts, *, signed: bool = False) -> Quantized:
    """Each weight, or its magnitude unless `signed`, becomes the level between whose thresholds it falls.

    weights: (models, weights). cuts: of each model.
    """
    assignment = np.empty(weights.shape, np.int64)
    values = np.empty(weights.shape)
    levels = _assign(weights, cuts, signed, assignment, values, None)
    return Quantized(levels, assignment, values)


def assigned_values(weights: FloatArray, cuts: Cuts, *, signed: bool = False) -> FloatArray:
    """The values of `assign`, (models, weights)."""
    values = np.empty(weights.shape)
    _assign(weights, cuts, signed, None, values, None)
    return values


def of_least_squared_error(weights: FloatArray, candidates: Iterable[Cuts]) -> Cuts:
    """Of cuts of all rows of weights, at least one, those of least squared error for each row; of equals the first."""
    found: Cuts | None = None
    least = np.full(len(weights), np.inf)
    for cuts in candidates:
        error = _squared_error(weights, cuts)
        found = cuts if found is None else found
        better = error < least
        least[better], found.levels[better] = error[better], cuts.levels[better]
        if found.thresholds is not None and cuts.thresholds is not None:
            found.thresholds[better] = cuts.thresholds[better]
    assert found is not None
    return found


def _squared_error(weights: FloatArray, cuts: Cuts) -> FloatArray:
    """The sum over a row's weights of the squared distance of its magnitude to its level in `assign`, (rows,)."""
    error = np.empty(len(weights))
    _assign(weights, cuts, False, None, None, error)
    return error


def _assign(
    weights: FloatArray,
    cuts: Cuts,
    signed: bool,
    assignment: npt.NDArray[np.int64] | None,
    values: FloatArray | None,
    error: FloatArray | None,
) -> FloatArray:
    """Fills what is given; returns the levels."""
    thresholds = _halfway(cuts.levels) if cuts.thresholds is None else cuts.thresholds
    weights, thresholds = (np.ascontiguousarray(a, dtype=np.float64) for a in (weights, thresholds))
    levels = np.array(cuts.levels, dtype=np.float64, order="C")  # a copy, which the kernel fills with means
    _kernels.assign_levels(
        weights, levels, thresholds, not signed, cuts.means, assignment, values, error, INSTRUCTION_SET
    )
    return levels


def _halfway(levels: FloatArray) -> FloatArray:
    """Between each two levels, (rows, q - 1): below the upper one, even where no number lies between the two."""
    lower, upper = levels[:, :-1], levels[:, 1:]
    middle = 0.5 * (upper + lower)
    return np.where((middle == upper) & (lower < upper), lower, middle)
