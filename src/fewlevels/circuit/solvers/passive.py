"""Crossbars that drive each other: reference resistors without buffers, so that all layers are one circuit."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fewlevels.circuit.cell import is_native
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.point import CONVERGED, OperatingPoint
from fewlevels.circuit.solvers.steep import start_near
from fewlevels.common.arrays import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MAX_STEPS = 60
"""Newton steps of a sample, beyond those that find a start, before it is said not to converge."""
TOLERANCE = 1e-12
"""Residual at which no further step is made, a share of the currents that meet at a node."""


def solve_passive(crossbars: Sequence[Crossbar], reference_ohm: float, drive: FloatArray) -> list[OperatingPoint]:
    """Operating points of crossbars with ideal wires in series, (samples, word lines) volts at the first.

    Column j of a layer ends at reference_ohm and is word line j of the next layer, except the column of weight zero,
    which ends at its reference resistor alone; the last layer ends at virtual ground. Unknown are the column voltages
    of all layers but the last; Newton's method with a line search on the convex co-content, from zero; where a law may
    be steep, from near. The residual is the largest of any node, by the currents that meet there.
    """
    circuit = _Circuit(tuple(crossbars), reference_ohm)
    with np.errstate(all="ignore"):  # what is not finite is looked for
        solved = [circuit.solve(row) for row in drive]
    residual = np.array([one for _, one, _ in solved])
    converged = residual <= 1e-10
    worst = f"the passive circuit did not converge (residual {residual.max():.1e}); lower its reference resistors"
    points = []
    for layer, crossbar in enumerate(crossbars):
        volts = [circuit.layers(row, u)[layer : layer + 2] for row, (u, _, _) in zip(drive, solved, strict=True)]
        volt = np.array([word[: crossbar.word_lines] for word, _ in volts])
        foot = np.where(converged[:, None], [below for _, below in volts], np.nan)
        output = crossbar.cell_current(volt[:, :, None] - foot[:, None, :])[0].sum(axis=1)
        shape = len(drive), *crossbar.conductance_siemens.shape
        points.append(
            OperatingPoint(
                crossbar=crossbar,
                input_volt=volt,
                output_ampere=output,
                drop_volt=np.zeros(shape),
                bit_volt=np.repeat(foot[:, None], shape[1], axis=1),
                iterations=np.array([steps for _, _, steps in solved]),
                residual=residual,
                converged=converged,
                status=CONVERGED if converged.all() else worst,
                method="Newton over all layers together",
            )
        )
    return points


@dataclass(frozen=True, eq=False)
class _Circuit:
    """All cells of all layers: u / R = C' I(V - C u), u the columns' voltages and C which of them bear on a cell."""

    crossbars: tuple[Crossbar, ...]
    reference_ohm: float

    @cached_property
    def nodes(self) -> list[int]:
        """Where each layer's columns begin and end in u."""
        return [0, *itertools.accumulate(c.bit_lines for c in self.crossbars[:-1])]

    @cached_property
    def cells(self) -> csr_array:
        """C, (cells, nodes)."""
        from scipy.sparse import csr_array, vstack

        layers = []
        for layer, crossbar in enumerate(self.crossbars):
            row, column = (index.ravel() for index in np.indices(crossbar.conductance_siemens.shape))
            cell, shape = np.arange(row.size), (row.size, self.nodes[-1])
            incidence = csr_array(shape)
            if layer > 0:
                incidence = incidence - csr_array((np.ones(row.size), (cell, self.nodes[layer - 1] + row)), shape)
            if layer + 1 < len(self.crossbars):
                incidence = incidence + csr_array((np.ones(row.size), (cell, self.nodes[layer] + column)), shape)
            layers.append(incidence)
        return csr_array(vstack(layers))

    def layers(self, drive: FloatArray, u: FloatArray) -> list[FloatArray]:
        """Word line voltages of each layer, and the last one's feet."""
        return [drive, *(u[a:b] for a, b in itertools.pairwise(self.nodes)), np.zeros(self.crossbars[-1].bit_lines)]

    def law(self, volt: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Currents and derivatives of all cells, (cells,)."""
        sizes = [c.conductance_siemens.size for c in self.crossbars]
        found = [
            c.cell_current(part.reshape(c.conductance_siemens.shape))
            for c, part in zip(self.crossbars, np.split(volt, np.cumsum(sizes)[:-1]), strict=True)
        ]
        ampere, siemens = (np.concatenate([part.ravel() for part in parts]) for parts in zip(*found, strict=True))
        return ampere, siemens

    def nodes_at(self, siemens: FloatArray, ampere: FloatArray) -> FloatArray:
        """The nodes at which the linear circuit takes up these currents, NaN where there are none."""
        slope = np.eye(len(ampere)) / self.reference_ohm + (self.cells.T @ (siemens[:, None] * self.cells)).toarray()
        if np.isfinite(slope).all() and np.isfinite(ampere).all():
            with contextlib.suppress(np.linalg.LinAlgError):  # singular to rounding
                return np.linalg.solve(slope, ampere)
        return np.full(len(ampere), np.nan)

    def solve(self, drive: FloatArray) -> tuple[FloatArray, float, int]:
        """Column voltages, residual and steps of one sample."""
        first = self.crossbars[0]
        volt = np.zeros(self.cells.shape[0])
        volt[: first.conductance_siemens.size] = np.repeat(drive, first.bit_lines)

        def evaluate(u: FloatArray) -> tuple[FloatArray, FloatArray, float]:
            # imbalances, slopes, the largest imbalance of a node by the currents that meet there
            ampere, siemens = self.law(volt - self.cells @ u)
            imbalance, meet = u / self.reference_ohm - self.cells.T @ ampere, ends.T @ np.abs(ampere)
            share = np.divide(np.abs(imbalance), meet, out=np.zeros(len(u)), where=(meet != 0) | (imbalance != 0))
            return imbalance, siemens, float(max(share, default=0.0)) if np.isfinite(ampere).all() else np.nan

        def linear(across: FloatArray, ampere: FloatArray, siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
            u = self.nodes_at(siemens, self.cells.T @ (ampere + siemens * (volt - across)))
            return u, volt - self.cells @ u

        def seen_ohm(siemens: FloatArray) -> FloatArray:
            others = ends @ (1 / self.reference_ohm + ends.T @ siemens) / ends.sum(axis=1) - siemens
            return 1 / np.maximum(others, 1 / self.reference_ohm)

        ends = abs(self.cells)
        u, steps = np.zeros(self.nodes[-1]), 0
        if len(u) and not is_native(first.selector):
            near, steps = start_near(self.law, volt, seen_ohm, linear)
            u = near if np.isfinite(near).all() else u
        imbalance, siemens, residual = evaluate(u)
        last = steps + MAX_STEPS
        while residual > TOLERANCE and steps < last:
            direction = self.nodes_at(siemens, -imbalance)
            descent = -float(imbalance @ direction)
            if not descent > 0:
                break  # nothing but rounding is left
            share = 1.0
            for _ in range(40):
                state = evaluate(u + share * direction)
                if np.abs(state[0]).sum() <= 0.5 * np.abs(imbalance).sum() or state[0] @ direction <= 0.5 * descent:
                    break
                share /= 2
            u = u + share * direction
            imbalance, siemens, residual = state
            steps += 1
        return u, residual, steps
