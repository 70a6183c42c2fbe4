"""Laws of a device: the spread of what was programmed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import number
from fewlevels.devices.limits import check_numbers, check_siemens
from fewlevels.errors import DeviceError


class Spread:
    """A law of the spread of what was programmed. name: in device files."""

    name: ClassVar[str]

    def sigma(self, conductance_siemens: FloatArray) -> FloatArray:
        """Standard deviation in siemens, same shape, at the conductances that were programmed."""
        raise NotImplementedError

    @property
    def measured_siemens(self) -> tuple[float, ...]:
        """The conductances that it was measured at, where the law may have a corner; none where it is smooth."""
        return ()


@dataclass(frozen=True, kw_only=True)
class TableSpread(Spread):
    """Standard deviations measured at some conductances, linear between them.

    conductance_siemens: ascending. sigma_siemens: as many. Raises DeviceError where they are no such table, and where
    a spread is asked for outside it.
    """

    name = "table"
    conductance_siemens: tuple[float, ...]
    sigma_siemens: tuple[float, ...]

    def __post_init__(self) -> None:
        check_table(self, "sigma_siemens")

    def sigma(self, conductance_siemens: FloatArray) -> FloatArray:
        check_inside(conductance_siemens, self.conductance_siemens[0], self.conductance_siemens[-1])
        return np.interp(conductance_siemens, self.conductance_siemens, self.sigma_siemens)

    @property
    def measured_siemens(self) -> tuple[float, ...]:
        return self.conductance_siemens


@dataclass(frozen=True, kw_only=True)
class PolynomialSpread(Spread):
    """sigma = constant + slope G + curvature G^2 + cubic G^3. Raises DeviceError where one is no number."""

    name = "polynomial"
    constant_siemens: float = 0.0
    slope: float = 0.0
    curvature_per_siemens: float = 0.0
    cubic_per_siemens2: float = 0.0

    def __post_init__(self) -> None:
        for name in ("constant_siemens", "slope", "curvature_per_siemens", "cubic_per_siemens2"):
            object.__setattr__(self, name, number(name, getattr(self, name), DeviceError))

    def sigma(self, conductance_siemens: FloatArray) -> FloatArray:
        g = conductance_siemens
        return self.constant_siemens + g * (self.slope + g * (self.curvature_per_siemens + g * self.cubic_per_siemens2))


@dataclass(frozen=True, kw_only=True)
class SaturatingSpread(Spread):
    """sigma = amplitude (1 - exp(-G / scale)). Raises DeviceError where either is not positive."""

    name = "saturating"
    amplitude_siemens: float
    scale_siemens: float

    def __post_init__(self) -> None:
        for name in ("amplitude_siemens", "scale_siemens"):
            object.__setattr__(self, name, check_siemens(name, getattr(self, name)))
            if getattr(self, name) == 0:
                raise DeviceError(f"{name} must be positive, got 0", field=name)

    def sigma(self, conductance_siemens: FloatArray) -> FloatArray:
        return -self.amplitude_siemens * np.expm1(-conductance_siemens / self.scale_siemens)


SPREADS: dict[str, type[Spread]] = {law.name: law for law in (TableSpread, PolynomialSpread, SaturatingSpread)}


def check_table(table: object, *columns: str) -> None:
    """Makes the columns of a table's object tuples of floats. Raises DeviceError unless its conductance_siemens ascend
    from 0 or more and every column is as long, finite and >= 0."""
    for name in ("conductance_siemens", *columns):
        object.__setattr__(table, name, check_numbers(name, getattr(table, name)))
    conductances: tuple[float, ...] = table.conductance_siemens  # type: ignore[attr-defined]
    check_ascending("conductance_siemens", conductances)
    for name in columns:
        column = getattr(table, name)
        if len(column) != len(conductances):
            raise DeviceError(
                f"{name} must have a value for each of the {len(conductances)} conductances, got {len(column)}",
                field=name,
            )
        for value in column:
            check_siemens(name, value)


def check_ascending(name: str, values: tuple[float, ...]) -> None:
    if not values:
        raise DeviceError(f"{name} must hold at least one conductance, got none", field=name)
    for value in values:
        check_siemens(name, value)
    for before, after in itertools.pairwise(values):
        if not before < after:
            raise DeviceError(f"{name} must ascend, got {after} after {before}", field=name)


ROUNDING = 1e-9
"""A conductance may lie so far outside what was measured, in units of the highest: far above what rounding does."""


def check_inside(conductance_siemens: FloatArray, lowest: float, highest: float) -> None:
    """Raises DeviceError where a conductance lies outside what was measured, by more than rounding."""
    slack = ROUNDING * highest
    g = np.asarray(conductance_siemens)
    outside = g[~((g >= lowest - slack) & (g <= highest + slack))]
    if outside.size:
        raise DeviceError(f"conductances must lie in the measured {lowest:g} to {highest:g} S, got {outside[0]:g} S")
