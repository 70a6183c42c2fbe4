"""Contenders: the best of a quantizer's many settings, found without trying all of them in full.

A kernel bounds what every setting can reach and names those that the bounds leave, mostly one or two of hundreds; these
alone are quantized and judged as any network is, so that the answer is that of trying every setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.networks.forward import recognition_and_margin
from fewlevels.quantization.cutting import Cuts, CuttingQuantizer, Units, assigned_values
from fewlevels.quantization.layout import Layout
from fewlevels.quantization.protocol import check_levels, check_weights
from fewlevels.samples.samples import Samples

SCREENED = 8
"""Models screened together: the thresholds of all their settings are a few MB."""

LARGEST_EXPONENT = 1000
"""Of the power of two that weights are scaled by, either way, so that it is a number of float64 itself."""

Indices = npt.NDArray[np.intp]


def can_be_screened(quantizer: object, joint: FloatArray, layout: Layout) -> TypeGuard[CuttingQuantizer]:
    """Whether `best_settings` serves this quantizer, which then has many settings, and weights (models, weights)."""
    if not isinstance(quantizer, CuttingQuantizer) or quantizer.signed or len(quantizer.settings()) == 1:
        return False
    exponents = [Units.of(block).exponents for block in layout.split(joint)]
    return all((np.abs(each) <= LARGEST_EXPONENT).all() for each in exponents)


def best_settings(
    joint: FloatArray, layout: Layout, quantizer: CuttingQuantizer, levels: Sequence[int], samples: Samples
) -> Iterator[tuple[FloatArray, FloatArray, Indices]]:
    """For each number of levels the recognition, the smallest margin and the index of each model's best setting, all
    (models,): of most recognition, then of largest margin, then the first.

    joint: (models, weights). Raises QuantizationError as `quantize` does.
    """
    for q in levels:
        check_levels(quantizer, q)
    if not levels:
        return
    blocks = [_Block.of(block, len(joint)) for block in layout.split(check_weights(joint))]
    parts = list(_contenders(blocks, layout, quantizer, levels, samples))
    for found in zip(*parts, strict=True):
        model, setting = (np.concatenate([getattr(each, name) for each in found]) for name in ("model", "setting"))
        values = layout.join(
            [block.values(model, [each.cuts[at] for each in found]) for at, block in enumerate(blocks)]
        )
        recognition, margin = recognition_and_margin(values, layout.shapes, samples)
        best_first = np.lexsort((setting, -margin, -recognition, model))
        best = best_first[np.searchsorted(model, np.arange(len(joint)))]
        yield recognition[best], margin[best], setting[best]


@dataclass(frozen=True)
class _Contenders:
    """Settings that may be best at one number of levels: of which model, (contenders,), and for each block the cuts
    (contenders * groups, levels).
    """

    model: Indices
    setting: Indices
    cuts: list[Cuts]


@dataclass(frozen=True)
class _Block:
    """Weights in groups that share levels, (models, groups, weights), in their own units (models, groups, 1)."""

    weights: FloatArray
    exponents: Indices

    @classmethod
    def of(cls, block: FloatArray, models: int) -> _Block:
        """block: (models * groups, weights)."""
        units = Units.of(block)
        return cls(_by_model(units.scaled(block), models), units.exponents.reshape(models, -1, 1))

    def signed_ranks(self) -> FloatArray:
        """From 1 up by magnitude within the group, with the weight's sign, (models * groups, weights)."""
        ranks, magnitudes = np.empty_like(self.weights), np.abs(self.weights)
        numbers = np.arange(1.0, ranks.shape[2] + 1.0)
        np.put_along_axis(ranks, np.argsort(magnitudes, axis=2), numbers[None, None], axis=2)
        return _flat(np.copysign(ranks, self.weights))

    def values(self, model: Indices, cuts: Sequence[Cuts]) -> FloatArray:
        """Quantized weights of these models (contenders * groups, weights), by the cuts of all of them."""
        units = Units(self.exponents[model].reshape(-1, 1))
        return units.back(assigned_values(_flat(self.weights[model]), Cuts.concatenated(cuts)))


def _contenders(
    blocks: Sequence[_Block], layout: Layout, quantizer: CuttingQuantizer, levels: Sequence[int], samples: Samples
) -> Iterator[list[_Contenders]]:
    """Of SCREENED models after another, the contenders at each number of levels."""
    models, settings = len(blocks[0].weights), len(quantizer.settings())
    ordered = np.concatenate([np.sort(np.abs(one.weights), axis=2).reshape(models, -1) for one in blocks], axis=1)
    scale = np.concatenate([np.ldexp(1.0, one.exponents)[..., 0] for one in blocks], axis=1)
    rank = layout.join([one.signed_ranks() for one in blocks])
    for begin in range(0, models, SCREENED):
        part = slice(begin, begin + SCREENED)
        cuts = [[quantizer.cuts_of_settings(_flat(one.weights[part]), q) for one in blocks] for q in levels]
        contender = np.empty((len(rank[part]), len(levels), settings), bool)
        _kernels.screen(
            layout.sizes,
            layout.column_groups,
            rank[part],
            ordered[part],
            scale[part],
            list(levels),
            [_side_by_side([one.levels for one in each], len(contender)) for each in cuts],
            [_side_by_side([one.thresholds for one in each], len(contender)) for each in cuts],
            cuts[0][0].means,
            samples.x,
            samples.y,
            contender,
            INSTRUCTION_SET,
        )
        found = []
        for at, each in enumerate(cuts):
            model, setting = np.nonzero(contender[:, at])
            chosen = [_chosen(one, len(contender), model, setting, levels[at]) for one in each]
            found.append(_Contenders(begin + model, setting, chosen))
        yield found


def _side_by_side(blocks: Sequence[FloatArray | None], models: int) -> FloatArray | None:
    """Arrays (models * groups, …), one a block, as one (models, groups of all blocks, …); None where there are none."""
    given = [_by_model(block, models) for block in blocks if block is not None]
    return np.concatenate(given, axis=1) if given else None


def _chosen(cuts: Cuts, models: int, model: Indices, setting: Indices, levels: int) -> Cuts:
    """Of the cuts (models * groups, levels, settings) those of each pair, (pairs * groups, levels)."""

    def of(array: FloatArray) -> FloatArray:
        return _flat(_by_model(array, models)[model, :, :, setting])

    given = of(cuts.levels)
    chosen = np.zeros((len(given), levels))
    chosen[:, : given.shape[1]] = given  # what levels from the second on hold decides them, where cuts are for means
    return Cuts(chosen, None if cuts.thresholds is None else of(cuts.thresholds), cuts.means)


def _by_model(rows: FloatArray, models: int) -> FloatArray:
    """(models * groups, …) as (models, groups, …)."""
    return rows.reshape(models, len(rows) // models, *rows.shape[1:])


def _flat(array: FloatArray) -> FloatArray:
    """The inverse of `_by_model`."""
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
