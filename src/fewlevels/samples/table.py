"""Table: samples as lines of numbers, with commas, semicolons or tabs between."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.files import name_of, read_text
from fewlevels.common.words import printable
from fewlevels.errors import SamplesError

LABELS = {"class", "label", "labels", "target", "y"}
"""What a column of labels is called."""


def read_table(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any] | None]:
    """Inputs (samples, columns), and the labels of a column named y, label, class or target, where there is one.

    Raises SamplesError where a line does not fit.
    """
    lines = [line for line in read_text(path, SamplesError, "a .csv of numbers").splitlines() if line.strip(" ,;\t")]
    if not lines:
        raise SamplesError(f"{name_of(path)} holds no line")
    between = max(",;\t", key=lines[0].count)
    head = [cell.strip().strip('"').lower() for cell in lines[0].split(between)]
    named = not all(_is_number(cell) for cell in head)
    rows, columns = lines[1:] if named else lines, list(range(len(head)))
    label = next((column for column in columns if named and head[column] in LABELS), None)
    inputs = [column for column in columns if column != label]
    if not rows or not inputs:
        raise SamplesError(f"{name_of(path)} holds no line of numbers")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = np.loadtxt(rows, delimiter=between, usecols=inputs, ndmin=2, quotechar='"', comments=None)
            given = (
                None
                if label is None
                else np.loadtxt(
                    rows, delimiter=between, usecols=[label], ndmin=1, quotechar='"', comments=None, dtype=str
                )
            )
    except (ValueError, IndexError) as error:
        raise SamplesError(f"{name_of(path)}: {printable(error)}; lines of {len(head)} numbers are expected") from None
    if given is not None and all(_is_whole(cell) for cell in given):
        return x, np.array([int(float(cell)) for cell in given])
    return x, given


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_whole(cell: str) -> bool:
    return _is_number(cell) and float(cell).is_integer()
