"""Limits: numbers that no device has. Such a number was meant in another unit."""

from __future__ import annotations

import numpy as np

from fewlevels.common.checks import is_number, number, shown
from fewlevels.errors import DeviceError
from fewlevels.quantization.device_table import LARGEST_SIEMENS

SMALLEST = 1e-30
"""The smallest number other than 0, in SI units. Nothing here is measured smaller; squares of such numbers vanish."""

LONGEST_SECONDS = 1e12
"""The longest time, in seconds: 30 000 years."""

LARGEST_VOLT = 100.0
LARGEST_WIRE_OHM = 1e6


def check_siemens(name: str, value: object) -> float:
    """A conductance or its spread as a float. Raises DeviceError unless it is 0 or positive, and below 1 S."""
    value = number(name, value, DeviceError)
    if not value >= 0:
        raise DeviceError(f"{name} must be at least 0, got {value:g}", field=name)
    if value >= LARGEST_SIEMENS:
        raise DeviceError(f"{name} must be below {LARGEST_SIEMENS:g} S, got {value:g}; 2 µS is 2e-6", field=name)
    if 0 < value < SMALLEST:
        raise DeviceError(f"{name} must be 0 or at least {SMALLEST:g} S, got {value:g}", field=name)
    return value


def check_share(name: str, value: object) -> float:
    """A share or a relative deviation as a float. Raises DeviceError unless it is in [0, 1]."""
    value = number(name, value, DeviceError)
    if not 0 <= value <= 1:
        raise DeviceError(f"{name} must be in [0, 1], got {value:g}; 5 % is 0.05", field=name)
    return value


def check_seconds(name: str, value: object) -> float:
    """A time as a float. Raises DeviceError unless it is one that can be measured: 1 ps to 30 000 years."""
    value = number(name, value, DeviceError)
    if not 1e-12 <= value <= LONGEST_SECONDS:
        raise DeviceError(
            f"{name} must be positive, in seconds, from 1e-12 to {LONGEST_SECONDS:g}, got {value:g}", field=name
        )
    return value


def check_volt(name: str, value: object, least: float = 0.0, *, field: str = "") -> float:
    """A voltage as a float. Raises DeviceError unless it is positive, at least `least` and at most what devices
    bear. field: where `name` says more."""
    value = number(name, value, DeviceError)
    if not max(least, SMALLEST) <= value <= LARGEST_VOLT:
        allowed = f"from {least:g} to {LARGEST_VOLT:g} V" if least else f"positive and at most {LARGEST_VOLT:g} V"
        raise DeviceError(f"{name} must be {allowed}, got {value:g}; 400 mV is 0.4", field=field or name)
    return value


def check_numbers(name: str, values: object) -> tuple[float, ...]:
    """A list of numbers as floats. Raises DeviceError where it is none."""
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(listed, list | tuple) or not all(map(is_number, listed)):
        raise DeviceError(f"{name} must be a list of finite numbers, got {shown(values)}", field=name)
    return tuple(map(float, listed))
