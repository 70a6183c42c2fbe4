"""Devices: what was measured of a memristor, published ones, and how many levels of it can be told apart."""

from fewlevels.devices.files import device_names, load_device, load_device_levels
from fewlevels.devices.iv import IvFit
from fewlevels.devices.laws import PolynomialSpread, SaturatingSpread, Spread, TableSpread
from fewlevels.devices.model import Device
from fewlevels.devices.retention import (
    MeasuredRetention,
    PowerLawDrift,
    Relaxation,
    Retention,
    RetentionTable,
    TabulatedDrift,
)
from fewlevels.devices.separability import (
    SeparableLevels,
    compare,
    equal_error_levels,
    geometric_levels,
    separable_levels,
)

__all__ = [
    "Device",
    "IvFit",
    "MeasuredRetention",
    "PolynomialSpread",
    "PowerLawDrift",
    "Relaxation",
    "Retention",
    "RetentionTable",
    "SaturatingSpread",
    "SeparableLevels",
    "Spread",
    "TableSpread",
    "TabulatedDrift",
    "compare",
    "device_names",
    "equal_error_levels",
    "geometric_levels",
    "load_device",
    "load_device_levels",
    "separable_levels",
]
