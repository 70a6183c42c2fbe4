"""Transposed layers: what other frameworks keep, noticed where it can be."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from fewlevels.samples.samples import Samples

TRANSPOSED = "W1 is (inputs, outputs), which is the transpose of a PyTorch layer's weight"


def hint(shapes: Sequence[tuple[int, int]], samples: Samples) -> str:
    """Why networks of these layers do not fit the samples, where that can be guessed."""
    inputs, outputs, classes = shapes[0][0], shapes[-1][1], len(samples.classes)
    if inputs == samples.inputs and outputs == 1 and classes == 2:
        return "; save two outputs of a one-output classifier, numpy.hstack([-W, W]) of its last layer W"
    if fit_transposed(shapes, samples):
        return f"; they fit when transposed: {TRANSPOSED}"
    return "; class numbers count from 0" if inputs == samples.inputs and classes == outputs + 1 else ""


def fit_transposed(shapes: Sequence[tuple[int, int]], samples: Samples) -> bool:
    ends = [(fan_out, fan_in) for fan_in, fan_out in shapes]
    chained = all(before[1] == after[0] for before, after in itertools.pairwise(ends))
    return chained and ends[0][0] == samples.inputs and ends[-1][1] >= len(samples.classes)
