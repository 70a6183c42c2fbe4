"""Files of samples: glyphs as text, or arrays in a NumPy .npz."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fewlevels.common.checks import shown
from fewlevels.common.files import name_of, read_text
from fewlevels.common.npz import listed, npz_names, read_npz
from fewlevels.errors import SamplesError
from fewlevels.samples.glyphs import parse_glyphs
from fewlevels.samples.samples import Samples, named_samples

MOST_CLASSES = 65_536
"""Classes of a file, at most: a larger class number is a label of another kind, and would make as many names."""

EXPECTED = "a glyph text file or a .npz with X and y"
"""What a file of samples is, as an error says it."""


def load_samples(path: str | Path) -> Samples:
    """Samples from a glyph file (text) or from a NumPy `.npz` with X and y.

    X: (samples, inputs) or (samples, rows, columns), real. y: (samples,), integers from 0, or names. As the samples.npz
    of a study does, a file can hold `classes`, the names of these integers, and `shape`, (rows, columns).
    Raises SamplesError where the file cannot be read or its content does not fit.
    """
    if not isinstance(path, str | Path):
        raise SamplesError(f"a samples file is named by text, got {shown(path)}; expected {EXPECTED}")
    if not os.path.exists(path):
        raise SamplesError(f"no samples file at {name_of(path)}; expected {EXPECTED}")
    if Path(path).suffix == ".npz":
        return _load_npz(Path(path))
    return parse_glyphs(read_text(path, SamplesError, EXPECTED), str(path))


def _load_npz(path: Path) -> Samples:
    if not {"X", "y"} <= set(held := npz_names(path, SamplesError)):
        raise SamplesError(f"{name_of(path)} must hold X and y, it holds {listed(held)}")
    arrays = read_npz(path, ("X", "y"), SamplesError, optional=("classes", "shape"))
    x, y = arrays["X"], arrays["y"]
    if x.dtype.kind not in "buif" or x.ndim not in (2, 3) or x.size == 0:
        raise SamplesError(
            f"{path}: X must be real and not empty, (samples, inputs) or (samples, rows, columns), got "
            f"{x.dtype} {x.shape}"
        )
    shape = (x.shape[1], x.shape[2]) if x.ndim == 3 else None
    if "shape" in arrays:
        shape = arrays["shape"].tolist()
    if y.ndim != 1 or y.dtype.kind not in "buiU" or y.size == 0:
        raise SamplesError(f"{path}: y must be a list of class numbers or names, got {y.dtype} {y.shape}")
    x = x.reshape(len(x), -1)
    if y.dtype.kind == "U":
        labels, indices = np.unique(y, return_inverse=True)
        return named_samples(str(path), x, indices, tuple(map(str, labels)), shape)
    if y.max() >= MOST_CLASSES:
        raise SamplesError(f"{path}: class numbers must be 0 to {MOST_CLASSES - 1}, got {y.max()}")
    classes = arrays["classes"].tolist() if "classes" in arrays else tuple(map(str, range(int(y.max()) + 1)))
    return named_samples(str(path), x, y, classes, shape)
