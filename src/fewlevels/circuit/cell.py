"""Cells: the current of one device under a voltage, alone or in series with a selector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fewlevels import _kernels
from fewlevels.common.checks import not_negative, positive
from fewlevels.errors import CircuitError
from fewlevels.networks import INSTRUCTION_SET
from fewlevels.samples import FloatArray

VOLT_PER_KELVIN = 1.38064852e-23 / 1.6021766208e-19
"""k / q with the constants of ngspice (CODATA 2014): both engines then solve the same circuit. Today's exact values
are 3.4e-7 larger."""


class Selector(Protocol):
    """How a cell of a given conductance conducts. The current must rise with the voltage and be 0 at 0 V."""

    def current(self, volt: FloatArray, conductance_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Current (ampere) and its derivative (siemens) at each voltage across the whole cell; the arrays broadcast."""
        ...


@dataclass(frozen=True, kw_only=True)
class Diode:
    """A junction diode in series with the device: SPICE's level 1 without breakdown.

    saturation_ampere: at temperature_kelvin, not rescaled. ideality: emission coefficient n. series_ohm: RS.
    gmin_siemens: what SPICE puts across a junction, 1e-12 unless told otherwise. threshold_volt: what word lines are
    raised by to pay for the diode; 0.65 V is the paper's.
    In reverse below -3 n k T / q ngspice replaces the exponential by a cubic; here it stays exponential. The two differ
    by up to 0.04 of the saturation current.
    """

    saturation_ampere: float = 1e-14
    ideality: float = 1.0
    series_ohm: float = 0.0
    temperature_kelvin: float = 300.15
    gmin_siemens: float = 1e-12
    threshold_volt: float = 0.65

    def __post_init__(self) -> None:
        for name in ("saturation_ampere", "ideality", "temperature_kelvin"):
            object.__setattr__(self, name, positive(f"a diode's {name}", getattr(self, name), CircuitError))
        for name in ("series_ohm", "gmin_siemens", "threshold_volt"):
            object.__setattr__(self, name, not_negative(f"a diode's {name}", getattr(self, name), CircuitError))

    @property
    def slope_volt(self) -> float:
        """n k T / q."""
        return self.ideality * VOLT_PER_KELVIN * self.temperature_kelvin

    def __str__(self) -> str:
        numbers = f"Is {self.saturation_ampere:g} A, n {self.ideality:g}, Rs {self.series_ohm:g} Ω"
        return f"diode in series, {numbers}, word lines raised by {self.threshold_volt:g} V"

    def current(self, volt: FloatArray, conductance_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        """In closed form by the Wright omega function; from reverse bias to 100 V and from 1 ohm to 1 Gohm."""
        volt, conductance = np.broadcast_arrays(np.float64(volt), np.float64(conductance_siemens))
        flat = np.ascontiguousarray(volt.ravel()), np.ascontiguousarray(conductance.ravel())
        ampere, siemens = np.empty(volt.size), np.empty(volt.size)
        _kernels.cells(*flat, law_numbers(self), ampere, siemens, INSTRUCTION_SET)
        return ampere.reshape(volt.shape), siemens.reshape(volt.shape)


@dataclass(frozen=True, kw_only=True)
class Resistor:
    """No selector: I = G V."""

    def current(self, volt: FloatArray, conductance_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        volt, conductance = np.broadcast_arrays(np.float64(volt), np.float64(conductance_siemens))
        return conductance * volt, conductance

    def __str__(self) -> str:
        return "I = G V"


@dataclass(frozen=True, kw_only=True)
class Sinh:
    """A device that conducts by hopping or tunnelling: I = G v0 sinh(V / v0)."""

    scale_volt: float

    def current(self, volt: FloatArray, conductance_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        x = np.asarray(volt) / self.scale_volt
        return conductance_siemens * self.scale_volt * np.sinh(x), conductance_siemens * np.cosh(x)

    def __str__(self) -> str:
        return f"I = G v0 sinh(V / v0), v0 = {self.scale_volt:.4g} V"


@dataclass(frozen=True, kw_only=True)
class Cubic:
    """The first term beyond Ohm's law that is odd in the voltage: I = G V (1 + (V / v0)^2)."""

    scale_volt: float

    def current(self, volt: FloatArray, conductance_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        square = (np.asarray(volt) / self.scale_volt) ** 2
        return conductance_siemens * volt * (1 + square), conductance_siemens * (1 + 3 * square)

    def __str__(self) -> str:
        return f"I = G V (1 + (V / v0)²), v0 = {self.scale_volt:.4g} V"


_OHMIC = np.zeros(4)


def law_numbers(selector: Selector | None) -> FloatArray:
    """What the native kernels take in place of a diode or of no selector."""
    if isinstance(selector, Diode):
        return np.array([selector.slope_volt, selector.saturation_ampere, selector.gmin_siemens, selector.series_ohm])
    return _OHMIC


def is_native(selector: Selector | None) -> bool:
    """Whether the native kernels know this selector."""
    return selector is None or isinstance(selector, Diode | Resistor)
