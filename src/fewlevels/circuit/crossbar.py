"""Crossbars: devices where word lines and bit lines cross, their wires and how a bit line ends."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.cell import Resistor, Selector
from fewlevels.errors import CircuitError
from fewlevels.samples import FloatArray


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
        conductance = np.ascontiguousarray(self.conductance_siemens, dtype=np.float64)
        if conductance.ndim != 2 or 0 in conductance.shape:
            raise CircuitError(f"conductances must be (word lines, bit lines), got shape {conductance.shape}")
        check_conductance(conductance)
        for name in ("word_wire_ohm", "bit_wire_ohm", "reference_ohm"):
            ohm = getattr(self, name)
            if ohm == math.inf:
                raise CircuitError(f"{name} is infinite: the current has no path to ground; give a finite resistance")
            if not ohm >= 0:
                raise CircuitError(f"{name} must be at least 0 ohm, got {ohm}")
        if self.selector is not None and not hasattr(self.selector, "current"):
            raise CircuitError(f"a selector must have current(volt, conductance_siemens), got {self.selector!r}")
        object.__setattr__(self, "conductance_siemens", conductance)

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
    volt = np.ascontiguousarray(input_volt, dtype=np.float64)
    if volt.ndim == 1:
        volt = volt[None]
    if volt.ndim != 2 or volt.shape[1] != word_lines or len(volt) == 0:
        raise CircuitError(f"input_volt must be (samples, {word_lines} word lines), got shape {np.shape(input_volt)}")
    if not np.isfinite(volt).all():
        sample, line = map(int, np.argwhere(~np.isfinite(volt))[0])
        raise CircuitError(f"voltages must be finite, got {volt[sample, line]} V at sample {sample}, word line {line}")
    return volt
