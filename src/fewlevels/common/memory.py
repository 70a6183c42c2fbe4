"""Memory: how much work is done at once."""

from __future__ import annotations

MEMORY_BYTES = 512 * 10**6
"""What a computation that can be cut into pieces holds at once, in all its threads together, beside its result."""


def at_once(each_bytes: int, *, most: int, memory_bytes: int = MEMORY_BYTES) -> int:
    """How many things of so many bytes each are held at once: as many as fit, at least 1 and at most `most`."""
    return max(1, min(most, memory_bytes // max(each_bytes, 1)))
