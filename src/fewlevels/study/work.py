"""Work: what a worker does for a study. It computes a group and stores it, wherever the worker runs."""

from __future__ import annotations

import logging
from functools import lru_cache, partial
from pathlib import Path

from fewlevels import __version__
from fewlevels.common.words import printable
from fewlevels.errors import ClusterError, StoreError
from fewlevels.samples.samples import Samples
from fewlevels.storage.provenance import Provenance
from fewlevels.study.config import StudyConfig
from fewlevels.study.folder import Store
from fewlevels.study.groups import Group, compute, provenances

LOG = logging.getLogger("fewlevels")

Known = tuple[StudyConfig, Samples, dict[str, Provenance]]


class Work:
    """Computes and stores groups of the study that a folder holds. Sent elsewhere, it is no more than the folder's name
    and the checksum of its study.toml: the rest is read there, once. version: of fewlevels that sent it.
    """

    def __init__(
        self, path: Path, begun: str | None, known: Known | None = None, *, version: str = __version__
    ) -> None:
        self.path, self.begun, self._known, self.version = path, begun, known, version

    @classmethod
    def of(cls, store: Store, config: StudyConfig, samples: Samples, made_of: dict[str, Provenance]) -> Work:
        """For a study that is begun. made_of: each group, as `provenances` has it."""
        return cls(store.path.absolute(), store.checksum_of("study.toml"), (config, samples, made_of))

    def __reduce__(self) -> tuple[partial[Work], tuple[Path, str | None]]:
        return partial(Work, version=self.version), (self.path, self.begun)

    def __call__(self, group: Group) -> str:
        """Returns the name of the group's file, which is stored then.

        Raises StoreError where the folder does not hold the study, no more or not on this machine, or cannot be
        written; ClusterError where another version of fewlevels sent this; TrainingError where this processor does not
        run the study's instruction set.
        """
        if self.version != __version__:
            raise ClusterError(f"a worker has fewlevels {__version__}, this command {self.version}: use one version")
        store = Store(self.path)
        if store.checksum_of("study.toml") != self.begun:
            raise StoreError(
                f"{printable(self.path)} was removed or made anew while this ran; run the same command again, with "
                "workers that see this folder"
            )
        with store.held():
            config, samples, made_of = self._known or _known(self.path, self.begun)
            LOG.info("%s begins", group)
            file = store.write_shard(group.name, compute(config, samples, group), made_of[group.name])
            LOG.info("%s is stored", group)
            return file


@lru_cache(maxsize=1)
def _known(path: Path, begun: str | None) -> Known:
    """begun: only tells one study in this folder from another."""
    store = Store(path)
    config, samples = store.config(), store.samples()
    return config, samples, provenances(config, samples)
