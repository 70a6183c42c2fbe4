"""Files of networks: a NumPy .npz with W1, W2 …, b1, b2 … and activations."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fewlevels.common.files import name_of, open_regular
from fewlevels.common.npz import EXPECTED, Npz, listed
from fewlevels.errors import NetworksError
from fewlevels.networks.activations import SIGMOID, is_known, written
from fewlevels.networks.networks import Networks
from fewlevels.networks.transposed import TRANSPOSED

HOW = "one for each layer, or two: of the hidden layers and of the last, as relu,softmax"


FREE_BYTES = 2**25
"""Bytes that however small a file may unpack to."""

MOST_UNPACKED = 50
"""Times its size that a larger file may unpack to; weights of three values alone, in double precision, take 30."""


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Dense layers as a file holds them.

    biases: None where a layer has none. activations: their names, or none. says_units: whether the file tells what its
    units are, by activations, or as the file of a study.
    """

    weights: list[npt.NDArray[Any]]
    biases: list[npt.NDArray[Any] | None]
    activations: list[str]
    says_units: bool

    def are_stacked(self, activations: Sequence[str] = ()) -> bool:
        """Whether stacked networks know all activations: these, or the file's where none are given."""
        return all(map(is_known, activations or self.activations))

    def are_assumed(self, activations: Sequence[str] = ()) -> bool:
        """Whether neither these names nor the file say what the units are, so that they are taken for sigmoids."""
        return not (activations or self.says_units)


def load_networks(path: str | Path, *, activations: Sequence[str] = ()) -> Networks:
    """Networks from a NumPy `.npz` with W1, W2 …, each (fan_in, fan_out), or (models, fan_in, fan_out) for several;
    with b1, b2 …, (fan_out,) or (models, fan_out), where layers have biases; and `activations`, the name of each
    layer's.

    activations: where the file names none, or others are meant: one for each layer, or two: of the hidden layers and of
    the last. Without any they are sigmoids, the paper's.
    Raises NetworksError where the file cannot be read, where it holds no network, where it holds anything but layers
    (the q of a study is allowed), or where the layers do not fit together.
    """
    with open_regular(path, NetworksError, EXPECTED) as file:
        return networks_of(read_layers(file, name_of(path)), name_of(path), activations)


def networks_of(held: Layers, called: str, activations: Sequence[str] = ()) -> Networks:
    """The networks of a file's layers; else as `load_networks`. called: the file's name, for errors."""
    if any(w.ndim == 3 and len(w) == 0 for w in held.weights):
        raise NetworksError(f"{called} must hold at least one network, it holds none: W1 is {held.weights[0].shape}")
    if all(w.ndim == 2 for w in held.weights) and not _fit(held.weights) and _fit([w.T for w in held.weights]):
        raise NetworksError(f"{called}: the layers fit together only when transposed; {TRANSPOSED}")
    try:
        names = of_layers(activations or held.activations, len(held.weights))
        return Networks.from_weights(held.weights, biases=held.biases, activations=names)
    except NetworksError as error:
        raise NetworksError(f"{called}: {error}") from None


def read_layers(file: BinaryIO, called: str) -> Layers:
    """The arrays of an open `.npz` of layers. called: its name, for errors. Raises NetworksError where it cannot be
    read, would fill the memory, or holds anything else.
    """
    npz, size = Npz(file, called, NetworksError), os.fstat(file.fileno()).st_size
    unpacked = sum(member.file_size for member in npz.members.values())
    if unpacked > FREE_BYTES + MOST_UNPACKED * size:
        raise NetworksError(f"{called} has {size} bytes and unpacks to {unpacked}, more than is read")
    names = list(npz.members)
    if "W1" not in names:
        raise NetworksError(f"{called} must hold W1, W2 …, it holds {listed(names)}")
    layers = list(itertools.takewhile(lambda name: name in names, (f"W{layer}" for layer in itertools.count(1))))
    if beyond := sorted(name for name in names if re.fullmatch(r"W\d+", name) and name not in layers):
        raise NetworksError(f"{called} holds {beyond[0]} but no W{len(layers) + 1}; layers are W1, W2 … without a gap")
    biases = [name.replace("W", "b") for name in layers]
    if more := sorted(set(names) - {*layers, *biases, "activations", "q"}):
        raise NetworksError(
            f"{called} holds {listed(more)} besides {', '.join(layers)}; W1, W2 …, b1, b2 … and activations are read: "
            "leave out what is none of these"
        )
    arrays = npz.read(layers, optional=[name for name in names if name not in (*layers, "q")])
    named = arrays.get("activations", np.empty(0, str))
    if named.dtype.kind != "U" or named.ndim != 1:
        raise NetworksError(f"{called}: activations must be a list of names, got {named.dtype} {named.shape}")
    return Layers(
        weights=[arrays[name] for name in layers],
        biases=[arrays.get(name) for name in biases],
        activations=[str(name) for name in named],
        says_units=bool({"activations", "q"} & set(names)),
    )


def as_arrays(networks: Networks) -> dict[str, npt.NDArray[Any]]:
    """What a file of the first of these networks holds, as `load_networks` reads it: W1, W2 … and, where they are not
    the paper's, b1, b2 … and activations. Biases on rows are there as biases."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for layer, (w, b, rows) in enumerate(zip(networks.weights, networks.biases, networks.bias_rows, strict=True), 1):
        inputs = w.shape[1] - rows
        arrays[f"W{layer}"] = w[0, :inputs]
        if rows or b is not None:
            arrays[f"b{layer}"] = w[0, inputs:].sum(axis=0) + (0.0 if b is None else b[0])
    if not networks.plain:
        arrays["activations"] = np.array([written(one) for one in networks.activations])
    return arrays


def of_layers(activations: Sequence[str], layers: int) -> list[str]:
    """A name for each layer, of one for each, or of two, or of none: sigmoids. Raises NetworksError for others."""
    named = list(activations)
    if len(named) == 2 and layers > 2:
        named = [named[0]] * (layers - 1) + named[1:]
    if named and len(named) != layers:
        raise NetworksError(f"it has {layers} layers and {len(named)} activations are named; name {HOW}")
    return named or [SIGMOID.name] * layers


def _fit(weights: Sequence[npt.NDArray[np.generic]]) -> bool:
    return all(before.shape[1] == after.shape[0] for before, after in itertools.pairwise(weights))
