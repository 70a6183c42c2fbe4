"""Retention: what time does to programmed conductances."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import number, shown
from fewlevels.devices.laws import TableSpread, check_ascending, check_inside, check_table
from fewlevels.devices.limits import check_numbers, check_seconds, check_share, check_siemens
from fewlevels.errors import DeviceError

LARGEST_EXPONENT = 1.0
"""The largest exponent of drift. The largest that is published is a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """G(t) = G(start) (t / start)^-exponent (1 + noise): what the two laws of drift share.

    Every device has an exponent of its own, normally distributed, and keeps it. Noise is relative, normally
    distributed and independent of the exponent. Both depend on the conductance that was programmed.
    start_seconds: when the programmed conductance was read. last_seconds: until when the law was measured.
    Raises DeviceError unless 0 < start < last.
    """

    start_seconds: float
    last_seconds: float

    def __post_init__(self) -> None:
        _check_times(self, "start_seconds")

    @property
    def first_seconds(self) -> float:
        return self.start_seconds

    @property
    def differs(self) -> bool:
        """Whether devices of one target drift differently."""
        raise NotImplementedError

    def exponents(self, target_siemens: FloatArray) -> tuple[FloatArray | float, FloatArray | float]:
        """Mean and standard deviation of the exponents of devices programmed to a target."""
        raise NotImplementedError

    def noise(self, target_siemens: FloatArray, seconds: float) -> FloatArray | float:
        """Relative standard deviation of the noise since programming."""
        return 0.0

    def factor(self, target_siemens: FloatArray, seconds: float) -> FloatArray | float:
        """The factor by which mean conductances have changed: the mean of a log-normal variable."""
        exponent, sigma = self.exponents(target_siemens)
        times = seconds / self.start_seconds
        return times**-exponent * np.exp((sigma * math.log(times)) ** 2 / 2)

    def drawn_factors(self, target_siemens: FloatArray, seconds: float, luck: FloatArray) -> FloatArray:
        """The factor by which the conductance of each device has changed.

        luck: (2, ..., devices), standard normal numbers, first those of the exponents and then those of the noise.
        """
        exponent, sigma = self.exponents(target_siemens)
        drifted = (seconds / self.start_seconds) ** -(exponent + sigma * luck[0])
        return drifted * (1 + self.noise(target_siemens, seconds) * luck[1])

    def mean(self, target_siemens: FloatArray, seconds: float) -> FloatArray:
        """Mean conductance in siemens of devices programmed to a target."""
        return target_siemens * self.factor(target_siemens, seconds)

    def sigma(self, target_siemens: FloatArray, programmed_siemens: FloatArray, seconds: float) -> FloatArray:
        """Standard deviation in siemens, exact. programmed_siemens: that of the programmed conductance.

        The conductance is a product of the programmed one, a log-normal factor and the noise.
        """
        growth = self.log_growth(target_siemens, seconds)
        square = programmed_siemens**2 * np.exp(growth) + target_siemens**2 * np.expm1(growth)
        return np.sqrt(square) * self.factor(target_siemens, seconds)

    def log_growth(self, target_siemens: FloatArray, seconds: float) -> FloatArray | float:
        """ln(E F^2 / (E F)^2) of the factor F between a programmed conductance and that of a later time."""
        _, sigma = self.exponents(target_siemens)
        of_exponents = (sigma * math.log(seconds / self.start_seconds)) ** 2
        return of_exponents + np.log1p(self.noise(target_siemens, seconds) ** 2)


@dataclass(frozen=True, kw_only=True)
class PowerLawDrift(Drift):
    """Drift with one distribution of exponents for all conductances.

    exponent: the mean over devices. exponent_sigma: the standard deviation from device to device. Where it is 0, all
    devices drift alike, and a spread shrinks in the same ratio as its mean. Raises DeviceError unless the exponent is
    in [-1, 1] and its sigma in [0, 1].
    """

    exponent: float
    exponent_sigma: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "exponent", _check_exponent("exponent", self.exponent))
        object.__setattr__(self, "exponent_sigma", check_share("exponent_sigma", self.exponent_sigma))
        super().__post_init__()

    @property
    def differs(self) -> bool:
        return self.exponent_sigma > 0

    def exponents(self, target_siemens: FloatArray) -> tuple[float, float]:
        return self.exponent, self.exponent_sigma


