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
"""By which rounding changes a node's imbalance, in units of the currents that cancel there: that of float64."""
AT_A_STALL = 8.0
"""Where no step helps any more, an imbalance of this many times `ROUNDING` counts as solved."""
AT_MOST = 1e-8
"""An imbalance that counts as rounding is at most this share of the cell currents."""
MAX_TRIES = 30
"""Points of one line search: after so many halvings a step is 1e-9 of the first, too short to help."""
LEAF = 4
"""Nested dissection stops at pieces of at most this many lines either way."""


@dataclass(frozen=True, kw_only=True)
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
    the wires. C: which nodes bear on each cell's voltage. The residual is that of `solve_wired`.
    """
    circuit = _Circuit(crossbar, input_volt)
    start, near_steps = circuit.start()
    state, steps, stalled = _newton(circuit, start, tolerance=tolerance, max_steps=max_steps)
    left = min((AT_A_STALL if stalled else 1) * state.rounding, AT_MOST * state.current)
    drop, bit = _nodes(crossbar, state.above)
    bit += state.foot
    return Direct(
        output_ampere=circuit.output(state.foot, drop, bit),
        drop_volt=drop,
        bit_volt=bit,
        steps=near_steps + steps,
        residual=state.rest / state.current if state.current > 0 else state.rest,
        converged=bool(state.current < np.inf and state.rest <= tolerance * state.current + left),
    )


@dataclass(frozen=True, kw_only=True)
class _State:
    """Nodes, and how far they are from Kirchhoff's law.

    The voltage of a bit line is held as its foot, (bit lines,), and what its nodes lie above it, so that the rounding
    of the one does not drown the other. above: y without the feet. imbalance: of the currents at each node, in ampere.
    rest: the sum of their sizes, and rounding the part of it that rounding leaves. siemens: slopes of the cells,
    (cells,). current: the sum of the sizes of all cells' currents.
    """

    above: FloatArray
    foot: FloatArray
    imbalance: FloatArray
    rest: float
    siemens: FloatArray
    current: float
    rounding: float


class _Circuit:
    """The equations of one crossbar at one input, (word lines,) volts."""

    def __init__(self, crossbar: Crossbar, input_volt: FloatArray) -> None:
        self.crossbar = crossbar
        self.wires, self.cells, self.order = _assemble(crossbar)
        self.wire_sizes = abs(self.wires)
        self.volt = np.broadcast_to(input_volt[:, None], crossbar.conductance_siemens.shape)
        self.foot_siemens = 1 / crossbar.foot_ohm if crossbar.foot_ohm > 0 else 0.0
        self.bits = slice(self.volt.size if crossbar.word_wire_ohm > 0 else 0, None)

    def start(self) -> tuple[_State, int]:
        """Where Newton's method begins, and the steps that it took to get there."""
        above, foot, steps = np.zeros(self.wires.shape[0]), np.zeros(self.crossbar.bit_lines), 0
        if not is_native(self.crossbar.selector):
            near, steps = start_near(self.law, self.volt.ravel(), partial(_seen_ohm, self.crossbar), self.linear)
            above, foot = self.split(near) if np.isfinite(near).all() else (above, foot)
        return self.state(above, foot), steps

    def split(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """y as what lies above the feet, and the feet."""
        columns = self.crossbar.bit_lines
        above, foot = y.copy(), np.zeros(columns)
        if self.foot_siemens > 0:
            foot[:] = y[-columns:]
            above[self.bits] -= np.resize(foot, len(y[self.bits]))
        return above, foot

    def state(self, above: FloatArray, foot: FloatArray) -> _State:
        shape = self.volt.shape
        ampere, siemens = self.crossbar.cell_current(self.volt - (self.cells @ above).reshape(shape) - foot)
        imbalance = self.wires @ above - self.cells.T @ ampere.ravel()
        imbalance[-self.crossbar.bit_lines :] += self.foot_siemens * foot
        across = np.abs(self.volt) + (self.cells @ np.abs(above)).reshape(shape) + np.abs(foot)
        through_wires = (self.wire_sizes @ np.abs(above)).sum()
        cancelling = float(through_wires + (siemens * across).sum() + self.foot_siemens * np.abs(foot).sum())
        return _State(
            above=above,
            foot=foot,
            imbalance=imbalance,
            rest=float(np.abs(imbalance).sum()),
            siemens=siemens.ravel(),
            current=float(np.abs(ampere).sum()),
            rounding=ROUNDING * cancelling,
        )

    def nodes_at(self, siemens: FloatArray, ampere: FloatArray) -> FloatArray:
        """The nodes y at which the linear circuit takes up these currents; NaN where there are none."""
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import splu

        jacobian = (self.wires + self.cells.T @ (diags_array(siemens) @ self.cells)).tocsc()[self.order][:, self.order]
        nodes = np.full_like(ampere, np.nan)
        if np.isfinite(jacobian.data).all() and np.isfinite(ampere).all():
            with contextlib.suppress(RuntimeError):  # singular to rounding
                nodes[self.order] = splu(
                    jacobian, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
                ).solve(ampere[self.order])
        return nodes

    def linear(self, across: FloatArray, ampere: FloatArray, siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        """See `start_near`."""
        nodes = self.nodes_at(siemens, self.cells.T @ (ampere + siemens * (self.volt.ravel() - across)))
        return nodes, self.volt.ravel() - self.cells @ nodes

    def law(self, across: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Currents and slopes of the cells, (cells,), at their voltages."""
        ampere, siemens = self.crossbar.cell_current(across.reshape(self.volt.shape))
        return ampere.ravel(), siemens.ravel()

    def output(self, foot: FloatArray, drop: FloatArray, bit: FloatArray) -> FloatArray:
        """What flows out of each foot, (bit lines,)."""
        if self.foot_siemens > 0:
            return foot * self.foot_siemens
        return self.crossbar.cell_current(self.volt - drop - bit)[0].sum(axis=0)


def _newton(circuit: _Circuit, state: _State, *, tolerance: float, max_steps: int) -> tuple[_State, int, int]:
    """The last state, the steps to it, and how often in a row a step no longer helped."""
    steps, stalled, before = 0, 0, np.inf
    while state.rest > tolerance * state.current and steps < max_steps:
        near_end = state.rest <= 1e-6 * state.current + AT_A_STALL * state.rounding
        stalled = stalled + 1 if near_end and state.rest > before / 2 else 0
        if stalled == 2 or (stalled and state.rest <= tolerance * state.current + state.rounding):
            break
        direction = circuit.nodes_at(state.siemens, -state.imbalance)
        descent = -float(state.imbalance @ direction)
        if not descent > 0:
            break  # nothing but rounding is left of the factors
        before, steps = state.rest, steps + 1
        state = _search_line(circuit, state, direction, descent)
    return state, steps, stalled


def _search_line(circuit: _Circuit, state: _State, direction: FloatArray, descent: float) -> _State:
    """The state along a direction where the imbalance has halved, or where its slope has."""
    above, foot = circuit.split(direction)
    low, high, low_slope, high_slope, share = 0.0, 0.0, -descent, 0.0, 1.0
    for _ in range(MAX_TRIES):
        found = circuit.state(state.above + share * above, state.foot + share * foot)
        slope = float(found.imbalance @ direction)
        if found.rest <= state.rest / 2 or abs(slope) <= descent / 2 or (slope <= 0 and high == 0):
            break
        if slope <= 0:
            low, low_slope = share, slope
        else:  # too far, and a slope that is not finite is too far as well
            high, high_slope = share, slope
        secant = low_slope / (low_slope - high_slope) if np.isfinite(high_slope) else 0.5
        share = low + (high - low) * min(0.9, max(0.1, secant))
    return found


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
