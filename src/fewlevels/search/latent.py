"""Latent weights: the full-precision weights that fine-tuning moves, and the best quantized ones on their way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.common.arrays import FloatArray
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.parallel import checkpoint
from fewlevels.errors import FinetuningError
from fewlevels.networks.forward import recognised
from fewlevels.quantization import Quantizer
from fewlevels.quantization.layout import Layout
from fewlevels.samples.samples import Samples
from fewlevels.search.finetuning_config import FinetuningConfig
from fewlevels.search.target import reaches


@dataclass(frozen=True, kw_only=True, eq=False)
class Purpose:
    """What all models are fine-tuned for, and how.

    samples: fine-tuning trains on them. judge: they decide what is best.
    """

    quantizer: Quantizer
    levels: int
    layout: Layout
    samples: Samples
    judge: Samples
    config: FinetuningConfig
    seed: int


class LatentWeights:
    """Models that one thread fine-tunes; those that are done leave its arrays.

    best: (models, weights), the best quantized weights so far. best_step, best_recognition, recognition_before:
    (models,), see Finetuned. best_streak: (models,), steps in a row that they bore the noise.
    """

    def __init__(self, purpose: Purpose, joint: FloatArray, target: FloatArray, *, first_model: int) -> None:
        """joint: (models, weights), to start from. target: (models,), the recognition to reach. first_model: the index
        of the first of these models among all.
        """
        self.purpose, self.config, self.target = purpose, purpose.config, target
        self.layout, self.samples, self.judge = purpose.layout, purpose.samples, purpose.judge
        config, models = self.config, len(joint)
        self.every_step = config.batch is None and self.judge is self.samples and config.ramp == 0
        self.x = self.samples.x.astype(np.float32)
        self.order = np.random.default_rng(np.random.SeedSequence(purpose.seed, spawn_key=(0,)))
        self.waiting = np.empty(0, np.intp)
        self.best, self.best_step = np.empty_like(joint), np.zeros(models, np.intp)
        self.best_recognition, self.best_streak = np.full(models, -1.0), np.zeros(models, np.intp)
        self.recognition_before = np.empty(models)
        # what only models under way have
        self.model = np.arange(models)
        self.latent = joint.copy()
        scale = np.abs(joint).mean(axis=1)
        self.rate = config.learning_rate * scale
        self.limit = self._limits() * scale[:, None]
        self.moments = np.zeros((2, *joint.shape), np.float32)
        self.streak = np.zeros(models, np.intp)
        self.streams = _streams(purpose.seed, range(first_model, first_model + models))

    def _limits(self) -> FloatArray:
        """The largest magnitude of each weight, (weights,), in mean magnitudes at the start."""
        of_layers = np.broadcast_to(self.config.latent_limit, len(self.layout.shapes))
        weights = [fan_in * fan_out for fan_in, fan_out in self.layout.shapes]
        return np.repeat(of_layers, weights) * max(self.purpose.levels - 1, 1)

    def run(self) -> None:
        """Fine-tune until all models are done, or their steps are spent."""
        for step in range(self.config.steps + 1):
            checkpoint()
            values = next(self.layout.sweep(self.latent, self.purpose.quantizer, [self.purpose.levels]))
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
            self.layout.sizes,
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
        """Store the quantized weights where they recognise more than ever, or as much for longer under noise."""
        candidates = self._candidates(step, fraction)
        model, streak = self.model[candidates], self.streak[candidates]
        recognition = recognised(values[candidates], self.layout.shapes, self.judge).mean(axis=1)
        if step == 0:
            self.recognition_before[model] = recognition
        best, best_streak = self.best_recognition[model], self.best_streak[model]
        better = (recognition > best) | ((recognition == best) & (streak > best_streak))
        chosen = model[better]
        self.best[chosen], self.best_step[chosen] = values[candidates[better]], step
        self.best_recognition[chosen], self.best_streak[chosen] = recognition[better], streak[better]

    def _candidates(self, step: int, fraction: FloatArray) -> npt.NDArray[np.intp]:
        """Which of the models under way may be better than ever. Where every step sees all samples and weights bear no
        noise, their own fraction tells; else all are looked at, now and then.
        """
        if step == 0:
            return np.arange(len(self.model))
        if self.every_step and not self.config.noise:
            better = fraction > self.best_recognition[self.model]
        else:
            look = self.every_step or step % self.config.check_every == 0 or step == self.config.steps
            better = np.full(len(self.model), look)
        return np.flatnonzero(better & ~self._done(self.model))

    def _done(self, model: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Whether these models reach their target, and for long enough where there is noise."""
        tolerant = self.config.noise == 0 or self.best_streak[model] >= self.config.patience
        return reaches(self.best_recognition[model], self.target[model]) & tolerant

    def _move(self, step: int, gradient: npt.NDArray[np.float32]) -> None:
        """Take a step of Adam, within the limits."""
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
        """Go on without these models."""
        stay = ~done
        self.model, self.latent, self.rate = self.model[stay], self.latent[stay], self.rate[stay]
        self.limit = self.limit[stay]
        self.moments = np.ascontiguousarray(self.moments[:, stay])
        self.streak, self.streams = self.streak[stay], self.streams[stay]


def _streams(seed: int, models: range) -> npt.NDArray[np.uint32]:
    """The state of each model's stream of noise, (models, 4)."""
    states = [np.random.SeedSequence(seed, spawn_key=(1, model)).generate_state(4) for model in models]
    return np.array(states, np.uint32).reshape(len(models), 4)
