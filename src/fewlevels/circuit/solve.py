"""The one verb: a crossbar and its input voltages become an operating point, natively or by ngspice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.crossbar import Crossbar, check_input
from fewlevels.circuit.point import CONVERGED, ENGINES, Engine, OperatingPoint
from fewlevels.circuit.solvers.ideal import solve_columns
from fewlevels.circuit.solvers.wired import solve_wired
from fewlevels.circuit.spice.ngspice import solve_by_ngspice
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, is_number, one_of, shown
from fewlevels.errors import CircuitError

TOLERANCE = 1e-12
"""Residual of a solved sample unless another is asked for: a share of the sum of its cell currents."""


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
        crossbar=crossbar,
        input_volt=volt,
        output_ampere=columns.output_ampere[0],
        drop_volt=drop,
        bit_volt=bit,
        iterations=np.full(len(volt), columns.steps.max(), np.int64),
        residual=residual,
        converged=converged,
        status=status,
        method="one equation per bit line, safeguarded Newton",
    )


def _solve_wired(crossbar: Crossbar, volt: FloatArray, tolerance: float, nodes: bool) -> OperatingPoint:
    solved = solve_wired(crossbar, volt, tolerance=tolerance, nodes=nodes)
    status, method = CONVERGED, "inexact Newton with conjugate gradients"
    if solved.direct:
        method = f"Newton with sparse factorisation in {solved.direct} of {len(volt)} samples"
        if not solved.converged.all():
            status = _unconverged(solved.converged, solved.residual)
    return OperatingPoint(
        crossbar=crossbar,
        input_volt=volt,
        output_ampere=solved.output_ampere,
        drop_volt=solved.drop_volt,
        bit_volt=solved.bit_volt,
        iterations=solved.steps,
        residual=solved.residual,
        converged=solved.converged,
        status=status,
        method=method,
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
