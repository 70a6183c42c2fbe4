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
    require_trainable(samples)
    instruction_set = require_instruction_set(instruction_set)
    w1, w2, streams = _starts(samples, config, keys, seed)
    limit = 0.0 if config.range_limit is None else config.range_limit / 2
    if limit:
        w1, w2 = np.clip(w1, -limit, limit), np.clip(w2, -limit, limit)
    snapshots = [np.empty((len(at_steps), *w.shape), np.float32) for w in (w1, w2)]
    jobs = threads_for(jobs)
    size = min(max(GROUP, -(-len(keys) // (PIECES * jobs * GROUP)) * GROUP), LARGEST_PIECE)
    x = samples.x.astype(np.float32)

    def run(begin: int) -> None:
        part = slice(begin, begin + size)
        part_snapshots = [np.empty((len(at_steps), *w[part].shape), np.float32) for w in (w1, w2)]
        _kernels.train(
            x,
            samples.y,
            w1[part],
            w2[part],
            streams[part],
            config.learning_rate,
            config.steps,
            np.asarray(at_steps, np.int64),
            part_snapshots[0],
            part_snapshots[1],
            instruction_set,
            limit,
        )
        for whole, own in zip(snapshots, part_snapshots, strict=True):
            whole[:, part] = own

    in_order(run, range(0, len(keys), size), jobs)
    finite = np.logical_and.reduce([np.isfinite(w).all(axis=(0, 2, 3)) for w in snapshots])
    if not finite.all():
        raise TrainingError(
            f"training left float32 in {np.count_nonzero(~finite)} of {len(finite)} models; a smaller "
            f"learning_rate than {config.learning_rate:g}, or a narrower init than {config.init}, "
            f"would stay in it"
        )
    return [Networks((one, two)) for one, two in zip(*snapshots, strict=True)]


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
