"""Work: what a worker does for a study. It computes a group and stores it, wherever the worker runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewlevels.engines.work import Work
from fewlevels.samples.samples import Samples
from fewlevels.storage.provenance import Provenance
from fewlevels.study.config import StudyConfig
from fewlevels.study.folder import Store
from fewlevels.study.groups import Group, compute, provenances

if TYPE_CHECKING:
    import pyarrow as pa

Known = tuple[StudyConfig, Samples, dict[str, Provenance]]
"""A study, and what each of its groups is made of."""


def known_of(config: StudyConfig, samples: Samples) -> Known:
    """Of a study that is begun."""
    return config, samples, provenances(config, samples)


class StudyWork(Work[Known, Group]):
    """Computes and stores groups of a study. Computing raises TrainingError where this processor does not run the
    study's instruction set.
    """

    FILE = "study.toml"

    @classmethod
    def read(cls, path: Path) -> Known:
        store = Store(path)
        return known_of(store.config(), store.samples())

    @staticmethod
    def made_of(known: Known, piece: Group) -> Provenance:
        return known[2][piece.name]

    @staticmethod
    def compute(known: Known, piece: Group) -> pa.Table:
        config, samples, _ = known
        return compute(config, samples, piece)
