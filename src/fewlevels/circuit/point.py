"""OperatingPoint: a crossbar at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.crossbar import Crossbar
from fewlevels.common.arrays import FloatArray
from fewlevels.errors import CircuitError, NotConvergedError

Engine = Literal["native", "ngspice"]


ENGINES: tuple[Engine, ...] = ("native", "ngspice")


CONVERGED = "converged"


@dataclass(frozen=True, kw_only=True, eq=False)
class OperatingPoint:
    """Voltages and currents of a crossbar at rest, for each sample.

    output_ampere: (samples, bit lines), what flows out of each foot. It and the nodes are NaN in samples that did not
    converge.
    drop_volt, bit_volt: (samples, word lines, bit lines), the drop from the source to each cell's word node and its bit
    node's voltage; None unless solved with nodes=True.
    iterations: (samples,), Newton steps; 0 from ngspice. residual: (samples,), the sum of Kirchhoff's imbalances by the
    sum of absolute cell currents; where converged within the tolerance or what rounding leaves, at most 1e-8 above the
    tolerance. NaN from ngspice, which does not tell.
    status: 'converged', or one sentence that says what to do. method: how it was solved.
    """

    crossbar: Crossbar
    input_volt: FloatArray
    output_ampere: FloatArray
    drop_volt: FloatArray | None
    bit_volt: FloatArray | None
    iterations: npt.NDArray[np.int64]
    residual: FloatArray
    converged: npt.NDArray[np.bool_]
    status: str
    method: str

    def __repr__(self) -> str:
        samples, failed = len(self.input_volt), np.count_nonzero(~self.converged)
        status = "converged" if failed == 0 else f"{failed} of {samples} not converged"
        known = self.residual[~np.isnan(self.residual)]
        residual = f", residual up to {known.max():.1g}" if known.size else ""
        return (
            f"<OperatingPoint: {samples} {'sample' if samples == 1 else 'samples'} of {self.crossbar.word_lines} x "
            f"{self.crossbar.bit_lines}, {status}{residual}>"
        )

    def require_converged(self) -> OperatingPoint:
        """This point. Raises NotConvergedError where a sample did not converge."""
        if self.status != CONVERGED:
            raise NotConvergedError(self.status)
        return self

    @property
    def output_volt(self) -> FloatArray:
        """What the reference resistors read, (samples, bit lines); 0 at virtual ground."""
        return self.output_ampere * self.crossbar.reference_ohm

    def word_volt(self) -> FloatArray:
        """Voltage of each cell's word node, (samples, word lines, bit lines)."""
        return self.input_volt[:, :, None] - self._nodes()[0]

    def cell_volt(self) -> FloatArray:
        """Voltage across each cell, device and selector together, (samples, word lines, bit lines)."""
        drop, bit = self._nodes()
        return self.input_volt[:, :, None] - drop - bit

    def cell_ampere(self) -> FloatArray:
        """Current through each cell, (samples, word lines, bit lines)."""
        return self.crossbar.cell_current(self.cell_volt())[0]

    def cell_watt(self) -> FloatArray:
        """Power that each cell turns into heat, (samples, word lines, bit lines)."""
        return self.cell_volt() * self.cell_ampere()

    def input_ampere(self) -> FloatArray:
        """Current that each source delivers, (samples, word lines)."""
        drop = self._nodes()[0]
        wire = self.crossbar.word_wire_ohm
        return drop[:, :, 0] / wire if wire > 0 else self.cell_ampere().sum(axis=2)

    def wire_watt(self) -> FloatArray:
        """Power lost in all wires and reference resistors together, (samples,)."""
        drop, bit = self._nodes()
        lost = self.output_ampere**2 @ np.full(self.crossbar.bit_lines, self.crossbar.foot_ohm)
        if self.crossbar.word_wire_ohm > 0:
            lost = lost + (np.diff(drop, axis=2, prepend=0) ** 2).sum(axis=(1, 2)) / self.crossbar.word_wire_ohm
        if self.crossbar.bit_wire_ohm > 0:
            lost = lost + (np.diff(bit, axis=1) ** 2).sum(axis=(1, 2)) / self.crossbar.bit_wire_ohm
        return lost

    def _nodes(self) -> tuple[FloatArray, FloatArray]:
        if self.drop_volt is None or self.bit_volt is None:
            raise CircuitError("this operating point has no node voltages; solve it with nodes=True")
        return self.drop_volt, self.bit_volt
