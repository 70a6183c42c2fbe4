"""Inputs: what a user names, the same for every command: networks, the samples they choose and judge on, a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fewlevels.common.places import kind_of
from fewlevels.common.words import printable
from fewlevels.errors import UsageError
from fewlevels.networks.importers.load import EXPECTED
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.samples.datasets import DATASETS, samples_of
from fewlevels.samples.samples import Samples
from fewlevels.search.target import check_classes
from fewlevels.study.judges import judges_of
from fewlevels.study.reading import Reading, read_file
from fewlevels.study.result import load_searched
from fewlevels.study.which_model import BEST, best_of, model_index


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """Networks, and the samples that a command works on.

    networks: all of a study or a file; of a `Network` its Variants. index: of the one that is meant, None where all
    are. samples: settings are chosen and fine-tuning trains on them. test: held-out samples that alone judge, None
    where `samples` do. data_name, test_name: what a user calls the samples. remarks: what was assumed, a sentence each.
    network: of a file with a graph, as it is there.
    """

    networks: Networks
    index: int | None
    samples: Samples
    test: Samples | None
    data_name: str
    test_name: str | None
    remarks: tuple[str, ...] = ()
    network: Network | None = None

    @property
    def one(self) -> Networks:
        """The network that is meant."""
        assert self.index is not None
        return self.networks[self.index]

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


def read_inputs(
    source: Path,
    data: str | None = None,
    test: str | None = None,
    model: str | None = None,
    *,
    reading: Reading | None = None,
) -> Inputs:
    """What these names mean, each read once, and of a study no more than is needed.

    source: the folder of a study, which brings its samples, or the file of a network (see `load_networks` and
    `load_network`), which brings none. data, test: samples by name or file (see `data_of`); of a data set that is split
    the training part stands for `data`, the test part for `test`. Samples without labels get those that the network
    itself tells, so that recognition is agreement with it. model: which network is meant, by its index; 'best' is the
    best of a study, or a file's only one.
    Raises UsageError where there is no such path or a file comes without data or with several networks to choose the
    best of, SearchError where there is no such model or samples name their classes otherwise, and what reading any of
    them raises.
    """
    reading, kind = reading or Reading(), kind_of(source)
    if kind == "directory":
        if reading.activations or reading.keep_digital:
            raise UsageError(f"{source} is a study and says itself what its networks are; leave out what says more")
        return _of_study(source, data, test, model)
    if kind is None:
        raise UsageError(f"there is no {source}; the folder of a study is expected, or {EXPECTED}")
    if data is None:
        raise UsageError(f"{source} brings no samples; give them with --data")
    loaded = read_file(source, reading)
    networks = loaded.networks
    samples, tested, remarks = judges_of(loaded, data, test)
    index = None if model is None else model_index(model, len(networks))
    if model == BEST:
        if len(networks) > 1:
            raise UsageError(f"{source} holds {len(networks)} networks; choose one with --model INDEX")
        index = 0
    return Inputs(
        networks=networks,
        index=index,
        samples=samples,
        test=tested,
        data_name=data,
        test_name=test,
        remarks=remarks,
        network=loaded.network,
    )


def _of_study(source: Path, data: str | None, test: str | None, model: str | None) -> Inputs:
    study = load_searched(source)
    index = None if model is None else model_index(model, len(study.networks))
    if model == BEST:
        index = best_of(study)
    samples = study.samples
    if data is not None:
        samples = samples_of(data)
        check_classes(study.samples, samples)
    judge = None if test is None else samples_of(test, test=True)
    check_classes(samples, judge)
    return Inputs(
        networks=study.networks,
        index=index,
        samples=samples,
        test=judge,
        data_name=study.config.dataset if data is None else data,
        test_name=test,
    )


def part_of(name: str, part: str) -> str:
    """'training samples of digits8', 'samples of own.npz': only a data set that is split has parts."""
    return f"{part} samples of {name}" if name in DATASETS else f"samples of {printable(name)}"
