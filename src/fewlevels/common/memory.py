"""Memory: how much work is done at once."""

from __future__ import annotations

MEMORY_BYTES = 512 * 10**6
"""How many bytes a computation in pieces holds at once: all its threads together, its result not counted."""


def at_once(each_bytes: int, *, most: int, memory_bytes: int = MEMORY_BYTES) -> int:
    """How many things of `each_bytes` bytes fit in `memory_bytes`; at least 1, and at most `most`."""
    return max(1, min(most, memory_bytes // max(each_bytes, 1)))
