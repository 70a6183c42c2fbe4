"""A device as it was measured: window or levels, spread, what time does, faults, and the bend of the I-V curve."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_args

import numpy as np

from fewlevels.circuit.cell import BENDS, Bend, Diode, Selector
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import number, real_array, shown, whole_number
from fewlevels.common.words import printable
from fewlevels.devices.iv import IvFit
from fewlevels.devices.laws import SPREADS, Spread, check_ascending, check_inside
from fewlevels.devices.limits import LARGEST_VOLT, SMALLEST, check_numbers, check_share, check_siemens, check_volt
from fewlevels.devices.retention import MeasuredRetention, Retention, RetentionTable, TabulatedDrift
from fewlevels.errors import DeviceError

MOST_STATES = 1_000_000
"""States of a device: no device has more, and a larger number was meant otherwise."""
LARGEST_RISE = 10.0
"""How many times the highest conductance a mean may reach with time. A larger one was meant in another unit."""

LEAST_SCALE_VOLT = 0.001
"""The smallest scale of a law, in volt: no current grows by a factor of e within 1 mV."""

LARGEST_OF_A_DIODE = {
    "saturation_ampere": (1.0, "10 pA is 1e-11"),
    "gmin_siemens": (1.0, "1 pS is 1e-12"),
    "threshold_volt": (LARGEST_VOLT, "650 mV is 0.65"),
    "ideality": (100.0, "a good junction has 1 to 2"),
}
"""For each number of a selector a limit that no selector reaches, and a hint at what was meant."""

KINDS: dict[str, tuple[type, ...]] = {
    "spread": tuple(SPREADS.values()),
    "retention": get_args(Retention),
    "nonlinearity": tuple(BENDS.values()),
    "selector": (Diode,),
    "iv_fit": (IvFit,),
}
"""The classes that a field of a device may have, where the field is an object itself."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Device:
    """One kind of memristive device. A number that the source does not give is None; a method that needs it raises.

    citation, sources: the publication, and where each number was read.
    lowest_siemens, highest_siemens: the conductance window; of a level table, its ends unless given.
    level_siemens: a measured level table, ascending; None for a continuous window. level_sigma_siemens: the spread of
    each level. states: how many a publication states, without their conductances.
    spread: the standard deviation of a programmed conductance in a continuous window.
    retention: what time does. Where no spread is given, its first table says how devices are as programmed.
    read_noise: relative standard deviation of one read. stuck_on_rate, stuck_off_rate: the share of devices that stay
    at the highest and at the lowest conductance. nonlinearity, selector: at most one of them. iv_fit: how well the
    nonlinearity fits, where it was fitted to a curve.
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
    nonlinearity: Bend | None = None
    selector: Diode | None = None
    iv_fit: IvFit | None = None

    def __post_init__(self) -> None:
        for name in ("name", "citation", "sources"):
            if not isinstance(getattr(self, name), str):
                raise DeviceError(f"{name} must be a text, got {shown(getattr(self, name))}", field=name)
        if not self.name:
            raise DeviceError("name must not be empty", field="name")
        for name, kinds in KINDS.items():
            if (value := getattr(self, name)) is not None and not isinstance(value, kinds):
                known = " or ".join(kind.__name__ for kind in kinds)
                raise DeviceError(f"{name} must be {known}, got {shown(value)}", field=name)
        for name in ("level_siemens", "level_sigma_siemens"):
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, check_numbers(name, values))
        for name in ("lowest_siemens", "highest_siemens"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, check_siemens(name, value))
        if self.level_siemens is not None:
            self._check_levels(self.level_siemens)
        elif self.level_sigma_siemens is not None:
            raise DeviceError("level_sigma_siemens needs level_siemens", field="level_sigma_siemens")
        self._check_window()
        if self.states is not None:
            states = whole_number("states", self.states, DeviceError, least=2, most=MOST_STATES)
            object.__setattr__(self, "states", states)
        for name in ("read_noise", "stuck_on_rate", "stuck_off_rate"):
            object.__setattr__(self, name, check_share(name, getattr(self, name)))
        stuck = self.stuck_on_rate + self.stuck_off_rate
        if stuck > 1:
            raise DeviceError(
                f"stuck_on_rate and stuck_off_rate must sum to at most 1, got {stuck}", field="stuck_on_rate"
            )
        if self.nonlinearity is not None and self.iv_fit is None:
            check_volt(
                "scale_volt of the nonlinearity", self.nonlinearity.scale_volt, LEAST_SCALE_VOLT, field="nonlinearity"
            )
        for name, (most, hint) in LARGEST_OF_A_DIODE.items() if self.selector is not None else ():
            if getattr(self.selector, name) >= most:
                got = getattr(self.selector, name)
                raise DeviceError(f"{name} of the selector must be below {most:g}, got {got}; {hint}", field="selector")
        if self.nonlinearity is not None and self.selector is not None:
            raise DeviceError("nonlinearity and selector cannot be combined: give one of them", field="nonlinearity")

    def __repr__(self) -> str:
        """One line: the window and what is known, without the numbers."""
        said = [
            f"{len(self.level_siemens)} levels" if self.level_siemens else "",
            f"{self.states} states" if self.states else "",
            "spread" if self.spread_is_known else "",
            "retention" if self.retention else "",
            "read noise" if self.read_noise else "",
            "stuck devices" if self.stuck_on_rate + self.stuck_off_rate else "",
            f"cell {self.cell}" if self.cell else "",
        ]
        return f"<Device {printable(self.name)}: {', '.join([self.window, *filter(None, said)]).removeprefix('-, ')}>"

    @property
    def content(self) -> str:
        """Every field, as text: two devices are equal where theirs are."""
        return f"Device({', '.join(f'{field.name}={getattr(self, field.name)!r}' for field in fields(self))})"

    @property
    def window(self) -> str:
        """'9 to 88.2 µS', or '-' where it is not known."""
        if self.lowest_siemens is None or self.highest_siemens is None:
            return "-"
        return f"{self.lowest_siemens * 1e6:g} to {self.highest_siemens * 1e6:g} µS"

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
        """Mean conductance of devices that were programmed to a target, same shape, in siemens.

        after_seconds: None as programmed. Raises DeviceError for a target or a time outside what was measured.
        """
        target = self._inside(target_siemens)
        if after_seconds is None:
            return target.copy() if self._first_table is None else self._first_table.mean(target)
        return self._retention_at(after_seconds).mean(target, after_seconds)

    def sigma_siemens(self, target_siemens: FloatArray, after_seconds: float | None = None) -> FloatArray:
        """Standard deviation of devices programmed to a target, same shape, in siemens.

        after_seconds: None as programmed. Raises DeviceError for a target or a time outside what was measured, and
        for a device of which no spread is known.
        """
        target = self._inside(target_siemens)
        if after_seconds is None:
            return self._programmed_sigma(target)
        return self._retention_at(after_seconds).sigma(target, self._programmed_sigma(target), after_seconds)

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
        target = real_array("target_siemens", target_siemens, DeviceError)
        if self.lowest_siemens is None or self.highest_siemens is None:
            raise DeviceError(f"{self.name}: no conductance window is known")
        try:
            check_inside(target, self.lowest_siemens, self.highest_siemens)
        except DeviceError as error:
            raise DeviceError(f"{self.name}: {error}") from None
        return np.clip(target, self.lowest_siemens, self.highest_siemens)

    def _retention_at(self, seconds: float) -> Retention:
        seconds = number("after_seconds", seconds, DeviceError)
        if self.retention is None:
            raise DeviceError(f"{self.name}: nothing is known of it after {seconds:g} s")
        first, last = self.retention.first_seconds, self.retention.last_seconds
        if not first <= seconds <= last:
            raise DeviceError(f"{self.name}: it was measured after {first:g} to {last:g} s, got {seconds:g} s")
        return self.retention

    def _check_levels(self, levels: tuple[float, ...]) -> None:
        check_ascending("level_siemens", levels)
        if len(levels) < 2:
            raise DeviceError(f"level_siemens must hold at least two levels, got {len(levels)}", field="level_siemens")
        for name, end in (("lowest_siemens", levels[0]), ("highest_siemens", levels[-1])):
            if getattr(self, name) is None:
                object.__setattr__(self, name, end)
        assert self.lowest_siemens is not None and self.highest_siemens is not None
        if levels[0] < self.lowest_siemens or levels[-1] > self.highest_siemens:
            raise DeviceError(
                f"level_siemens must lie in the window of {self.lowest_siemens:g} to {self.highest_siemens:g} S, "
                f"got {levels[0]:g} to {levels[-1]:g} S",
                field="level_siemens",
            )
        if self.states is not None:
            raise DeviceError(
                f"states must be left out where level_siemens lists them, got {self.states}", field="states"
            )
        if self.spread is not None:
            raise DeviceError(
                "spread is for a continuous window: give level_sigma_siemens with level_siemens", field="spread"
            )
        sigma = self.level_sigma_siemens
        if sigma is not None and len(sigma) != len(levels):
            raise DeviceError(
                f"level_sigma_siemens must hold {len(levels)} spreads, one a level, got {len(sigma)}",
                field="level_sigma_siemens",
            )
        for value in sigma or ():
            check_siemens("level_sigma_siemens", value)
            self._check_spread("level_sigma_siemens", value)

    def _check_window(self) -> None:
        low, high = self.lowest_siemens, self.highest_siemens
        if low is None or high is None:
            if low is not None or high is not None:
                raise DeviceError(
                    "lowest_siemens and highest_siemens must be given together",
                    field="lowest_siemens" if high is None else "highest_siemens",
                )
            if self.spread is not None or self.retention is not None:
                raise DeviceError(
                    "lowest_siemens and highest_siemens are needed with a spread or a retention",
                    field="retention" if self.spread is None else "spread",
                )
            return
        if not low < high:
            raise DeviceError(
                f"lowest_siemens must be below highest_siemens, got {low} and {high}", field="lowest_siemens"
            )
        if self.spread is not None:
            sigma = self._covered("spread", self.spread, low, high)
            if not (sigma >= 0).all():
                raise DeviceError(f"spread must be at least 0 everywhere from {low:g} to {high:g} S", field="spread")
            if ((sigma > 0) & (sigma < SMALLEST)).any():
                raise DeviceError(
                    f"spread must be 0 or at least {SMALLEST:g} S, got {sigma[sigma > 0].min():g}", field="spread"
                )
            self._check_spread("spread", float(sigma.max()))
        if self.retention is not None:
            ends = (low, high) if self.level_siemens is None else (self.level_siemens[0], self.level_siemens[-1])
            self._check_retention(self.retention, *ends)

    def _check_retention(self, retention: Retention, low: float, high: float) -> None:
        if isinstance(retention, MeasuredRetention):
            for table in retention.table:
                self._check_spread("retention", float(self._covered("retention", table.spread, low, high).max()))
                self._check_mean(max(table.mean_siemens or (0.0,)))
            return
        if isinstance(retention, TabulatedDrift):
            try:
                check_inside(np.array([low, high]), retention.conductance_siemens[0], retention.conductance_siemens[-1])
            except DeviceError:
                raise DeviceError(
                    f"retention must be measured everywhere from {low:g} to {high:g} S", field="retention"
                ) from None
        target = np.linspace(low, high, 101)
        with np.errstate(over="ignore"):
            mean = retention.mean(target, retention.last_seconds)
            sigma = retention.sigma(target, np.zeros(()), retention.last_seconds)
        if not (mean >= 0).all():
            raise DeviceError(
                f"retention must keep means at 0 S or above until {retention.last_seconds:g} s, got {mean.min():g} S",
                field="retention",
            )
        self._check_mean(float(mean.max()))
        self._check_spread("retention", float(sigma.max()))

    def _check_mean(self, mean: float) -> None:
        assert self.highest_siemens is not None
        most = LARGEST_RISE * self.highest_siemens
        if not mean <= most:
            raise DeviceError(
                f"retention must keep means up to {most:g} S, {LARGEST_RISE:g} times the highest "
                f"conductance, got {mean:g} S; 2 µS is 2e-6",
                field="retention",
            )

    def _check_spread(self, what: str, sigma: float) -> None:
        """Raises DeviceError for a spread above every conductance: it was meant as a ratio or in another unit."""
        if self.highest_siemens is not None and not sigma <= self.highest_siemens:
            raise DeviceError(
                f"{what} must be at most the highest conductance, {self.highest_siemens:g} S, got "
                f"{sigma:g} S; 2 µS is 2e-6, and 5 % of a conductance is a slope of 0.05",
                field=what,
            )

    def _covered(self, what: str, spread: Spread, low: float, high: float) -> FloatArray:
        try:
            return spread.sigma(np.linspace(low, high, 101))
        except DeviceError:
            raise DeviceError(f"{what} must be measured everywhere from {low:g} to {high:g} S", field=what) from None
