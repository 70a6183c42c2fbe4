"""Samples: the digits of the paper, a user's own glyphs or arrays, and corrupted copies of them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, is_whole, real_array, shown, whole_number
from fewlevels.common.files import name_of, read_text
from fewlevels.common.npz import listed, npz_names, read_npz
from fewlevels.errors import SamplesError

DIGIT_SIZES = (5, 7)
MOST_CLASSES = 65_536
EXPECTED = "a glyph text file or a .npz with X and y"


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled inputs of a classifier.

    x: (samples, inputs), float64, finite. y: (samples,), int32, the index of each sample's class.
    classes: the name of each class. shape: (rows, columns) of an image, None where the inputs are not one.
    Raises SamplesError where these do not fit together.
    """

    x: FloatArray
    y: npt.NDArray[np.integer[Any]]
    classes: tuple[str, ...]
    shape: tuple[int, int] | None = None

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
            rows_columns = isinstance(self.shape, list | tuple) and len(self.shape) == 2
            if not (rows_columns and all(is_whole(n) and n >= 1 for n in self.shape)):
                raise SamplesError(f"shape must be (rows, columns) of an image, got {shown(self.shape)}")
            if self.shape[0] * self.shape[1] != x.shape[1]:
                raise SamplesError(f"shape {self.shape} does not hold {x.shape[1]} inputs")
            object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))
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


def load_digits(size: int) -> Samples:
    """The ten digits 0-9 on 5 x 5 or 7 x 7 binary pixels, seven-segment style (paper, Figure 1).

    size: 5 or 7. Returns ten samples, sample d showing digit d. Raises SamplesError for any other size.
    """
    if not is_whole(size) or size not in DIGIT_SIZES:
        raise SamplesError(f"the digits come in sizes 5 and 7, got {shown(size)}")
    file = resources.files("fewlevels") / "data" / f"digits{size}.txt"
    return parse_glyphs(file.read_text(encoding="utf-8"), f"digits{size}.txt")


def load_samples(path: str | Path) -> Samples:
    """Samples from a glyph file (text) or from a NumPy `.npz` with X and y.

    X: (samples, inputs) or (samples, rows, columns), real. y: (samples,), integers from 0, or names.
    Raises SamplesError where the file cannot be read or its content does not fit.
    """
    if not isinstance(path, str | Path):
        raise SamplesError(f"a samples file is named by text, got {shown(path)}; expected {EXPECTED}")
    if not os.path.exists(path):
        raise SamplesError(f"no samples file at {name_of(path)}; expected {EXPECTED}")
    if Path(path).suffix == ".npz":
        return _load_npz(Path(path))
    return parse_glyphs(read_text(path, SamplesError, EXPECTED), str(path))


def parse_glyphs(text: str, name: str) -> Samples:
    """Read glyphs: 'class NAME', then one line of 0 and 1 for each row; several glyphs may share a class.

    name: what to call the text in an error. Raises SamplesError naming the line.
    """
    glyphs: list[list[str]] = []
    labels: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("class "):
            labels.append(line.removeprefix("class ").strip())
            glyphs.append([])
        elif not glyphs:
            raise SamplesError(f"{name} line {number}: expected 'class NAME' before the first row, got {line!r}")
        elif not re.fullmatch("[01]+", line):
            raise SamplesError(f"{name} line {number}: a row is made of 0 and 1, got {line!r}")
        elif glyphs[-1] and len(line) != len(glyphs[-1][0]):
            raise SamplesError(
                f"{name} line {number}: a row of {len(glyphs[-1][0])} pixels is expected, got {len(line)} in {line!r}"
            )
        else:
            glyphs[-1].append(line)
    if not glyphs:
        raise SamplesError(f"{name} holds no glyph; expected 'class NAME' followed by rows of 0 and 1")
    shapes = [(len(rows), len(rows[0]) if rows else 0) for rows in glyphs]
    for label, shape in zip(labels, shapes, strict=True):
        if 0 in shape:
            expected = "rows of 0 and 1" if 0 in shapes[0] else f"{shapes[0][0]} x {shapes[0][1]} pixels"
            raise SamplesError(f"{name}: glyph {label!r} has no rows; expected {expected} after 'class {label}'")
        if shape != shapes[0]:
            raise SamplesError(
                f"{name}: every glyph must be {shapes[0][0]} x {shapes[0][1]}, {label!r} is {shape[0]} x {shape[1]}"
            )
    classes = tuple(dict.fromkeys(labels))
    pixels = [[float(pixel) for row in rows for pixel in row] for rows in glyphs]
    return _samples(name, np.array(pixels), np.array([classes.index(label) for label in labels]), classes, shapes[0])


