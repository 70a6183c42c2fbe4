"""Stored: samples as a folder of results keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.npz import read_npz
from fewlevels.errors import SamplesError, StoreError
from fewlevels.samples.samples import Samples
from fewlevels.storage.provenance import digest


def as_arrays(samples: Samples) -> dict[str, npt.NDArray[Any]]:
    """What a file of samples holds: X, y, classes and, where samples have a shape, shape."""
    arrays: dict[str, npt.NDArray[Any]] = {"X": samples.x, "y": samples.y, "classes": np.array(samples.classes)}
    return arrays | ({"shape": np.array(samples.shape)} if samples.shape else {})


def read_samples(path: Path) -> Samples:
    """The inverse of `as_arrays`. Version 0.1.0 called the inputs x. Raises StoreError where they cannot be read."""
    try:
        stored = read_npz(path, ("y", "classes"), StoreError, optional=("X", "x", "shape"))
        if not {"X", "x"} & stored.keys():
            raise StoreError("it holds no X")
        x = stored["X"] if "X" in stored else stored["x"]
        shape = stored["shape"].tolist() if "shape" in stored else None
        return Samples(x, stored["y"], classes=stored["classes"].tolist(), shape=shape)
    except (StoreError, SamplesError) as error:
        raise StoreError(
            f"{path} cannot be read: {error}; without it nothing says what the results are of: put "
            "it back, or use another folder"
        ) from None


def samples_digest(samples: Samples) -> str:
    """Of everything that samples are."""
    return digest([samples.classes, samples.shape], samples.x, samples.y)
