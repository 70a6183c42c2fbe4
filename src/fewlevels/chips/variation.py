"""Variation: the conductances that the devices of a chip really have, drawn from what is known of the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fewlevels.chips.mapping import Mapping
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import not_negative, whole_number
from fewlevels.devices.limits import check_seconds, check_share, check_siemens, check_volt
from fewlevels.devices.model import Device
from fewlevels.devices.retention import Drift
from fewlevels.errors import DeviceError
from fewlevels.quantization.device_table import OPEN_SIEMENS

DRAWN_AT_ONCE = 2**16
"""Devices that are drawn together: their arrays stay in the cache, and a chip of many devices holds its own once."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How chips are programmed and used.

    after_seconds: time from programming to use, None for at once. input_volt: of a full input. sigma_factor: on the
    device's spread. stuck_rate: in place of the device's two rates, shared equally. tolerance_siemens: a device is
    programmed again until it is this close to its target, at most max_pulses times; None programs once.
    Raises DeviceError for values that cannot be.
    """

    after_seconds: float | None = None
    input_volt: float = 1.0
    sigma_factor: float = 1.0
    stuck_rate: float | None = None
    tolerance_siemens: float | None = None
    max_pulses: int = 100

    def __post_init__(self) -> None:
        checked: dict[str, object] = {"input_volt": check_volt("input_volt", self.input_volt)}
        if self.after_seconds is not None:
            checked["after_seconds"] = check_seconds("after_seconds", self.after_seconds)
        checked["sigma_factor"] = not_negative("sigma_factor", self.sigma_factor, DeviceError)
        if self.stuck_rate is not None:
            checked["stuck_rate"] = check_share("stuck_rate", self.stuck_rate)
        if self.tolerance_siemens is not None:
            checked["tolerance_siemens"] = check_siemens("tolerance_siemens", self.tolerance_siemens)
            if self.tolerance_siemens == 0:
                raise DeviceError("tolerance_siemens must be positive, got 0")
        checked["max_pulses"] = whole_number("max_pulses", self.max_pulses, DeviceError, least=1)
        for name, value in checked.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Chips:
    """Drawn chips. conductance_siemens: of each layer, (chips, word lines, bit lines). pulses: (chips,), programming
    pulses of all devices together. missed: (chips,), devices that write-verify gave up on."""

    conductance_siemens: tuple[FloatArray, ...]
    pulses: FloatArray
    missed: FloatArray


def draw_chips(mapping: Mapping, device: Device, chips: Sequence[int], conditions: Conditions, *, seed: int) -> Chips:
    """Draw the conductances of all devices of some chips.

    chips: their numbers. A chip's random numbers depend on `seed` and its number only. They are the same under all
    conditions, so two results differ by their conditions alone.

    A device is programmed to its mean plus sigma z, where z is a standard normal number. Later its mean and its spread
    are those of that time. Where the spread has grown, a second random error is added to the error of programming.
    A power law instead multiplies the programmed conductance, and its error with it. Where exponents differ from device
    to device, each device has its own. A negative draw is an open device.

    Raises DeviceError where the device was not measured at a target or at that time, where a tolerance is as wide as
    its window, and where devices are stuck but no window is known.
    """
    devices = _Devices(mapping, device, conditions, seed=seed)
    layers = tuple(np.empty((len(chips), *t.shape)) for t in mapping.target_siemens)
    pulses, missed = np.empty((2, len(chips)))
    at_once = max(1, DRAWN_AT_ONCE // len(devices.target))
    for part in (slice(begin, begin + at_once) for begin in range(0, len(chips), at_once)):
        conductance, pulses[part], missed[part] = devices.draw(chips[part])
        ends = np.cumsum([layer[0].size for layer in layers])[:-1]
        for layer, drawn in zip(layers, np.split(conductance, ends, axis=1), strict=True):
            layer[part] = drawn.reshape(-1, *layer.shape[1:])
    return Chips(layers, pulses, missed)


def drawing_bytes(devices: int) -> int:
    """What `draw_chips` holds for chips of so many devices, beside what it returns."""
    return 8 * 8 * max(DRAWN_AT_ONCE, devices)


def reads(
    chips: Chips, device: Device, numbers: Sequence[int], samples: int, *, seed: int, at_once: int
) -> Iterator[tuple[FloatArray, ...]]:
    """The conductances that each sample's read sees, of so many samples at once, (chips, samples, word lines, bit
    lines): read noise is relative and drawn anew for each."""
    layers = chips.conductance_siemens
    luck = [
        [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(chip, 2, layer))) for chip in numbers]
        for layer in range(len(layers))
    ]
    for begin in range(0, samples, at_once):
        count = min(at_once, samples - begin)
        seen = tuple(np.empty((len(g), count, *g.shape[1:])) for g in layers)
        for layer, rngs, g in zip(seen, luck, layers, strict=True):
            for index, rng in enumerate(rngs):
                rng.standard_normal(out=layer[index])
                layer[index] *= device.read_noise
                layer[index] += 1
                layer[index] *= g[index]
            np.maximum(layer, OPEN_SIEMENS, out=layer)
        yield seen


class _Devices:
    """All devices of a mapping in one row, and what they are programmed to and drift to."""

    def __init__(self, mapping: Mapping, device: Device, conditions: Conditions, *, seed: int) -> None:
        self.device, self.conditions, self.seed = device, conditions, seed
        self.target = target = np.concatenate([t.ravel() for t in mapping.target_siemens])
        self.programmed = programmed = np.concatenate([p.ravel() for p in mapping.programmed])
        varies = programmed * conditions.sigma_factor
        known, after = device.spread_is_known, conditions.after_seconds
        if device.lowest_siemens is not None:
            device.mean_siemens(target[programmed])  # refuses what lies outside the window
        start = mean = target
        sigma = later = np.zeros(len(target))
        if known:
            start = mean = np.where(programmed, device.mean_siemens(target), target)
            sigma = later = device.sigma_siemens(target) * varies
        if after is not None:
            mean = np.where(programmed, device.mean_siemens(target, after), target)
            later = device.sigma_siemens(target, after) * varies if known else sigma
        if conditions.tolerance_siemens is not None:
            _check_tolerance(conditions.tolerance_siemens, device)
        self.start, self.mean, self.sigma = start, mean, sigma
        self.after_seconds = 0.0 if after is None else after
        self.drift = device.retention if after is not None and isinstance(device.retention, Drift) else None
        self.kept = later if self.drift is not None else np.minimum(sigma, later)
        self.grown = np.sqrt(np.maximum(later**2 - self.kept**2, 0.0))

    def draw(self, chips: Sequence[int]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Conductances (chips, devices), pulses (chips,) and missed devices (chips,)."""
        error, luck, fate = np.empty((3, len(chips), len(self.target)))
        for index, chip in enumerate(chips):
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(chip, 0)))
            rng.standard_normal(out=error[index])
            rng.standard_normal(out=luck[index])
            rng.random(out=fate[index])
        stuck = _stuck(fate, self.programmed, self.device, self.conditions.stuck_rate)
        pulses, missed = np.full(len(chips), float(np.count_nonzero(self.programmed))), np.zeros(len(chips))
        if (tolerance := self.conditions.tolerance_siemens) is not None:
            for index, chip in enumerate(chips):
                again = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(chip, 1)))
                off = _Verify(
                    target=self.target, mean=self.start, sigma=self.sigma, stuck=stuck[index], tolerance=tolerance
                )
                pulses[index] += off.program(error[index], self.conditions.max_pulses, again)
                missed[index] = np.count_nonzero(off(error[index]))
        if self.drift is not None and self.drift.differs:
            conductance = (self.start + self.sigma * error) * self._drifted(self.drift, chips)
        else:
            conductance = self.mean + self.kept * error + self.grown * luck
        return np.where(np.isnan(stuck), np.maximum(conductance, OPEN_SIEMENS), stuck), pulses, missed

    def _drifted(self, drift: Drift, chips: Sequence[int]) -> FloatArray:
        """By which the conductance of each device has changed, (chips, devices). Every device keeps its own luck."""
        luck = np.empty((2, len(chips), len(self.target)))
        for index, chip in enumerate(chips):
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(chip, 3)))
            luck[:, index] = rng.standard_normal((2, len(self.target)))
        factors = drift.drawn_factors(self.target, self.after_seconds, self.conditions.sigma_factor * luck)
        return np.where(self.programmed, factors, 1.0)


