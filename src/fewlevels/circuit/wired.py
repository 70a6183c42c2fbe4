"""Crossbars with wire resistance: the native inexact Newton method, a direct one where it gives up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.circuit.cell import is_native, law_numbers
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.direct import solve_directly
from fewlevels.networks import INSTRUCTION_SET
from fewlevels.samples import FloatArray
from fewlevels.training import available_cores

MAX_STEPS = 50
MAX_ITERATIONS = 1000
"""Conjugate gradient iterations of one Newton step after which factorising is taken to be cheaper."""
MODES = 64
"""Modes of the coarse correction, at most; the kernel takes as many as the wires need."""
PARALLEL_CELLS = 40_000
"""Cells above which one solution is spread over threads; below it, samples are."""
CHUNK = 16
"""Samples solved one after the other, each starting from the one before; fixed, so that threads do not matter."""


@dataclass(frozen=True)
class Solved:
    """What a solver of wired crossbars gives, sample by sample; the nodes only where asked for.

    drop_volt, bit_volt: (samples, word lines, bit lines), the drop from the source to a cell's word node, and its bit
    node. steps, iterations: Newton steps and linear iterations. direct: where sparse factorisation was needed.
    """

    output_ampere: FloatArray
    drop_volt: FloatArray | None
    bit_volt: FloatArray | None
    steps: npt.NDArray[np.int64]
    iterations: npt.NDArray[np.int64]
    residual: FloatArray
    converged: npt.NDArray[np.bool_]
    direct: npt.NDArray[np.bool_]


def solve_wired(crossbar: Crossbar, input_volt: FloatArray, *, tolerance: float, nodes: bool) -> Solved:
    """Solve a crossbar of which at least one kind of wire resists, for each sample of input_volt.

    The residual, the sum of Kirchhoff's imbalances over all nodes by the sum of absolute cell currents, is brought
    below `tolerance` plus what rounding leaves of the wires' currents. Errors of the output currents add up to less.
    """
    shape = len(input_volt), crossbar.word_lines, crossbar.bit_lines
    drop, bit = np.empty((2, *shape)) if nodes else (None, None)
    output, residual = np.empty((shape[0], shape[2])), np.empty(shape[0])
    counts, converged = np.zeros((2, shape[0]), np.int64), np.zeros(shape[0], bool)
    direct = np.zeros(shape[0], bool)
    if is_native(crossbar.selector) and (crossbar.bit_wire_ohm > 0 or crossbar.reference_ohm == 0):
        modes = _word_modes(crossbar.bit_lines), _bit_modes(crossbar)
        big = shape[1] * shape[2] > PARALLEL_CELLS
        threads = available_cores() if big else 1
        law = law_numbers(crossbar.selector)

        def run(begin: int, end: int) -> None:
            part = slice(begin, end)
            part_counts = np.empty((2, min(end, shape[0]) - begin), np.int64)
            _kernels.wired(
                crossbar.conductance_siemens, input_volt[part], crossbar.word_wire_ohm, crossbar.bit_wire_ohm,
                crossbar.foot_ohm, law, modes[0][0], modes[0][1] / (crossbar.word_wire_ohm or np.inf), modes[1][0],
                modes[1][1] / (crossbar.bit_wire_ohm or np.inf), tolerance, MAX_STEPS, MAX_ITERATIONS,
                None if drop is None else drop[part], None if bit is None else bit[part], output[part], part_counts,
                residual[part], converged[part], threads, INSTRUCTION_SET,
            )  # fmt: skip
            counts[:, part] = part_counts

        if big or shape[0] <= CHUNK:
            run(0, shape[0])
        else:
            with ThreadPoolExecutor(available_cores()) as pool:
                list(pool.map(lambda begin: run(begin, begin + CHUNK), range(0, shape[0], CHUNK)))
        if converged.all():
            return Solved(output, drop, bit, counts[0], counts[1], residual, converged, direct)
    for sample in np.flatnonzero(~converged):
        found = solve_directly(crossbar, input_volt[sample], tolerance=tolerance, max_steps=MAX_STEPS)
        output[sample], residual[sample], converged[sample] = found.output_ampere, found.residual, found.converged
        counts[0, sample] = found.steps
        direct[sample] = True
        if drop is not None and bit is not None:
            drop[sample], bit[sample] = found.drop_volt, found.bit_volt
    return Solved(output, drop, bit, counts[0], counts[1], residual, converged, direct)


@lru_cache(maxsize=64)
def _word_modes(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Smoothest modes (modes, nodes) of a line driven at its left end and open at the right, and their eigenvalues in
    units of one segment's conductance."""
    angle = (2 * np.arange(1, min(MODES, nodes) + 1) - 1) * np.pi / (2 * nodes + 1)
    modes = 2 / np.sqrt(2 * nodes + 1) * np.sin(np.outer(angle, np.arange(1, nodes + 1)))
    return modes, 4 * np.sin(angle / 2) ** 2


def _bit_modes(crossbar: Crossbar) -> tuple[FloatArray, FloatArray]:
    if crossbar.bit_wire_ohm == 0:
        return np.empty((0, crossbar.word_lines)), np.empty(0)
    return _foot_modes(crossbar.word_lines, crossbar.bit_wire_ohm / crossbar.foot_ohm)


@lru_cache(maxsize=64)
def _foot_modes(nodes: int, foot: float) -> tuple[FloatArray, FloatArray]:
    """The same for a line open at the top and with a foot to ground of `foot` segments' conductance, at most 1:
    cos(angle (i + 1/2)) with cos(angle (nodes + 1/2)) = (1 - foot) cos(angle (nodes - 1/2))."""
    k = np.arange(1, min(MODES, nodes) + 1)
    low, high = (k - 1) * np.pi / nodes, (2 * k - 1) * np.pi / (2 * nodes + 1)
    if foot == 1:
        angle = high
    else:
        sign = (-1.0) ** (k - 1)
        for _ in range(60):
            angle = (low + high) / 2
            above = sign * (np.cos(angle * (nodes + 0.5)) - (1 - foot) * np.cos(angle * (nodes - 0.5))) > 0
            low, high = np.where(above, angle, low), np.where(above, high, angle)
    modes = np.cos(np.outer(angle, np.arange(nodes) + 0.5))
    return modes / np.linalg.norm(modes, axis=1, keepdims=True), 4 * np.sin(angle / 2) ** 2
