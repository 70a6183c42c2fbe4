"""What every quantizer takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.common.checks import is_whole, real_array, shown
from fewlevels.errors import QuantizationError
from fewlevels.networks import INSTRUCTION_SET
from fewlevels.samples import FloatArray


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
    largest_weight: ClassVar[float] = 1e150  # squares of larger ones add up to infinity

    @property
    def most_levels(self) -> int | None:
        """The most levels it can give; None where there is no limit."""
        return None

    def settings(self) -> tuple[Quantizer, ...]:
        """The quantizers that a search tries in its place."""
        return (self,)

    def sweep(self, weights: FloatArray, levels: Iterable[int]) -> Iterator[FloatArray]:
        """The values (models, weights) of `quantize` for several numbers of levels, in their order."""
        for q in levels:
            yield self.quantize(weights, q).values


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
    """The weights as float64; raises QuantizationError where they are no (models, weights), too large to be squared, or
    for a number of levels that the quantizer does not give.
    """
    least, most = quantizer.least_levels, quantizer.most_levels
    if not is_whole(levels) or levels < least or (most is not None and levels > most) or levels > MOST_LEVELS:
        allowed = f"{least}" if most == least else f"{least} to {most}"
        allowed = f"a whole number of {least} to {MOST_LEVELS}" if most is None else allowed
        raise QuantizationError(f"the number of levels of {quantizer.name!r} must be {allowed}, got {shown(levels)}")
    weights = real_array("weights", weights, QuantizationError)
    if weights.ndim != 2 or weights.shape[1] == 0:
        raise QuantizationError(f"weights must be (models, weights) and not empty, got shape {weights.shape}")
    if not (fits := np.abs(weights) <= quantizer.largest_weight).all():
        raise QuantizationError(f"magnitudes of weights must be at most {quantizer.largest_weight:.3g}, got "
                                f"{weights[~fits][0]}")  # fmt: skip
    return weights


def assign(
    weights: FloatArray, levels: FloatArray, thresholds: FloatArray | None = None, *, signed: bool = False,
    means: bool = False,
) -> Quantized:  # fmt: skip
    """Each weight, or its magnitude unless `signed`, becomes the level between whose thresholds it falls.

    levels: (models, q), ascending. thresholds: (models, q - 1), ascending; halfway between levels where None. A
    weight on a threshold falls below it. means: levels from the second on become the mean of what falls in them.
    """
    assignment = np.empty(weights.shape, np.int64)
    values = np.empty(weights.shape)
    levels = _assign(weights, levels, thresholds, signed, means, assignment, values, None)
    return Quantized(levels, assignment, values)


def assigned_values(
    weights: FloatArray, levels: FloatArray, thresholds: FloatArray | None = None, *, signed: bool = False,
    means: bool = False,
) -> FloatArray:  # fmt: skip
    """The values of `assign`, (models, weights)."""
    values = np.empty(weights.shape)
    _assign(weights, levels, thresholds, signed, means, None, values, None)
    return values


def squared_error(
    weights: FloatArray, levels: FloatArray, thresholds: FloatArray | None = None, *, means: bool = False
) -> FloatArray:
    """The sum over a model's weights of the squared distance of its magnitude to its level in `assign`, (models,)."""
    error = np.empty(len(weights))
    _assign(weights, levels, thresholds, False, means, None, None, error)
    return error


def _assign(
    weights: FloatArray, levels: FloatArray, thresholds: FloatArray | None, signed: bool, means: bool,
    assignment: npt.NDArray[np.int64] | None, values: FloatArray | None, error: FloatArray | None,
) -> FloatArray:  # fmt: skip
    """Fills what is given; returns the levels."""
    if thresholds is None:
        thresholds = 0.5 * (levels[:, 1:] + levels[:, :-1])
    weights, thresholds = (np.ascontiguousarray(a, dtype=np.float64) for a in (weights, thresholds))
    levels = np.array(levels, dtype=np.float64, order="C") if means else np.ascontiguousarray(levels, dtype=np.float64)
    _kernels.assign_levels(weights, levels, thresholds, not signed, means, assignment, values, error, INSTRUCTION_SET)
    return levels
