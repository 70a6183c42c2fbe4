"""Levels of a device: a table of conductances as they were measured, however they are spaced."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_number, shown
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.errors import QuantizationError
from fewlevels.quantization.clipped import CLIPS, Scaled
from fewlevels.quantization.cutting import Cuts, CuttingQuantizer
from fewlevels.quantization.protocol import Quantizer

OPEN_SIEMENS = 1e-12
"""What stands for a conductance of 0, an open device, which no circuit solver takes."""

LARGEST_SIEMENS = 1.0
"""No device reaches it: a larger number was meant in another unit."""


@dataclass(frozen=True, kw_only=True)
class Table(Scaled):
    """The levels of a given table that represent a model's magnitudes best, times a scale.

    table: relative magnitudes, ascending, the first of them 0, which is always chosen. Asked for fewer levels than
    the table has, it takes those of least squared error for each scale, by an exact dynamic programme (the discrete
    median problem on a line: Hassin & Tamir, Operations Research Letters 10, 1991).
    Raises QuantizationError where the table is no such list.
    """

    table: tuple[float, ...]
    label: str = "table"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.table, list | tuple):
            raise QuantizationError(f"a level table must be a list of numbers, got {shown(self.table)}")
        if not self.table:
            raise QuantizationError("a level table needs at least one level, got none")
        for level in self.table:
            if not is_number(level):
                raise QuantizationError(f"the levels of a table must be finite, got {shown(level)}")
        _check_ascending(self.table)
        if self.table[0] != 0:
            raise QuantizationError(f"a table of magnitudes must begin with 0, got {self.table[0]}")

    @property
    def name(self) -> str:
        return self.label

    @property
    def most_levels(self) -> int | None:
        return len(self.table)

    def cuts(self, weights: FloatArray, levels: int) -> Cuts:
        sorted_values = np.sort(np.abs(weights), axis=1)
        table = np.asarray(self.table)
        clips = np.array(CLIPS if self.clip is None else (self.clip,))
        scale = clips * sorted_values[:, -1:] / (self.table[-1] or 1.0)
        chosen, error = np.empty((*scale.shape, levels), np.int64), np.empty(scale.shape)
        _kernels.choose_levels(sorted_values, table, scale, chosen, error, INSTRUCTION_SET)
        least = np.arange(len(weights)), error.argmin(axis=1)
        return Cuts(table[chosen[least]] * scale[least][:, None])

    def cuts_of_settings(self, weights: FloatArray, levels: int) -> Cuts:
        return CuttingQuantizer.cuts_of_settings(self, weights, levels)

    def settings(self) -> tuple[Quantizer, ...]:
        """CLIPS, because every one costs a dynamic programme."""
        return (self,) if self.clip is not None else tuple(replace(self, clip=clip) for clip in CLIPS)

    def tried_in_full(self) -> Sequence[int]:
        return range(len(self.settings()))


def device_levels(conductances_siemens: Iterable[float], *, clip: float | None = None) -> Table:
    """The quantizer for devices that hold these conductances only, in siemens and any order, on a differential pair.

    The pair's device of the weight's sign takes a conductance of the list and the other rests at the lowest, so that
    magnitudes are scale (g - g_lowest). The scale between weights and conductances is searched (see Scaled).
    0 S is an open device. Raises QuantizationError for an empty list, one that holds a conductance twice or what is no
    number, and for a conductance that no device has.
    """
    try:
        listed = list(conductances_siemens)
    except TypeError:
        listed = [None]  # type: ignore[list-item]
    if not all(isinstance(g, Real) and not isinstance(g, bool) for g in listed):
        raise QuantizationError(f"conductances must be a list of numbers, got {shown(conductances_siemens)}")
    if not listed:
        raise QuantizationError("a device needs at least one conductance, got none")
    for g in listed:
        if not (is_number(g) and 0 <= g < LARGEST_SIEMENS):
            raise QuantizationError(
                f"conductances must be at least 0 and below {LARGEST_SIEMENS:g} S, got {shown(g)} S"
                "; 20 µS is 2e-05, and 20 kohm are 5e-05 S"
            )
    table = sorted(max(float(g), OPEN_SIEMENS) for g in listed)
    if [g for g in table if g == OPEN_SIEMENS][1:]:
        raise QuantizationError(f"conductances of at most {OPEN_SIEMENS:g} S are all open devices, keep one of them")
    _check_ascending(table)
    return Table(table=tuple(g - table[0] for g in table), label="device", clip=clip)


def _check_ascending(table: Sequence[float]) -> None:
    for before, after in itertools.pairwise(table):
        if before == after:
            raise QuantizationError(f"levels must differ, {after} stands twice")
        if not before < after:
            raise QuantizationError(f"levels must be in ascending order, {after} follows {before}")
