"""Chains: a graph that is dense layers one after the other, as stacked `Networks`, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fewlevels.common.checks import instance, whole_number
from fewlevels.common.words import printable
from fewlevels.errors import NetworksError
from fewlevels.networks.activations import IDENTITY, RELU, SIGMOID, SOFTMAX, TANH, Activation, LeakyRelu
from fewlevels.networks.builder import chain
from fewlevels.networks.graph import Graph
from fewlevels.networks.layer import Layer
from fewlevels.networks.networks import Networks

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPERATORS: dict[str, Activation] = {"Sigmoid": SIGMOID, "Tanh": TANH, "Relu": RELU, "Softmax": SOFTMAX}
"""Activations by ONNX's operator; LeakyRelu has a number of its own."""

PASSING = {"Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "Cast"}
"""Operators that leave the numbers of a chain as they are; shapes are checked by the layers that follow."""


def model_of(networks: Networks, model: int = 0) -> ModelProto:
    """One of stacked networks as an ONNX model in double precision. Raises NetworksError where there is no such one."""
    instance("networks", networks, Networks, NetworksError)
    model = whole_number("model", model, NetworksError, most=len(networks) - 1)
    weights, biases = [], []
    for w, b, rows in zip(networks.weights, networks.biases, networks.bias_rows, strict=True):
        inputs = w.shape[1] - rows
        weights.append(w[model, :inputs])
        own = None if b is None else b[model]
        biases.append(w[model, inputs:].sum(axis=0) + (0.0 if own is None else own) if rows else own)
    return chain(weights, biases, networks.activations, np.float64)


def networks_of(graph: Graph, layers: Sequence[Layer]) -> Networks:
    """A graph with these layers, its own or changed ones, as a stack of one. Raises NetworksError where it is not dense
    layers one after the other, each followed by an activation of ACTIVATIONS or by none.
    """
    walk = _Walk(graph)
    for node in graph.model.graph.node:
        walk.pass_by(node)
    if walk.at != graph.model.graph.output[0].name or len(walk.activations) != len(layers):
        raise NetworksError("the network is not dense layers one after the other: its output comes from elsewhere")
    return Networks.from_weights(
        [layer.matrix for layer in layers], biases=[layer.bias for layer in layers], activations=walk.activations
    )


class _Walk:
    """From the input to the output. at: the value that was reached. activations: of the layers passed."""

    def __init__(self, graph: Graph) -> None:
        self.at = graph.model.graph.input[0].name
        self.layers = {graph.outputs_of[layer.name]: layer for layer in graph.layers}
        self.stored = tuple(f"{stem}." for stem in graph.stored_as.values())
        self.activations: list[Activation] = []

    def pass_by(self, node: NodeProto) -> None:
        """Raises NetworksError for a node that is none of a chain's."""
        if not node.input:  # a constant, as shapes are
            return
        if node.input[0] != self.at:
            raise self._refusal(node)
        ends = self.layers.get(node.output[0])
        part_of_layer = len(node.input) > 1 and node.input[1].startswith(self.stored)
        if part_of_layer or ends is not None:
            if ends is not None:
                if ends.kind != "dense":
                    raise self._refusal(node)
                self.activations.append(IDENTITY)
        elif node.op_type not in PASSING:
            self._take(node)
        self.at = node.output[0]

    def _take(self, node: NodeProto) -> None:
        """The activation of the last layer passed."""
        found = OPERATORS.get(node.op_type)
        if node.op_type == "LeakyRelu":
            found = LeakyRelu(float(next((each.f for each in node.attribute if each.name == "alpha"), 0.01)))
        if found is None or not self.activations or self.activations[-1] is not IDENTITY:
            raise self._refusal(node)
        self.activations[-1] = found

    def _refusal(self, node: NodeProto) -> NetworksError:
        return NetworksError(
            f"the network is not dense layers one after the other: {printable(node.name or node.op_type)!r} "
            f"({node.op_type}) is none of a chain"
        )
