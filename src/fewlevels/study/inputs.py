"""Inputs: what a user names, the same for every command: networks, the samples they choose and judge on, a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fewlevels.datasets import DATASETS, samples_of
from fewlevels.errors import SearchError, UsageError
from fewlevels.networks import Networks, load_networks
from fewlevels.samples import Samples
from fewlevels.search import check_classes
from fewlevels.study.run import StudyResult, load_study

BEST = "best"


@dataclass(frozen=True, eq=False)
class Inputs:
    """Networks, and the samples that a command works on.

    source: where the networks are from. samples: settings are chosen and fine-tuning trains on them. test: held-out
    samples that alone judge, None where `samples` do. data_name, test_name: what a user calls the samples. study: whose
    networks they are, None for those of a file.
    """

    source: Path
    networks: Networks
    samples: Samples
    test: Samples | None
    data_name: str
    test_name: str | None
    study: StudyResult | None

    @property
    def judge(self) -> Samples:
        """The samples that judge."""
        return self.samples if self.test is None else self.test

    @property
    def chosen_on(self) -> str:
        """'training samples of digits8': the samples that choose, in words."""
        return part_of(self.data_name, "training")

    @property
    def judged_on(self) -> str:
        """'test samples of digits8': the samples that judge, in words."""
        return self.chosen_on if self.test_name is None else part_of(self.test_name, "test")

    def model(self, name: str) -> int:
        """The index that names a network (see `model_index`). 'best' is a study's best, and a file's only network.

        Raises SearchError where there is no such network, UsageError for the best of a file of several.
        """
        index = model_index(name, len(self.networks))
        if index is not None:
            return index
        if self.study is not None:
            return best_of(self.study)
        if len(self.networks) > 1:
            raise UsageError(f"{self.source} holds {len(self.networks)} networks; choose one with --model INDEX")
        return 0


def read_inputs(source: Path, data: str | None = None, test: str | None = None) -> Inputs:
    """What these names mean, each read once.

    source: the folder of a study, which brings its samples, or a .npz with W1, W2 … (see `load_networks`), which brings
    none. data, test: samples by name or file (see `samples_of`); of a data set that is split the training part stands
    for `data`, the test part for `test`.
    Raises UsageError where there is no such path or a file comes without data, SearchError where samples name their
    classes otherwise, and what reading any of them raises.
    """
    study = load_study(source) if source.is_dir() else None
    if study is not None:
        networks = study.found.networks
        samples = study.samples if data is None else samples_of(data)
        check_classes(study.samples, samples)
        data = study.config.dataset if data is None else data
    elif not source.is_file():
        raise UsageError(f"there is no {source}; the folder of a study is expected, or a .npz with W1, W2 …")
    elif data is None:
        raise UsageError(f"{source} brings no samples; give them with --data")
    else:
        networks, samples = load_networks(source), samples_of(data)
    judge = None if test is None else samples_of(test, test=True)
    check_classes(samples, judge)
    return Inputs(source, networks, samples, judge, data, test, study)


def model_index(name: str, models: int) -> int | None:
    """The index that a user names a model by, or None for 'best'. Raises SearchError where there is no such model."""
    if name == BEST:
        return None
    if not (name.isascii() and name.isdecimal() and len(name) < 20 and int(name) < models):
        raise SearchError(f"--model must be {BEST}, or 0 to {models - 1}, got {name!r}")
    return int(name)


def best_of(study: StudyResult) -> int:
    """The index of a study's best model. Raises SearchError where none is solved."""
    if study.best < 0:
        raise SearchError("no model of this study was solved, so there is no best one; choose one with --model INDEX")
    return study.best


def part_of(name: str, part: str) -> str:
    """'training samples of digits8', 'samples of own.npz': only a data set that is split has parts."""
    return f"{part} samples of {name}" if name in DATASETS else f"samples of {name}"
