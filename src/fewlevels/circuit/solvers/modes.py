"""Modes of a crossbar's wires: the smooth voltages that the coarse correction of the native solver treats exactly."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fewlevels.common.arrays import FloatArray

MODES = 64
"""Modes of each kind, at most; the kernel takes as many of them as the wires need."""


@lru_cache(maxsize=64)
def word_modes(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Smoothest modes (modes, nodes) of a line driven at its left end and open at the right, and their eigenvalues in
    units of one segment's conductance."""
    angle = (2 * np.arange(1, min(MODES, nodes) + 1) - 1) * np.pi / (2 * nodes + 1)
    modes = 2 / np.sqrt(2 * nodes + 1) * np.sin(np.outer(angle, np.arange(1, nodes + 1)))
    return modes, 4 * np.sin(angle / 2) ** 2


@lru_cache(maxsize=64)
def bit_modes(nodes: int, foot: float) -> tuple[FloatArray, FloatArray]:
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
