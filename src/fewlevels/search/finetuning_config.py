"""FinetuningConfig: how networks are fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass

from fewlevels.common.arrays import FLOAT32_MIN
from fewlevels.common.checks import fraction, number, positive, real_array, shown, whole_number
from fewlevels.errors import FinetuningError
from fewlevels.networks.networks import Networks
from fewlevels.samples.samples import Samples

MANY_SAMPLES = 200
"""Samples up to which every step takes all of them."""

BATCH = 50
"""Samples of a step where there are more."""

LOSSES = ("cross-entropy", "squared")
"""Of each sigmoid output; squared is the paper's."""


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
