"""Crossbars: devices where word lines and bit lines cross, their wires, and the ends of the bit lines."""

from __future__ import annotations

import math
import warnings
from dataclasses import KW_ONLY, dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.cell import OWN_LAWS, Selector, check_law, current_of
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_number, real_array, shown
from fewlevels.errors import CircuitError, UnitWarning

LEAST_OHM = 1e-150
"""The smallest resistance of a wire, in ohm. Dividing by a smaller one leaves float64. 0 is an ideal wire."""


@dataclass(frozen=True, eq=False)
class Crossbar:
    """A crossbar of (word lines, bit lines) cells.

    Word line i is driven at its left end, through one wire segment; one segment lies between neighbouring cells. Bit
    line j runs down to its foot and through one last segment to virtual ground, or to a reference resistor.
    conductance_siemens: (word lines, bit lines), at least 0 and finite; 0 is an open cell. The crossbar keeps a copy
    that cannot be written to. word_wire_ohm, bit_wire_ohm: of one segment; 0 is an ideal wire. reference_ohm: 0 is
    virtual ground.
    selector: in series with each device, None for none.
    Raises CircuitError where a value is impossible. Warns (UnitWarning) where every cell exceeds 1 S.
    """

    conductance_siemens: FloatArray
    _: KW_ONLY
    word_wire_ohm: float = 0.0
    bit_wire_ohm: float = 0.0
    reference_ohm: float = 0.0
    selector: Selector | None = None

    def __post_init__(self) -> None:
        conductance = np.array(real_array("conductances", self.conductance_siemens, CircuitError))
        if conductance.ndim != 2 or 0 in conductance.shape:
            raise CircuitError(f"conductances must be (word lines, bit lines), got shape {conductance.shape}")
        check_conductance(conductance)
        conductance.flags.writeable = False
        object.__setattr__(self, "conductance_siemens", conductance)
        for name in ("word_wire_ohm", "bit_wire_ohm", "reference_ohm"):
            ohm = getattr(self, name)
            if isinstance(ohm, Real) and ohm == math.inf:
                raise CircuitError(f"{name} is infinite: the current has no path to ground; give a finite resistance")
            if not (is_number(ohm) and (ohm == 0 or ohm >= LEAST_OHM)):
                raise CircuitError(f"{name} must be 0 or at least {LEAST_OHM:g} ohm, got {shown(ohm)}")
            object.__setattr__(self, name, float(ohm))
        if self.selector is not None and type(self.selector) not in OWN_LAWS:
            check_law(self.selector, conductance)
        if conductance.min() > 1:
            warnings.warn(
                f"every cell conducts more than 1 S, the least {conductance.min():g} S; conductances are in "
                "siemens: 50 µS is 5e-5",
                UnitWarning,
                stacklevel=3,
            )

    def __repr__(self) -> str:
        end = f", reference {self.reference_ohm:g} ohm" if self.reference_ohm > 0 else ""
        law = "" if self.selector is None else f", {self.selector}"
        return (
            f"<Crossbar: {self.word_lines} x {self.bit_lines}, {self.conductance_siemens.min():.3g} to "
            f"{self.conductance_siemens.max():.3g} S, wires {self.word_wire_ohm:g} and {self.bit_wire_ohm:g} ohm"
            f"{end}{law}>"
        )

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
        return current_of(self.selector, volt, self.conductance_siemens)


def check_conductance(conductance: FloatArray) -> None:
    """Raises CircuitError where a conductance is negative or not finite."""
    if not (conductance.min() >= 0 and conductance.max() < math.inf):
        cell = tuple(map(int, np.argwhere(~((conductance >= 0) & (conductance < math.inf)))[0]))
        raise CircuitError(
            f"conductances must be at least 0 and finite, got {conductance[cell]} S at cell {cell}; an open cell is 0 S"
        )


def check_input(input_volt: npt.ArrayLike, word_lines: int) -> FloatArray:
    """A copy of input voltages as (samples, word lines). Raises CircuitError where they do not fit or are infinite."""
    volt = np.array(real_array("input_volt", input_volt, CircuitError))
    if volt.ndim == 1:
        volt = volt[None]
    if volt.ndim != 2 or volt.shape[1] != word_lines or len(volt) == 0:
        raise CircuitError(f"input_volt must be (samples, {word_lines} word lines), got shape {np.shape(input_volt)}")
    if not np.isfinite(volt).all():
        sample, line = map(int, np.argwhere(~np.isfinite(volt))[0])
        raise CircuitError(f"voltages must be finite, got {volt[sample, line]} V at sample {sample}, word line {line}")
    return volt
