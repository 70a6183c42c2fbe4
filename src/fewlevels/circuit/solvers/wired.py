"""Crossbars with wire resistance: the native inexact Newton method, a direct one where it gives up."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
"""Newton steps of a sample, by either method, before it is said not to converge."""
MAX_ITERATIONS = 1000
"""Conjugate gradient iterations of one Newton step after which factorising is taken to be cheaper."""
PARALLEL_CELLS = 150_000
"""Cells above which one solution is spread over threads; below it, samples are."""
CHUNK = 16
"""Samples solved one after the other, each starting from the one before; fixed, so that threads do not matter."""

KernelArguments = tuple[FloatArray, float, float, float, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
"""Conductances, word and bit segment and foot in ohm, cell law, and two kinds of modes with their eigenvalues."""


@dataclass(frozen=True, kw_only=True)
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
    solved = _unsolved(crossbar, len(input_volt), nodes)
    if is_native(crossbar.selector) and (crossbar.bit_wire_ohm > 0 or crossbar.reference_ohm == 0):
        _iterate(crossbar, input_volt, solved, tolerance)
    left = np.flatnonzero(~solved.converged)
    for sample in left.tolist():
        checkpoint()
        _factorise(crossbar, input_volt[sample], solved, sample, tolerance)
    return replace(solved, direct=len(left))


def _unsolved(crossbar: Crossbar, samples: int, nodes: bool) -> Solved:
    """The arrays that solutions are written into."""
    shape = (samples, crossbar.word_lines, crossbar.bit_lines)
    return Solved(
        output_ampere=np.empty((samples, crossbar.bit_lines)),
        drop_volt=np.empty(shape) if nodes else None,
        bit_volt=np.empty(shape) if nodes else None,
        steps=np.zeros(samples, np.int64),
        iterations=np.zeros(samples, np.int64),
        residual=np.full(samples, np.nan),
        converged=np.zeros(samples, bool),
        direct=0,
    )


def _iterate(crossbar: Crossbar, input_volt: FloatArray, solved: Solved, tolerance: float) -> None:
    """Solve all samples by the native inexact Newton method: few, or of a large crossbar, one after the other, each by
    many threads; else in chunks, a thread for each."""
    samples, is_large = len(input_volt), crossbar.conductance_siemens.size > PARALLEL_CELLS
    arguments = kernel_arguments(crossbar)

    def run(part: slice, threads: int) -> None:
        counts = np.empty((2, len(input_volt[part])), np.int64)
        _kernels.wired(
            *arguments,
            tolerance,
            MAX_STEPS,
            MAX_ITERATIONS,
            input_volt[part],
            None if solved.drop_volt is None else solved.drop_volt[part],
            None if solved.bit_volt is None else solved.bit_volt[part],
            solved.output_ampere[part],
            counts,
            solved.residual[part],
            solved.converged[part],
            threads,
            INSTRUCTION_SET,
        )
        solved.steps[part], solved.iterations[part] = counts

    if samples <= CHUNK or is_large:
        run(slice(0, samples), threads_for() if is_large else 1)
    else:
        in_order(lambda begin: run(slice(begin, begin + CHUNK), 1), range(0, samples, CHUNK))


def _factorise(crossbar: Crossbar, volt: FloatArray, solved: Solved, sample: int, tolerance: float) -> None:
    """Solve one sample by sparse factorisation, and keep that where it is no worse than what is there."""
    found = solve_directly(crossbar, volt, tolerance=tolerance, max_steps=MAX_STEPS)
    if not found.converged and solved.residual[sample] <= found.residual:
        return  # NaN is never the better one
    solved.output_ampere[sample] = found.output_ampere
    solved.residual[sample], solved.converged[sample] = found.residual, found.converged
    solved.steps[sample] = found.steps
    if solved.drop_volt is not None and solved.bit_volt is not None:
        solved.drop_volt[sample], solved.bit_volt[sample] = found.drop_volt, found.bit_volt


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
