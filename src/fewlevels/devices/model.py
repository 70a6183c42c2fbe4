"""A device as it was measured: its window or levels, their spread, what time does to them, how it fails and bends."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fewlevels.circuit.cell import Cubic, Diode, Selector, Sinh
from fewlevels.devices.iv import IvFit
from fewlevels.devices.laws import (
    MeasuredRetention,
    PowerLawDrift,
    Retention,
    RetentionTable,
    Spread,
    check_ascending,
    check_inside,
)
from fewlevels.errors import DeviceError
from fewlevels.samples import FloatArray

LARGEST_SIEMENS = 1.0
"""No device reaches it: a larger number was meant in another unit."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """One kind of memristive device. What a source does not give is None; a method that needs it refuses.

    citation, sources: the publication, and where each number was read.
    lowest_siemens, highest_siemens: the conductance window; of a level table, its ends unless given.
    level_siemens: a measured level table, ascending; None for a continuous window. level_sigma_siemens: the spread of
    each level. states: how many a publication states, without their conductances.
    spread: the standard deviation of a programmed conductance in a continuous window.
    retention: what time does; its first table stands for what was programmed where no spread is given.
    read_noise: relative standard deviation of one read. stuck_on_rate, stuck_off_rate: the share of devices that stay
    at the highest and at the lowest conductance. nonlinearity or selector: not both. iv_fit: where the nonlinearity
    was fitted, how well.
    Raises DeviceError where these do not make a device.
    """

    name: str
    citation: str = ""
    sources: str = ""
    lowest_siemens: float | None = None
    highest_siemens: float | None = None
    level_siemens: tuple[float, ...] | None = None
    level_sigma_siemens: tuple[float, ...] | None = None
    states: int | None = None
    spread: Spread | None = None
    retention: Retention | None = None
    read_noise: float = 0.0
    stuck_on_rate: float = 0.0
    stuck_off_rate: float = 0.0
    nonlinearity: Sinh | Cubic | None = None
    selector: Diode | None = None
    iv_fit: IvFit | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise DeviceError("name must not be empty")
        if self.level_siemens is not None:
            self._check_levels(self.level_siemens)
        elif self.level_sigma_siemens is not None:
            raise DeviceError("level_sigma_siemens needs level_siemens")
        self._check_window()
        if self.states is not None and self.states < 2:
            raise DeviceError(f"states must be at least 2, got {self.states}")
        if not 0 <= self.read_noise < math.inf:
            raise DeviceError(f"read_noise must be at least 0, got {self.read_noise}")
        for name in ("stuck_on_rate", "stuck_off_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise DeviceError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        stuck = self.stuck_on_rate + self.stuck_off_rate
        if stuck > 1:
            raise DeviceError(f"stuck_on_rate and stuck_off_rate must sum to at most 1, got {stuck}")
        if self.nonlinearity is not None and self.selector is not None:
            raise DeviceError("nonlinearity and selector cannot be combined: give one of them")

    def available_siemens(self) -> FloatArray | None:
        """The level table (levels,), ascending; None for a continuous window."""
        return None if self.level_siemens is None else np.array(self.level_siemens)

    @property
    def spread_is_known(self) -> bool:
        """Whether the source gives spreads of what is programmed."""
        return not (self.level_sigma_siemens is None and self.spread is None and self._first_table is None)

    @property
    def last_seconds(self) -> float | None:
        """The last time that was measured; None where nothing is known of time."""
        return None if self.retention is None else self.retention.last_seconds

    @property
    def cell(self) -> Selector | None:
        """What `circuit.solve` takes for a cell of this device; None for Ohm's law."""
        return self.selector or self.nonlinearity

    def mean_siemens(self, target_siemens: FloatArray, after_seconds: float | None = None) -> FloatArray:
        """Where devices programmed to a target stand on average, same shape, in siemens.

        after_seconds: None as programmed. Raises DeviceError for a target or a time outside what was measured.
        """
        target = self._inside(target_siemens)
        if after_seconds is None:
            return target.copy() if self._first_table is None else self._first_table.mean(target)
        retention = self._retention_at(after_seconds)
        if isinstance(retention, PowerLawDrift):
            return target * retention.factor(after_seconds)
        return sum((share * table.mean(target) for share, table in retention.at(after_seconds)), np.zeros(()))

    def sigma_siemens(self, target_siemens: FloatArray, after_seconds: float | None = None) -> FloatArray:
        """Standard deviation of devices programmed to a target, same shape, in siemens.

        after_seconds: None as programmed. Raises DeviceError for a target or a time outside what was measured, and
        for a device of which no spread is known.
        """
        target = self._inside(target_siemens)
        if after_seconds is None:
            return self._programmed_sigma(target)
        retention = self._retention_at(after_seconds)
        if isinstance(retention, PowerLawDrift):
            return self._programmed_sigma(target) * retention.factor(after_seconds)
        return sum((share * table.spread.sigma(target) for share, table in retention.at(after_seconds)), np.zeros(()))

    def _programmed_sigma(self, target: FloatArray) -> FloatArray:
        if self.level_siemens is not None and self.level_sigma_siemens is not None:
            check_inside(target, self.level_siemens[0], self.level_siemens[-1])
            return np.interp(target, self.level_siemens, self.level_sigma_siemens)
        if self.spread is not None:
            return self.spread.sigma(target)
        if self._first_table is not None:
            return self._first_table.spread.sigma(target)
        raise DeviceError(f"{self.name}: no spread of its conductances is known")

    @property
    def _first_table(self) -> RetentionTable | None:
        """What stands for the device as programmed where no spread was given."""
        given = self.spread is not None or self.level_sigma_siemens is not None
        return None if given or not isinstance(self.retention, MeasuredRetention) else self.retention.table[0]

    def _inside(self, target_siemens: FloatArray) -> FloatArray:
        target = np.asarray(target_siemens, np.float64)
        if self.lowest_siemens is None or self.highest_siemens is None:
            raise DeviceError(f"{self.name}: no conductance window is known")
        try:
            check_inside(target, self.lowest_siemens, self.highest_siemens)
        except DeviceError as error:
            raise DeviceError(f"{self.name}: {error}") from None
        return np.clip(target, self.lowest_siemens, self.highest_siemens)

    def _retention_at(self, seconds: float) -> Retention:
        if self.retention is None:
            raise DeviceError(f"{self.name}: nothing is known of it after {seconds:g} s")
        first, last = self.retention.first_seconds, self.retention.last_seconds
        if not first <= seconds <= last:
            raise DeviceError(f"{self.name}: it was measured after {first:g} to {last:g} s, got {seconds:g} s")
        return self.retention

    def _check_levels(self, levels: tuple[float, ...]) -> None:
        check_ascending("level_siemens", levels)
        if levels[-1] >= LARGEST_SIEMENS:
            raise DeviceError(f"level_siemens must be below {LARGEST_SIEMENS:g} S, got {levels[-1]:g}; 2 µS is 2e-6")
        if len(levels) < 2:
            raise DeviceError(f"level_siemens must hold at least two levels, got {len(levels)}")
        for name, end in (("lowest_siemens", levels[0]), ("highest_siemens", levels[-1])):
            if getattr(self, name) is None:
                object.__setattr__(self, name, end)
        assert self.lowest_siemens is not None and self.highest_siemens is not None
        if levels[0] < self.lowest_siemens or levels[-1] > self.highest_siemens:
            raise DeviceError(
                f"level_siemens must lie in the window of {self.lowest_siemens:g} to {self.highest_siemens:g} S, "
                f"got {levels[0]:g} to {levels[-1]:g} S"
            )
        if self.states is not None:
            raise DeviceError(f"states must be left out where level_siemens lists them, got {self.states}")
        if self.spread is not None:
            raise DeviceError("spread is for a continuous window: give level_sigma_siemens with level_siemens")
        sigma = self.level_sigma_siemens
        if sigma is not None and len(sigma) != len(levels):
            raise DeviceError(f"level_sigma_siemens must hold {len(levels)} spreads, one a level, got {len(sigma)}")
        for value in sigma or ():
            if not 0 <= value < math.inf:
                raise DeviceError(f"level_sigma_siemens must be at least 0, got {value}")

    def _check_window(self) -> None:
        low, high = self.lowest_siemens, self.highest_siemens
        if low is None or high is None:
            if low is not None or high is not None:
                raise DeviceError("lowest_siemens and highest_siemens must be given together")
            if self.spread is not None or self.retention is not None:
                raise DeviceError("lowest_siemens and highest_siemens are needed with a spread or a retention")
            return
        if not 0 <= low < high < math.inf:
            raise DeviceError(f"lowest_siemens must be at least 0 and below highest_siemens, got {low} and {high}")
        if high >= LARGEST_SIEMENS:
            raise DeviceError(f"highest_siemens must be below {LARGEST_SIEMENS:g} S, got {high:g}; 2 µS is 2e-6")
        if self.spread is not None and not (self._covered("spread", self.spread, low, high) >= 0).all():
            raise DeviceError(f"spread must be at least 0 everywhere from {low:g} to {high:g} S")
        if isinstance(self.retention, MeasuredRetention):
            ends = (low, high) if self.level_siemens is None else (self.level_siemens[0], self.level_siemens[-1])
            for table in self.retention.table:
                self._covered("retention", table.spread, *ends)

    def _covered(self, what: str, spread: Spread, low: float, high: float) -> FloatArray:
        try:
            return spread.sigma(np.linspace(low, high, 101))
        except DeviceError:
            raise DeviceError(f"{what} must be measured everywhere from {low:g} to {high:g} S") from None
