"""The effective transfer matrix of a linear crossbar: found once, then every input is a product."""

from __future__ import annotations

import math

import numpy as np

from fewlevels import _kernels
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.solvers.wired import PARALLEL_CELLS
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.parallel import threads_for
from fewlevels.errors import CircuitError

IDEAL = 2.0**-400
"""Ohm of an ideal wire, by the ohm of all cells in parallel: what it loses is far below rounding."""
LONGEST = 2.0**400
"""Ohm of any wire, by the ohm of the most conducting cell, at most: beyond, currents leave the range of numbers."""


def transfer_matrix(crossbar: Crossbar) -> FloatArray:
    """T (word lines, bit lines), siemens, with output_ampere = input_volt @ T.

    Node after node gives way to conductances between its neighbours, in the order of nested dissection. Nothing is
    subtracted: every entry is exact but for its last digits, where cells and wires lie within 1e50 of each other, and
    otherwise those near the largest. n x n cells take some 32 n^3 operations and 140 n^2 bytes.
    Raises CircuitError with a selector, and for wires beyond 1e120 times the ohm of the most conducting cell.
    """
    instance("crossbar", crossbar, Crossbar, CircuitError)
    if crossbar.selector is not None:
        raise CircuitError("only a crossbar without selectors is linear and has a transfer matrix; solve each input")
    conductance = crossbar.conductance_siemens
    wires = crossbar.word_wire_ohm, crossbar.bit_wire_ohm, crossbar.foot_ohm
    largest = float(conductance.max())
    unit = math.ldexp(1.0, math.frexp(largest)[1] - 1)  # siemens; a power of two, so that dividing rounds nothing
    if not max(wires) * unit < LONGEST:
        raise CircuitError(
            f"wires and reference resistors beside a cell of {largest:g} S must be below "
            f"{LONGEST / unit:g} ohm, got {max(wires):g}"
        )
    word, bit, foot = (1 / max(ohm * unit, IDEAL / conductance.size) for ohm in wires)
    transfer = np.empty_like(conductance)
    threads = threads_for() if conductance.size > PARALLEL_CELLS else 1
    _kernels.transfer(conductance / unit, word, bit, foot, transfer, threads, INSTRUCTION_SET)
    if crossbar.word_wire_ohm == 0 or crossbar.foot_ohm == 0:
        transfer[conductance == 0] = 0  # an ideal wire holds one end of the cell, where a short one lets a little pass
    return transfer * unit