def flip_pixels(samples: Samples, pixels: int, copies: int, rng: np.random.Generator) -> Samples:
    """Noisy copies of binary samples: in each copy of each sample, `pixels` different inputs are flipped (0 <-> 1).

    Returns samples * copies samples, the copies of one sample side by side.
    Raises SamplesError where x is not binary or has fewer inputs than `pixels`.
    """
    instance("samples", samples, Samples, SamplesError)
    instance("rng", rng, np.random.Generator, SamplesError)
    if not np.isin(samples.x, (0.0, 1.0)).all():
        raise SamplesError("only binary samples have pixels to flip; this x holds values other than 0 and 1")
    pixels = whole_number("pixels", pixels, SamplesError, most=samples.inputs)
    copies = whole_number("copies", copies, SamplesError, least=1, most=2**31 - 1)
    x = np.repeat(samples.x, copies, axis=0)
    chosen = np.argsort(rng.random(x.shape), axis=1)[:, :pixels]
    np.put_along_axis(x, chosen, 1.0 - np.take_along_axis(x, chosen, axis=1), axis=1)
    return replace(samples, x=x, y=np.repeat(samples.y, copies))


def _load_npz(path: Path) -> Samples:
    if not {"X", "y"} <= set(held := npz_names(path, SamplesError)):
        raise SamplesError(f"{name_of(path)} must hold X and y, it holds {listed(held)}")
    arrays = read_npz(path, ("X", "y"), SamplesError)
    x, y = arrays["X"], arrays["y"]
    if x.dtype.kind not in "buif" or x.ndim not in (2, 3) or x.size == 0:
        raise SamplesError(
            f"{path}: X must be real and not empty, (samples, inputs) or (samples, rows, columns), got "
            f"{x.dtype} {x.shape}"
        )
    shape = (x.shape[1], x.shape[2]) if x.ndim == 3 else None
    if y.ndim != 1 or y.dtype.kind not in "buiU" or y.size == 0:
        raise SamplesError(f"{path}: y must be a list of class numbers or names, got {y.dtype} {y.shape}")
    x = x.reshape(len(x), -1)
    if y.dtype.kind == "U":
        labels, indices = np.unique(y, return_inverse=True)
        return _samples(str(path), x, indices, tuple(map(str, labels)), shape)
    if y.max() >= MOST_CLASSES:
        raise SamplesError(f"{path}: class numbers must be 0 to {MOST_CLASSES - 1}, got {y.max()}")
    return _samples(str(path), x, y, tuple(map(str, range(int(y.max()) + 1))), shape)


def _labels(y: object) -> npt.NDArray[Any]:
    try:
        return np.asarray(y)
    except (TypeError, ValueError, OverflowError) as error:
        raise SamplesError(f"y must hold class indices: {error}") from None


def _samples(
    name: str, x: npt.NDArray[Any], y: npt.NDArray[Any], classes: tuple[str, ...], shape: tuple[int, int] | None
) -> Samples:
    """Samples of a file; what they refuse, with the file's name."""
    try:
        return Samples(x, y, classes, shape)
    except SamplesError as error:
        raise SamplesError(f"{name}: {error}") from None
