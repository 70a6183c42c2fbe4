"""Descent: the gradient of stacked dense networks on batches of samples, and Adam, both native."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.errors import TrainingError
from fewlevels.networks.activations import IDENTITY, RELU, SIGMOID, TANH, Activation, LeakyRelu
from fewlevels.networks.networks import Networks
from fewlevels.samples.samples import Samples

SIGMOID_UNIT, TANH_UNIT, LINEAR_UNIT = range(3)
"""Activations as the kernel knows them; a linear unit has a slope of its own below 0."""

SQUARED, CROSS_ENTROPY, SOFTMAX = range(3)
"""Losses as the kernel knows them; the first two of each sigmoid output."""

Gradients = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None, FloatArray]
"""The direction (models, weights) that lowers the loss, that of biases (models, units), and the fraction of the samples
that each model recognises, (models,)."""


class Batches:
    """The samples of each step: `batch` of them, every sample once before any comes again; or all of them."""

    def __init__(self, samples: Samples, batch: int | None, seed: int) -> None:
        self.x, self.y, self.batch = samples.x.astype(np.float32), samples.y, batch
        self.order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
        self.waiting = np.empty(0, np.intp)

    def next(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.integer]]:
        """Inputs (batch, inputs) and classes (batch,)."""
        if self.batch is None or self.batch >= len(self.x):
            return self.x, self.y
        if len(self.waiting) < self.batch:
            self.waiting = self.order.permutation(len(self.x))
        chosen, self.waiting = np.split(self.waiting, [self.batch])
        return self.x[chosen], self.y[chosen]


@dataclass(frozen=True, eq=False)
class Loss:
    """What the gradient is of: layers of these sizes, hidden units of these kinds and slopes, a loss of the outputs.
    has_bias: (units,), 0 for units of layers without biases."""

    sizes: list[int]
    units: list[int]
    slopes: list[float]
    kind: int
    has_bias: npt.NDArray[np.float32]

    @classmethod
    def of(cls, networks: Networks, *, squared: bool) -> Loss:
        """Of networks of this kind. Outputs that are not sigmoids are taken for a softmax; of sigmoids the loss is
        their cross-entropy or, as the paper's, `squared`. Raises TrainingError for units that the kernel does not know.
        """
        shapes = networks.shapes
        if any(networks.bias_rows):
            raise TrainingError("biases are trained as digital ones; leave them off the rows, which hold them later")
        hidden = [_unit_of(one) for one in networks.activations[:-1]]
        kind = SQUARED if squared else CROSS_ENTROPY
        if shapes[-1][1] > 1 and networks.activations[-1] != SIGMOID:
            kind = SOFTMAX
        sizes = [shapes[0][0], *(fan_out for _, fan_out in shapes)]
        has_bias = np.repeat([b is not None for b in networks.biases], sizes[1:]).astype(np.float32)
        return cls(sizes, [unit for unit, _ in hidden], [slope for _, slope in hidden], kind, has_bias)

    def gradients(
        self,
        weights: FloatArray,
        biases: FloatArray | None,
        batch: tuple[npt.NDArray[np.float32], npt.NDArray[np.integer]],
        *,
        noise: float,
        streams: npt.NDArray[np.uint32],
    ) -> Gradients:
        """At weights (models, weights) and biases (models, units), on a batch. noise: relative, of every weight, from
        streams (models, 4), which it moves on.
        """
        x, y = batch
        gradient, counts = np.empty(weights.shape, np.float32), np.empty(len(weights), np.int32)
        of_biases = None if biases is None else np.empty(biases.shape, np.float32)
        _kernels.dense_gradient(
            self.sizes,
            self.units,
            self.slopes,
            weights.astype(np.float32),
            None if biases is None else biases.astype(np.float32),
            x,
            y,
            self.kind,
            noise,
            streams,
            gradient,
            of_biases,
            counts,
            INSTRUCTION_SET,
        )
        return gradient, None if of_biases is None else of_biases * self.has_bias, counts / len(x)


class Adam:
    """Adam (Kingma & Ba, arXiv:1412.6980, 2014) on arrays (models, …), each with moments of its own."""

    def __init__(self, *parameters: FloatArray) -> None:
        self.moments = [np.zeros((2, *each.shape), np.float32) for each in parameters]

    def move(
        self,
        step: int,
        rate: FloatArray,
        parameters: Sequence[FloatArray],
        gradients: Sequence[npt.NDArray[np.float32]],
    ) -> None:
        """Move parameters in place. step: from 1. rate: (models,)."""
        steps = np.full(len(rate), step, np.int64)
        for each, gradient, (first, second) in zip(parameters, gradients, self.moments, strict=True):
            _kernels.adam_step(each, gradient, first, second, rate, steps, INSTRUCTION_SET)

    def keep(self, stay: npt.NDArray[np.bool_]) -> None:
        """Go on with these models."""
        self.moments = [np.ascontiguousarray(each[:, stay]) for each in self.moments]


def biases_of(networks: Networks) -> FloatArray | None:
    """The biases of all layers in a row, (models, units), 0 where a layer has none; None where no layer has any."""
    if all(b is None for b in networks.biases):
        return None
    shapes = [(len(networks), fan_out) for _, fan_out in networks.shapes]
    held = [np.zeros(shape) if b is None else b for b, shape in zip(networks.biases, shapes, strict=True)]
    return np.concatenate(held, axis=1)


def with_parameters(networks: Networks, weights: FloatArray, biases: FloatArray | None) -> Networks:
    """Networks of this kind with weights (models, weights) and biases (models, units)."""
    bare = Networks(networks.weights, activations=networks.activations)[:1].with_joint(weights)
    if biases is None:
        return bare
    ends = np.cumsum([fan_out for _, fan_out in networks.shapes])[:-1]
    layers = zip(networks.biases, np.split(biases, ends, axis=1), strict=True)
    own = tuple(None if b is None else part for b, part in layers)
    return Networks(bare.weights, biases=own, activations=networks.activations)


def _unit_of(activation: Activation) -> tuple[int, float]:
    """Its kind for the kernel, and its slope below 0."""
    if activation == SIGMOID:
        return SIGMOID_UNIT, 0.0
    if activation == TANH:
        return TANH_UNIT, 0.0
    if isinstance(activation, LeakyRelu):
        return LINEAR_UNIT, activation.alpha
    if activation in (RELU, IDENTITY):
        return LINEAR_UNIT, 1.0 if activation == IDENTITY else 0.0
    raise TrainingError(
        f"units that are trained are sigmoid, tanh, relu, leaky_relu or identity, got {activation.name}"
    )
