"""Crossbars with ideal wires: every bit line is one scalar equation, batched over draws, samples and bit lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.circuit.cell import Selector, current_of, is_native, law_numbers
from fewlevels.common.arrays import FloatArray
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.parallel import threads_for

PARALLEL_CELLS = 20_000
"""Cell evaluations below which starting threads costs more than it saves."""

MAX_STEPS = 100
TOLERANCE, ROUNDING, AT_MOST = 1e-11, 8 * 2.2e-16, 1e-8
"""Of the residual of a solved bit line; of the currents that the voltages that cancel would drive; of the residual that
is taken for rounding. As in cells.cpp."""
ENOUGH = 1e-14
"""A residual that no step makes better."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Solved bit lines: current and foot voltage, (draws, samples, bit lines); steps: the most Newton steps of any
    sample, (draws, bit lines). Shaped like the currents: residual, imbalance over the sum of absolute currents, NaN
    where a current is beyond float64; converged, to 1e-11 or what rounding leaves of voltages that cancel, up to 1e-8.
    """

    output_ampere: FloatArray
    foot_volt: FloatArray
    residual: FloatArray
    converged: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int32]


def solve_columns(
    conductance_siemens: FloatArray,
    input_volt: FloatArray,
    *,
    selector: Selector | None = None,
    reference_ohm: float = 0.0,
    threads: int | None = None,
) -> Columns:
    """Solve sum_i I(V_i - u; G_ij) = u / reference_ohm for each bit line's foot voltage u.

    conductance_siemens: (draws, word lines, bit lines). input_volt: (draws or 1, samples, word lines).
    Newton's method inside a bracket; virtual ground needs none of it. threads: as many as pay where None.
    """
    draws, word_lines, bit_lines = conductance_siemens.shape
    samples = input_volt.shape[1]
    if not is_native(selector):
        return _solve_by_numpy(conductance_siemens, input_volt, selector, reference_ohm)
    output, foot, residual = np.empty((3, draws, samples, bit_lines))
    converged, steps = np.empty(residual.shape, bool), np.empty(draws * bit_lines, np.int32)
    if threads is None:
        threads = threads_for() if draws * samples * word_lines * bit_lines > PARALLEL_CELLS else 1
    _kernels.columns(
        conductance_siemens,
        input_volt,
        reference_ohm,
        law_numbers(selector),
        output,
        foot,
        residual,
        converged,
        steps,
        threads,
        INSTRUCTION_SET,
    )
    return Columns(
        output_ampere=output,
        foot_volt=foot,
        residual=residual,
        converged=converged,
        steps=steps.reshape(draws, bit_lines),
    )


def _solve_by_numpy(
    conductance: FloatArray, input_volt: FloatArray, selector: Selector | None, reference_ohm: float
) -> Columns:
    volt, conductance = input_volt[:, :, :, None], conductance[:, None]

    def line(u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        # currents, derivatives, magnitudes, and derivatives times the sizes of the voltages that cancel
        ampere, siemens = current_of(selector, volt - u[:, :, None], conductance)
        cancelling = (siemens * (np.abs(volt) + np.abs(u[:, :, None]))).sum(axis=2)
        return ampere.sum(axis=2), siemens.sum(axis=2), np.abs(ampere).sum(axis=2), cancelling

    shape = len(conductance), input_volt.shape[1], conductance.shape[3]
    u = np.zeros(shape)
    with np.errstate(all="ignore"):
        if reference_ohm == 0:
            output = line(u)[0]
            residual = output - output
            return Columns(
                output_ampere=output,
                foot_volt=u,
                residual=residual,
                converged=residual == 0,
                steps=np.ones((shape[0], shape[2]), np.int32),
            )
        low = np.broadcast_to(np.minimum(volt.min(axis=2), 0), shape)
        high = np.broadcast_to(np.maximum(volt.max(axis=2), 0), shape)
        moving, last_step, residual = (low < 0) | (high > 0), high - low, np.zeros(shape)
        converged = ~moving
        for _steps in range(1, MAX_STEPS + 1):
            current, slope, total, cancelling = line(u)
            imbalance, scale = current - u / reference_ohm, total + np.abs(u / reference_ohm)
            latest = np.where(scale == 0, 0.0, np.abs(imbalance) / scale)
            residual = np.where(moving, latest, residual)
            rounded = (np.abs(imbalance) <= ROUNDING * cancelling) & (latest <= AT_MOST)
            converged = np.where(moving, (latest <= TOLERANCE) | rounded, converged)
            low, high = np.where(imbalance > 0, u, low), np.where(imbalance > 0, high, u)
            newton = imbalance / (slope + 1 / reference_ohm)
            # Where Newton's steps do not shrink, as down a steep law, halving the bracket is faster.
            shrinking = (np.abs(newton) <= last_step / 2) | (latest < 1e-6)
            good = shrinking & (u + newton >= low) & (u + newton <= high)
            step = np.where(good, newton, (low + high) / 2 - u)
            moving &= ~(residual <= ENOUGH) & (np.abs(step) > 4e-16 * np.abs(u))
            if not moving.any() or _steps == MAX_STEPS:
                break
            u, last_step = np.where(moving, u + step, u), np.abs(step)
        output = u / reference_ohm
    return Columns(
        output_ampere=output,
        foot_volt=u,
        residual=residual,
        converged=converged,
        steps=np.full((shape[0], shape[2]), _steps, np.int32),
    )