@dataclass(frozen=True, kw_only=True)
class TabulatedDrift(Drift):
    """Drift with exponents, and noise, measured at some conductances, linear between them.

    conductance_siemens: ascending. exponent, exponent_sigma: mean and standard deviation at each.
    noise_amplitude: of 1/f noise, relative to the conductance, at each: a read of length read_seconds at the time t
    finds a standard deviation of noise_amplitude sqrt(ln((t + read) / (2 read))); both None for no noise.
    Raises DeviceError where these are no such table.
    """

    conductance_siemens: tuple[float, ...]
    exponent: tuple[float, ...]
    exponent_sigma: tuple[float, ...]
    noise_amplitude: tuple[float, ...] | None = None
    read_seconds: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "conductance_siemens", check_numbers("conductance_siemens", self.conductance_siemens))
        check_ascending("conductance_siemens", self.conductance_siemens)
        for name, check in (
            ("exponent", _check_exponent),
            ("exponent_sigma", check_share),
            ("noise_amplitude", check_share),
        ):
            if getattr(self, name) is None and name == "noise_amplitude":
                continue
            column = check_numbers(name, getattr(self, name))
            if len(column) != len(self.conductance_siemens):
                raise DeviceError(
                    f"{name} must have a value for each of the {len(self.conductance_siemens)} "
                    f"conductances, got {len(column)}",
                    field=name,
                )
            object.__setattr__(self, name, tuple(check(name, value) for value in column))
        if (self.noise_amplitude is None) != (self.read_seconds is None):
            raise DeviceError(
                "noise_amplitude and read_seconds must be given together",
                field="read_seconds" if self.noise_amplitude is None else "noise_amplitude",
            )
        super().__post_init__()
        if self.read_seconds is not None:
            object.__setattr__(self, "read_seconds", check_seconds("read_seconds", self.read_seconds))
            if not self.read_seconds < self.start_seconds:
                raise DeviceError(
                    f"read_seconds must be below start_seconds, got {self.read_seconds:g}", field="read_seconds"
                )

    @property
    def differs(self) -> bool:
        return any(self.exponent_sigma) or any(self.noise_amplitude or ())

    def exponents(self, target_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._between(target_siemens, self.exponent), self._between(target_siemens, self.exponent_sigma)

    def noise(self, target_siemens: FloatArray, seconds: float) -> FloatArray | float:
        if self.noise_amplitude is None or self.read_seconds is None:
            return 0.0
        grown = math.sqrt(math.log((seconds + self.read_seconds) / (2 * self.read_seconds)))
        return self._between(target_siemens, self.noise_amplitude) * grown

    def _between(self, target_siemens: FloatArray, column: tuple[float, ...]) -> FloatArray:
        return np.interp(target_siemens, self.conductance_siemens, column)


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """Each programmed conductance moves by a normal variable of its own, independent of its error and its target.

    Mean and standard deviation of the move are straight lines in the logarithm of time. At first_seconds they are
    shift_siemens and sigma_siemens. Whenever the time is e times as long, each grows by its `_per_efold`.
    last_seconds: until when the law was measured. Raises DeviceError unless 0 < first < last and the standard
    deviation stays at least 0.
    """

    first_seconds: float
    last_seconds: float
    sigma_siemens: float
    sigma_siemens_per_efold: float = 0.0
    shift_siemens: float = 0.0
    shift_siemens_per_efold: float = 0.0

    def __post_init__(self) -> None:
        _check_times(self, "first_seconds")
        object.__setattr__(self, "sigma_siemens", check_siemens("sigma_siemens", self.sigma_siemens))
        for name in ("sigma_siemens_per_efold", "shift_siemens", "shift_siemens_per_efold"):
            object.__setattr__(self, name, number(name, getattr(self, name), DeviceError))
            check_siemens(name, abs(getattr(self, name)))
        if self._own_sigma(self.last_seconds) < 0:
            raise DeviceError(
                f"sigma_siemens_per_efold must leave a spread of at least 0 S until {self.last_seconds:g} s, "
                f"got {self.sigma_siemens_per_efold}",
                field="sigma_siemens_per_efold",
            )

    def mean(self, target_siemens: FloatArray, seconds: float) -> FloatArray:
        """Mean conductance in siemens of devices programmed to a target."""
        return target_siemens + self.shift_siemens + self.shift_siemens_per_efold * self._efolds(seconds)

    def sigma(self, target_siemens: FloatArray, programmed_siemens: FloatArray, seconds: float) -> FloatArray:
        """Standard deviation in siemens: the variance of programming and that of the move add."""
        return np.hypot(programmed_siemens, self._own_sigma(seconds))

    def _own_sigma(self, seconds: float) -> float:
        return self.sigma_siemens + self.sigma_siemens_per_efold * self._efolds(seconds)

    def _efolds(self, seconds: float) -> float:
        return math.log(seconds / self.first_seconds)


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
        check_table(self, "sigma_siemens", *([] if self.mean_siemens is None else ["mean_siemens"]))

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
            raise DeviceError(f"table must be a list of RetentionTable, got {shown(self.table)}", field="table")
        object.__setattr__(self, "table", tuple(self.table))
        if not self.table:
            raise DeviceError("table must hold at least one time, got none", field="table")
        times = [table.after_seconds for table in self.table]
        if any(before >= after for before, after in itertools.pairwise(times)):
            raise DeviceError(f"after_seconds must ascend from table to table, got {times}", field="table")

    @property
    def first_seconds(self) -> float:
        return self.table[0].after_seconds

    @property
    def last_seconds(self) -> float:
        return self.table[-1].after_seconds

    def mean(self, target_siemens: FloatArray, seconds: float) -> FloatArray:
        """Mean conductance in siemens of devices programmed to a target."""
        return sum((share * table.mean(target_siemens) for share, table in self.at(seconds)), np.zeros(()))

    def sigma(self, target_siemens: FloatArray, programmed_siemens: FloatArray, seconds: float) -> FloatArray:
        """Standard deviation in siemens of devices programmed to a target, as the tables give it for that time."""
        return sum((share * table.spread.sigma(target_siemens) for share, table in self.at(seconds)), np.zeros(()))

    def at(self, seconds: float) -> list[tuple[float, RetentionTable]]:
        """The tables around a time in the measured range, each with its share."""
        for before, after in itertools.pairwise(self.table):
            if before.after_seconds <= seconds <= after.after_seconds:
                share = math.log(seconds / before.after_seconds) / math.log(after.after_seconds / before.after_seconds)
                return [(1 - share, before), (share, after)]
        return [(1.0, self.table[0])]


Retention = PowerLawDrift | TabulatedDrift | Relaxation | MeasuredRetention


def _check_exponent(name: str, value: object) -> float:
    value = number(name, value, DeviceError)
    if not abs(value) <= LARGEST_EXPONENT:
        raise DeviceError(f"{name} must be from -1 to 1, which takes nine tenths a decade, got {value}", field=name)
    return value


def _check_times(law: Drift | Relaxation, first: str) -> None:
    """Makes the two times floats. Raises DeviceError unless the last follows the first."""
    for name in (first, "last_seconds"):
        object.__setattr__(law, name, check_seconds(name, getattr(law, name)))
    if not getattr(law, first) < law.last_seconds:
        raise DeviceError(
            f"last_seconds must follow {first}, got {law.last_seconds} after {getattr(law, first)}",
            field="last_seconds",
        )
