"""Arrays: the kinds of array that every stage speaks of, and where float32 begins and ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT32_MIN = float(np.finfo(np.float32).tiny)
"""The smallest float32 that keeps all its digits. Smaller numbers lose digits, and much smaller ones become 0."""
