"""Networks: many sigmoid networks of one shape, their weights stacked, applied together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_whole, real_array, shown
from fewlevels.errors import NetworksError
from fewlevels.networks.activations import SIGMOID
from fewlevels.networks.forward import recognised, sizes_of
from fewlevels.samples.samples import Samples


@dataclass(frozen=True, eq=False)
class Networks:
    """Feed-forward networks without biases: input -> W1 -> sigmoid -> W2 -> sigmoid …; the largest output wins.

    weights: one array (models, fan_in, fan_out) per layer, float64, finite.
    Raises NetworksError where layers do not fit together.
    """

    weights: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.weights, list | tuple):
            raise NetworksError(f"weights must be a list of arrays, one a layer, got {shown(self.weights)}")
        weights = tuple(
            real_array(f"the weights of layer {i}", w, NetworksError) for i, w in enumerate(self.weights, start=1)
        )
        if not weights:
            raise NetworksError("networks need at least one layer of weights, got none")
        for layer, w in enumerate(weights, start=1):
            if w.ndim != 3 or 0 in w.shape[1:]:
                raise NetworksError(f"the weights of layer {layer} must be (models, fan_in, fan_out), got {w.shape}")
            if not np.isfinite(w).all():
                raise NetworksError(f"the weights of layer {layer} must be finite, got {w[~np.isfinite(w)][0]}")
        for layer, (before, w) in enumerate(itertools.pairwise(weights), start=2):
            if w.shape[:2] != (len(before), before.shape[2]):
                raise NetworksError(
                    f"layer {layer} must take the {before.shape[2]} outputs of layer {layer - 1} in "
                    f"{len(before)} models, got shape {w.shape}"
                )
        object.__setattr__(self, "weights", weights)

    @classmethod
    def from_weights(cls, weights: Sequence[npt.ArrayLike]) -> Networks:
        """Networks of the user's own: one array per layer, (fan_in, fan_out) for one network, or
        (models, fan_in, fan_out) for several. Raises NetworksError where they do not fit together.
        """
        if not isinstance(weights, list | tuple):
            raise NetworksError(f"weights must be a list of arrays of numbers, one a layer, got {shown(weights)}")
        arrays = [
            real_array(f"the weights of layer {i}", w, NetworksError).copy() for i, w in enumerate(weights, start=1)
        ]
        return Networks(tuple(w[None] if w.ndim == 2 else w for w in arrays))

    @classmethod
    def from_joint(cls, joint: FloatArray, shapes: Sequence[tuple[int, int]]) -> Networks:
        """The inverse of `joint`: weights (models, all weights) cut into layers of these (fan_in, fan_out)."""
        pairs = isinstance(shapes, list | tuple) and all(
            isinstance(pair, list | tuple) and len(pair) == 2 and all(map(is_whole, pair)) for pair in shapes
        )
        if not pairs:
            raise NetworksError(f"shapes must list (fan_in, fan_out) of each layer, got {shown(shapes)}")
        sizes = [fan_in * fan_out for fan_in, fan_out in shapes]
        joint = real_array("joint weights", joint, NetworksError)
        if joint.ndim != 2 or not sizes or joint.shape[1] != sum(sizes):
            raise NetworksError(
                f"joint weights of layers {shown(shapes)} must be (models, {sum(sizes)}), got shape {joint.shape}"
            )
        ends = np.cumsum(sizes)[:-1]
        parts = np.split(joint, ends, axis=1)
        return Networks(tuple(part.reshape(len(joint), *shape) for part, shape in zip(parts, shapes, strict=True)))

    def __len__(self) -> int:
        return len(self.weights[0])

    def __repr__(self) -> str:
        return f"<Networks: {len(self)} of {'-'.join(map(str, sizes_of(self.shapes)))}>"

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
        x = real_array("x", x, NetworksError)
        if x.ndim != 2 or x.shape[1] != self.shapes[0][0]:
            raise NetworksError(f"x must be (samples, {self.shapes[0][0]} inputs), got shape {x.shape}")
        signal = np.broadcast_to(x, (len(self), *x.shape))
        for w in self.weights:
            signal = SIGMOID.value(signal @ w)
        return signal

    def recognised(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """Which samples each network recognises, (models, samples).

        A sample is recognised where its own output is the largest by more than rounding. Outputs are compared before
        the last sigmoid, where nothing saturates.
        Raises NetworksError where samples do not fit.
        """
        return recognised(self.joint(), self.shapes, samples)

    def recognition(self, samples: Samples) -> FloatArray:
        """The fraction of samples that each network recognises, (models,)."""
        return self.recognised(samples).mean(axis=1)
