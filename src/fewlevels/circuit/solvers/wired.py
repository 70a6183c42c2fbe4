"""Crossbars with wire resistance: the native inexact Newton method, a direct one where it gives up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.circuit.cell import is_native, law_numbers
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.solvers.direct import solve_directly
from fewlevels.circuit.solvers.modes import bit_modes, word_modes
from fewlevels.common.arrays import FloatArray
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.parallel import checkpoint, in_order, threads_for

MAX_STEPS = 50
MAX_ITERATIONS = 1000
"""Conjugate gradient iterations of one Newton step after which factorising is taken to be cheaper."""
PARALLEL_CELLS = 150_000
"""Cells above which one solution is spread over threads; below it, samples are."""
CHUNK = 16
"""Samples solved one after the other, each starting from the one before; fixed, so that threads do not matter."""

KernelArguments = tuple[FloatArray, float, float, float, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
"""Conductances, word and bit segment and foot in ohm, cell law, and two kinds of modes with their eigenvalues."""


@dataclass(frozen=True)
class Solved:
    """What a solver of wired crossbars gives, sample by sample; the nodes only where asked for.

    drop_volt, bit_volt: (samples, word lines, bit lines), the drop from the source to a cell's word node, and its bit
    node. steps, iterations: Newton steps and linear iterations. direct: samples that needed sparse factorisation.
    """

    output_ampere: FloatArray
    drop_volt: FloatArray | None
    bit_volt: FloatArray | None
    steps: npt.NDArray[np.int64]
    iterations: npt.NDArray[np.int64]
    residual: FloatArray
    converged: npt.NDArray[np.bool_]
    direct: int


def solve_wired(crossbar: Crossbar, input_volt: FloatArray, *, tolerance: float, nodes: bool) -> Solved:
    """Solve a crossbar of which at least one kind of wire resists, for each sample of input_volt.

    The residual, the sum of Kirchhoff's imbalances over all nodes by the sum of absolute cell currents, is brought
    below `tolerance` plus what rounding leaves of currents that cancel, 1e-8 at most. Errors of the output currents add
    up to less.
    """
    samples, rows, columns = len(input_volt), crossbar.word_lines, crossbar.bit_lines
    drop, bit = np.empty((2, samples, rows, columns)) if nodes else (None, None)
    output, residual = np.empty((samples, columns)), np.full(samples, np.nan)
    counts, converged = np.zeros((2, samples), np.int64), np.zeros(samples, bool)
    arguments = kernel_arguments(crossbar) if is_native(crossbar.selector) else None
    if arguments is not None and (crossbar.bit_wire_ohm > 0 or crossbar.reference_ohm == 0):
        if samples <= CHUNK or rows * columns > PARALLEL_CELLS:
            threads = threads_for() if rows * columns > PARALLEL_CELLS else 1
            _kernels.wired(
                *arguments,
                tolerance,
                MAX_STEPS,
                MAX_ITERATIONS,
                input_volt,
                drop,
                bit,
                output,
                counts,
                residual,
                converged,
                threads,
                INSTRUCTION_SET,
            )
        else:

            def run(begin: int) -> None:
                part = slice(begin, begin + CHUNK)
                part_counts = np.empty((2, len(input_volt[part])), np.int64)
                _kernels.wired(
                    *arguments,
                    tolerance,
                    MAX_STEPS,
                    MAX_ITERATIONS,
                    input_volt[part],
                    None if drop is None else drop[part],
                    None if bit is None else bit[part],
                    output[part],
                    part_counts,
                    residual[part],
                    converged[part],
                    1,
                    INSTRUCTION_SET,
                )
                counts[:, part] = part_counts

            in_order(run, range(0, samples, CHUNK))
        if converged.all():
            return Solved(output, drop, bit, counts[0], counts[1], residual, converged, 0)
    left = np.flatnonzero(~converged)
    for sample in left:
        checkpoint()
        found = solve_directly(crossbar, input_volt[sample], tolerance=tolerance, max_steps=MAX_STEPS)
        if not found.converged and residual[sample] <= found.residual:
            continue  # NaN is never the better one
        output[sample], residual[sample], converged[sample] = found.output_ampere, found.residual, found.converged
        counts[0, sample] = found.steps
        if drop is not None and bit is not None:
            drop[sample], bit[sample] = found.drop_volt, found.bit_volt
    return Solved(output, drop, bit, counts[0], counts[1], residual, converged, len(left))


def kernel_arguments(crossbar: Crossbar) -> KernelArguments:
    """What the native solver takes of a crossbar."""
    word, bit = crossbar.word_wire_ohm, crossbar.bit_wire_ohm
    none = np.empty((0, 0)), np.empty(0)
    words = word_modes(crossbar.bit_lines) if word > 0 and bit > 0 else none
    bits = bit_modes(crossbar.word_lines, bit / crossbar.foot_ohm) if word > 0 and bit > 0 else none
    return (
        crossbar.conductance_siemens,
        word,
        bit,
        crossbar.foot_ohm,
        law_numbers(crossbar.selector),
        words[0],
        words[1] / (word or 1),
        bits[0],
        bits[1] / (bit or 1),
    )
