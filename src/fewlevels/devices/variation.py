"""Variation: the conductances that the devices of a chip really have, drawn from what is known of the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fewlevels.devices.mapping import OPEN_SIEMENS, Mapping
from fewlevels.devices.model import Device
from fewlevels.errors import DeviceError
from fewlevels.samples import FloatArray


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
        if not 0 < self.input_volt < math.inf:
            raise DeviceError(f"input_volt must be positive, got {self.input_volt}")
        if not 0 <= self.sigma_factor < math.inf:
            raise DeviceError(f"sigma_factor must be at least 0, got {self.sigma_factor}")
        if self.stuck_rate is not None and not 0 <= self.stuck_rate <= 1:
            raise DeviceError(f"stuck_rate must be in [0, 1], got {self.stuck_rate}")
        if self.tolerance_siemens is not None and not self.tolerance_siemens > 0:
            raise DeviceError(f"tolerance_siemens must be positive, got {self.tolerance_siemens}")
        if not (isinstance(self.max_pulses, int) and self.max_pulses >= 1):
            raise DeviceError(f"max_pulses must be a whole number of at least 1, got {self.max_pulses!r}")


@dataclass(frozen=True)
class Chips:
    """Drawn chips. conductance_siemens: of each layer, (chips, word lines, bit lines). pulses: (chips,), programming
    pulses of all devices together."""

    conductance_siemens: tuple[FloatArray, ...]
    pulses: FloatArray


def draw_chips(mapping: Mapping, device: Device, chips: Sequence[int], conditions: Conditions, *, seed: int) -> Chips:
    """The chips of these numbers. A chip depends on seed and number only, and its luck is the same under all
    conditions, so that what differs between two conditions is their doing.

    A device is programmed to target + sigma z. Later it has drifted to the mean of that time, and its spread has grown
    to that time's. A negative draw is an open device. Raises DeviceError where the device was not measured there.
    """
    target = np.concatenate([t.ravel() for t in mapping.target_siemens])
    programmed = np.concatenate([p.ravel() for p in mapping.programmed])
    varies = programmed * conditions.sigma_factor
    sigma = later = device.sigma_siemens(target) * varies if device.spread_is_known else np.zeros(len(target))
    mean = target
    if device.spread_is_known or conditions.after_seconds is not None:
        mean = np.where(programmed, device.mean_siemens(target, conditions.after_seconds), target)
    if conditions.after_seconds is not None:
        later = device.sigma_siemens(target, conditions.after_seconds) * varies if device.spread_is_known else sigma
    error, luck, fate = (np.empty((len(chips), len(target))) for _ in range(3))
    pulses = np.full(len(chips), float(np.count_nonzero(programmed)))
    for index, chip in enumerate(chips):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(chip, 0)))
        rng.standard_normal(out=error[index])
        rng.standard_normal(out=luck[index])
        rng.random(out=fate[index])
        if conditions.tolerance_siemens is not None:
            again = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(chip, 1)))
            pulses[index] += _verify(error[index], sigma, conditions.tolerance_siemens, conditions.max_pulses, again)
    growth = np.sqrt(np.maximum(later**2 - sigma**2, 0.0))
    conductance = mean + np.minimum(sigma, later) * error + growth * luck
    np.maximum(conductance, OPEN_SIEMENS, out=conductance)
    _stick(conductance, fate, programmed, device, conditions.stuck_rate)
    sizes = np.cumsum([t.size for t in mapping.target_siemens])[:-1]
    layers = np.split(conductance, sizes, axis=1)
    shaped = (part.reshape(-1, *t.shape) for part, t in zip(layers, mapping.target_siemens, strict=True))
    return Chips(tuple(map(np.ascontiguousarray, shaped)), pulses)


def read(chips: Chips, device: Device, numbers: Sequence[int], samples: int, *, seed: int) -> tuple[FloatArray, ...]:
    """The conductances that each sample's read sees, (chips, samples, word lines, bit lines): read noise is relative
    and drawn anew for each."""
    noise = []
    for layer, g in enumerate(chips.conductance_siemens):
        seen = np.repeat(g[:, None], samples, axis=1)
        for index, chip in enumerate(numbers):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(chip, 2, layer)))
            seen[index] *= 1 + device.read_noise * rng.standard_normal(seen[index].shape)
        noise.append(np.maximum(seen, OPEN_SIEMENS, out=seen))
    return tuple(noise)


def _verify(error: FloatArray, sigma: FloatArray, tolerance: float, most: int, rng: np.random.Generator) -> int:
    """Draw anew, in place, what is off by more than the tolerance; returns the pulses beyond the first."""
    pulses = 0
    off = np.flatnonzero(np.abs(error) * sigma > tolerance)
    for _ in range(most - 1):
        if not len(off):
            break
        pulses += len(off)
        error[off] = rng.standard_normal(len(off))
        off = off[np.abs(error[off]) * sigma[off] > tolerance]
    return pulses


def _stick(
    conductance: FloatArray, fate: FloatArray, programmed: np.ndarray, device: Device, rate: float | None
) -> None:
    on, off = (device.stuck_on_rate, device.stuck_off_rate) if rate is None else (rate / 2, rate / 2)
    if on + off == 0:
        return
    if device.lowest_siemens is None or device.highest_siemens is None:
        raise DeviceError(f"{device.name} gives no conductance window, so a stuck device has no conductance")
    conductance[(fate < on) & programmed] = device.highest_siemens
    conductance[(fate >= on) & (fate < on + off) & programmed] = max(device.lowest_siemens, OPEN_SIEMENS)
