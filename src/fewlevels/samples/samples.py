"""Samples: labelled inputs of a classifier."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_whole, real_array, shown
from fewlevels.errors import SamplesError


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled inputs of a classifier.

    x: (samples, inputs), float64, finite. y: (samples,), int32, the index of each sample's class.
    classes: the name of each class. shape: of one sample, as (rows, columns) of an image; None where its inputs have no
    order but one after the other.
    Raises SamplesError where these do not fit together.
    """

    x: FloatArray
    y: npt.NDArray[np.integer[Any]]
    classes: tuple[str, ...]
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        x, y = real_array("x", self.x, SamplesError).copy(), _labels(self.y)
        if x.ndim != 2 or 0 in x.shape:
            raise SamplesError(f"x must be (samples, inputs) with at least one of each, got shape {x.shape}")
        if y.shape != (len(x),):
            raise SamplesError(f"y must hold one class for each of the {len(x)} samples, got shape {y.shape}")
        if not np.isfinite(x).all():
            sample, value = np.argwhere(~np.isfinite(x))[0]
            raise SamplesError(f"x must be finite, got {x[sample, value]} at sample {sample}, input {value}")
        if not (isinstance(self.classes, list | tuple) and all(isinstance(name, str) for name in self.classes)):
            raise SamplesError(f"classes must be a list of names, got {shown(self.classes)}")
        if ended := [name for name in self.classes if name.endswith("\0")]:  # which NumPy's arrays of text drop
            raise SamplesError(f"the name of a class must not end in a NUL, got {shown(ended[0])}")
        if len(self.classes) < 2:
            raise SamplesError(f"samples need at least two classes, got {len(self.classes)}")
        if y.dtype.kind not in "bui":
            raise SamplesError(f"y must hold class indices, which are whole numbers, got {y.dtype} with {y.flat[0]}")
        if y.min() < 0 or y.max() >= len(self.classes):
            raise SamplesError(f"y must be 0 to {len(self.classes) - 1}, got {y.min()} to {y.max()}")
        if self.shape is not None:
            if not (isinstance(self.shape, list | tuple) and all(is_whole(n) and n >= 1 for n in self.shape)):
                raise SamplesError(f"shape must be that of one sample, as (rows, columns), got {shown(self.shape)}")
            if math.prod(self.shape) != x.shape[1]:
                raise SamplesError(f"shape {self.shape} does not hold {x.shape[1]} inputs")
            object.__setattr__(self, "shape", tuple(map(int, self.shape)))
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "y", np.ascontiguousarray(y, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"<Samples: {len(self)} of {self.inputs} inputs, {len(self.classes)} classes>"

    @property
    def inputs(self) -> int:
        return self.x.shape[1]


def _labels(y: object) -> npt.NDArray[Any]:
    try:
        return np.asarray(y)
    except (TypeError, ValueError, OverflowError) as error:
        raise SamplesError(f"y must hold class indices: {error}") from None


def named_samples(
    name: str, x: npt.NDArray[Any], y: npt.NDArray[Any], classes: tuple[str, ...], shape: tuple[int, ...] | None
) -> Samples:
    """Samples that were read from a file. An error names the file."""
    try:
        return Samples(x, y, classes, shape=shape)
    except SamplesError as error:
        raise SamplesError(f"{name}: {error}") from None
