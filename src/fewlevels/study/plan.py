"""Plan: what a study will take, from a second of its own work on this machine."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from fewlevels.networks.networks import Networks
from fewlevels.samples.samples import Samples
from fewlevels.storage.columns import packed
from fewlevels.study.config import StudyConfig
from fewlevels.study.finish import WEIGHTS, in_files, weight_bytes
from fewlevels.study.groups import groups_of, searched, trained
from fewlevels.training.sgd import GROUP

MEASURED_SECONDS = 1.0
"""About so much work is done to measure."""

LEAST_STEPS = 2000
"""Of each measured model at least, so that what is not training does not count as training."""

PART_SECONDS = 3600.0
"""Of a core, that a job of an array should take."""

BASE_BYTES = 340e6
"""Of memory, that Python and the libraries take, those of figures among them."""

RESULT_COPIES = 2.5
"""How often a summary and its figures hold the results of all models at once."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Measured of one core here. step_seconds: of a backpropagation of one model. search_seconds, model_bytes: of one
    model, its search and its row of a shard.
    """

    step_seconds: float
    search_seconds: float
    model_bytes: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study takes; the names are the keys of `fewlevels plan --json`.

    core_seconds: of such cores as this machine's. stored_bytes, files: of all shards and weights. worker_bytes: memory
    of a process that computes one group. summary_bytes: memory of the command that finishes the study. parts: jobs of
    an array, each about an hour of a core or one group.
    """

    models: int
    group_models: int
    groups: int
    core_seconds: float
    stored_bytes: float
    files: int
    worker_bytes: float
    summary_bytes: float
    parts: int


def measure(config: StudyConfig, samples: Samples, seconds: float = MEASURED_SECONDS) -> Cost:
    """Train some models of a study for some of their steps, search them, and time both; nothing is stored."""
    steps = config.epochs * config.iterations

    def train(models: int, some_steps: int) -> tuple[StudyConfig, Networks, float]:
        """A study of so many models and steps, its networks, and the seconds of each step of each model."""
        trial = config.model_copy(update={"repeats": models, "epochs": some_steps, "iterations": 1})
        began = time.process_time()
        networks = trained(trial, samples, range(models))
        return trial, networks, (time.process_time() - began) / (models * some_steps)

    trial, networks, _ = train(GROUP, LEAST_STEPS)
    searched(trial, samples, range(GROUP), networks)  # which loads what is needed
    step_seconds = train(GROUP, LEAST_STEPS)[2]
    some_steps = min(steps, max(LEAST_STEPS, int(seconds / (GROUP * step_seconds))))
    models = max(int(seconds / (some_steps * step_seconds * GROUP)), 1) * GROUP
    trial, networks, step_seconds = train(models, some_steps)
    began = time.process_time()
    table = searched(trial, samples, range(models), networks)
    search_seconds = (time.process_time() - began) / models
    return Cost(step_seconds=step_seconds, search_seconds=search_seconds, model_bytes=len(packed(table)) / models)


def plan_of(config: StudyConfig, samples: Samples, cost: Cost) -> Plan:
    """What this study takes at this cost."""
    size = config.group_models or config.minute_of_models(samples)
    config = config.model_copy(update={"group_models": size})
    groups = len(groups_of(config))
    steps, zones = config.epochs * config.iterations, config.zones
    zone_models = len(zones.starts) * zones.models
    zone_steps = zones.epochs * config.iterations
    weight_files = len(WEIGHTS) * in_files(config, samples)
    core_seconds = config.models * (steps * cost.step_seconds + cost.search_seconds)
    core_seconds += zone_models * zone_steps * cost.step_seconds
    model_bytes = 8.0 * (config.q_max + 6)
    return Plan(
        models=config.models,
        group_models=size,
        groups=groups,
        core_seconds=core_seconds,
        stored_bytes=config.models * cost.model_bytes + weight_files * weight_bytes(config, samples),
        files=groups + weight_files,
        worker_bytes=BASE_BYTES + size * (16.0 * config.weights(samples) + model_bytes * RESULT_COPIES),
        summary_bytes=BASE_BYTES
        + config.models * model_bytes * RESULT_COPIES
        + 2.5 * weight_files * weight_bytes(config, samples),
        parts=min(groups, max(math.ceil(core_seconds / PART_SECONDS), 1)),
    )
