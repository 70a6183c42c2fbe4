"""Laws of a device: the spread of what was programmed, and what time does to it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from fewlevels.common.checks import number, shown
from fewlevels.devices.limits import check_numbers, check_seconds, check_siemens
from fewlevels.errors import DeviceError
from fewlevels.samples import FloatArray


@dataclass(frozen=True, kw_only=True)
class TableSpread:
    """Standard deviations measured at some conductances, linear between them.

    conductance_siemens: ascending. sigma_siemens: as many. Raises DeviceError where they are no such table.
    """

    conductance_siemens: tuple[float, ...]
    sigma_siemens: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_table(self, "sigma_siemens")

    def sigma(self, conductance_siemens: FloatArray) -> FloatArray:
        """Standard deviation in siemens. Raises DeviceError outside the table."""
        check_inside(conductance_siemens, self.conductance_siemens[0], self.conductance_siemens[-1])
        return np.interp(conductance_siemens, self.conductance_siemens, self.sigma_siemens)


@dataclass(frozen=True, kw_only=True)
class PolynomialSpread:
    """sigma = constant + slope G + curvature G^2. Raises DeviceError where one is no number."""

    constant_siemens: float = 0.0
    slope: float = 0.0
    curvature_per_siemens: float = 0.0

    def __post_init__(self) -> None:
        for name in ("constant_siemens", "slope", "curvature_per_siemens"):
            object.__setattr__(self, name, number(name, getattr(self, name), DeviceError))

    def sigma(self, conductance_siemens: FloatArray) -> FloatArray:
        """Standard deviation in siemens."""
        g = conductance_siemens
        return self.constant_siemens + g * (self.slope + g * self.curvature_per_siemens)


@dataclass(frozen=True, kw_only=True)
class SaturatingSpread:
    """sigma = amplitude (1 - exp(-G / scale)). Raises DeviceError where either is not positive."""

    amplitude_siemens: float
    scale_siemens: float

    def __post_init__(self) -> None:
        for name in ("amplitude_siemens", "scale_siemens"):
            object.__setattr__(self, name, check_siemens(name, getattr(self, name)))
            if getattr(self, name) == 0:
                raise DeviceError(f"{name} must be positive, got 0")

    def sigma(self, conductance_siemens: FloatArray) -> FloatArray:
        """Standard deviation in siemens."""
        return -self.amplitude_siemens * np.expm1(-conductance_siemens / self.scale_siemens)


Spread = TableSpread | PolynomialSpread | SaturatingSpread


LARGEST_EXPONENT = 1.0
"""Of drift: the largest that is published is a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class PowerLawDrift:
    """G(t) = G(start) (t / start)^-exponent for every device alike, so a spread shrinks by the same factor.

    start_seconds: when the programmed conductance was read. last_seconds: until when the law was measured.
    Raises DeviceError unless 0 < start < last and the exponent is in [-1, 1].
    """

    exponent: float
    start_seconds: float
    last_seconds: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "exponent", number("exponent", self.exponent, DeviceError))
        if not abs(self.exponent) <= LARGEST_EXPONENT:
            raise DeviceError(f"exponent must be from -1 to 1, which takes nine tenths a decade, got {self.exponent}")
        for name in ("start_seconds", "last_seconds"):
            object.__setattr__(self, name, check_seconds(name, getattr(self, name)))
        if not self.start_seconds < self.last_seconds:
            raise DeviceError(
                f"last_seconds must follow start_seconds, got {self.last_seconds} after {self.start_seconds}"
            )

    @property
    def first_seconds(self) -> float:
        return self.start_seconds

    def factor(self, seconds: float) -> float:
        """By which conductances and spreads have changed."""
        return float((seconds / self.start_seconds) ** -self.exponent)


