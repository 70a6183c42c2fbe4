"""Judges: the samples that a user names for the networks of a file, and what should be said of them."""

from __future__ import annotations

from dataclasses import replace

from fewlevels.common.counts import counted
from fewlevels.common.words import printable
from fewlevels.errors import UsageError
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.samples.datasets import data_of
from fewlevels.samples.files import Data
from fewlevels.samples.samples import Samples
from fewlevels.search.target import check_classes
from fewlevels.study.hints import assumed_sigmoids, hint, other_units, refuse_transposed
from fewlevels.study.reading import Loaded


def judges_of(loaded: Loaded, data: str, test: str | None) -> tuple[Samples, Samples | None, tuple[str, ...]]:
    """The samples that choose, those held out, and remarks, a sentence each. Samples without labels get those that the
    network itself tells.

    Raises UsageError where several networks may tell different ones, SearchError where samples name their classes
    otherwise, NetworksError where layers were probably saved transposed, and what reading samples raises.
    """
    networks, network = loaded.networks, loaded.network
    given, judge = data_of(data), None if test is None else data_of(test, test=True)
    remarks = [assumed_sigmoids(loaded.called)] if loaded.assumed else []
    remarks += _of_biases(networks)
    remarks += [f"{each.remark}." for each in (given, judge) if each is not None and each.remark]
    if network is not None:
        given, moved = _arranged(given, network)
        judge = None if judge is None else _arranged(judge, network)[0]
        remarks += [moved] if moved else []
    if any(each is not None and each.y is None for each in (given, judge)):
        remarks.append("Samples without labels get those that the network itself tells: recognition is agreement.")
    if given.y is not None and len(networks) == 1:
        remarks += _hints(networks, network, given, loaded.assumed)
    samples = _labelled(given, networks, data)
    if isinstance(networks, Networks):
        refuse_transposed(networks, samples, loaded.called)
    tested = None if judge is None else _labelled(judge, networks, str(test))
    check_classes(samples, tested)
    return samples, tested, tuple(remarks)


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
