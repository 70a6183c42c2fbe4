"""Builder: an ONNX model made node by node, for networks that do not come as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.words import printable
from fewlevels.errors import NetworksError
from fewlevels.networks.activations import Activation, LeakyRelu

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

OPSET = 17
IR_VERSION = 8

ACTIVATIONS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "elu": ("Elu", {}),
    "exp": ("Exp", {}),
    "exponential": ("Exp", {}),
    "gelu": ("Gelu", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
    "hard_swish": ("HardSwish", {}),
    "identity": (None, {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "linear": (None, {}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
    "logistic": ("Sigmoid", {}),
    "relu": ("Relu", {}),
    "selu": ("Selu", {}),
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "tanh": ("Tanh", {}),
}
"""ONNX's operator, and its attributes, by the names that users and frameworks give."""


class Builder:
    """Nodes and constants that become a model. Values are named by text."""

    def __init__(self, sample_shape: Sequence[int | None], dtype: type[np.floating[Any]] = np.float32) -> None:
        self.sample_shape, self.dtype = tuple(sample_shape), dtype
        self.nodes: list[NodeProto] = []
        self.stored: list[TensorProto] = []
        self.input = "input"

    def constant(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> str:
        from onnx.numpy_helper import from_array

        self.stored.append(from_array(np.ascontiguousarray(value, dtype or self.dtype), name))
        return name

    def node(self, operator: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        """Adds an operator; returns the value that it gives."""
        from onnx import helper

        name = name or f"{operator}_{len(self.nodes)}"
        output = f"{name}.out"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name, **attributes))
        return output

    def dense(self, x: str, name: str, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> str:
        """x @ weights + bias; weights: (fan_in, fan_out), bias: (fan_out,)."""
        product = self.node("MatMul", [x, self.constant(f"{name}.weight", weights)], name)
        if bias is None:
            return product
        return self.node("Add", [product, self.constant(f"{name}.offset", bias)], f"{name}.add")

    def activation(self, x: str, name: str | Activation, layer: str = "") -> str:
        """Raises NetworksError where no activation is named so."""
        if isinstance(name, LeakyRelu):
            return self.node("LeakyRelu", [x], alpha=name.alpha)
        name = name if isinstance(name, str) else name.name
        if name not in ACTIVATIONS:
            where = f" of layer {printable(layer)!r}" if layer else ""
            raise NetworksError(
                f"the activation {printable(name)!r}{where} is not known; known are {', '.join(ACTIVATIONS)}"
            )
        operator, attributes = ACTIVATIONS[name]
        if operator == "Gelu":
            return self._gelu(x)
        return x if operator is None else self.node(operator, [x], **attributes)

    def _gelu(self, x: str) -> str:
        """x (1 + erf(x / sqrt 2)) / 2, which this opset has no node of its own for."""
        number = len(self.nodes)
        root, one, half = (
            self.constant(f"gelu_{number}.{name}", value)
            for name, value in (("root", np.sqrt(2.0)), ("one", 1.0), ("half", 0.5))
        )
        above = self.node("Add", [self.node("Erf", [self.node("Div", [x, root])]), one])
        return self.node("Mul", [self.node("Mul", [x, above]), half])

    def model(self, output: str) -> ModelProto:
        from onnx import TensorProto, helper, shape_inference

        kind = TensorProto.DOUBLE if self.dtype is np.float64 else TensorProto.FLOAT
        given = helper.make_tensor_value_info(self.input, kind, ["samples", *self.sample_shape])
        found = helper.make_tensor_value_info(output, kind, None)
        graph = helper.make_graph(self.nodes, "network", [given], [found], self.stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        return shape_inference.infer_shapes(model)


def chain(
    weights: Sequence[npt.ArrayLike],
    biases: Sequence[npt.ArrayLike | None],
    activations: Sequence[str | Activation],
    dtype: type[np.floating[Any]] = np.float32,
    names: Sequence[str] | None = None,
) -> ModelProto:
    """Dense layers one after the other. weights: (fan_in, fan_out) of each; activations: one after each layer."""
    builder = Builder([np.shape(weights[0])[0]], dtype)
    x = builder.input
    for number, (w, b, activation) in enumerate(zip(weights, biases, activations, strict=True), start=1):
        name = names[number - 1] if names else f"layer{number}"
        x = builder.activation(builder.dense(x, name, w, b), activation, name)
    return builder.model(x)
