"""Where to start with cells of any law, however steep: Newton's method on currents as well as on voltages.

Newton's method in the nodes' voltages overshoots where a law is steep, and the currents there leave the range of
float64. Each cell therefore keeps a point (v, i) of its law, and a step gives it the sum v + R i that the linearised
circuit asks for, R about the resistance that the cell sees: both follow from the sum, as in a diode in series with its
device. Where R is small the voltage is kept, where it is large the current.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fewlevels.common.arrays import FloatArray

Law = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Currents and derivatives of all cells, (cells,), at their voltages."""

MAX_STEPS = 200
"""Steps from which on Newton's method in voltages goes on with what is there."""
MAX_HALVINGS = 400
"""Steps along one law: enough halvings to come from the largest voltage down to the smallest."""
NEAR = 1e-3
"""What is left of the imbalance, a share of the cell currents, when it is near enough to go on in voltages."""


def start_near(
    law: Law,
    open_volt: FloatArray,
    seen_ohm: Callable[[FloatArray], FloatArray],
    linear: Callable[[FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray]],
) -> tuple[FloatArray, int]:
    """Nodes near the operating point, not finite where none is found, and the steps it took.

    open_volt: (cells,), across the cells if none conducted. seen_ohm(siemens): about what each cell sees, (cells,),
    where cells conduct so; rather less than more. linear(volt, ampere, siemens): nodes and voltages across the cells of
    the circuit linearised at these points.
    """
    steps, volt = 0, np.zeros_like(open_volt)
    volt = along_law(law, seen_ohm(law(volt)[1]), open_volt, volt)
    ampere, siemens = law(volt)
    while steps < MAX_STEPS:
        steps += 1
        nodes, across = linear(volt, ampere, siemens)
        expected = ampere + siemens * (across - volt)
        off = np.abs(law(across)[0] - expected).sum()
        if off <= NEAR * np.abs(expected).sum() or not np.isfinite(nodes).all():
            break
        ohm = seen_ohm(siemens)
        volt = along_law(law, ohm, across + ohm * expected, volt)
        ampere, siemens = law(volt)
    return nodes, steps


def line_ohm(siemens: FloatArray, segment_ohm: float, end_ohm: float) -> FloatArray:
    """What the cells of lines see of their own line, (cells, lines): driven through end_ohm at the first cell, with
    segment_ohm between neighbours and all other cells tied to ground."""
    before, after = np.empty_like(siemens), np.zeros_like(siemens)  # resistance to the end, conductance of the rest
    before[0] = end_ohm
    for k in range(1, len(siemens)):
        before[k] = segment_ohm + 1 / (1 / before[k - 1] + siemens[k - 1])
        after[-1 - k] = 1 / (segment_ohm + 1 / (siemens[-k] + after[-k]))
    return 1 / (1 / before + after)


def along_law(law: Law, ohm: FloatArray, sum_volt: FloatArray, near_volt: FloatArray) -> FloatArray:
    """The voltages v with v + ohm I(v) = sum_volt, all (cells,): Newton's method inside a bracket, which is halved
    where it does not shrink fast. A current that is not finite is one too far. near_volt: where to begin."""
    sign = np.where(sum_volt < 0, -1.0, 1.0)
    low, high = np.zeros_like(sum_volt), np.abs(sum_volt)
    goal, volt, last_step = high, np.clip(sign * near_volt, low, high), 2 * high
    moving = high > 0
    for _ in range(MAX_HALVINGS):
        ampere, siemens = law(sign * volt)
        lack = goal - volt - ohm * (sign * ampere)
        low, high = np.where(lack >= 0, volt, low), np.where(lack >= 0, high, volt)
        newton = lack / (1 + ohm * siemens)
        good = (np.abs(newton) <= last_step / 2) & (volt + newton >= low) & (volt + newton <= high)
        step = np.where(moving, np.where(good, newton, (low + high) / 2 - volt), 0.0)
        volt, last_step = volt + step, np.abs(step)
        moving &= last_step > 1e-14 * volt
        if not moving.any():
            break
    return sign * volt
