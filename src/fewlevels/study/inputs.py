"""Inputs: what a user names, the same for every command: networks, the samples they choose and judge on, a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fewlevels.common.counts import counted
from fewlevels.common.words import printable
from fewlevels.errors import NetworksError, SearchError, UsageError
from fewlevels.networks.files import networks_of, refuse_transposed
from fewlevels.networks.importers.load import EXPECTED, layers_of, load_network
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import stack_of
from fewlevels.samples.datasets import DATASETS, data_of, samples_of
from fewlevels.samples.files import Data
from fewlevels.samples.samples import Samples
from fewlevels.search.target import check_classes
from fewlevels.study.hints import assumed_sigmoids, hint, other_units
from fewlevels.study.result import SearchedStudy, load_searched

BEST = "best"

BIASES = ("digital", "rows")
"""Where biases are: added digitally, or on word lines of their own."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the file of a network is read; a study says all of it itself.

    activations: names, where the file has none or others are meant. keep_digital: names of layers or nodes that do not
    go on a crossbar. bias: 'digital', or 'rows' of the crossbars (see `Networks.with_bias_rows`). dense: whether only
    dense layers one after the other will do, as circuits are made of.
    Raises UsageError for another bias.
    """

    activations: tuple[str, ...] = ()
    keep_digital: tuple[str, ...] = ()
    bias: str = "digital"
    dense: bool = False

    def __post_init__(self) -> None:
        if self.bias not in BIASES:
            raise UsageError(f"biases are {' or on '.join(BIASES)}, got {self.bias!r}")


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
    reading = reading or Reading()
    if source.is_dir():
        if reading.activations or reading.keep_digital:
            raise UsageError(f"{source} is a study and says itself what its networks are; leave out what says more")
        return _of_study(source, data, test, model)
    if not source.is_file():
        raise UsageError(f"there is no {source}; the folder of a study is expected, or {EXPECTED}")
    if data is None:
        raise UsageError(f"{source} brings no samples; give them with --data")
    networks, network, assumed = _of_file(source, reading)
    given, judge = data_of(data), None if test is None else data_of(test, test=True)
    remarks = [assumed_sigmoids(source)] if assumed else []
    remarks += _of_biases(networks)
    remarks += [f"{each.remark}." for each in (given, judge) if each is not None and each.remark]
    if network is not None:
        given, moved = _arranged(given, network)
        judge = None if judge is None else _arranged(judge, network)[0]
        remarks += [moved] if moved else []
    if any(each is not None and each.y is None for each in (given, judge)):
        remarks.append("Samples without labels get those that the network itself tells: recognition is agreement.")
    if given.y is not None and len(networks) == 1:
        remarks += _hints(networks, network, given, assumed)
    samples = _labelled(given, networks, data)
    if isinstance(networks, Networks):
        refuse_transposed(networks, samples, printable(source))
    index = None if model is None else model_index(model, len(networks))
    if model == BEST:
        if len(networks) > 1:
            raise UsageError(f"{source} holds {len(networks)} networks; choose one with --model INDEX")
        index = 0
    tested = None if judge is None else _labelled(judge, networks, str(test))
    check_classes(samples, tested)
    return Inputs(
        networks=networks,
        index=index,
        samples=samples,
        test=tested,
        data_name=data,
        test_name=test,
        remarks=tuple(remarks),
        network=network,
    )


def _of_study(source: Path, data: str | None, test: str | None, model: str | None) -> Inputs:
    study = load_searched(source)
    samples = study.samples
    if data is not None:
        samples = samples_of(data)
        check_classes(study.samples, samples)
    index = None if model is None else model_index(model, len(study.networks))
    if model == BEST:
        index = best_of(study)
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


def _of_file(path: Path, reading: Reading) -> tuple[Networks, Network | None, bool]:
    """Networks of a file, stacked where they are dense layers; the network of a graph; whether units are assumed."""
    layers, names = layers_of(path), reading.activations
    network, rows = None, reading.bias == "rows"
    assumed = layers is not None and layers.are_assumed(names)
    if layers is not None and layers.are_stacked(names) and not reading.keep_digital:
        networks = networks_of(layers, path, names)
    else:
        network = load_network(path, activations=names, keep_digital=reading.keep_digital)
        try:
            networks = network.as_networks()
        except NetworksError as error:
            if reading.dense:
                raise UsageError(
                    f"{printable(path)}: {error}; a circuit is made of such layers alone, 'fewlevels search' takes any"
                ) from None
            networks = stack_of(network, bias_rows=rows)
    return networks.with_bias_rows() if rows else networks, network, assumed


def _of_biases(networks: Networks) -> list[str]:
    """Where the biases are, in a sentence; nothing where there are none."""
    if any(networks.bias_rows):
        return [f"Biases are weights, too, on {counted(sum(networks.bias_rows), 'row')}."]
    biases = networks.digital_biases
    return [f"Its {counted(biases, 'bias', 'biases')} stay digital."] if biases else []


def _arranged(data: Data, network: Network) -> tuple[Data, str]:
    """The data with channels where the network has them, and what was done, in words."""
    x, remark = network.arranged(data.x)
    return replace(data, x=x), remark


def _hints(networks: Networks, network: Network | None, data: Data, assumed: bool) -> list[str]:
    """What may be wrong with labelled data or with what was assumed of a file, a sentence each."""
    assert data.y is not None
    if network is not None:
        return [sentence] if (sentence := hint(network, data.x, data.y, len(data.classes))) else []
    if data.x[0].size != networks.inputs or data.y.max() >= max(networks.shapes[-1][1], 2):  # is refused later
        return []
    said = [hint(networks, data.x, data.y, len(data.classes))]
    if assumed:
        said.append(other_units(networks, data.x, data.y))
    return [sentence for sentence in said if sentence]


def _labelled(data: Data, networks: Networks, name: str) -> Samples:
    """The data with its labels, or with those that the network tells. Raises UsageError where there are several."""
    if data.y is not None:
        return data.samples(name)
    if len(networks) > 1:
        raise UsageError(f"{printable(name)} has no labels, and {len(networks)} networks may tell different ones")
    return networks.labelled(data.x)


def model_index(name: str, models: int) -> int | None:
    """The index that a user names a model by, or None for 'best'. Raises SearchError where there is no such model."""
    if name == BEST:
        return None
    if not (name.isascii() and name.isdecimal() and len(name) < 20 and int(name) < models):
        raise SearchError(f"--model must be {BEST}, or 0 to {models - 1}, got {name!r}")
    return int(name)


def best_of(study: SearchedStudy) -> int:
    """The index of a study's best model. Raises SearchError where none is solved."""
    if study.best < 0:
        raise SearchError("no model of this study was solved, so there is no best one; choose one with --model INDEX")
    return study.best


def part_of(name: str, part: str) -> str:
    """'training samples of digits8', 'samples of own.npz': only a data set that is split has parts."""
    return f"{part} samples of {name}" if name in DATASETS else f"samples of {printable(name)}"