@dataclass(frozen=True, kw_only=True)
class _Verify:
    """Which devices of a chip are off their target by more than the tolerance. stuck: where they stand, NaN if not."""

    target: FloatArray
    mean: FloatArray
    sigma: FloatArray
    stuck: FloatArray
    tolerance: float

    def __call__(self, error: FloatArray) -> np.ndarray:
        conductance = np.where(np.isnan(self.stuck), self.mean + self.sigma * error, self.stuck)
        return np.abs(conductance - self.target) > self.tolerance

    def program(self, error: FloatArray, most: int, rng: np.random.Generator) -> int:
        """Draw anew, in place, what is off, `most` times in all; returns the pulses beyond the first."""
        pulses = 0
        for _ in range(most - 1):
            off = np.flatnonzero(self(error))
            if not len(off):
                break
            pulses += len(off)
            error[off] = rng.standard_normal(len(off))
        return pulses


def _check_tolerance(tolerance: float, device: Device) -> None:
    low, high = device.lowest_siemens, device.highest_siemens
    if low is not None and high is not None and tolerance >= high - low:
        raise DeviceError(
            f"tolerance_siemens must be less than the window of {device.name}, {high - low:g} S, got {tolerance:g} S"
        )


def _stuck(fate: FloatArray, programmed: np.ndarray, device: Device, rate: float | None) -> FloatArray:
    """Where each device is stuck, in siemens, shaped like fate; NaN where it is not."""
    on, off = (device.stuck_on_rate, device.stuck_off_rate) if rate is None else (rate / 2, rate / 2)
    stuck = np.full(fate.shape, np.nan)
    if on + off == 0:
        return stuck
    if device.lowest_siemens is None or device.highest_siemens is None:
        raise DeviceError(f"{device.name} gives no conductance window, so a stuck device has no conductance")
    stuck[(fate < on) & programmed] = device.highest_siemens
    stuck[(fate >= on) & (fate < on + off) & programmed] = max(device.lowest_siemens, OPEN_SIEMENS)
    return stuck
