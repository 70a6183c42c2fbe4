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
"""Newton steps of a bit line, before it is said not to converge."""
TOLERANCE = 1e-11
"""Residual of a solved bit line, a share of the sum of its currents. This and the next two are as in cells.cpp."""
ROUNDING = 8 * 2.2e-16
"""Imbalance that rounding leaves, in units of the currents that the voltages that cancel would drive."""
AT_MOST = 1e-8
"""A larger residual is never taken for rounding."""
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
    lines = _Lines(input_volt[:, :, :, None], conductance[:, None], selector)
    with np.errstate(all="ignore"):  # what is not finite is looked for
        return lines.at_ground() if reference_ohm == 0 else lines.on_references(reference_ohm)


@dataclass(frozen=True)
class _Lines:
    """Bit lines of a law that the kernel does not know. volt: (draws or 1, samples, word lines, 1). conductance:
    (draws, 1, word lines, bit lines)."""

    volt: FloatArray
    conductance: FloatArray
    selector: Selector | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(draws, samples, bit lines)"""
        return len(self.conductance), self.volt.shape[1], self.conductance.shape[3]

    def currents(self, u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """At the foot voltages u: currents, derivatives, magnitudes, and derivatives times the sizes of the voltages
        that cancel."""
        ampere, siemens = current_of(self.selector, self.volt - u[:, :, None], self.conductance)
        cancelling = (siemens * (np.abs(self.volt) + np.abs(u[:, :, None]))).sum(axis=2)
        return ampere.sum(axis=2), siemens.sum(axis=2), np.abs(ampere).sum(axis=2), cancelling

    def at_ground(self) -> Columns:
        u = np.zeros(self.shape)
        output = self.currents(u)[0]
        residual = output - output  # 0, and NaN where the current is not finite
        return self._columns(output, u, residual, residual == 0, steps=1)

    def on_references(self, reference_ohm: float) -> Columns:
        u = np.zeros(self.shape)
        low = np.broadcast_to(np.minimum(self.volt.min(axis=2), 0), self.shape)
        high = np.broadcast_to(np.maximum(self.volt.max(axis=2), 0), self.shape)
        moving, last_step, residual = (low < 0) | (high > 0), high - low, np.zeros(self.shape)
        converged = ~moving
        for steps in range(1, MAX_STEPS + 1):
            current, slope, total, cancelling = self.currents(u)
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
            if not moving.any() or steps == MAX_STEPS:
                break
            u, last_step = np.where(moving, u + step, u), np.abs(step)
        return self._columns(u / reference_ohm, u, residual, converged, steps=steps)

    def _columns(
        self, output: FloatArray, u: FloatArray, residual: FloatArray, converged: npt.NDArray[np.bool_], *, steps: int
    ) -> Columns:
        draws, _, bit_lines = self.shape
        return Columns(
            output_ampere=output,
            foot_volt=u,
            residual=residual,
            converged=converged,
            steps=np.full((draws, bit_lines), steps, np.int32),
        )
