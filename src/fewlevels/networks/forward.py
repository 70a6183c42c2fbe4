"""Forward: what networks make of samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.errors import NetworksError
from fewlevels.networks.activations import Activation
from fewlevels.networks.transposed import hint
from fewlevels.samples.samples import Samples


def sizes_of(shapes: Sequence[tuple[int, int]]) -> list[int]:
    """How many inputs there are, then how many units in each layer, of layers of these (fan_in, fan_out)."""
    return [shapes[0][0], *(fan_out for _, fan_out in shapes)]


TIE = 1e-12
"""Difference of two sums that is a tie, relative to the largest sum of terms; the native kernel has the same."""


def check_fit(shapes: Sequence[tuple[int, int]], samples: Samples, bias_rows: int = 0) -> None:
    """Raises NetworksError where networks of layers of these (fan_in, fan_out), the first with so many rows of biases,
    cannot tell these samples.
    """
    instance("samples", samples, Samples, NetworksError)
    inputs, outputs = shapes[0][0] - bias_rows, shapes[-1][1]
    if samples.inputs != inputs or len(samples.classes) > max(outputs, 2):
        raise NetworksError(
            f"networks of {inputs} inputs and {outputs} outputs cannot tell samples of "
            f"{samples.inputs} inputs and {len(samples.classes)} classes"
            f"{hint(shapes, samples)}"
        )


def recognised(
    joint: FloatArray, shapes: Sequence[tuple[int, int]], samples: Samples, margin: FloatArray | None = None
) -> npt.NDArray[np.bool_]:
    """Which samples the paper's networks of joint weights (models, weights) recognise, (models, samples): layers of
    these (fan_in, fan_out), without biases, of sigmoids.

    margin: (models, samples), filled with each sample's own output minus the largest other output.
    """
    check_fit(shapes, samples)
    found = np.empty((len(joint), len(samples)), dtype=bool)
    _kernels.recognise(joint, sizes_of(shapes), samples.x, samples.y, found, INSTRUCTION_SET, margin)
    return found


def recognised_by_sums(
    sums: FloatArray, terms: FloatArray, activation: Activation, samples: Samples, margin: FloatArray | None = None
) -> npt.NDArray[np.bool_]:
    """Which samples networks of any activations recognise, (models, samples); margin as in `recognised`.

    sums: of the last layer's units, (models, samples, outputs); of one output class 1 is where it is above 0. terms: no
    term of these sums is larger, (models, samples). activation: the last one.
    """
    sums = by_class(sums)
    values = activation.value(sums)
    deciding = sums if activation.keeps_order else values
    own, others = _own_and_others(deciding, samples)
    found = np.asarray(own - others > TIE * terms)
    if margin is not None:
        own, others = _own_and_others(values, samples)
        np.subtract(own, others, out=margin)
    return found


def by_class(sums: FloatArray) -> FloatArray:
    """Sums of outputs as one of each class, (…, outputs) -> (…, classes): of one output its negative and itself."""
    return np.concatenate([-sums, sums], axis=-1) if sums.shape[-1] == 1 else sums


def _own_and_others(values: FloatArray, samples: Samples) -> tuple[FloatArray, FloatArray]:
    """Of values (models, samples, outputs), each sample's own, and the largest other one; both (models, samples)."""
    at = samples.y[None, :, None].astype(np.intp)
    own = np.take_along_axis(values, at, axis=2)[..., 0]
    others = values.copy()
    np.put_along_axis(others, at, -np.inf, axis=2)
    return own, others.max(axis=2)


def recognition_and_margin(
    joint: FloatArray, shapes: Sequence[tuple[int, int]], samples: Samples
) -> tuple[FloatArray, FloatArray]:
    """The fraction of the samples that each network recognises, and its smallest margin over them; both (models,)."""
    margins = np.empty((len(joint), len(samples)))
    recognition = recognised(joint, shapes, samples, margins).mean(axis=1)
    return recognition, margins.min(axis=1)
