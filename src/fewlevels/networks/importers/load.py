"""Load: a network from any file, by its content."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from fewlevels.common.checks import shown
from fewlevels.common.extras import require
from fewlevels.common.files import name_of, open_regular
from fewlevels.errors import NetworksError
from fewlevels.networks.files import Layers, read_layers
from fewlevels.networks.importers.arrays import chain_of_state, read_npz_chain, read_safetensors
from fewlevels.networks.importers.keras import read_keras
from fewlevels.networks.importers.onnx import LIBRARIES, read_onnx
from fewlevels.networks.importers.torch_file import read_torch_file
from fewlevels.networks.network import Network

EXPECTED = "a network: .onnx, .keras, .h5, .npz with W1, b1 …, .safetensors or .pt"

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"


def load_network(path: str | Path, *, activations: Sequence[str] = (), keep_digital: Collection[str] = ()) -> Network:
    """The network of a file, whatever made it.

    activations: of files that hold weights alone (.npz, .safetensors, .pt), one for each layer, or two: of the hidden
    layers and of the last. keep_digital: names of layers or nodes that do not go on a crossbar.
    Raises NetworksError where the file cannot be read, or holds what cannot go on a crossbar and is not kept digital.
    """
    if not isinstance(path, str | Path):
        raise NetworksError(f"a network's file is named by text, got {shown(path)}")
    require("networks", LIBRARIES, "a network of a file", NetworksError)
    path = Path(path)
    kind = kind_of(path)
    if activations and kind in ("h5", "keras", "onnx"):
        raise NetworksError(f"{name_of(path)} says itself which activations it has; leave them out")
    if kind == "npz":
        model = read_npz_chain(path, activations)
    elif kind == "pt":
        model = chain_of_state(read_torch_file(path), activations, name_of(path))
    elif kind == "safetensors":
        model = read_safetensors(path, activations)
    else:
        model = read_onnx(path) if kind == "onnx" else read_keras(path)
    return Network.from_model(model, keep_digital=keep_digital)


def layers_of(path: Path) -> Layers | None:
    """The layers of an `.npz`; None for another file. Raises NetworksError where it cannot be read."""
    return read_layers(path) if kind_of(path) == "npz" else None


def kind_of(path: Path) -> str:
    """What the content of a network's file is: npz, pt, keras, h5, safetensors, or else onnx. Raises NetworksError
    where it cannot be read.
    """
    with open_regular(path, NetworksError, EXPECTED) as file:
        start = file.read(8)
    if start.startswith(ZIP):
        return _kind_of_zip(path)
    return "h5" if start == HDF5 else "safetensors" if path.suffix == ".safetensors" else "onnx"


def _kind_of_zip(path: Path) -> str:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise NetworksError(f"{name_of(path)} is damaged; expected {EXPECTED}") from None
    if "config.json" in names:
        return "keras"
    return "pt" if any(name.endswith("data.pkl") for name in names) else "npz"
