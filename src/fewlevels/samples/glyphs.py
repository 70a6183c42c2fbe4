"""Glyphs: the digits of the paper, and a user's own as text."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np

from fewlevels.common.checks import is_whole, shown
from fewlevels.errors import SamplesError
from fewlevels.samples.samples import Samples, named_samples

DIGIT_SIZES = (5, 7)
"""Pixels of a side of the paper's digits."""


def load_digits(size: int) -> Samples:
    """The ten digits 0-9 on 5 x 5 or 7 x 7 binary pixels, seven-segment style (paper, Figure 1).

    size: 5 or 7. Returns ten samples, sample d showing digit d. Raises SamplesError for any other size.
    """
    if not is_whole(size) or size not in DIGIT_SIZES:
        raise SamplesError(f"the digits come in sizes 5 and 7, got {shown(size)}")
    file = resources.files("fewlevels") / "samples" / "data" / f"digits{size}.txt"
    return parse_glyphs(file.read_text(encoding="utf-8"), f"digits{size}.txt")


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
    return named_samples(
        name, np.array(pixels), np.array([classes.index(label) for label in labels]), classes, shapes[0]
    )
