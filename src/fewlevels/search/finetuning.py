"""Fine-tuning: train on with the quantizer in the forward pass, until the quantized networks recognise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.common.arrays import FLOAT32_MAX, FLOAT32_MIN, FloatArray
from fewlevels.common.checks import fraction, instance, number, positive, real_array, shown, whole_number
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.memory import MEMORY_BYTES, at_once
from fewlevels.common.parallel import checkpoint, in_order, threads_for
from fewlevels.errors import FinetuningError
from fewlevels.networks.forward import recognised
from fewlevels.networks.networks import Networks
from fewlevels.quantization import Quantizer, Ternary
from fewlevels.quantization.protocol import MOST_LEVELS, searchable
from fewlevels.quantization.sharing import QuantizedNetworks, Share, describe, sweep_joint
from fewlevels.samples.samples import Samples
from fewlevels.search.target import check_classes, check_search, reaches, targets

MANY_SAMPLES, BATCH = 200, 50
COPIES = 8
"""Arrays as large as the weights of the models under way that fine-tuning holds."""
LOSSES = ("cross-entropy", "squared")


@dataclass(frozen=True, kw_only=True)
class FinetuningConfig:
    """How networks are fine-tuned: Adam on latent weights, the straight-through estimator for the quantizer.

    steps: at most. learning_rate: of Adam, as a fraction of a model's mean magnitude at the start; it falls to
    `final_rate` of itself along a half cosine. latent_limit: magnitudes that latent weights are kept within, in mean
    magnitudes at the start and times the levels above the first, so that no weight is out of reach of a few steps;
    one number, or one for each layer.
    ramp: fraction of the steps over which the forward pass goes, in a straight line, from the latent weights to the
    quantized ones; 0 quantizes from the start.
    batch: samples of a step, every sample once before any comes again; None takes all of them.
    loss: 'cross-entropy' of each sigmoid output, or 'squared', the paper's. noise: relative standard deviation of
    every weight in the forward pass, drawn at each step. patience: with noise, the consecutive steps after the ramp at
    which a model must reach its target on the step's samples in spite of it; one that never does goes on to its last
    step, and of equal recognition the longest such run is kept. Weights that go on moving seldom last: of 64 networks
    at 10 % noise 57 bore it for 5 steps of 2000, 5 for 10 steps, none for 20.
    check_every: steps between two looks at all samples, where batch, ramp or validation samples are given.
    Raises FinetuningError for values that cannot be run.
    """

    steps: int = 2000
    learning_rate: float = 0.02
    final_rate: float = 1.0
    ramp: float = 0.0
    latent_limit: float | tuple[float, ...] = 1.25
    batch: int | None = None
    loss: str = "cross-entropy"
    noise: float = 0.0
    patience: int = 5
    check_every: int = 50

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("patience", 1), ("check_every", 1)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), FinetuningError, least=least))
        if self.batch is not None:
            object.__setattr__(self, "batch", whole_number("batch", self.batch, FinetuningError, least=1))
        for name, check in (("learning_rate", positive), ("final_rate", fraction), ("ramp", number), ("noise", number)):
            object.__setattr__(self, name, check(name, getattr(self, name), FinetuningError))
        limits = real_array("latent_limit", self.latent_limit, FinetuningError)
        if not (limits.ndim < 2 and limits.size and (limits > 0).all()):
            raise FinetuningError(f"latent_limit must be positive, got {shown(self.latent_limit)}")
        object.__setattr__(self, "latent_limit", tuple(limits.tolist()) if limits.ndim else float(limits))
        if not 0 <= self.ramp <= 1:
            raise FinetuningError(f"ramp must be in [0, 1], got {self.ramp}")
        if not isinstance(self.loss, str) or self.loss not in LOSSES:
            raise FinetuningError(f"loss must be {' or '.join(LOSSES)}, got {shown(self.loss)}")
        if not (self.noise == 0 or FLOAT32_MIN <= self.noise < 1):  # smaller ones would be no noise
            raise FinetuningError(f"noise must be 0, or from {FLOAT32_MIN:.1e} up in [0, 1), got {self.noise}")


def config_for(networks: Networks, samples: Samples, *, epochs: int = 40) -> FinetuningConfig:
    """How to fine-tune on these samples: FinetuningConfig() for few; for more than MANY_SAMPLES batches of BATCH for so
    many epochs, while the quantizer takes over (found on digits8, see benchmarks/ternary_datasets.py).
    """
    if len(samples) <= MANY_SAMPLES:
        return FinetuningConfig()
    steps_an_epoch, hidden_layers = len(samples) // BATCH, len(networks.shapes) - 1
    return FinetuningConfig(
        steps=epochs * steps_an_epoch,
        batch=BATCH,
        learning_rate=0.1,
        final_rate=0.001,
        ramp=0.6,
        latent_limit=(*[2.0] * hidden_layers, 6.0),
        check_every=steps_an_epoch,
    )


@dataclass(frozen=True)
class Finetuned:
    """What fine-tuning found, for each model: the best quantized weights on its way.

    quantized: networks and their hardware's needs (see QuantizedNetworks). recognition: (models,), of the quantized
    networks on the samples (on `validation` where given). recognition_before: (models,), quantized without
    fine-tuning. steps: (models,), until the best was found. target: (models,), the recognition to reach; NaN where it
    is relative to that of a network that recognises nothing, which is unsolved.
    """

    quantized: QuantizedNetworks
    recognition: FloatArray
    recognition_before: FloatArray
    steps: npt.NDArray[np.intp]
    target: FloatArray

    @property
    def quantized_weights(self) -> tuple[FloatArray, ...]:
        """One array (models, fan_in, fan_out) per layer."""
        return self.quantized.networks.weights

    @property
    def solved(self) -> npt.NDArray[np.bool_]:
        """Whether the quantized network reaches its target, (models,)."""
        return reaches(self.recognition, self.target)


def finetune(
    networks: Networks,
    samples: Samples,
    *,
    quantizer: Quantizer | None = None,
    levels: int | None = None,
    alpha: float = 1.0,
    relative: bool = False,
    share: Share = "network",
    config: FinetuningConfig | None = None,
    validation: Samples | None = None,
    seed: int = 1,
    jobs: int | None = None,
) -> Finetuned:
    """Fine-tune each network until it reaches alpha with quantized weights, or its steps are spent.

    quantizer: Ternary() where None. levels: for quantizers that give more than one number of them.
    relative: alpha is a fraction of each network's own recognition before quantizing. share: which weights share
    levels. config: `config_for` where None. validation: samples that decide what is best and whether
    alpha is reached; the same where None.
    seed: of batches and noise. jobs: threads. A model depends on its own weights, its index and the arguments only.
    Raises FinetuningError for arguments that cannot be run, and the quantizer's and networks' own errors.
    """
    instance("networks", networks, Networks, FinetuningError)
    instance("samples", samples, Samples, FinetuningError)
    check_search(alpha, 1, jobs)
    quantizer = Ternary() if quantizer is None else quantizer
    config = (
        config_for(networks, samples)
        if config is None
        else instance("config", config, FinetuningConfig, FinetuningError)
    )
    levels = searchable(quantizer).most_levels if levels is None else levels
    if levels is not None:
        levels = whole_number("levels", levels, FinetuningError, least=1, most=MOST_LEVELS)
    if levels is None:
        raise FinetuningError(f"levels must be given for {quantizer.name!r}, which has any number of them")
    if np.ndim(config.latent_limit) and np.size(config.latent_limit) != len(networks.shapes):
        raise FinetuningError(
            f"latent_limit must be one number or one for each of {len(networks.shapes)} layers, "
            f"got {config.latent_limit}"
        )
    seed = whole_number("seed", seed, FinetuningError)
    check_classes(samples, validation)
    judge = samples if validation is None else validation
    networks[:0].recognised(samples)  # refuses samples that do not fit
    target = targets(networks.recognition(judge), alpha, relative)
    joint = networks.joint()
    for what, values in (("x", samples.x), ("weights", joint)):
        if (largest := np.abs(values).max(initial=0.0)) > FLOAT32_MAX:
            raise FinetuningError(
                f"fine-tuning is in float32, which ends at {FLOAT32_MAX:.1e}, got {what} up to {largest:.1e}"
            )
    best, steps = np.empty_like(joint), np.zeros(len(joint), np.intp)
    before, after = np.empty(len(joint)), np.empty(len(joint))
    jobs = threads_for(jobs)
    lanes = at_once(
        16 * 8 * COPIES * joint.shape[1], most=-(-len(joint) // (jobs * 16)), memory_bytes=MEMORY_BYTES // jobs
    )
    size = 16 * lanes

    def run(begin: int) -> None:
        part = slice(begin, begin + size)
        group = _Group(
            joint[part], begin, networks.shapes, samples, judge, quantizer, levels, target[part], share, config, seed
        )
        group.run()
        best[part], steps[part] = group.best, group.best_step
        before[part], after[part] = group.recognition_before, group.best_recognition

    in_order(run, range(0, len(joint), size), jobs)
    quantized = describe(best, networks.shapes, quantizer, levels, share)
    return Finetuned(quantized, after, before, steps, target)


class _Group:
    """Models that one thread fine-tunes; those that are done leave its arrays."""

    def __init__(
        self,
        joint: FloatArray,
        begin: int,
        shapes: Sequence[tuple[int, int]],
        samples: Samples,
        judge: Samples,
        quantizer: Quantizer,
        levels: int,
        target: FloatArray,
        share: Share,
        config: FinetuningConfig,
        seed: int,
    ) -> None:
        self.shapes, self.samples, self.judge, self.config = shapes, samples, judge, config
        self.quantizer, self.levels, self.target, self.share = quantizer, levels, target, share
        self.every_step = config.batch is None and judge is samples and config.ramp == 0
        self.x = samples.x.astype(np.float32)
        self.sizes = [shapes[0][0], *(fan_out for _, fan_out in shapes)]
        self.order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
        self.waiting = np.empty(0, np.intp)
        models = len(joint)
        self.best = np.empty_like(joint)
        self.best_step = np.zeros(models, np.intp)
        self.best_recognition = np.full(models, -1.0)
        self.best_streak = np.zeros(models, np.intp)
        self.recognition_before = np.empty(models)
        # what only models under way have
        self.model = np.arange(models)
        self.latent = joint.copy()
        scale = np.abs(joint).mean(axis=1)
        self.rate = config.learning_rate * scale
        limits = np.repeat(
            np.broadcast_to(config.latent_limit, len(self.shapes)),
            [fan_in * fan_out for fan_in, fan_out in self.shapes],
        )
        self.limit = limits * max(levels - 1, 1) * scale[:, None]
        self.moments = np.zeros((2, *joint.shape), np.float32)
        self.streak = np.zeros(models, np.intp)
        self.streams = np.array(
            [np.random.SeedSequence(seed, spawn_key=(1, begin + model)).generate_state(4) for model in range(models)],
            np.uint32,
        ).reshape(models, 4)

    def run(self) -> None:
        for step in range(self.config.steps + 1):
            checkpoint()
            values = next(sweep_joint(self.latent, self.shapes, self.quantizer, [self.levels], self.share))
            hard = min(1.0, step / (self.config.ramp * self.config.steps)) if self.config.ramp else 1.0
            gradient, fraction = self._gradient(hard * values + (1.0 - hard) * self.latent if hard < 1.0 else values)
            if self.config.noise:
                reached = reaches(fraction, self.target[self.model]) & (hard == 1.0)
                self.streak = np.where(reached, self.streak + 1, 0)
            self._keep_best(step, values, fraction)
            done = self._done(self.model)
            if done.all() or step == self.config.steps:
                return
            self._move(step + 1, gradient)
            if done.sum() * 8 >= len(done):
                self._leave(done)

    def _gradient(self, values: FloatArray) -> tuple[npt.NDArray[np.float32], FloatArray]:
        """The direction (models, weights) that lowers the loss, and the fraction of the batch that is recognised."""
        x, y = self.x, self.samples.y
        if self.config.batch is not None and self.config.batch < len(x):
            if len(self.waiting) < self.config.batch:
                self.waiting = self.order.permutation(len(x))
            chosen, self.waiting = np.split(self.waiting, [self.config.batch])
            x, y = x[chosen], y[chosen]
        gradient, counts = np.empty(values.shape, np.float32), np.empty(len(values), np.int32)
        _kernels.quantized_gradient(
            self.sizes,
            values.astype(np.float32),
            x,
            y,
            self.config.loss == "cross-entropy",
            self.config.noise,
            self.streams,
            gradient,
            counts,
            INSTRUCTION_SET,
        )
        return gradient, counts / len(x)

    def _keep_best(self, step: int, values: FloatArray, fraction: FloatArray) -> None:
        """Stores the quantized weights where they recognise more than ever, or as much for longer under noise."""
        if step == 0 or self.config.noise or not self.every_step:
            look = self.every_step or step % self.config.check_every == 0 or step == self.config.steps
            candidates = np.arange(len(values)) if look else np.empty(0, np.intp)
        else:
            candidates = np.flatnonzero(fraction > self.best_recognition[self.model])
        candidates = candidates[~self._done(self.model[candidates])] if step else candidates
        model, streak = self.model[candidates], self.streak[candidates]
        recognition = recognised(values[candidates], self.shapes, self.judge).mean(axis=1)
        if step == 0:
            self.recognition_before[model] = recognition
        best, best_streak = self.best_recognition[model], self.best_streak[model]
        better = (recognition > best) | ((recognition == best) & (streak > best_streak))
        chosen = model[better]
        self.best[chosen], self.best_step[chosen] = values[candidates[better]], step
        self.best_recognition[chosen], self.best_streak[chosen] = recognition[better], streak[better]

    def _done(self, model: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        tolerant = self.config.noise == 0 or self.best_streak[model] >= self.config.patience
        return reaches(self.best_recognition[model], self.target[model]) & tolerant

    def _move(self, step: int, gradient: npt.NDArray[np.float32]) -> None:
        config = self.config
        cosine = 0.5 + 0.5 * math.cos(math.pi * step / config.steps)
        rate = self.rate * (config.final_rate + (1.0 - config.final_rate) * cosine)
        steps = np.full(len(rate), step, np.int64)
        _kernels.adam_step(self.latent, gradient, self.moments[0], self.moments[1], rate, steps, INSTRUCTION_SET)
        np.clip(self.latent, -self.limit, self.limit, out=self.latent)
        if not np.isfinite(self.latent.sum()):
            raise FinetuningError(
                f"fine-tuning left float32 at step {step}; smaller weights, or a smaller learning_rate than "
                f"{config.learning_rate:g}, would stay in it"
            )

    def _leave(self, done: npt.NDArray[np.bool_]) -> None:
        stay = ~done
        self.model, self.latent, self.rate = self.model[stay], self.latent[stay], self.rate[stay]
        self.limit = self.limit[stay]
        self.moments = np.ascontiguousarray(self.moments[:, stay])
        self.streak, self.streams = self.streak[stay], self.streams[stay]
