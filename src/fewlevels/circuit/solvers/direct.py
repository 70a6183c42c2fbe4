"""Newton's method with sparse factorisation: for any selector, any wires, and where conjugate gradients give up."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.cell import is_native
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.solvers.steep import line_ohm, start_near
from fewlevels.common.arrays import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ROUNDING = 2.2e-16
"""Of the currents that cancel at a node."""
AT_A_STALL = 8.0
"""Where no step helps any more, so many times that is as good as it gets."""
AT_MOST = 1e-8
"""Of the cell currents, that rounding may leave in a solution."""
LEAF = 4
"""Nested dissection stops at pieces of at most this many lines either way."""


@dataclass(frozen=True)
class Direct:
    """One sample: output (bit lines,), drop and bit nodes (word lines, bit lines), Newton steps, residual, whether it
    converged."""

    output_ampere: FloatArray
    drop_volt: FloatArray
    bit_volt: FloatArray
    steps: int
    residual: float
    converged: bool


@np.errstate(all="ignore")  # what is not finite is looked for
def solve_directly(crossbar: Crossbar, input_volt: FloatArray, *, tolerance: float, max_steps: int) -> Direct:
    """Solve T y = C' I(V - C y) by Newton's method with a line search, from y = 0; where a law may be steep, from near.

    y: drops along the word lines, then bit nodes, or one node a bit line where its wire is ideal. T: conductances of
    the wires. C: which nodes bear on each cell's voltage. The residual is that of `solve_wired`. The state holds a bit
    line as its foot and what lies above it, so that the rounding of the one does not drown the other.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import splu

    wires, cells, order = _assemble(crossbar)
    volt = np.broadcast_to(input_volt[:, None], crossbar.conductance_siemens.shape)
    size = abs(wires)
    foot_siemens = 1 / crossbar.foot_ohm if crossbar.foot_ohm > 0 else 0.0
    columns = crossbar.bit_lines
    bits = slice(volt.size if crossbar.word_wire_ohm > 0 else 0, None)

    def split(y: FloatArray) -> tuple[FloatArray, FloatArray]:
        above, foot = y.copy(), np.zeros(columns)
        if foot_siemens > 0:
            foot[:] = y[-columns:]
            above[bits] -= np.resize(foot, len(y[bits]))
        return above, foot

    def evaluate(y: FloatArray, foot: FloatArray) -> tuple[FloatArray, FloatArray, float, float]:
        # imbalances, slopes, sum of currents, what rounding leaves
        ampere, siemens = crossbar.cell_current(volt - (cells @ y).reshape(volt.shape) - foot)
        imbalance = wires @ y - cells.T @ ampere.ravel()
        imbalance[-columns:] += foot_siemens * foot
        current = float(np.abs(ampere).sum())
        across = np.abs(volt) + (cells @ np.abs(y)).reshape(volt.shape) + np.abs(foot)
        cancelling = float((size @ np.abs(y)).sum() + (siemens * across).sum() + foot_siemens * np.abs(foot).sum())
        return imbalance, siemens.ravel(), current, ROUNDING * cancelling

    def solve(siemens: FloatArray, ampere: FloatArray) -> FloatArray:
        # the nodes at which the linear circuit takes up these currents
        jacobian = (wires + cells.T @ (diags_array(siemens) @ cells)).tocsc()[order][:, order]
        nodes = np.full_like(ampere, np.nan)
        if np.isfinite(jacobian.data).all() and np.isfinite(ampere).all():
            with contextlib.suppress(RuntimeError):  # singular to rounding
                nodes[order] = splu(
                    jacobian, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
                ).solve(ampere[order])
        return nodes

    def linear(across: FloatArray, ampere: FloatArray, siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        nodes = solve(siemens, cells.T @ (ampere + siemens * (volt.ravel() - across)))
        return nodes, volt.ravel() - cells @ nodes

    def law(across: FloatArray) -> tuple[FloatArray, FloatArray]:
        ampere, siemens = crossbar.cell_current(across.reshape(volt.shape))
        return ampere.ravel(), siemens.ravel()

    y, foot, steps = np.zeros(wires.shape[0]), np.zeros(columns), 0
    if not is_native(crossbar.selector):
        near, steps = start_near(law, volt.ravel(), partial(_seen_ohm, crossbar), linear)
        y, foot = split(near) if np.isfinite(near).all() else (y, foot)
    imbalance, siemens, current, rounding = evaluate(y, foot)
    stalled, before, last = 0, np.inf, steps + max_steps
    while (rest := float(np.abs(imbalance).sum())) > tolerance * current and steps < last:
        near_end = rest <= 1e-6 * current + AT_A_STALL * rounding
        stalled = stalled + 1 if near_end and rest > before / 2 else 0
        if stalled == 2 or (stalled and rest <= tolerance * current + rounding):
            break
        before = rest
        direction = solve(siemens, -imbalance)
        descent = -float(imbalance @ direction)
        if not descent > 0:
            break  # nothing but rounding is left of the factors
        above, below = split(direction)
        steps += 1
        low, high, low_slope, high_slope, share = 0.0, 0.0, -descent, 0.0, 1.0
        for _ in range(30):
            state = evaluate(y + share * above, foot + share * below)
            slope = float(state[0] @ direction)
            if np.abs(state[0]).sum() <= before / 2 or abs(slope) <= descent / 2 or (slope <= 0 and high == 0):
                break
            if slope <= 0:
                low, low_slope = share, slope
            else:  # too far, and a slope that is not finite is too far as well
                high, high_slope = share, slope
            secant = low_slope / (low_slope - high_slope) if np.isfinite(high_slope) else 0.5
            share = low + (high - low) * min(0.9, max(0.1, secant))
        y, foot = y + share * above, foot + share * below
        imbalance, siemens, current, rounding = state
    drop, bit = _nodes(crossbar, y)
    bit += foot
    output = foot * foot_siemens if foot_siemens > 0 else crossbar.cell_current(volt - drop - bit)[0].sum(axis=0)
    residual = rest / current if current > 0 else rest
    left = min((AT_A_STALL if stalled else 1) * rounding, AT_MOST * current)
    converged = current < np.inf and rest <= tolerance * current + left
    return Direct(output, drop, bit, steps, residual, bool(converged))


def _seen_ohm(crossbar: Crossbar, siemens: FloatArray) -> FloatArray:
    """What each cell sees of its two lines, (cells,), where cells have these conductances."""
    siemens, word, bit = (
        siemens.reshape(crossbar.conductance_siemens.shape),
        crossbar.word_wire_ohm,
        crossbar.bit_wire_ohm,
    )
    return (line_ohm(siemens.T, word, word).T + line_ohm(siemens[::-1], bit, crossbar.foot_ohm)[::-1]).ravel()


def _assemble(crossbar: Crossbar) -> tuple[csr_array, csr_array, npt.NDArray[np.intp]]:
    """Wires T, incidence C and the order of elimination."""
    from scipy.sparse import block_diag, csr_array, eye_array, hstack, kron

    rows, columns = crossbar.conductance_siemens.shape
    wires: list[csr_array] = []
    cells: list[csr_array] = []
    every_cell = csr_array(eye_array(rows * columns))
    if crossbar.word_wire_ohm > 0:
        chain = np.full(columns, 2.0)
        chain[-1] = 1.0
        line = _tridiagonal(chain, np.full(columns - 1, -1.0)) / crossbar.word_wire_ohm
        wires.append(csr_array(kron(eye_array(rows), line)))
        cells.append(every_cell)
    if crossbar.bit_wire_ohm > 0:
        segment = 1 / crossbar.bit_wire_ohm
        chain = np.full(rows, 2 * segment)
        chain[0] -= segment
        chain[-1] += 1 / crossbar.foot_ohm - segment
        wires.append(csr_array(kron(_tridiagonal(chain, np.full(rows - 1, -segment)), eye_array(columns))))
        cells.append(every_cell)
    elif crossbar.reference_ohm > 0:
        wires.append(csr_array(eye_array(columns) / crossbar.reference_ohm))
        cells.append(csr_array(kron(np.ones((rows, 1)), eye_array(columns))))
    if crossbar.word_wire_ohm > 0 and crossbar.bit_wire_ohm > 0:
        order = nested_dissection(rows, columns)
    else:
        order = np.arange(sum(part.shape[0] for part in wires))
    return csr_array(block_diag(wires)), csr_array(hstack(cells)), order


def _tridiagonal(diagonal: FloatArray, side: FloatArray) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array(np.diag(diagonal) + np.diag(side, 1) + np.diag(side, -1))


def _nodes(crossbar: Crossbar, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    shape = crossbar.conductance_siemens.shape
    cells = shape[0] * shape[1]
    drop, rest = np.zeros(shape), y
    if crossbar.word_wire_ohm > 0:
        drop, rest = y[:cells].reshape(shape), y[cells:]
    if crossbar.bit_wire_ohm > 0:
        return drop, rest.reshape(shape)
    return drop, np.broadcast_to(rest, shape).copy() if crossbar.reference_ohm > 0 else np.zeros(shape)


@lru_cache(maxsize=8)
def nested_dissection(rows: int, columns: int) -> npt.NDArray[np.intp]:
    """An order of elimination for word nodes 0 .. and bit nodes rows * columns .. of a crossbar.

    A word node touches only its word line and its own bit node. Cutting at a column therefore takes away only word
    nodes, one thick, and cutting at a row only bit nodes; the other node of the cut cells stays with either side.
    """
    word = np.arange(rows * columns).reshape(rows, columns)
    bit = word + rows * columns

    def order(w: npt.NDArray[np.intp], b: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
        # w, b: nodes of one rectangle; -1 where a node is in a separator already
        height, width = w.shape
        if height <= LEAF and width <= LEAF:
            both = np.stack([w, b], axis=-1).ravel()
            return [both[both >= 0]]
        if width >= height:
            cut = width // 2
            separator = w[:, cut].copy()
            w[:, cut] = -1
            parts = order(w[:, :cut], b[:, :cut]), order(w[:, cut:], b[:, cut:])
        else:
            cut = height // 2
            separator = b[cut].copy()
            b[cut] = -1
            parts = order(w[:cut], b[:cut]), order(w[cut:], b[cut:])
        return [*parts[0], *parts[1], separator[separator >= 0]]

    return np.concatenate(order(word, bit))
