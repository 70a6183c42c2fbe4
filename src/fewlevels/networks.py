"""Networks: many sigmoid networks of one shape, their weights stacked, applied together."""

from __future__ import annotations

import itertools
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.errors import NetworksError
from fewlevels.samples import FloatArray, Samples

INSTRUCTION_SET: str = _kernels.instruction_sets()[0]
"""The widest instruction set that this processor runs and the kernels are compiled for."""

INSTRUCTION_SETS = ("v4", "v3", "baseline")
"""All that kernels may be compiled for: x86-64-v4 (AVX-512), x86-64-v3 (AVX2), and what every processor runs."""


@dataclass(frozen=True, eq=False)
class Networks:
    """Feed-forward networks without biases: input -> W1 -> sigmoid -> W2 -> sigmoid …; the largest output wins.

    weights: one array (models, fan_in, fan_out) per layer, float64, finite.
    Raises NetworksError where layers do not fit together.
    """

    weights: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        weights = tuple(np.ascontiguousarray(w, dtype=np.float64) for w in self.weights)
        if not weights:
            raise NetworksError("networks need at least one layer of weights, got none")
        for layer, w in enumerate(weights, start=1):
            if w.ndim != 3 or 0 in w.shape[1:]:
                raise NetworksError(f"the weights of layer {layer} must be (models, fan_in, fan_out), got {w.shape}")
            if not np.isfinite(w).all():
                raise NetworksError(f"the weights of layer {layer} must be finite, got {w[~np.isfinite(w)][0]}")
        for layer, (before, w) in enumerate(itertools.pairwise(weights), start=2):
            if w.shape[:2] != (len(before), before.shape[2]):
                raise NetworksError(f"layer {layer} must take the {before.shape[2]} outputs of layer {layer - 1} in "
                                    f"{len(before)} models, got shape {w.shape}")  # fmt: skip
        object.__setattr__(self, "weights", weights)

    @classmethod
    def from_weights(cls, weights: Sequence[npt.ArrayLike]) -> Networks:
        """Networks of the user's own: one array per layer, (fan_in, fan_out) for one network, or
        (models, fan_in, fan_out) for several. Raises NetworksError where they do not fit together.
        """
        try:
            arrays = [np.asarray(w).astype(np.float64, casting="same_kind") for w in weights]
        except (TypeError, ValueError) as error:
            raise NetworksError(f"weights must be arrays of numbers: {error}") from None
        return Networks(tuple(w[None] if w.ndim == 2 else w for w in arrays))

    @classmethod
    def from_joint(cls, joint: FloatArray, shapes: Sequence[tuple[int, int]]) -> Networks:
        """The inverse of `joint`: weights (models, all weights) cut into layers of these (fan_in, fan_out)."""
        ends = np.cumsum([fan_in * fan_out for fan_in, fan_out in shapes])[:-1]
        parts = np.split(joint, ends, axis=1)
        return Networks(tuple(part.reshape(len(joint), *shape) for part, shape in zip(parts, shapes, strict=True)))

    def __len__(self) -> int:
        return len(self.weights[0])

    def __repr__(self) -> str:
        sizes = [self.shapes[0][0], *(fan_out for _, fan_out in self.shapes)]
        return f"<Networks: {len(self)} of {'-'.join(map(str, sizes))}>"

    def __getitem__(self, models: int | slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Networks:
        """The networks at these indices; an integer gives one network."""
        if isinstance(models, int | np.integer):
            if not -len(self) <= models < len(self):
                raise IndexError(f"model must be {-len(self)} to {len(self) - 1}, got {models}")
            models = slice(models, models + 1 or None)
        return Networks(tuple(w[models] for w in self.weights))

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of each layer."""
        return [(w.shape[1], w.shape[2]) for w in self.weights]

    def joint(self) -> FloatArray:
        """All weights of a model in one row, layer after layer: (models, weights); the paper's W."""
        return np.concatenate([w.reshape(len(w), w.shape[1] * w.shape[2]) for w in self.weights], axis=1)

    def weight_range(self) -> FloatArray:
        """max W - min W over all layers together, (models,) (paper, Equation 1)."""
        return np.ptp(self.joint(), axis=1)

    def weight_range_a(self) -> FloatArray:
        """max |W| - min |W| over all layers together, (models,) (paper, Equation 2)."""
        return np.ptp(np.abs(self.joint()), axis=1)

    def outputs(self, x: FloatArray) -> FloatArray:
        """Outputs after the last sigmoid: (models, samples, outputs). x: (samples, inputs)."""
        signal = np.broadcast_to(x, (len(self), *np.shape(x)))
        for w in self.weights:
            with np.errstate(over="ignore"):  # exp(-z) beyond float64: the sigmoid is 0, as it should be
                signal = 1.0 / (1.0 + np.exp(-(signal @ w)))
        return signal

    def recognised(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """Which samples each network recognises, (models, samples): those whose own output is strictly the largest, by
        more than rounding, compared before the last sigmoid, where nothing saturates.
        Raises NetworksError where samples do not fit.
        """
        return recognised(self.joint(), self.shapes, samples)

    def recognition(self, samples: Samples) -> FloatArray:
        """The fraction of samples that each network recognises, (models,)."""
        return self.recognised(samples).mean(axis=1)


def recognised(
    joint: FloatArray, shapes: Sequence[tuple[int, int]], samples: Samples, margin: FloatArray | None = None
) -> npt.NDArray[np.bool_]:
    """`Networks.recognised` for joint weights (models, weights) of layers of these (fan_in, fan_out).

    margin: (models, samples), filled with each sample's own output minus the largest other output.
    """
    sizes = [shapes[0][0], *(fan_out for _, fan_out in shapes)]
    if samples.inputs != sizes[0] or len(samples.classes) > sizes[-1]:
        raise NetworksError(f"networks of {sizes[0]} inputs and {sizes[-1]} outputs cannot tell samples of "
                            f"{samples.inputs} inputs and {len(samples.classes)} classes"
                            f"{'; class numbers count from 0' * (len(samples.classes) == sizes[-1] + 1)}")  # fmt: skip
    found = np.empty((len(joint), len(samples)), dtype=bool)
    _kernels.recognise(joint, sizes, samples.x, samples.y, found, INSTRUCTION_SET, margin)
    return found


def load_networks(path: str | Path) -> Networks:
    """Networks from a NumPy `.npz` with W1, W2 …, each (fan_in, fan_out), or (models, fan_in, fan_out) for several.

    Raises NetworksError where the file cannot be read, holds no network or more than layers (a study's q apart), or its
    layers do not fit together.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
        arrays = dict(np.load(path, allow_pickle=False)) if "W1" in names else {}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise NetworksError(f"{path} cannot be read as a NumPy .npz of plain arrays: {error}") from None
    if not arrays:
        raise NetworksError(f"{path} must hold W1, W2 …, it holds {', '.join(sorted(names)) or 'nothing'}")
    layers = list(itertools.takewhile(lambda name: name in arrays, (f"W{layer}" for layer in itertools.count(1))))
    if beyond := sorted(name for name in arrays if re.fullmatch(r"W\d+", name) and name not in layers):
        raise NetworksError(f"{path} holds {beyond[0]} but no W{len(layers) + 1}; layers are W1, W2 … without a gap")
    if more := sorted(set(arrays) - {*layers, "q"}):
        raise NetworksError(f"{path} holds {', '.join(more)} besides {', '.join(layers)}; networks here have no "
                            f"biases: train without them, and leave out what is no layer")  # fmt: skip
    weights = [arrays[name] for name in layers]
    if any(w.ndim == 3 and len(w) == 0 for w in weights):
        raise NetworksError(f"{path} must hold at least one network, it holds none: W1 is {weights[0].shape}")
    if all(w.ndim == 2 for w in weights) and not _fit(weights) and _fit([w.T for w in weights]):
        raise NetworksError(f"{path}: the layers fit together only when transposed; W1 is (inputs, outputs), which is "
                            f"the transpose of a PyTorch layer's weight")  # fmt: skip
    try:
        return Networks.from_weights(weights)
    except NetworksError as error:
        raise NetworksError(f"{path}: {error}") from None


def _fit(weights: Sequence[npt.NDArray[np.generic]]) -> bool:
    return all(before.shape[1] == after.shape[0] for before, after in itertools.pairwise(weights))
