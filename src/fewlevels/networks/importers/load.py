"""Load: a network from any file, by its content."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fewlevels.common.checks import shown
from fewlevels.common.extras import require
from fewlevels.common.files import name_of, open_regular
from fewlevels.errors import NetworksError
from fewlevels.networks.files import Layers, read_layers
from fewlevels.networks.importers.arrays import Arrays, chain_of_layers, chain_of_state, read_safetensors
from fewlevels.networks.importers.keras import read_keras
from fewlevels.networks.importers.onnx import LIBRARIES, read_onnx
from fewlevels.networks.importers.torch_file import read_torch_file
from fewlevels.networks.network import Network

if TYPE_CHECKING:
    from onnx import ModelProto

EXPECTED = "a network: .onnx, .keras, .h5, .npz with W1, b1 …, .safetensors or .pt"

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a file holds, read once: layers of arrays, or the network of a graph, whose activations are in it.

    called: the file's name, for errors.
    """

    called: str
    layers: Layers | None = None
    state: Arrays | None = None
    model: ModelProto | None = None

    def network(self, activations: Sequence[str] = (), keep_digital: Collection[str] = ()) -> Network:
        """The network; else as `load_network`."""
        require("networks", LIBRARIES, "a network of a file", NetworksError)
        model = self.model
        if model is None:
            if self.layers is not None:
                model = chain_of_layers(self.layers, activations, self.called)
            else:
                model = chain_of_state(self.state or {}, activations, self.called)
        elif activations:
            raise NetworksError(f"{self.called} says itself which activations it has; leave them out")
        return Network.from_model(model, keep_digital=keep_digital)


def load_network(path: str | Path, *, activations: Sequence[str] = (), keep_digital: Collection[str] = ()) -> Network:
    """The network of a file, whatever made it.

    activations: of files that hold weights alone (.npz, .safetensors, .pt), one for each layer, or two: of the hidden
    layers and of the last. keep_digital: names of layers or nodes that do not go on a crossbar.
    Raises NetworksError where the file cannot be read, or holds what cannot go on a crossbar and is not kept digital.
    """
    if not isinstance(path, str | Path):
        raise NetworksError(f"a network's file is named by text, got {shown(path)}")
    return read_held(Path(path)).network(activations, keep_digital)


def read_held(path: Path) -> Held:
    """What a file holds, by its content: npz, pt, keras, h5, safetensors, or else onnx. Raises NetworksError where it
    cannot be read.
    """
    with open_regular(path, NetworksError, EXPECTED) as file:
        called = name_of(path)
        kind = _kind_of(file, called, path.suffix)
        if kind == "npz":
            return Held(called=called, layers=read_layers(file, called))
        if kind == "pt":
            return Held(called=called, state=read_torch_file(file, called))
        if kind == "safetensors":
            return Held(called=called, state=read_safetensors(file, called))
        if kind == "onnx":
            return Held(called=called, model=read_onnx(file, called, path.parent))
        return Held(called=called, model=read_keras(file, called, is_zip=kind == "keras"))


def _kind_of(file: BinaryIO, called: str, suffix: str) -> str:
    start = file.read(8)
    file.seek(0)
    if not start.startswith(ZIP):
        return "h5" if start == HDF5 else "safetensors" if suffix == ".safetensors" else "onnx"
    try:
        names = zipfile.ZipFile(file).namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise NetworksError(f"{called} is damaged; expected {EXPECTED}") from None
    file.seek(0)
    if "config.json" in names:
        return "keras"
    return "pt" if any(name.endswith("data.pkl") for name in names) else "npz"
