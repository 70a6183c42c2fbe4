"""The effective transfer matrix of a linear crossbar: found once, then every input is a product."""

from __future__ import annotations

import numpy as np

from fewlevels.circuit.crossbar import Crossbar
from fewlevels.errors import CircuitError
from fewlevels.samples import FloatArray


def transfer_matrix(crossbar: Crossbar) -> FloatArray:
    """T (word lines, bit lines), siemens, with output_ampere = input_volt @ T.

    A block Riccati recursion from the far ends of the word lines to their sources. Y, the conductance matrix that the
    word lines see to their right, takes in one bit line M and one segment r of every word line at a time:
    Y <- (Y + M) (1 + r (Y + M))^-1. It takes about 2 bit_lines word_lines^3 operations, whatever the wires.
    Raises CircuitError with a selector.
    """
    from scipy.linalg.blas import dsymm
    from scipy.linalg.lapack import dpotrf, dpotri

    if crossbar.selector is not None:
        raise CircuitError("only a crossbar without selectors is linear and has a transfer matrix; solve each input")
    conductance, word = crossbar.conductance_siemens, crossbar.word_wire_ohm
    rows = crossbar.word_lines
    fall, own_ohm = _bit_lines(crossbar)
    transfer = np.asfortranarray(conductance * np.exp(fall[-1] - fall[:-1]))
    passed = np.eye(rows, order="F")  # 1 - r Y, which is (1 + r (Y + M))^-1 of the bit line before; its lower half
    for j in reversed(range(crossbar.bit_lines)):
        g, depth = conductance[:, j], fall[:-1, j]
        line = np.minimum(depth - depth[:, None], 0)
        np.exp(line, out=line)
        line *= g[:, None]
        line *= -word * own_ohm[:, j] * g
        line -= passed.T
        line.flat[:: rows + 1] += 2 + word * g
        passed = dpotri(dpotrf(line.T, lower=1, overwrite_a=1)[0], lower=1, overwrite_c=1)[0]
        transfer[:, j:] = dsymm(1.0, passed, transfer[:, j:], lower=1)
    return transfer


def _bit_lines(crossbar: Crossbar) -> tuple[FloatArray, FloatArray]:
    """Bit lines by themselves, cells tied to ground, formed without a subtraction: a current into node k raises it by
    own_ohm[k] times that current, and a node i above it by exp(fall[k] - fall[i]) of this.

    fall: (word lines + 1, bit lines), its last the ground below the foot. own_ohm: (word lines, bit lines).
    """
    g = crossbar.conductance_siemens
    ohm = np.full(len(g), crossbar.bit_wire_ohm)
    ohm[-1] = crossbar.foot_ohm
    above, below = g.copy(), np.empty_like(g)  # conductance of a node and all above; resistance of all below it
    for k in range(1, len(g)):
        above[k] += above[k - 1] / (1 + ohm[k - 1] * above[k - 1])
    below[-1] = ohm[-1]
    for k in range(len(g) - 2, -1, -1):
        below[k] = ohm[k] + below[k + 1] / (1 + g[k + 1] * below[k + 1])
    fall = np.zeros((len(g) + 1, g.shape[1]))
    np.cumsum(-np.log1p(ohm[:, None] * above), axis=0, out=fall[1:])
    return fall, below / (1 + above * below)
