"""Files of samples: inputs of any shape, with labels or without; what a file is, its content says."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.checks import shown
from fewlevels.common.files import name_of, open_regular, read_text
from fewlevels.common.npz import listed, npz_names, read_npz
from fewlevels.common.words import printable
from fewlevels.errors import SamplesError
from fewlevels.samples.glyphs import parse_glyphs
from fewlevels.samples.idx import is_idx, read_idx
from fewlevels.samples.images import read_images
from fewlevels.samples.samples import Samples, named_samples
from fewlevels.samples.table import read_table

MOST_CLASSES = 65_536
"""Classes of a file, at most: a larger class number is a label of another kind, and would make as many names."""

EXPECTED = (
    "a glyph text file, a .npz with X and y (X alone where there are no labels), a .npy, a .csv, an IDX file, or a "
    "folder of images"
)
"""What a file of samples is, as an error says it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Inputs as a file holds them.

    x: (samples, …), real, finite. y: (samples,), the index of each sample's class, or None. classes: their names.
    remark: what was done to the inputs, in words, or nothing.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[np.intp] | None = None
    classes: tuple[str, ...] = ()
    remark: str = ""

    def samples(self, name: str) -> Samples:
        """As labelled samples. name: of the file. Raises SamplesError where there are no labels."""
        if self.y is None:
            raise SamplesError(f"{name_of(name)} must hold X and y: it has no labels")
        shape = self.x.shape[1:] if self.x.ndim > 2 else None
        return named_samples(name, self.x.reshape(len(self.x), -1), self.y, self.classes, shape)


def load_samples(path: str | Path) -> Samples:
    """Labelled samples of a file: glyphs as text, a NumPy `.npz` with X and y, or any other that `load_data` reads.

    X: (samples, …), real. y: (samples,), integers from 0, or names. As the samples.npz of a study does, a .npz can hold
    `classes`, the names of these integers, and `shape`, of one sample.
    Raises SamplesError where the file cannot be read, its content does not fit, or it holds no labels.
    """
    return load_data(path).samples(str(path))


def load_data(path: str | Path) -> Data:
    """The inputs of a file, and their labels where it holds them; what the file is, its content says.

    Raises SamplesError where it cannot be read or its content does not fit.
    """
    if not isinstance(path, str | Path):
        raise SamplesError(f"a samples file is named by text, got {shown(path)}; expected {EXPECTED}")
    if os.path.isdir(path):
        x, names = read_images(Path(path))
        return _labelled(str(path), x, names, "pixels were divided by 255")
    if not os.path.exists(path):
        raise SamplesError(f"no samples file at {name_of(path)}; expected {EXPECTED}")
    path = Path(path)
    with open_regular(path, SamplesError, EXPECTED) as file:
        start = file.read(8)
    if start.startswith(b"PK"):
        return _of_npz(path)
    if start.startswith(b"\x93NUMPY"):
        return _labelled(str(path), _npy(path), None)
    if is_idx(path, start):
        pixels, classes = read_idx(path)
        return _labelled(str(path), pixels, classes, "pixels were divided by 255" if pixels.dtype == np.float32 else "")
    if path.suffix.lower() in (".csv", ".tsv"):
        return _labelled(str(path), *read_table(path))
    glyphs = parse_glyphs(read_text(path, SamplesError, EXPECTED), str(path))
    return Data(
        x=glyphs.x.reshape(len(glyphs), *(glyphs.shape or ())), y=glyphs.y.astype(np.intp), classes=glyphs.classes
    )


def _of_npz(path: Path) -> Data:
    held = npz_names(path, SamplesError)
    if "X" not in held:
        raise SamplesError(f"{name_of(path)} must hold X and y, or X alone without labels; it holds {listed(held)}")
    arrays = read_npz(path, ("X",), SamplesError, optional=("y", "classes", "shape"))
    x, shape = arrays["X"], tuple(arrays.get("shape", np.empty(0, int)).ravel().tolist())
    if shape and x.ndim == 2 and math.prod(shape) == x.shape[1]:
        x = x.reshape(len(x), *shape)
    found = _labelled(str(path), x, arrays.get("y"))
    classes = tuple(map(str, arrays.get("classes", np.empty(0, str)).ravel().tolist()))
    return replace(found, classes=classes) if found.y is not None and len(classes) > found.y.max() else found


def _npy(path: Path) -> npt.NDArray[Any]:
    try:
        return np.array(np.lib.format.open_memmap(path, mode="r"))  # a header that promises more than there is fails
    except (ValueError, OSError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError) as error:
        raise SamplesError(f"{name_of(path)} is no .npy of plain numbers: {printable(error)}") from None


def _labelled(name: str, x: npt.NDArray[Any], y: npt.NDArray[Any] | None, remark: str = "") -> Data:
    """Labels are class numbers from 0, or names."""
    name = name_of(name)
    if x.dtype.kind not in "buif" or x.ndim < 2 or x.size == 0:
        raise SamplesError(f"{name}: X must be real and not empty, (samples, …), got {x.dtype} {x.shape}")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        flat = x.reshape(len(x), -1)
        sample, value = np.argwhere(~np.isfinite(flat))[0]
        raise SamplesError(f"{name}: x must be finite, got {flat[sample, value]} at sample {sample}, input {value}")
    if y is None:
        return Data(x=x, remark=remark)
    if y.ndim != 1 or y.dtype.kind not in "buiU":
        raise SamplesError(f"{name}: y must be a list of class numbers or names, got {y.dtype} {y.shape}")
    if y.shape != (len(x),):
        raise SamplesError(f"{name}: y must hold one class for each of the {len(x)} samples, got shape {y.shape}")
    if y.dtype.kind == "U":
        labels, indices = np.unique(y, return_inverse=True)
        return Data(x=x, y=indices.astype(np.intp), classes=tuple(map(str, labels)), remark=remark)
    if y.min() < 0 or y.max() >= MOST_CLASSES:
        raise SamplesError(f"{name}: class numbers must be 0 to {MOST_CLASSES - 1}, got {y.min()} to {y.max()}")
    classes = tuple(map(str, range(int(y.max()) + 1)))
    return Data(x=x, y=y.astype(np.intp), classes=classes, remark=remark)
