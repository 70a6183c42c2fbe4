"""Stacks: what searches take, Networks or Variants, as arrays that give exactly the same stack back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from fewlevels.networks.activations import written
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import Variants


def stack_arrays(stack: Networks) -> dict[str, npt.NDArray[Any]]:
    """Of Networks W1, W2 …, b1, b2 …, activations and bias_rows. Of Variants the network as ONNX, its layers' matrices
    and biases as W1, W2 …, b1, b2 … in double precision, which ONNX may not keep, the names that it keeps digital,
    bias_rows and the sets of weights.
    """
    arrays: dict[str, npt.NDArray[Any]] = {"bias_rows": np.array(stack.bias_rows, np.int64)}
    if isinstance(stack, Networks):
        weights, biases = stack.weights, stack.biases
        arrays["activations"] = np.array([written(one) for one in stack.activations])
    else:
        variants = cast(Variants, stack)
        weights = tuple(layer.matrix for layer in variants.network.layers)
        biases = tuple(layer.bias for layer in variants.network.layers)
        arrays["onnx"] = np.frombuffer(variants.network.to_bytes(), np.uint8)
        arrays["kept"] = np.array(variants.network.graph.kept, str)
        arrays["values"] = variants.values
    for layer, (w, b) in enumerate(zip(weights, biases, strict=True), start=1):
        arrays |= {f"W{layer}": w} | ({} if b is None else {f"b{layer}": b})
    return arrays


def stack_from(arrays: Mapping[str, npt.NDArray[Any]]) -> Networks:
    """The inverse of `stack_arrays`. Raises NetworksError for what is none."""
    rows = tuple(arrays["bias_rows"].tolist())
    weights = tuple(arrays[f"W{layer}"] for layer in range(1, len(rows) + 1))
    biases = tuple(arrays.get(f"b{layer}") for layer in range(1, len(rows) + 1))
    if "onnx" not in arrays:
        names = arrays["activations"].tolist()
        return Networks(weights, biases=biases, activations=names, bias_rows=rows)
    from onnx import load_from_string

    network = Network.from_model(load_from_string(arrays["onnx"].tobytes()), keep_digital=arrays["kept"].tolist())
    layers = [layer.name for layer in network.layers]
    network = network.with_weights(dict(zip(layers, weights, strict=True)), dict(zip(layers, biases, strict=True)))
    return cast(Networks, Variants(network, arrays["values"], rows))
