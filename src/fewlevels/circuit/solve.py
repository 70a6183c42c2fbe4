"""The one verb: a crossbar and its input voltages become an operating point, natively or by ngspice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.crossbar import Crossbar, check_input
from fewlevels.circuit.ideal import solve_columns
from fewlevels.circuit.wired import solve_wired
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, is_number, one_of, shown
from fewlevels.errors import CircuitError, NotConvergedError

Engine = Literal["native", "ngspice"]
ENGINES: tuple[Engine, ...] = ("native", "ngspice")
TOLERANCE = 1e-12

CONVERGED = "converged"


@dataclass(frozen=True, eq=False)
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


def solve(
    crossbar: Crossbar,
    input_volt: npt.ArrayLike,
    *,
    engine: Engine = "native",
    nodes: bool = False,
    tolerance: float = TOLERANCE,
    keep_unconverged: bool = False,
) -> OperatingPoint:
    """The operating point of a crossbar for each sample of input_volt, (samples, word lines) or (word lines,).

    nodes: keep all node voltages. tolerance: of the residual, see OperatingPoint. keep_unconverged: leave the last
    iterate in place of NaN where a sample does not converge.
    Raises CircuitError for an input that does not fit or a tolerance outside [0, 1), EngineError where ngspice is
    missing or fails.
    """
    instance("crossbar", crossbar, Crossbar, CircuitError)
    volt = check_input(input_volt, crossbar.word_lines)
    if not (is_number(tolerance) and 0 <= tolerance < 1):
        raise CircuitError(f"tolerance must be in [0, 1), a share of the cell currents, got {shown(tolerance)}")
    one_of("engine", engine, ENGINES, CircuitError)
    if engine == "ngspice":
        from fewlevels.circuit.ngspice import solve_by_ngspice

        return solve_by_ngspice(crossbar, volt, nodes=nodes)
    point = (
        _solve_wired(crossbar, volt, tolerance, nodes) if crossbar.has_wires else _solve_ideal(crossbar, volt, nodes)
    )
    open_lines = ~crossbar.conductance_siemens.any(axis=0)  # where linear solvers leave what others round to
    point.output_ampere[:, open_lines] = 0.0
    if point.bit_volt is not None:
        point.bit_volt[:, :, open_lines] = 0.0
    if point.status != CONVERGED and not keep_unconverged:
        for values in (point.output_ampere, point.drop_volt, point.bit_volt):
            if values is not None:
                values[~point.converged] = np.nan
    return point


def _solve_ideal(crossbar: Crossbar, volt: FloatArray, nodes: bool) -> OperatingPoint:
    columns = solve_columns(
        crossbar.conductance_siemens[None], volt[None], selector=crossbar.selector, reference_ohm=crossbar.reference_ohm
    )
    shape = len(volt), crossbar.word_lines, crossbar.bit_lines
    drop, bit = (np.zeros(shape), np.repeat(columns.foot_volt[0][:, None], shape[1], axis=1)) if nodes else (None, None)
    residual, converged = columns.residual[0].max(axis=1), columns.converged[0].all(axis=1)
    status = CONVERGED if converged.all() else _unconverged(converged, residual)
    return OperatingPoint(
        crossbar,
        volt,
        columns.output_ampere[0],
        drop,
        bit,
        np.full(len(volt), columns.steps.max(), np.int64),
        residual,
        converged,
        status,
        "one equation per bit line, safeguarded Newton",
    )


def _solve_wired(crossbar: Crossbar, volt: FloatArray, tolerance: float, nodes: bool) -> OperatingPoint:
    solved = solve_wired(crossbar, volt, tolerance=tolerance, nodes=nodes)
    status, method = CONVERGED, "inexact Newton with conjugate gradients"
    if solved.direct:
        method = f"Newton with sparse factorisation in {solved.direct} of {len(volt)} samples"
        if not solved.converged.all():
            status = _unconverged(solved.converged, solved.residual)
    return OperatingPoint(
        crossbar,
        volt,
        solved.output_ampere,
        solved.drop_volt,
        solved.bit_volt,
        solved.steps,
        solved.residual,
        solved.converged,
        status,
        method,
    )


def _unconverged(converged: npt.NDArray[np.bool_], residual: FloatArray) -> str:
    left = residual[~converged]
    failed = f"{len(left)} of {len(converged)} samples did not converge"
    if not np.isfinite(left).all():
        return f"{failed}: a current is beyond float64; lower the voltages, or give the wires a resistance"
    return (
        f"{failed}, the worst to a residual of {left.max():.1e}; raise the tolerance, or check the largest "
        "conductance against 1 / wire resistance"
    )
