"""Groups: the models of a study that are computed and stored together, each a pure function of what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fewlevels.networks.networks import Networks
from fewlevels.quantization import QUANTIZERS
from fewlevels.samples.datasets import NAMES
from fewlevels.samples.samples import Samples
from fewlevels.samples.stored import samples_digest
from fewlevels.search.fewest import fewest_levels
from fewlevels.storage.columns import as_rows
from fewlevels.storage.provenance import Provenance
from fewlevels.study.config import FEWEST_GROUP_MODELS, StudyConfig
from fewlevels.training.config import TrainingConfig
from fewlevels.training.sgd import train, trajectory

if TYPE_CHECKING:
    import pyarrow as pa

RESULTS_FORMAT = 2
"""Of what is stored; to be raised when the same configuration gives other numbers or other columns."""


@dataclass(frozen=True)
class Group:
    """Models that are computed and stored together: a slice of the study's models, or one zone of Figure 5."""

    name: str
    models: range
    zone: int | None = None

    @property
    def size(self) -> int:
        """How many models."""
        return len(self.models)

    def __str__(self) -> str:
        return self.name


def groups_of(config: StudyConfig) -> list[Group]:
    """All groups of a study, in the order of their models."""
    size = config.group_models or FEWEST_GROUP_MODELS
    begins = range(0, config.models, size)
    groups = [Group(f"models-{begin:06d}", range(begin, min(begin + size, config.models))) for begin in begins]
    zones = [Group(f"zone-{zone}", range(config.zones.models), zone) for zone in range(len(config.zones.starts))]
    return groups + zones


def provenances(config: StudyConfig, samples: Samples) -> dict[str, Provenance]:
    """What each group of a study is made of, by its name: all that its numbers depend on, and nothing else."""
    common = {
        "results_format": RESULTS_FORMAT,
        "samples": samples_digest(samples),
        # A file is known by its content, and may lie elsewhere the next time.
        "dataset": config.dataset if config.dataset in NAMES else "a file",
        **config.model_dump(include={"instruction_set", "seed", "iterations", "hidden", "learning_rate", "quantizer"}),
    }
    of_models = config.model_dump(include={"repeats", "epochs", "init", "alpha", "q_max"})
    zones = config.zones.model_dump(exclude={"starts"})
    of_zones = {"seeds": config.seeds} | {f"zones.{name}": value for name, value in zones.items()}
    of_models |= {} if config.keep_weights else {"keep_weights": False}
    own = {
        group.name: of_models | {"models": len(group.models)}
        if group.zone is None
        else of_zones | {"zones.start": config.zones.starts[group.zone]}
        for group in groups_of(config)
    }
    return {name: common | values for name, values in own.items()}


def compute(config: StudyConfig, samples: Samples, group: Group) -> pa.Table:
    """The shard of one group: a pure function of configuration and samples, on one thread."""
    if group.zone is not None:
        return _compute_zone(config, samples, group.zone)
    return searched(config, samples, group.models, trained(config, samples, group.models))


def trained(config: StudyConfig, samples: Samples, models: Sequence[int], jobs: int | None = 1) -> Networks:
    """Some models of a study, trained here. jobs: threads; all cores where None."""
    keys = [divmod(model, config.repeats) for model in models]
    instruction_set = config.instruction_set
    return train(samples, config.training(), models=keys, seed=config.seed, jobs=jobs, instruction_set=instruction_set)


def searched(config: StudyConfig, samples: Samples, models: Sequence[int], networks: Networks) -> pa.Table:
    """The shard of these models, which are trained. Their search runs on one thread."""
    import pyarrow as pa

    quantizer = QUANTIZERS[config.quantizer]
    found = fewest_levels(networks, samples, quantizer=quantizer, alpha=config.alpha, q_max=config.q_max, jobs=1)
    seed_index, repeat = np.array([divmod(model, config.repeats) for model in models], dtype=np.int32).T
    columns: dict[str, Any] = {
        "model": np.array(models, dtype=np.int32),
        "seed_index": seed_index,
        "repeat": repeat,
        "weight_range": networks.weight_range(),
        "weight_range_a": networks.weight_range_a(),
        "recognition": found.recognition,
        "q": found.q,
        "stable_q": found.stable_q,
        "occupied": found.occupied,
        "recognition_trace": as_rows(found.recognition_trace),
    }
    for layer, w in enumerate(networks.weights if config.keep_weights else (), start=1):
        columns[f"w{layer}"] = as_rows(w.astype(np.float32))
    return pa.table(columns)


def _compute_zone(config: StudyConfig, samples: Samples, zone: int) -> pa.Table:
    import pyarrow as pa

    zones = config.zones
    training = TrainingConfig(
        hidden=config.hidden,
        learning_rate=config.learning_rate,
        init=zones.starts[zone],
        steps=zones.epochs * config.iterations,
    )
    keys = [(config.seeds + zone, repeat) for repeat in range(zones.models)]
    steps = [epoch * config.iterations for epoch in zones.at_epochs]
    stages = trajectory(
        samples, training, at_steps=steps, models=keys, seed=config.seed, jobs=1, instruction_set=config.instruction_set
    )
    quantize = QUANTIZERS[config.quantizer].quantize
    joints = [stage.joint() for stage in stages]
    quantized = [quantize(joint, zones.levels).values for joint in joints]
    before, after = (
        np.stack(
            [stage.judged(each, samples).mean(axis=1) for stage, each in zip(stages, weights, strict=True)], axis=1
        )
        for weights in (joints, quantized)
    )
    return pa.table(
        {
            "weight_range": stages[-1].weight_range(),
            "recognition": as_rows(after),
            "recognition_before": as_rows(before),
        }
    )
