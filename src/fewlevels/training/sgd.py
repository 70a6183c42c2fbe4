"""Training: many two-layer sigmoid networks at once, each by stochastic gradient descent, one sample at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fewlevels import _kernels
from fewlevels.common.arrays import FLOAT32_MAX
from fewlevels.common.checks import instance, is_whole, jobs_or_all, shown, whole_number
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.parallel import in_order, threads_for
from fewlevels.errors import TrainingError
from fewlevels.networks.networks import Networks
from fewlevels.samples.samples import Samples
from fewlevels.training.config import TrainingConfig, parse_init

GROUP = 16
"""Models that the widest kernel trains side by side."""

PIECES = 8
"""Pieces of work for each thread, at least, so that a core that is slow for a while holds up little."""

LARGEST_PIECE = 4 * GROUP
"""Models of one piece, at most: an interrupted training ends with the pieces under way."""

MOST_MODELS = 10_000_000
"""Models of one training, at most; a larger number is taken for a mistake."""

ModelKey = tuple[int, int]
"""(seed index, repeat): a model's place in a study. With the root seed it fixes the model's start and samples."""


def train(
    samples: Samples,
    config: TrainingConfig,
    *,
    models: int | Sequence[ModelKey] = 600,
    seed: int = 1,
    jobs: int | None = None,
    instruction_set: str | None = None,
) -> Networks:
    """Train networks as the paper does: mean squared error, one uniformly random sample a step, float32.

    models: how many, which stands for the keys (0, 0), (0, 1) …, or the keys themselves. seed: the root seed.
    jobs: threads; all cores where None. instruction_set: 'v4', 'v3' or 'baseline', this processor's best where None;
    each rounds in its own way. A model depends on samples, config, seed, its key and the instruction set alone.
    Returns the networks in the order of the keys. Raises TrainingError for arguments that cannot be run.
    """
    instance("config", config, TrainingConfig, TrainingError)
    return trajectory(
        samples, config, at_steps=[config.steps], models=models, seed=seed, jobs=jobs, instruction_set=instruction_set
    )[0]


def trajectory(
    samples: Samples,
    config: TrainingConfig,
    *,
    at_steps: Sequence[int],
    models: int | Sequence[ModelKey] = 600,
    seed: int = 1,
    jobs: int | None = None,
    instruction_set: str | None = None,
) -> list[Networks]:
    """The networks of `train` as they are after each of `at_steps` steps, ascending, each 0 to config.steps."""
    instance("config", config, TrainingConfig, TrainingError)
    keys, seed, jobs = _keys(models), whole_number("seed", seed, TrainingError), jobs_or_all(jobs, TrainingError)
    at_steps = _checked_steps(at_steps, config)
    require_trainable(samples)
    training = _Training(samples, config, at_steps, keys, seed, require_instruction_set(instruction_set))
    jobs = threads_for(jobs)
    size = min(max(GROUP, -(-len(keys) // (PIECES * jobs * GROUP)) * GROUP), LARGEST_PIECE)
    in_order(training.run, [slice(begin, begin + size) for begin in range(0, len(keys), size)], jobs)
    return training.networks()


class _Training:
    """A training under way. `run` trains some of the models; no two parts touch each other, so that threads can."""

    def __init__(
        self,
        samples: Samples,
        config: TrainingConfig,
        at_steps: Sequence[int],
        keys: Sequence[ModelKey],
        seed: int,
        instruction_set: str,
    ) -> None:
        self.config, self.instruction_set = config, instruction_set
        self.at_steps = np.asarray(at_steps, np.int64)
        self.x, self.y = samples.x.astype(np.float32), samples.y
        self.limit = 0.0 if config.range_limit is None else config.range_limit / 2
        self.w1, self.w2, self.streams = _starts(samples, config, keys, seed)
        if self.limit:
            self.w1, self.w2 = (np.clip(w, -self.limit, self.limit) for w in (self.w1, self.w2))
        self.snapshots = [np.empty((len(at_steps), *w.shape), np.float32) for w in (self.w1, self.w2)]

    def run(self, part: slice) -> None:
        """Train these models."""
        own = [np.empty((len(self.at_steps), *w[part].shape), np.float32) for w in (self.w1, self.w2)]
        _kernels.train(
            self.x,
            self.y,
            self.w1[part],
            self.w2[part],
            self.streams[part],
            self.config.learning_rate,
            self.config.steps,
            self.at_steps,
            own[0],
            own[1],
            self.instruction_set,
            self.limit,
        )
        for whole, trained in zip(self.snapshots, own, strict=True):
            whole[:, part] = trained

    def networks(self) -> list[Networks]:
        """The networks after each of `at_steps`; raises TrainingError where any left float32."""
        finite = np.logical_and.reduce([np.isfinite(w).all(axis=(0, 2, 3)) for w in self.snapshots])
        if not finite.all():
            raise TrainingError(
                f"training left float32 in {np.count_nonzero(~finite)} of {len(finite)} models; a smaller "
                f"learning_rate than {self.config.learning_rate:g}, or a narrower init than {self.config.init}, "
                f"would stay in it"
            )
        return [Networks((one, two)) for one, two in zip(*self.snapshots, strict=True)]


def _checked_steps(at_steps: Sequence[int], config: TrainingConfig) -> Sequence[int]:
    """The steps; raises TrainingError where they are no whole numbers that ascend within those of the training."""
    at_steps = at_steps.tolist() if isinstance(at_steps, np.ndarray) else at_steps
    whole = (
        isinstance(at_steps, list | tuple | range)
        and len(at_steps) > 0
        and all(is_whole(step) and 0 <= step <= config.steps for step in at_steps)
    )
    if not whole or list(at_steps) != sorted(at_steps):
        raise TrainingError(
            f"at_steps must be whole numbers that ascend within 0 to {config.steps}, got {shown(at_steps)}"
        )
    return at_steps


def require_trainable(samples: Samples) -> None:
    """Raises TrainingError where networks cannot be trained on these samples."""
    instance("samples", samples, Samples, TrainingError)
    if (largest := np.abs(samples.x).max()) > FLOAT32_MAX:
        raise TrainingError(f"training is in float32, which ends at {FLOAT32_MAX:.1e}; x goes to {largest}")
    if len(empty := set(range(len(samples.classes))) - set(samples.y.tolist())):
        name = samples.classes[min(empty)]
        raise TrainingError(f"class {name!r} has no sample to train on; class numbers count from 0")


def _keys(models: int | Sequence[ModelKey]) -> list[ModelKey]:
    if is_whole(models):
        models = whole_number("models", models, TrainingError, least=1, most=MOST_MODELS)
        return [(0, repeat) for repeat in range(models)]
    keys = list(models) if isinstance(models, list | tuple) else []
    pairs = all(isinstance(key, list | tuple) and len(key) == 2 for key in keys)
    if not keys or not pairs or not all(is_whole(part) and 0 <= part < 2**32 for key in keys for part in key):
        raise TrainingError(
            f"models must be at least 1, or a list of keys (seed index, repeat), both whole numbers "
            f"from 0 on, got {shown(models)}"
        )
    return [(int(index), int(repeat)) for index, repeat in keys]


def require_instruction_set(name: str | None) -> str:
    """The instruction set of this name, this processor's best where None. Raises TrainingError where it cannot run."""
    runs = _kernels.instruction_sets()
    if name is not None and name not in runs:
        raise TrainingError(f"instruction_set must be one that this processor runs, {' or '.join(runs)}, got {name!r}")
    return name or INSTRUCTION_SET


def _starts(
    samples: Samples, config: TrainingConfig, keys: Sequence[ModelKey], seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.uint32]]:
    """First weights (models, fan_in, fan_out) of both layers, and the state (models, 4) of each sample stream."""
    sizes = (samples.inputs, config.hidden), (config.hidden, len(samples.classes))
    w1, w2 = (np.empty((len(keys), *size), np.float32) for size in sizes)
    streams = np.empty((len(keys), 4), np.uint32)
    kind, first, second = parse_init(config.init)
    for model, key in enumerate(keys):
        start, stream = np.random.SeedSequence(seed, spawn_key=key).spawn(2)
        rng = np.random.default_rng(start)
        for w in (w1, w2):
            w[model] = getattr(rng, kind)(first, second, w.shape[1:])
        streams[model] = stream.generate_state(4)
    return w1, w2, streams
