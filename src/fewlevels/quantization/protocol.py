"""What every quantizer takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_whole, real_array, shown
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

    def numbers(self, most: int) -> range:
        """The numbers of levels, up to `most`, that it can give."""
        return range(self.least_levels, min(most, self.most_levels or most) + 1)

    def for_finetuning(self) -> Quantizer:
        """The quantizer that a fine-tuning method takes in its place."""
        return self

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
