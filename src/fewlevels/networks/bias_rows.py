"""Bias rows: a layer's bias on word lines of its own, driven by a constant 1, as weights among the others."""

from __future__ import annotations

import numpy as np

from fewlevels.common.arrays import FloatArray

ROUNDING = 1e-9
"""How far a part may exceed the largest weight, relatively: the division is rounded."""


def on_rows(w: FloatArray, b: FloatArray | None) -> tuple[FloatArray, int]:
    """Weights (models, fan_in + rows, fan_out) with the bias in their last rows, and how many rows these are: the
    fewest that take an equal part each, none of which is larger than the layer's largest weight.

    w: (models, fan_in, fan_out). b: (models, fan_out), or None.
    """
    if b is None or not b.any():
        return w, 0
    largest = np.abs(w).max(axis=(1, 2))
    parts = np.abs(b).max(axis=1) / np.where(largest > 0, largest, np.inf)
    rows = max(1, int(np.ceil(parts.max() - ROUNDING)))
    return np.concatenate([w, np.repeat((b / rows)[:, None], rows, axis=1)], axis=1), rows
