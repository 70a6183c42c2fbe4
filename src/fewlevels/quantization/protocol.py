"""What every quantizer takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_whole, real_array, shown
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.errors import QuantizationError


@dataclass(frozen=True)
class Quantized:
    """Weights that take level values only.

    levels: (models, requested levels), the values that a level stands for, ascending.
    assignment: (models, weights), the index of the level that each weight falls in.
    values: (models, weights), the quantized weights: the level, with the weight's sign where magnitudes are quantized.
    """

    levels: FloatArray
    assignment: npt.NDArray[np.intp]
    values: FloatArray

    @property
    def requested(self) -> int:
        """Levels asked for: q."""
        return self.levels.shape[1]

    def counts(self) -> npt.NDArray[np.intp]:
        """Weights that fall in each level, (models, requested levels)."""
        models, q = self.levels.shape
        flat = (self.assignment + q * np.arange(models)[:, None]).ravel()
        return np.bincount(flat, minlength=models * q).reshape(models, q)

    def occupied(self) -> npt.NDArray[np.intp]:
        """Levels that at least one weight falls in, (models,)."""
        return np.count_nonzero(self.counts(), axis=1)


MOST_LEVELS = 2**16
"""The most levels that are tried: far above what devices hold, and weights of most networks."""


class Quantizer(Protocol):
    """Turns joint weights (models, weights) into at most `levels` level values per model, model by model.

    Rows never touch each other, so that any batch gives the same answer.
    """

    @property
    def name(self) -> str: ...

    def quantize(self, weights: FloatArray, levels: int) -> Quantized: ...


class SearchableQuantizer(Quantizer):
    """A quantizer that says what a search should try.

    One with a free control (a clip, a scale) chooses it by least squared error when it quantizes, and lists in
    `settings` the quantizers with that control fixed, from which a search picks the one that recognises best.
    """

    least_levels: ClassVar[int] = 1

    @property
    def most_levels(self) -> int | None:
        """The most levels it can give; None where there is no limit."""
        return None

    def settings(self) -> tuple[Quantizer, ...]:
        """The quantizers that a search tries in its place."""
        return (self,)

    def tried_in_full(self) -> Sequence[int]:
        """Which of `settings` a search tries, by index, where each must be quantized and judged: all, or some."""
        return range(len(self.settings()))

    def sweep(self, weights: FloatArray, levels: Iterable[int]) -> Iterator[FloatArray]:
        """The values (models, weights) of `quantize` for several numbers of levels, in their order."""
        for q in levels:
            yield self.quantize(weights, q).values


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


def searchable(quantizer: Quantizer) -> SearchableQuantizer:
    """The quantizer itself, or one that is asked for what only it can tell: to quantize. Raises QuantizationError for
    what is no quantizer.
    """
    if isinstance(quantizer, SearchableQuantizer):
        return quantizer
    if isinstance(quantizer, type) or not hasattr(quantizer, "quantize"):
        raise QuantizationError(f"a quantizer has a name and can quantize, as Midpoint() has, got {shown(quantizer)}")
    return _Plain(quantizer)


@dataclass(frozen=True)
class _Plain(SearchableQuantizer):
    quantizer: Quantizer

    @property
    def name(self) -> str:
        return self.quantizer.name

    def quantize(self, weights: FloatArray, levels: int) -> Quantized:
        return self.quantizer.quantize(weights, levels)


def check(quantizer: SearchableQuantizer, weights: FloatArray, levels: int) -> FloatArray:
    """The weights as float64; raises QuantizationError where they are no (models, weights) or not finite, or for a
    number of levels that the quantizer does not give.
    """
    check_levels(quantizer, levels)
    return check_weights(weights)


def check_levels(quantizer: SearchableQuantizer, levels: int) -> None:
    """Raises QuantizationError for a number of levels that the quantizer does not give."""
    least, most = quantizer.least_levels, quantizer.most_levels
    if not is_whole(levels) or levels < least or (most is not None and levels > most) or levels > MOST_LEVELS:
        allowed = f"{least}" if most == least else f"{least} to {most}"
        allowed = f"a whole number of {least} to {MOST_LEVELS}" if most is None else allowed
        raise QuantizationError(f"the number of levels of {quantizer.name!r} must be {allowed}, got {shown(levels)}")


def check_weights(weights: FloatArray) -> FloatArray:
    """The weights as float64; raises QuantizationError where they are no (models, weights) or not finite."""
    weights = real_array("weights", weights, QuantizationError)
    if weights.ndim != 2 or weights.shape[1] == 0:
        raise QuantizationError(f"weights must be (models, weights) and not empty, got shape {weights.shape}")
    if not (finite := np.isfinite(weights)).all():
        raise QuantizationError(f"weights must be finite, got {weights[~finite][0]}")
    return weights


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


def squared_error(weights: FloatArray, cuts: Cuts) -> FloatArray:
    """The sum over a model's weights of the squared distance of its magnitude to its level in `assign`, (models,)."""
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
    thresholds = 0.5 * (cuts.levels[:, 1:] + cuts.levels[:, :-1]) if cuts.thresholds is None else cuts.thresholds
    weights, thresholds = (np.ascontiguousarray(a, dtype=np.float64) for a in (weights, thresholds))
    levels = np.array(cuts.levels, dtype=np.float64, order="C")  # a copy, which the kernel fills with means
    _kernels.assign_levels(
        weights, levels, thresholds, not signed, cuts.means, assignment, values, error, INSTRUCTION_SET
    )
    return levels
