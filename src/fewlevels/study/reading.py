"""Reading: how the file of a network is read, and the networks that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fewlevels.errors import NetworksError, UsageError
from fewlevels.networks.files import networks_of
from fewlevels.networks.importers.load import read_held
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import stack_of

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
class Loaded:
    """What a file makes. called: its name, for sentences.

    networks: stacked where they are dense layers, else the Variants of a graph. network: of a graph, as it is there.
    assumed: whether its units are only taken for sigmoids.
    """

    called: str
    networks: Networks
    network: Network | None
    assumed: bool


def read_file(path: Path, reading: Reading) -> Loaded:
    """The networks of a file. Raises UsageError where a graph is no circuit and one is wanted, and what reading it
    raises.
    """
    held, names, rows = read_held(path), reading.activations, reading.bias == "rows"
    layers, network = held.layers, None
    if layers is not None and layers.are_stacked(names) and not reading.keep_digital:
        networks = networks_of(layers, held.called, names)
    else:
        network = held.network(names, reading.keep_digital)
        try:
            networks = network.as_networks()
        except NetworksError as error:
            if reading.dense:
                raise UsageError(
                    f"{held.called}: {error}; a circuit is made of such layers alone, 'fewlevels search' takes any"
                ) from None
            networks = stack_of(network, bias_rows=rows)
    assumed = layers is not None and layers.are_assumed(names)
    networks = networks.with_bias_rows() if rows else networks
    return Loaded(called=held.called, networks=networks, network=network, assumed=assumed)
