"""Store: a study's folder.

study.toml    the configuration
samples.npz   the samples it ran on
shards/       one Parquet file per group of models: GROUP-CHECKSUM.parquet
weights.npz, weights.mat, run.json, figures/, report.html   made when all shards are there
"""

from __future__ import annotations

from typing import Any

from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.places import is_there
from fewlevels.errors import ConfigError, StoreError
from fewlevels.samples.samples import Samples
from fewlevels.samples.stored import as_arrays, read_samples, samples_digest
from fewlevels.storage.folder import Folder
from fewlevels.storage.kinds import require_kind
from fewlevels.storage.provenance import Provenance, differences
from fewlevels.study.config import FEWEST_GROUP_MODELS, StudyConfig, make_config, read_config
from fewlevels.study.groups import provenances


class Store(Folder):
    """The folder of one study."""

    def begin(self, config: StudyConfig, samples: Samples) -> StudyConfig:
        """Write what is studied, or check that it is the study already there; ConfigError says what differs.

        Returns the configuration with its instruction set and the size of its groups: where it names none, the folder's
        own or, in a new folder, the best of this processor and about a minute's work. Without a study.toml there may be
        shards of this very study.
        """
        wanted = {"instruction_set": INSTRUCTION_SET, "group_models": config.minute_of_models(samples)}
        if not self.is_begun:
            begun = _filled(config, wanted)
            if self._begin_new(begun, samples):
                return begun
        there = self.config()  # perhaps of another command that has begun at the same time
        config = _filled(_filled(config, there.model_dump()), wanted)
        differing = differences(_flat(there), _flat(config))
        if not differing and samples_digest(self.samples()) != samples_digest(samples):
            differing = [f"the content of {config.dataset} has changed"]
        if differing:
            raise ConfigError(
                f"{self.path} holds a different study: {'; '.join(differing)}; use another folder for this one"
            )
        return config

    def _begin_new(self, config: StudyConfig, samples: Samples) -> bool:
        """Write what is studied; False where another command has done so meanwhile."""
        require_kind(self.path, "study")
        if names := self.names():
            made_of = provenances(config, samples)
            if others := sorted(set(names) - set(made_of)):
                raise StoreError(
                    f"{self.path} holds results that are not of this study, {others[0]} …; use another folder"
                )
            for name in names:
                self.find_shard(name, made_of[name])  # refuses what is of another study
        self.write_npz("samples.npz", as_arrays(samples))
        return self.write("study.toml", config.to_toml().encode(), only_new=True)

    @property
    def is_begun(self) -> bool:
        """Whether the folder says what it studies."""
        return is_there(self.path / "study.toml")

    def config(self) -> StudyConfig:
        """What is studied, as study.toml says it. A study that does not say the size of its groups has the least."""
        path = self.path / "study.toml"
        if not self.is_begun:
            raise ConfigError(f"{self.path} is not a study: it holds no study.toml; make one with 'fewlevels study'")
        return make_config({"group_models": FEWEST_GROUP_MODELS} | read_config(path), str(path))

    def samples(self) -> Samples:
        """What the study ran on. Raises StoreError where they cannot be read."""
        return read_samples(self.path / "samples.npz")


def _filled(config: StudyConfig, values: dict[str, Any]) -> StudyConfig:
    """The configuration with these values where it names none."""
    missing = {name: value for name, value in values.items() if getattr(config, name) is None}
    return config.model_copy(update=missing)


def _flat(config: StudyConfig) -> Provenance:
    values = config.model_dump(exclude={"zones"})
    return values | {f"zones.{name}": value for name, value in config.zones.model_dump().items()}
