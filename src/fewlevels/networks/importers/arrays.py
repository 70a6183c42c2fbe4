"""Plain chains of dense layers: arrays in `.npz`, `.safetensors` or `.pt`, whose activations are named beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fewlevels.common.extras import require
from fewlevels.common.words import printable
from fewlevels.errors import NetworksError
from fewlevels.networks.builder import chain
from fewlevels.networks.files import HOW, Layers, of_layers
from fewlevels.networks.importers.onnx import LIBRARIES

if TYPE_CHECKING:
    from onnx import ModelProto

Arrays = Mapping[str, npt.NDArray[Any]]


def chain_of_layers(held: Layers, activations: Sequence[str], called: str) -> ModelProto:
    """Layers of one network as `read_layers` reads them, with their own activations where these are none. Without any
    they are sigmoids, as the paper's. called: the file's name, for errors. Raises NetworksError where they do not fit
    together.
    """
    return _chain(held.weights, held.biases, activations or held.activations, called)


def read_safetensors(file: BinaryIO, called: str) -> Arrays:
    """The arrays of an open `.safetensors` by name. Raises NetworksError for any other file."""
    require("networks", (*LIBRARIES, "safetensors"), "a .safetensors", NetworksError)
    from safetensors.numpy import load

    try:
        return load(file.read())
    except Exception as error:  # of safetensors and NumPy: many kinds for damaged files and types NumPy has not
        raise NetworksError(f"{called} is no .safetensors, or is damaged: {printable(error)}") from None


def chain_of_state(arrays: Arrays, activations: Sequence[str], name: str) -> ModelProto:
    """A plain chain of PyTorch's layers by their names: X.weight, (fan_out, fan_in), and X.bias."""
    if not activations:
        raise NetworksError(
            f"{name} does not say which activations follow its layers; name them with --activation, {HOW}"
        )
    stems = sorted({_stem(key, name) for key in arrays}, key=_natural)
    weights, biases = [], []
    for stem in stems:
        weight, bias = arrays.get(f"{stem}.weight"), arrays.get(f"{stem}.bias")
        if weight is None or weight.ndim != 2:
            shape = "none" if weight is None else str(weight.shape)
            raise NetworksError(
                f"{name}: {printable(stem)!r} is no dense layer, its weight is {shape}; export the model to ONNX"
            )
        weights.append(weight.T)
        biases.append(bias)
    return _chain(weights, biases, activations, name, stems)


def _stem(key: str, name: str) -> str:
    if not key.endswith((".weight", ".bias")):
        raise NetworksError(
            f"{name}: {printable(key)!r} is no weight or bias of a dense layer; export the model to ONNX"
        )
    return key.rpartition(".")[0]


def _natural(text: str) -> list[tuple[int, str]]:
    """Numbers in a name sort as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part]


def _chain(
    weights: Sequence[npt.NDArray[Any]],
    biases: Sequence[npt.NDArray[Any] | None],
    activations: Sequence[str],
    name: str,
    names: Sequence[str] | None = None,
) -> ModelProto:
    try:
        activations = of_layers(activations, len(weights))
    except NetworksError as error:
        raise NetworksError(f"{name}: {error}") from None
    for number, (w, b) in enumerate(zip(weights, biases, strict=True), start=1):
        if w.ndim != 2 or 0 in w.shape or w.dtype.kind not in "fiu":
            raise NetworksError(f"{name}: the weights of layer {number} must be real, (fan_in, fan_out), got {w.shape}")
        if number > 1 and w.shape[0] != weights[number - 2].shape[1]:
            raise NetworksError(
                f"{name}: layer {number} takes {w.shape[0]} inputs and layer {number - 1} gives "
                f"{weights[number - 2].shape[1]}"
            )
        if b is not None and (b.shape != w.shape[1:] or b.dtype.kind not in "fiu"):
            raise NetworksError(f"{name}: the bias of layer {number} must be real, ({w.shape[1]},), got {b.shape}")
    dtype = np.float64 if any(w.dtype == np.float64 for w in weights) else np.float32
    return chain(weights, biases, activations, dtype, names)
