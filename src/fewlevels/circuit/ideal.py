"""Crossbars with ideal wires: every bit line is one scalar equation, batched over draws, samples and bit lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.circuit.cell import Selector, is_native, law_numbers
from fewlevels.common.parallel import threads_for
from fewlevels.networks import INSTRUCTION_SET
from fewlevels.samples import FloatArray

PARALLEL_CELLS = 20_000
"""Cell evaluations below which starting threads costs more than it saves."""

MAX_STEPS = 100


@dataclass(frozen=True)
class Columns:
    """Solved bit lines: current and foot voltage, (draws, samples, bit lines); steps: the most Newton steps of any
    sample, (draws, bit lines); residual: imbalance over the sum of absolute currents, like the currents."""

    output_ampere: FloatArray
    foot_volt: FloatArray
    residual: FloatArray | None
    steps: npt.NDArray[np.int32]


def solve_columns(
    conductance_siemens: FloatArray,
    input_volt: FloatArray,
    *,
    selector: Selector | None = None,
    reference_ohm: float = 0.0,
    with_residual: bool = True,
    threads: int | None = None,
) -> Columns:
    """Solve sum_i I(V_i - u; G_ij) = u / reference_ohm for each bit line's foot voltage u.

    conductance_siemens: (draws, word lines, bit lines). input_volt: (draws or 1, samples, word lines).
    Newton's method inside a bracket; virtual ground needs none of it. threads: as many as pay where None.
    """
    draws, word_lines, bit_lines = conductance_siemens.shape
    samples = input_volt.shape[1]
    if selector is not None and not is_native(selector):
        return _solve_by_numpy(conductance_siemens, input_volt, selector, reference_ohm)
    output, foot = np.empty((2, draws, samples, bit_lines))
    residual = np.empty((draws, samples, bit_lines)) if with_residual else None
    steps = np.empty(draws * bit_lines, np.int32)
    if threads is None:
        threads = threads_for() if draws * samples * word_lines * bit_lines > PARALLEL_CELLS else 1
    _kernels.columns(conductance_siemens, input_volt, reference_ohm, law_numbers(selector), output, foot, residual,
                     steps, threads, INSTRUCTION_SET)  # fmt: skip
    return Columns(output, foot, residual, steps.reshape(draws, bit_lines))


def _solve_by_numpy(
    conductance: FloatArray, input_volt: FloatArray, selector: Selector, reference_ohm: float
) -> Columns:
    volt, conductance = input_volt[:, :, :, None], conductance[:, None]

    def line(u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        ampere, siemens = selector.current(volt - u[:, :, None], conductance)
        return ampere.sum(axis=2), np.broadcast_to(siemens, ampere.shape).sum(axis=2), np.abs(ampere).sum(axis=2)

    shape = len(conductance), volt.shape[1], conductance.shape[3]
    u = np.zeros(shape)
    if reference_ohm == 0:
        output = line(u)[0]
        return Columns(output, u, np.zeros(shape), np.ones((shape[0], shape[2]), np.int32))
    low = np.broadcast_to(np.minimum(volt.min(axis=2), 0), shape)
    high = np.broadcast_to(np.maximum(volt.max(axis=2), 0), shape)
    moving, residual = (low < 0) | (high > 0), np.zeros(shape)
    for _steps in range(1, MAX_STEPS + 1):
        current, slope, total = line(u)
        imbalance = current - u / reference_ohm
        scale = total + np.abs(u / reference_ohm)
        latest = np.divide(np.abs(imbalance), scale, out=np.zeros(shape), where=scale > 0)
        residual = np.where(moving, latest, residual)
        low, high = np.where(imbalance > 0, u, low), np.where(imbalance > 0, high, u)
        step = u + imbalance / (slope + 1 / reference_ohm)
        step = np.where((step < low) | (step > high), (low + high) / 2, step)
        before, u = u, np.where(moving, step, u)
        moving &= (residual > 1e-14) & (np.abs(u - before) > 4e-16 * np.abs(u))
        if not moving.any():
            break
    return Columns(u / reference_ohm, u, residual, np.full((shape[0], shape[2]), _steps, np.int32))
