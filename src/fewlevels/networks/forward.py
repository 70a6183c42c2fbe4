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
from fewlevels.networks.transposed import hint
from fewlevels.samples.samples import Samples


def sizes_of(shapes: Sequence[tuple[int, int]]) -> list[int]:
    """How many inputs there are, then how many units in each layer, of layers of these (fan_in, fan_out)."""
    return [shapes[0][0], *(fan_out for _, fan_out in shapes)]


def recognised(
    joint: FloatArray, shapes: Sequence[tuple[int, int]], samples: Samples, margin: FloatArray | None = None
) -> npt.NDArray[np.bool_]:
    """`Networks.recognised` for joint weights (models, weights) of layers of these (fan_in, fan_out).

    margin: (models, samples), filled with each sample's own output minus the largest other output.
    """
    sizes = sizes_of(shapes)
    instance("samples", samples, Samples, NetworksError)
    if samples.inputs != sizes[0] or len(samples.classes) > sizes[-1]:
        raise NetworksError(
            f"networks of {sizes[0]} inputs and {sizes[-1]} outputs cannot tell samples of "
            f"{samples.inputs} inputs and {len(samples.classes)} classes"
            f"{hint(shapes, samples)}"
        )
    found = np.empty((len(joint), len(samples)), dtype=bool)
    _kernels.recognise(joint, sizes, samples.x, samples.y, found, INSTRUCTION_SET, margin)
    return found


def recognition_and_margin(
    joint: FloatArray, shapes: Sequence[tuple[int, int]], samples: Samples
) -> tuple[FloatArray, FloatArray]:
    """The fraction of the samples that each network recognises, and its smallest margin over them; both (models,)."""
    margins = np.empty((len(joint), len(samples)))
    recognition = recognised(joint, shapes, samples, margins).mean(axis=1)
    return recognition, margins.min(axis=1)