@dataclass(frozen=True, kw_only=True)
class RetentionTable:
    """What was read at one time: mean and standard deviation against the conductance that was programmed.

    mean_siemens: None where only spreads were published; the mean is then taken to stay where it was programmed.
    Raises DeviceError where these are no table.
    """

    after_seconds: float
    conductance_siemens: tuple[float, ...]
    sigma_siemens: tuple[float, ...]
    mean_siemens: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "after_seconds", check_seconds("after_seconds", self.after_seconds))
        _check_table(self, "sigma_siemens", *([] if self.mean_siemens is None else ["mean_siemens"]))

    @property
    def spread(self) -> TableSpread:
        return TableSpread(conductance_siemens=self.conductance_siemens, sigma_siemens=self.sigma_siemens)

    def mean(self, conductance_siemens: FloatArray) -> FloatArray:
        """Mean conductance in siemens. Raises DeviceError outside the table."""
        check_inside(conductance_siemens, self.conductance_siemens[0], self.conductance_siemens[-1])
        if self.mean_siemens is None:
            return conductance_siemens
        return np.interp(conductance_siemens, self.conductance_siemens, self.mean_siemens)


@dataclass(frozen=True, kw_only=True)
class MeasuredRetention:
    """Tables at ascending times; between two times linear in the logarithm of time.

    Raises DeviceError for no table or times that do not ascend.
    """

    table: tuple[RetentionTable, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.table, list | tuple) or not all(isinstance(each, RetentionTable) for each in self.table):
            raise DeviceError(f"table must be a list of RetentionTable, got {shown(self.table)}")
        object.__setattr__(self, "table", tuple(self.table))
        if not self.table:
            raise DeviceError("table must hold at least one time, got none")
        times = [table.after_seconds for table in self.table]
        if any(before >= after for before, after in itertools.pairwise(times)):
            raise DeviceError(f"after_seconds must ascend from table to table, got {times}")

    @property
    def first_seconds(self) -> float:
        return self.table[0].after_seconds

    @property
    def last_seconds(self) -> float:
        return self.table[-1].after_seconds

    def at(self, seconds: float) -> list[tuple[float, RetentionTable]]:
        """The tables around a time in the measured range, each with its share."""
        for before, after in itertools.pairwise(self.table):
            if before.after_seconds <= seconds <= after.after_seconds:
                share = math.log(seconds / before.after_seconds) / math.log(after.after_seconds / before.after_seconds)
                return [(1 - share, before), (share, after)]
        return [(1.0, self.table[0])]


Retention = PowerLawDrift | MeasuredRetention


def _check_table(table: TableSpread | RetentionTable, *columns: str) -> None:
    """Makes the columns tuples of floats. Raises DeviceError unless conductances ascend from 0 or more and every column
    is as long, finite and >= 0."""
    for name in ("conductance_siemens", *columns):
        object.__setattr__(table, name, check_numbers(name, getattr(table, name)))
    check_ascending("conductance_siemens", table.conductance_siemens)
    rows = len(table.conductance_siemens)
    for name in columns:
        column = getattr(table, name)
        if len(column) != rows:
            raise DeviceError(f"{name} must have a value for each of the {rows} conductances, got {len(column)}")
        for value in column:
            check_siemens(name, value)


def check_ascending(name: str, values: tuple[float, ...]) -> None:
    if not values:
        raise DeviceError(f"{name} must hold at least one conductance, got none")
    for value in values:
        check_siemens(name, value)
    for before, after in itertools.pairwise(values):
        if not before < after:
            raise DeviceError(f"{name} must ascend, got {after} after {before}")


ROUNDING = 1e-9


def check_inside(conductance_siemens: FloatArray, lowest: float, highest: float) -> None:
    """Raises DeviceError where a conductance lies outside what was measured, by more than rounding."""
    slack = ROUNDING * highest
    g = np.asarray(conductance_siemens)
    outside = g[~((g >= lowest - slack) & (g <= highest + slack))]
    if outside.size:
        raise DeviceError(f"conductances must lie in the measured {lowest:g} to {highest:g} S, got {outside[0]:g} S")
