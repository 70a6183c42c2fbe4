"""Cells: the current through one device at a voltage. A selector may lie in series with the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import not_negative, positive, shown
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.errors import CircuitError

VOLT_PER_KELVIN = 1.38064852e-23 / 1.6021766208e-19
"""Thermal voltage per kelvin, k / q, in V/K, with the constants of ngspice (CODATA 2014), so that both engines solve
the same circuit. Today's exact value is larger by 3.4e-7 of it."""


class Selector(Protocol):
    """How a cell of a given conductance conducts. The current must rise with the voltage and be 0 at 0 V.

    A user's own law may leave the range of float64 at high voltages. Solvers stay at voltages where it is finite.
    """

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
            object.__setattr__(self, name, positive(f"a diode's {name}", getattr(self, name), CircuitError, field=name))
        for name in ("series_ohm", "gmin_siemens", "threshold_volt"):
            object.__setattr__(
                self, name, not_negative(f"a diode's {name}", getattr(self, name), CircuitError, field=name)
            )

    @property
    def slope_volt(self) -> float:
        """n k T / q."""
        return self.ideality * VOLT_PER_KELVIN * self.temperature_kelvin

    def __str__(self) -> str:
        numbers = f"Is {self.saturation_ampere:g} A, n {self.ideality:g}, Rs {self.series_ohm:g} Ω"
        return f"diode in series, {numbers}, word lines raised by {self.threshold_volt:g} V"

    def current(self, volt: FloatArray, conductance_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        """In closed form by the Wright omega function.

        The relative error is at most 1e-12, from 1e-15 V to 100 V and in reverse, for devices from 1 ohm up to open
        ones. The derivative is as exact, or as exact as the last digit of the voltage allows; far in reverse that is
        less.
        """
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
class Bend:
    """A law that leaves Ohm's at about scale_volt and is odd in the voltage. name: in device files."""

    name: ClassVar[str]
    scale_volt: float

    def __post_init__(self) -> None:
        what = f"the scale_volt of a {self.name} law"
        object.__setattr__(self, "scale_volt", positive(what, self.scale_volt, CircuitError, field="scale_volt"))

    def current(self, volt: FloatArray, conductance_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Sinh(Bend):
    """A device that conducts by hopping or tunnelling: I = G v0 sinh(V / v0)."""

    name = "sinh"

    def current(self, volt: FloatArray, conductance_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        x = np.asarray(volt) / self.scale_volt
        return conductance_siemens * self.scale_volt * np.sinh(x), conductance_siemens * np.cosh(x)

    def __str__(self) -> str:
        return f"I = G v0 sinh(V / v0), v0 = {self.scale_volt:.4g} V"


@dataclass(frozen=True, kw_only=True)
class Cubic(Bend):
    """The first term beyond Ohm's law that is odd in the voltage: I = G V (1 + (V / v0)^2)."""

    name = "cubic"

    def current(self, volt: FloatArray, conductance_siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        square = (np.asarray(volt) / self.scale_volt) ** 2
        return conductance_siemens * volt * (1 + square), conductance_siemens * (1 + 3 * square)

    def __str__(self) -> str:
        return f"I = G V (1 + (V / v0)²), v0 = {self.scale_volt:.4g} V"


BENDS: dict[str, type[Bend]] = {bend.name: bend for bend in (Sinh, Cubic)}


def current_of(
    selector: Selector | None, volt: FloatArray, conductance_siemens: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Currents and derivatives of cells, both of the shape that volt and conductance broadcast to.

    An open cell, of 0 S, carries nothing, whatever its law. A current is not finite where its law leaves the range of
    float64, and NumPy does not warn of that.
    """
    law = Resistor() if selector is None else selector
    with np.errstate(all="ignore"):
        ampere, siemens = law.current(volt, conductance_siemens)
    if not is_native(selector) and not conductance_siemens.all():
        closed = conductance_siemens > 0
        ampere, siemens = np.where(closed, ampere, 0.0), np.where(closed, siemens, 0.0)
    ampere = np.asarray(ampere, dtype=np.float64)
    return ampere, np.broadcast_to(np.asarray(siemens, dtype=np.float64), ampere.shape)


OWN_LAWS = (Diode, Resistor, *BENDS.values())
"""Laws that need no look at what they give."""

CHECKED_VOLTS = (-1.0, -0.1, -1e-3, -1e-6, -1e-9, 0.0, 1e-9, 1e-6, 1e-3, 0.1, 1.0)
"""The voltages at which a user's own law is checked, in volt."""
FINITE_VOLT = 1e-9
"""At voltages up to this one, in volt, a law must be finite."""


def check_law(selector: Selector, conductance_siemens: FloatArray) -> None:
    """Raises CircuitError where a user's own law is wrong: in the shape of what it returns, or because its current is
    not 0 A at 0 V or does not rise.

    conductance_siemens: (word lines, bit lines), of the crossbar that the law is for.
    """
    name, shape = f"{type(selector).__name__}.current", conductance_siemens.shape
    if not callable(getattr(selector, "current", None)):
        raise CircuitError(f"a selector must have current(volt, conductance_siemens), got {shown(selector)}")
    closed, before = conductance_siemens > 0, np.full(shape, -np.inf)
    for volt in CHECKED_VOLTS:
        with np.errstate(all="ignore"):
            found = selector.current(np.full(shape, volt), conductance_siemens)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise CircuitError(f"{name} must return currents and their derivatives, got {type(found).__name__}")
        ampere, siemens = map(np.asarray, found)
        if any(array.dtype.kind not in "fiu" for array in (ampere, siemens)):
            raise CircuitError(f"{name} must return real numbers, got {ampere.dtype} and {siemens.dtype}")
        if ampere.shape != shape or siemens.shape not in (shape, ()):
            shapes = f"{ampere.shape} and {siemens.shape}"
            raise CircuitError(f"{name} must return arrays of the shape that it is given, {shape}, got {shapes}")
        finite = closed & np.isfinite(ampere) & np.isfinite(siemens)
        if abs(volt) <= FINITE_VOLT and not finite[closed].all():
            raise CircuitError(f"{name} is not finite at {volt:g} V; a law must be finite at small voltages")
        if volt == 0 and (ampere[closed] != 0).any():
            raise CircuitError(f"{name} gives {ampere[closed & (ampere != 0)][0]:g} A at 0 V; it must give 0 A there")
        if (finite & (siemens < 0)).any():
            raise CircuitError(f"{name} gives a derivative below 0 at {volt:g} V; a current must rise with the voltage")
        if (finite & (ampere < before)).any():
            raise CircuitError(f"{name} gives a current that falls towards {volt:g} V; it must rise with the voltage")
        before = np.where(finite, ampere, before)


_OHMIC = np.zeros(4)


def law_numbers(selector: Selector | None) -> FloatArray:
    """The four numbers that stand for a diode, or for no selector, in the native kernels."""
    if isinstance(selector, Diode):
        return np.array([selector.slope_volt, selector.saturation_ampere, selector.gmin_siemens, selector.series_ohm])
    return _OHMIC


def is_native(selector: Selector | None) -> bool:
    """Whether the native kernels know this selector. A class derived from one of these may conduct otherwise."""
    return selector is None or type(selector) in (Diode, Resistor)
