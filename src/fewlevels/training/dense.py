"""Training of dense networks with biases: many at once, by Adam on batches, from random starts."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import fraction, instance, jobs_or_all, positive, shown, whole_number
from fewlevels.common.parallel import checkpoint, in_order, threads_for
from fewlevels.errors import NetworksError, TrainingError
from fewlevels.networks.activations import RELU, LeakyRelu, UnitActivation, checked_activation
from fewlevels.networks.networks import Networks
from fewlevels.samples.samples import Samples
from fewlevels.training.descent import Adam, Batches, Loss, biases_of, with_parameters
from fewlevels.training.sgd import GROUP, MOST_MODELS, require_trainable

EPOCHS = 20
LEAST_STEPS = 500
"""Of a training whose epochs are not given: a few samples want more epochs."""


@dataclass(frozen=True, kw_only=True)
class DenseConfig:
    """How dense networks are trained: cross-entropy, Adam on batches; every layer has biases, which start at 0.

    hidden: units of each hidden layer. activation: of the hidden layers, by name. output: 'softmax', or 'sigmoid' for
    units that are judged one by one. epochs: times that every sample is taken; None for 20, or as many more as
    LEAST_STEPS takes. batch: samples of a step. learning_rate: of Adam; it falls to `final_rate` of itself along a half
    cosine. Weights start normal, of variance 2 / fan_in before ReLUs (He et al., arXiv:1502.01852, 2015), else
    1 / fan_in.
    Raises TrainingError for values that cannot be run.
    """

    hidden: tuple[int, ...] = (64,)
    activation: str = "relu"
    output: str = "softmax"
    epochs: int | None = None
    batch: int = 50
    learning_rate: float = 0.01
    final_rate: float = 0.01

    def __post_init__(self) -> None:
        units = self.hidden if isinstance(self.hidden, list | tuple) else [self.hidden]
        counts = tuple(whole_number("hidden", each, TrainingError, least=1, most=2**31 - 1) for each in units)
        object.__setattr__(self, "hidden", counts)
        object.__setattr__(self, "batch", whole_number("batch", self.batch, TrainingError, least=1))
        if self.epochs is not None:
            object.__setattr__(self, "epochs", whole_number("epochs", self.epochs, TrainingError))
        object.__setattr__(self, "learning_rate", positive("learning_rate", self.learning_rate, TrainingError))
        object.__setattr__(self, "final_rate", fraction("final_rate", self.final_rate, TrainingError))
        if self.output not in ("softmax", "sigmoid"):
            raise TrainingError(f"output must be softmax or sigmoid, got {shown(self.output)}", field="output")
        try:
            checked_activation(instance("activation", self.activation, str, TrainingError), last=False)
        except NetworksError as error:
            raise TrainingError(str(error), field="activation") from None

    def steps(self, samples: Samples) -> int:
        """Of the whole training."""
        an_epoch = max(len(samples) // self.batch, 1)
        return max(EPOCHS * an_epoch, LEAST_STEPS) if self.epochs is None else self.epochs * an_epoch


def train_dense(
    samples: Samples, config: DenseConfig | None = None, *, models: int = 1, seed: int = 1, jobs: int | None = None
) -> Networks:
    """Train dense networks with biases on samples, as many as `models`.

    seed: of starts and batches. jobs: threads, each trains some of the models; all cores where None. A model depends on
    samples, config, seed and its index alone. One takes as long as 16 side by side.
    Raises TrainingError for arguments that cannot be run, and where a training leaves float32.
    """
    config = instance("config", DenseConfig() if config is None else config, DenseConfig, TrainingError)
    require_trainable(samples)
    models = whole_number("models", models, TrainingError, least=1, most=MOST_MODELS)
    seed, jobs = whole_number("seed", seed, TrainingError), threads_for(jobs_or_all(jobs, TrainingError))
    parts = [range(begin, min(begin + GROUP, models)) for begin in range(0, models, GROUP)]
    trained = in_order(lambda part: _trained(samples, config, part, seed), parts, jobs)
    weights = [np.concatenate(layers) for layers in zip(*(part.weights for part in trained), strict=True)]
    biases = [np.concatenate(layers) for layers in zip(*(part.biases for part in trained), strict=True)]
    return Networks(tuple(weights), biases=tuple(biases), activations=trained[0].activations)


def _trained(samples: Samples, config: DenseConfig, models: range, seed: int) -> Networks:
    """These models, side by side."""
    start = _starts(samples, config, models, seed)
    loss, batches = Loss.of(start, squared=False), Batches(samples, config.batch, seed)
    weights, biases = start.joint(), biases_of(start)
    assert biases is not None
    parameters, adam = [weights, biases], Adam(weights, biases)
    streams = np.ones((len(models), 4), np.uint32)  # of noise, which there is none of
    steps = config.steps(samples)
    for step in range(1, steps + 1):
        checkpoint()
        of_weights, of_biases, _ = loss.gradients(weights, biases, batches.next(), noise=0.0, streams=streams)
        cosine = 0.5 + 0.5 * math.cos(math.pi * step / steps)
        rate = config.learning_rate * (config.final_rate + (1.0 - config.final_rate) * cosine)
        adam.move(step, np.full(len(models), rate), parameters, _both(of_weights, of_biases))
    if not all(np.isfinite(each).all() for each in parameters):
        raise TrainingError(
            f"training left float32; a smaller learning_rate than {config.learning_rate:g} would stay in it"
        )
    return with_parameters(start, weights, biases)


def _both(
    of_weights: npt.NDArray[np.float32], of_biases: npt.NDArray[np.float32] | None
) -> list[npt.NDArray[np.float32]]:
    assert of_biases is not None
    return [of_weights, of_biases]


def _starts(samples: Samples, config: DenseConfig, models: range, seed: int) -> Networks:
    """The networks before training."""
    activation: UnitActivation = checked_activation(config.activation, last=False)  # type: ignore[assignment]
    gain = 2.0 if activation == RELU or isinstance(activation, LeakyRelu) else 1.0
    sizes = [samples.inputs, *config.hidden, len(samples.classes)]
    shapes = list(itertools.pairwise(sizes))
    weights: list[FloatArray] = [np.empty((len(models), *shape)) for shape in shapes]
    for place, model in enumerate(models):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, model)))
        for w, (fan_in, _) in zip(weights, shapes, strict=True):
            w[place] = rng.normal(0.0, math.sqrt(gain / fan_in), w.shape[1:])
    biases = [np.zeros((len(models), fan_out)) for _, fan_out in shapes]
    activations = (*[activation] * len(config.hidden), checked_activation(config.output, last=True))
    return Networks(tuple(weights), biases=tuple(biases), activations=activations)
