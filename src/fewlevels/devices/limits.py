"""Limits: what no device is, since the number was meant in another unit."""

from __future__ import annotations

import math
from numbers import Integral, Real

from fewlevels.errors import DeviceError
from fewlevels.quantization.device_table import LARGEST_SIEMENS

SMALLEST = 1e-30
"""In SI units. Nothing that is measured here is smaller and not 0; squares of much smaller numbers vanish."""

LONGEST_SECONDS = 1e12
"""30 000 years."""

LARGEST_VOLT = 100.0
LARGEST_WIRE_OHM = 1e6


def check_siemens(name: str, value: float) -> None:
    """Raises DeviceError unless a conductance or its spread is 0 or positive, and below 1 S."""
    value = number(name, value)
    if not value >= 0:
        raise DeviceError(f"{name} must be at least 0, got {value:g}")
    if value >= LARGEST_SIEMENS:
        raise DeviceError(f"{name} must be below {LARGEST_SIEMENS:g} S, got {value:g}; 2 µS is 2e-6")
    if 0 < value < SMALLEST:
        raise DeviceError(f"{name} must be 0 or at least {SMALLEST:g} S, got {value:g}")


def check_share(name: str, value: float) -> None:
    """Raises DeviceError unless a share or a relative deviation is in [0, 1]."""
    if not 0 <= (value := number(name, value)) <= 1:
        raise DeviceError(f"{name} must be in [0, 1], got {value:g}; 5 % is 0.05")


def check_seconds(name: str, value: float) -> None:
    """Raises DeviceError unless a time is one that can be measured: 1 ps to 30 000 years."""
    if not 1e-12 <= (value := number(name, value)) <= LONGEST_SECONDS:
        raise DeviceError(f"{name} must be positive, in seconds, from 1e-12 to {LONGEST_SECONDS:g}, got {value:g}")


def check_volt(name: str, value: float, least: float = 0.0) -> None:
    """Raises DeviceError unless a voltage is positive, at least `least` and at most what devices bear."""
    if not max(least, SMALLEST) <= (value := number(name, value)) <= LARGEST_VOLT:
        allowed = f"from {least:g} to {LARGEST_VOLT:g} V" if least else f"positive and at most {LARGEST_VOLT:g} V"
        raise DeviceError(f"{name} must be {allowed}, got {value:g}; 400 mV is 0.4")


def check_count(name: str, value: int, least: int, most: int) -> None:
    """Raises DeviceError unless a value is a whole number in these limits."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= value <= most:
        raise DeviceError(f"{name} must be a whole number from {least} to {most}, got {number(name, value):g}")


def number(name: str, value: object) -> float:
    """The value as float64. Raises DeviceError where it is no real number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise DeviceError(f"{name} must be a number, got {value!r}")
    try:
        return float(value)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]
