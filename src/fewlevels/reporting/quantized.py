"""Quantized networks of a comparison as files that run anywhere: one ONNX graph a method."""

from __future__ import annotations

import re
from pathlib import Path

from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import Variants
from fewlevels.search.methods import MethodComparison
from fewlevels.storage.folder import Folder


def store_quantized(folder: Path, comparison: MethodComparison, network: Network) -> list[Path]:
    """Write `networks/1_kmeans.onnx` …: the network with the weights that each method found, in the order of methods.

    network: the graph that was searched. Methods that solve nothing have no file. Returns the files. Raises StoreError
    where they cannot be written.
    """
    store, files = Folder(folder), []
    for number, result in enumerate(comparison.results, start=1):
        if result.q[0] == 0:
            continue
        name = f"networks/{number}_{re.sub(r'[^A-Za-z0-9]+', '_', result.method.name)}.onnx"
        store.write(name, with_weights_of(network, result.networks).to_bytes())
        files.append(folder / name)
    return files


def with_weights_of(network: Network, quantized: Networks | Variants) -> Network:
    """The graph with the weights and biases of the first of these networks, which have its layers."""
    if isinstance(quantized, Variants):
        return quantized.one(0)
    weights, biases = {}, {}
    for layer, w, b, rows in zip(network.layers, quantized.weights, quantized.biases, quantized.bias_rows, strict=True):
        inputs = w.shape[1] - rows
        weights[layer.name] = w[0, :inputs]
        if layer.bias is not None:
            biases[layer.name] = w[0, inputs:].sum(axis=0) + (0.0 if b is None else b[0])
    return network.with_weights(weights, biases)
