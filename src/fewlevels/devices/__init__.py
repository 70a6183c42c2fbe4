"""Devices: what was measured of a memristor, published ones, and how many levels of it can be told apart."""

from fewlevels.devices.files import device_names, load_device
from fewlevels.devices.iv import IvFit
from fewlevels.devices.laws import (
    MeasuredRetention,
    PolynomialSpread,
    PowerLawDrift,
    Retention,
    RetentionTable,
    SaturatingSpread,
    Spread,
    TableSpread,
)
from fewlevels.devices.model import Device

__all__ = [
    "Device", "IvFit", "MeasuredRetention", "PolynomialSpread", "PowerLawDrift", "Retention", "RetentionTable",
    "SaturatingSpread", "Spread", "TableSpread", "device_names", "load_device",
]  # fmt: skip
