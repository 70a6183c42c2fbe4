"""Machine: what this processor offers."""

from __future__ import annotations

import os

from fewlevels import _kernels

INSTRUCTION_SET: str = _kernels.instruction_sets()[0]
"""The widest instruction set that this processor runs and the kernels are compiled for."""

INSTRUCTION_SETS = ("v4", "v3", "baseline")
"""All that kernels may be compiled for: x86-64-v4 (AVX-512), x86-64-v3 (AVX2), and what every processor runs."""


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
