"""Crossbars that drive each other: reference resistors without buffers, so that all layers are one circuit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.solve import CONVERGED, OperatingPoint
from fewlevels.samples import FloatArray

MAX_STEPS = 60
TOLERANCE = 1e-12


def solve_passive(crossbars: Sequence[Crossbar], reference_ohm: float, drive: FloatArray) -> list[OperatingPoint]:
    """Operating points of crossbars with ideal wires in series, (samples, word lines) volts at the first.

    Column j of a layer ends at reference_ohm and is word line j of the next layer, except the column of weight zero,
    which ends at its reference resistor alone; the last layer ends at virtual ground. Unknown are the column voltages
    of all layers but the last; Newton's method from zero, with a line search on the convex co-content.
    """
    solved = [_solve_sample(crossbars, reference_ohm, row) for row in drive]
    points = []
    for layer, crossbar in enumerate(crossbars):
        word = np.array([nodes[layer] for nodes, _, _ in solved])
        foot = np.array([nodes[layer + 1] for nodes, _, _ in solved])
        volt = word[:, : crossbar.word_lines]
        cells = crossbar.cell_current(volt[:, :, None] - foot[:, None, :])[0]
        residual = np.array([one for _, one, _ in solved])
        converged = residual <= 1e-10
        worst = f"the passive circuit did not converge (residual {residual.max():.1e}); lower its reference resistors"
        points.append(OperatingPoint(
            crossbar, volt, cells.sum(axis=1), np.zeros(cells.shape), np.repeat(foot[:, None], cells.shape[1], axis=1),
            np.array([steps for _, _, steps in solved]), residual, converged,
            CONVERGED if converged.all() else worst, "Newton over all layers together",
        ))  # fmt: skip
    return points


def _solve_sample(
    crossbars: Sequence[Crossbar], reference_ohm: float, drive: FloatArray
) -> tuple[list[FloatArray], float, int]:
    """Word line voltages of each layer and the last feet, the residual and the steps."""
    sizes = [c.bit_lines for c in crossbars[:-1]]
    ends = np.cumsum([0, *sizes])

    def nodes(u: FloatArray) -> list[FloatArray]:
        return [drive, *(u[a:b] for a, b in itertools.pairwise(ends)), np.zeros(crossbars[-1].bit_lines)]

    def evaluate(u: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        volts = nodes(u)
        imbalance, slope = u / reference_ohm, np.diag(np.full(len(u), 1 / reference_ohm))
        total = 0.0
        for layer, crossbar in enumerate(crossbars):
            rows = crossbar.word_lines
            ampere, siemens = crossbar.cell_current(volts[layer][:rows, None] - volts[layer + 1][None])
            siemens = np.broadcast_to(siemens, ampere.shape)
            total += float(np.abs(ampere).sum())
            here = slice(ends[layer - 1], ends[layer - 1] + rows)
            if layer > 0:
                imbalance[here] += ampere.sum(axis=1)
                slope[here, here] += np.diag(siemens.sum(axis=1))
            if layer < len(sizes):
                below = slice(ends[layer], ends[layer + 1])
                imbalance[below] -= ampere.sum(axis=0)
                slope[below, below] += np.diag(siemens.sum(axis=0))
                if layer > 0:
                    slope[here, below] -= siemens
                    slope[below, here] -= siemens.T
        return imbalance, slope, total

    u = np.zeros(ends[-1])
    imbalance, slope, total = evaluate(u)
    steps = 0
    while np.abs(imbalance).sum() > TOLERANCE * total and steps < MAX_STEPS:
        direction = -np.linalg.solve(slope, imbalance)
        descent = -float(imbalance @ direction)
        share = 1.0
        for _ in range(40):
            state = evaluate(u + share * direction)
            if np.abs(state[0]).sum() <= 0.5 * np.abs(imbalance).sum() or state[0] @ direction <= 0.5 * descent:
                break
            share /= 2
        u = u + share * direction
        imbalance, slope, total = state
        steps += 1
    return nodes(u), float(np.abs(imbalance).sum() / total) if total > 0 else 0.0, steps
