"""Store: a study's folder.

study.toml    the configuration
samples.npz   the samples it ran on
shards/       one Parquet file per group of models: GROUP-CHECKSUM.parquet
weights.npz, weights.mat, run.json, figures/, report.html   made when all shards are there
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fewlevels.common.npz import npz_names, read_npz
from fewlevels.errors import ConfigError, SamplesError, StoreError
from fewlevels.samples.samples import Samples
from fewlevels.storage.folder import Folder
from fewlevels.storage.kinds import require_kind
from fewlevels.storage.provenance import Provenance, differences, digest
from fewlevels.study.config import StudyConfig, make_config, read_config


class Store(Folder):
    """The folder of one study."""

    def begin(self, config: StudyConfig, samples: Samples, groups: Mapping[str, Provenance]) -> None:
        """Write what is studied, or check that it is the study already there; ConfigError says what differs.

        groups: of every shard of the study, by its name. Without a study.toml there may be shards of this very study.
        """
        if self.is_begun:
            differing = differences(_flat(self.config()), _flat(config))
            if not differing and samples_digest(self.samples()) != samples_digest(samples):
                differing = [f"the content of {config.dataset} has changed"]
            if differing:
                raise ConfigError(
                    f"{self.path} holds a different study: {'; '.join(differing)}; use another folder for this one"
                )
            return
        require_kind(self.path, "study")
        if others := sorted(set(self.names()) - set(groups)):
            raise StoreError(f"{self.path} holds results that are not of this study, {others[0]} …; use another folder")
        self.missing(groups)  # refuses what is of another study
        arrays: dict[str, np.ndarray] = {"x": samples.x, "y": samples.y, "classes": np.array(samples.classes)}
        if samples.shape:
            arrays["shape"] = np.array(samples.shape)
        self.write_npz("samples.npz", arrays)
        self.write("study.toml", config.to_toml().encode())

    @property
    def is_begun(self) -> bool:
        """Whether the folder says what it studies."""
        return (self.path / "study.toml").exists()

    def config(self) -> StudyConfig:
        path = self.path / "study.toml"
        if not path.is_file():
            raise ConfigError(f"{self.path} is not a study: it holds no study.toml; make one with 'fewlevels study'")
        return make_config(read_config(path), str(path))

    def samples(self) -> Samples:
        path = self.path / "samples.npz"
        try:
            names = ["x", "y", "classes", *({"shape"} & set(npz_names(path, StoreError)))]
            arrays: dict[str, Any] = {
                name: array.tolist() if name in ("classes", "shape") else array
                for name, array in read_npz(path, names, StoreError).items()
            }
            return Samples(**arrays)
        except (StoreError, SamplesError) as error:
            raise StoreError(
                f"{path} cannot be read: {error}; without it nothing says what the results are of: put "
                "it back, or use another folder"
            ) from None


def _flat(config: StudyConfig) -> Provenance:
    values = config.model_dump(exclude={"zones"})
    return values | {f"zones.{name}": value for name, value in config.zones.model_dump().items()}


def samples_digest(samples: Samples) -> str:
    """Of everything that samples are."""
    return digest([samples.classes, samples.shape], samples.x, samples.y)
