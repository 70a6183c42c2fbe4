"""Crossbars: devices where word lines and bit lines cross, their wires and how a bit line ends."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.cell import Resistor, Selector, law_numbers
from fewlevels.circuit.modes import bit_modes, word_modes
from fewlevels.common.checks import is_number, real_array, shown
from fewlevels.errors import CircuitError
from fewlevels.samples import FloatArray

LEAST_OHM = 1e-150
"""Smaller wires leave float64 where they are divided by; 0 is an ideal wire."""

WiredArguments = tuple[
    FloatArray, float, float, float, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray
]  # fmt: skip
"""Conductances, word and bit segment and foot in ohm, cell law, and two kinds of modes with their eigenvalues."""


@dataclass(frozen=True, eq=False)
class Crossbar:
    """A crossbar of (word lines, bit lines) cells.

    Word line i is driven at its left end, through one wire segment; one segment lies between neighbouring cells. Bit
    line j runs down to its foot and through one last segment to virtual ground, or to a reference resistor.
    conductance_siemens: (word lines, bit lines), positive and finite; an open cell is a small one, such as 1e-15.
    word_wire_ohm, bit_wire_ohm: of one segment; 0 is an ideal wire. reference_ohm: 0 is virtual ground.
    selector: in series with each device, None for none.
    Raises CircuitError where a value cannot be.
    """

    conductance_siemens: FloatArray
    _: KW_ONLY
    word_wire_ohm: float = 0.0
    bit_wire_ohm: float = 0.0
    reference_ohm: float = 0.0
    selector: Selector | None = None

    def __post_init__(self) -> None:
        conductance = real_array("conductances", self.conductance_siemens, CircuitError)
        if conductance.ndim != 2 or 0 in conductance.shape:
            raise CircuitError(f"conductances must be (word lines, bit lines), got shape {conductance.shape}")
        check_conductance(conductance)
        for name in ("word_wire_ohm", "bit_wire_ohm", "reference_ohm"):
            ohm = getattr(self, name)
            if isinstance(ohm, float) and ohm == math.inf:
                raise CircuitError(f"{name} is infinite: the current has no path to ground; give a finite resistance")
            if not (is_number(ohm) and (ohm == 0 or ohm >= LEAST_OHM)):
                raise CircuitError(f"{name} must be at least 0 ohm, got {shown(ohm)}")
        if self.selector is not None and not hasattr(self.selector, "current"):
            raise CircuitError(f"a selector must have current(volt, conductance_siemens), got {shown(self.selector)}")
        object.__setattr__(self, "conductance_siemens", conductance)
        for name in ("word_wire_ohm", "bit_wire_ohm", "reference_ohm"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def word_lines(self) -> int:
        return self.conductance_siemens.shape[0]

    @property
    def bit_lines(self) -> int:
        return self.conductance_siemens.shape[1]

    @property
    def foot_ohm(self) -> float:
        """The last bit segment and the reference resistor together."""
        return self.bit_wire_ohm + self.reference_ohm

    @property
    def has_wires(self) -> bool:
        return self.word_wire_ohm > 0 or self.bit_wire_ohm > 0

    @cached_property
    def wired_arguments(self) -> WiredArguments:
        """What the native solver of wired crossbars takes of the crossbar, made once."""
        word, bit = self.word_wire_ohm, self.bit_wire_ohm
        none = np.empty((0, 0)), np.empty(0)
        words = word_modes(self.bit_lines) if word > 0 and bit > 0 else none
        bits = bit_modes(self.word_lines, bit / self.foot_ohm) if word > 0 and bit > 0 else none
        return (self.conductance_siemens, word, bit, self.foot_ohm, law_numbers(self.selector), words[0],
                words[1] / (word or 1), bits[0], bits[1] / (bit or 1))  # fmt: skip

    def cell_current(self, volt: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Currents and their derivatives at voltages (…, word lines, bit lines) across the cells."""
        law = Resistor() if self.selector is None else self.selector
        return law.current(volt, self.conductance_siemens)


def check_conductance(conductance: FloatArray) -> None:
    """Raises CircuitError where a conductance is not positive and finite."""
    if not (conductance.min() > 0 and conductance.max() < math.inf):
        cell = tuple(map(int, np.argwhere(~((conductance > 0) & (conductance < math.inf)))[0]))
        raise CircuitError(f"conductances must be positive and finite, got {conductance[cell]} S at cell {cell}; "
                           "an open cell is a small one, such as 1e-15 S")  # fmt: skip


def check_input(input_volt: npt.ArrayLike, word_lines: int) -> FloatArray:
    """Input voltages as (samples, word lines). Raises CircuitError where they do not fit or are not finite."""
    volt = real_array("input_volt", input_volt, CircuitError)
    if volt.ndim == 1:
        volt = volt[None]
    if volt.ndim != 2 or volt.shape[1] != word_lines or len(volt) == 0:
        raise CircuitError(f"input_volt must be (samples, {word_lines} word lines), got shape {np.shape(input_volt)}")
    if not np.isfinite(volt).all():
        sample, line = map(int, np.argwhere(~np.isfinite(volt))[0])
        raise CircuitError(f"voltages must be finite, got {volt[sample, line]} V at sample {sample}, word line {line}")
    return volt
