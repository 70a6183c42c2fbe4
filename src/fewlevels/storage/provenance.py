"""Provenance: what a result was made of. It is kept with the result, so that nobody takes it for another result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

Provenance = Mapping[str, object]
"""What a result depends on, by name: numbers, texts and lists of them, and digests of what is larger."""

DIGEST = "sha256:"


def digest(described: object, *arrays: np.ndarray) -> str:
    """A short stand-in for values that JSON holds and for arrays, their types and shapes."""
    found = hashlib.sha256(json.dumps(described).encode())
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return DIGEST + found.hexdigest()[:32]


def differences(there: Provenance, here: Provenance) -> list[str]:
    """What differs, in words: 'alpha is 0.8 there and 1.0 here'; empty where nothing does."""
    return [
        _in_words(name, there.get(name), here.get(name))
        for name in dict.fromkeys((*here, *there))
        if there.get(name) != here.get(name)
    ]


def _in_words(name: str, there: object, here: object) -> str:
    if str(there).startswith(DIGEST) and str(here).startswith(DIGEST):
        return f"the content of the {name} has changed"
    said = ["unknown" if value is None else repr(value) for value in (there, here)]
    return f"{name} is {said[0]} there and {said[1]} here"
