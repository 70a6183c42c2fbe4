"""Latent weights: the full-precision weights that fine-tuning moves, and the best quantized ones on their way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.parallel import checkpoint
from fewlevels.errors import FinetuningError
from fewlevels.networks.forward import recognised
from fewlevels.networks.networks import Networks
from fewlevels.quantization import Quantizer
from fewlevels.quantization.layout import Layout
from fewlevels.samples.samples import Samples
from fewlevels.search.finetuning_config import FinetuningConfig
from fewlevels.search.target import reaches
from fewlevels.training.descent import Adam, Batches, Loss, biases_of, with_parameters


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

    best, best_biases: (models, weights) and (models, units), the best quantized weights so far and the biases that go
    with them. best_step, best_recognition, recognition_before:
    (models,), see Finetuned. best_streak: (models,), steps in a row that they bore the noise.
    """

    def __init__(self, purpose: Purpose, networks: Networks, target: FloatArray, *, first_model: int) -> None:
        """networks: to start from. target: (models,), the recognition to reach. first_model: the index of the first of
        these models among all.
        """
        joint, biases = networks.joint(), biases_of(networks)
        self.purpose, self.config, self.target = purpose, purpose.config, target
        self.layout, self.samples, self.judge = purpose.layout, purpose.samples, purpose.judge
        config, models = self.config, len(joint)
        self.every_step = config.batch is None and self.judge is self.samples and config.ramp == 0
        self.kind, self.is_plain, self.batches = (
            networks[:1],
            networks.plain,
            Batches(self.samples, config.batch, purpose.seed),
        )
        self.loss = Loss.of(networks, squared=config.loss == "squared")
        self.best, self.best_step = np.empty_like(joint), np.zeros(models, np.intp)
        self.best_biases = None if biases is None else biases.copy()
        self.best_recognition, self.best_streak = np.full(models, -1.0), np.zeros(models, np.intp)
        self.recognition_before = np.empty(models)
        # what only models under way have
        self.model = np.arange(models)
        self.latent, self.biases = joint.copy(), None if biases is None else biases.copy()
        scale = np.abs(joint).mean(axis=1)
        self.rate = config.learning_rate * scale
        self.limit = self._limits() * scale[:, None]
        self.adam = Adam(*self._parameters())
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
            forward = hard * values + (1.0 - hard) * self.latent if hard < 1.0 else values
            *gradients, fraction = self.loss.gradients(
                forward, self.biases, self.batches.next(), noise=self.config.noise, streams=self.streams
            )
            if self.config.noise:
                reached = reaches(fraction, self.target[self.model]) & (hard == 1.0)
                self.streak = np.where(reached, self.streak + 1, 0)
            self._keep_best(step, values, fraction)
            done = self._done(self.model)
            if done.all() or step == self.config.steps:
                return
            self._move(step + 1, [each for each in gradients if each is not None])
            if done.sum() * 8 >= len(done):
                self._leave(done)

    def _keep_best(self, step: int, values: FloatArray, fraction: FloatArray) -> None:
        """Store the quantized weights where they recognise more than ever, or as much for longer under noise."""
        candidates = self._candidates(step, fraction)
        model, streak = self.model[candidates], self.streak[candidates]
        biases = None if self.biases is None else self.biases[candidates]
        if self.is_plain:  # every step counts, and networks take time to make
            recognition = recognised(values[candidates], self.layout.shapes, self.judge).mean(axis=1)
        else:
            recognition = with_parameters(self.kind, values[candidates], biases).recognition(self.judge)
        if step == 0:
            self.recognition_before[model] = recognition
        best, best_streak = self.best_recognition[model], self.best_streak[model]
        better = (recognition > best) | ((recognition == best) & (streak > best_streak))
        chosen = model[better]
        self.best[chosen], self.best_step[chosen] = values[candidates[better]], step
        if self.best_biases is not None and biases is not None:
            self.best_biases[chosen] = biases[better]
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

    def _parameters(self) -> list[FloatArray]:
        """What is trained: the latent weights, and the biases where there are any."""
        return [self.latent] if self.biases is None else [self.latent, self.biases]

    def _move(self, step: int, gradients: Sequence[npt.NDArray[np.float32]]) -> None:
        """Take a step of Adam, within the limits."""
        config = self.config
        cosine = 0.5 + 0.5 * math.cos(math.pi * step / config.steps)
        rate = self.rate * (config.final_rate + (1.0 - config.final_rate) * cosine)
        self.adam.move(step, rate, self._parameters(), gradients)
        np.clip(self.latent, -self.limit, self.limit, out=self.latent)
        if not all(np.isfinite(each.sum()) for each in self._parameters()):
            raise FinetuningError(
                f"fine-tuning left float32 at step {step}; smaller weights, or a smaller learning_rate than "
                f"{config.learning_rate:g}, would stay in it"
            )

    def _leave(self, done: npt.NDArray[np.bool_]) -> None:
        """Go on without these models."""
        stay = ~done
        self.model, self.latent, self.rate = self.model[stay], self.latent[stay], self.rate[stay]
        self.limit, self.biases = self.limit[stay], None if self.biases is None else self.biases[stay]
        self.adam.keep(stay)
        self.streak, self.streams = self.streak[stay], self.streams[stay]


def _streams(seed: int, models: range) -> npt.NDArray[np.uint32]:
    """The state of each model's stream of noise, (models, 4)."""
    states = [np.random.SeedSequence(seed, spawn_key=(1, model)).generate_state(4) for model in models]
    return np.array(states, np.uint32).reshape(len(models), 4)
