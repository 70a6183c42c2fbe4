"""Graph: an ONNX model whose layers of weights are taken out as matrices, and put back changed.

What is no layer of weights stays as it is. Normalisation and constant arithmetic that follow a layer alone are folded
into it, so that its matrix is what a crossbar would hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import shown
from fewlevels.common.words import printable
from fewlevels.errors import NetworksError
from fewlevels.networks.constants import Constants, parameters_of, parameters_within
from fewlevels.networks.layer import Geometry, Layer

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

WEIGHTED = {"Conv", "Gemm", "MatMul"}

REFUSED = {
    "Attention": "products of two activations",
    "ConvInteger": "integer weights",
    "ConvTranspose": "a transposed convolution",
    "DeformConv": "weights that move with the input",
    "Einsum": "a product that is not read here",
    "GRU": "a recurrent layer",
    "If": "control flow",
    "Loop": "control flow",
    "LinearClassifier": "weights that are attributes",
    "LinearRegressor": "weights that are attributes",
    "LSTM": "a recurrent layer",
    "MatMulInteger": "integer weights",
    "QLinearConv": "integer weights",
    "QLinearMatMul": "integer weights",
    "RNN": "a recurrent layer",
    "Scan": "control flow",
    "SVMClassifier": "weights that are attributes",
    "SVMRegressor": "weights that are attributes",
}
"""Operators with weights, or products of activations, that do not become a crossbar, and what they are."""

OWN_DOMAINS = ("", "ai.onnx")
"""Of ONNX's own operators; what another domain's operator does is not known here."""

ACTIVATIONS = {
    "Celu",
    "Elu",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "LogSoftmax",
    "Mish",
    "PRelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
    "ThresholdedRelu",
}

LARGEST_VALUE = 2**26
"""Elements of a value within a network, for one sample, at most: 64 channels of a thousand times a thousand pixels."""

MOST_AXES = 64
"""Of a value, at most; NumPy has no more."""

STORED = (".weights", ".bias", ".product")
"""How the names of a layer's own values end."""

NAME_ENDINGS = (".weight", "_weight", "/kernel", ".kernel", "_kernel", ".weight_quantized")


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Where the parameters of a file went; together they are all of it.

    weights, biases: of the layers. folded: of what was folded into them. digital: by the name of the node that keeps
    them.
    """

    weights: int
    biases: int
    folded: int
    digital: Mapping[str, int]

    @property
    def total(self) -> int:
        return self.weights + self.biases + self.folded + sum(self.digital.values())


@dataclass(kw_only=True, eq=False)
class _Found:
    """A layer as it is read: the nodes that it takes the place of, and the value that it gives."""

    layer: Layer
    nodes: list[NodeProto]
    input: str
    output: str
    dtype: np.dtype[Any]
    weight_sources: set[str]
    bias_sources: set[str] = field(default_factory=set)
    folded_sources: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """A model without its layers' weights, the layers, and the names of what goes in and comes out.

    inputs_of, outputs_of: the values that each layer sees and gives, by the layer's name. stored_as: how the names of
    its weights and its bias begin in the model. largest: elements of the largest value within it, for one sample, of
    those whose size is known before it is run. kept: names of layers or nodes that were kept digital.
    """

    model: ModelProto
    layers: tuple[Layer, ...]
    inputs_of: Mapping[str, str]
    outputs_of: Mapping[str, str]
    stored_as: Mapping[str, str]
    parameters: Parameters
    largest: int
    dtypes: Mapping[str, np.dtype[Any]]
    kept: tuple[str, ...]

    def with_layers(self, layers: Collection[Layer]) -> ModelProto:
        """The model with these layers' weights and biases in place of its own. Raises NetworksError where one is beyond
        the range of the network's own precision.
        """
        from onnx import ModelProto
        from onnx.numpy_helper import from_array

        model = ModelProto()
        model.CopyFrom(self.model)
        for layer in layers:
            for what, values in (("weights", _tensor_of(layer)), ("bias", layer.bias)):
                if values is not None:
                    stored = _in_precision(values, self.dtypes[layer.name], layer)
                    model.graph.initializer.append(from_array(stored, f"{self.stored_as[layer.name]}.{what}"))
        return model


def read_graph(model: ModelProto, keep_digital: Collection[str] = ()) -> Graph:
    """The layers of a model, and the model without them.

    keep_digital: names of layers or nodes that stay as they are. Raises NetworksError for what cannot go on a crossbar
    and is not kept, for names that are not there, and where no layer is left.
    """
    from onnx import ModelProto

    own = ModelProto()
    own.CopyFrom(model)
    return _Reader(own, keep_digital).graph()


class _Reader:
    def __init__(self, model: ModelProto, keep_digital: Collection[str]) -> None:
        self.model, self.keep = model, set(keep_digital)
        _name_nodes(model)
        self.constants = Constants(model)
        self.outputs = {value.name for value in model.graph.output}
        self.live = _live_nodes(model)
        self.users: dict[str, list[NodeProto]] = {}
        for node in self.live:
            for name in (*filter(None, node.input), *_names_within([node])):
                self.users.setdefault(name, []).append(node)
        shapes = _shapes_of(model)
        self.largest = _largest_of(shapes)
        self.ranks = {name: len(shape) for name, shape in shapes.items()}
        self.node_names = {node.name for node in model.graph.node}
        self.names: set[str] = set()

    def graph(self) -> Graph:
        found, refused = [], []
        for node in self.live:
            if node.op_type in WEIGHTED and node.domain in OWN_DOMAINS:
                layer, why = self._layer(node)
                if layer is not None and not self._kept(node, layer):
                    found.append(self._with_what_follows(layer))
                elif layer is None and not self._kept(node):
                    refused.append((node, why))
            elif (why := self._why_refused(node)) and not self._kept(node):
                refused.append((node, why))
        if refused:
            said = ", ".join(f"{printable(node.name)!r} ({node.op_type}: {why})" for node, why in refused[:4])
            more = f" and {len(refused) - 4} more" if len(refused) > 4 else ""
            names = ",".join(printable(node.name) for node, _ in refused[:4])
            raise NetworksError(f"{said}{more} cannot go on a crossbar; keep it digital by --keep-digital {names}")
        if unknown := sorted(self.keep - self._names_there()):
            raise NetworksError(
                f"no layer or node is named {printable(unknown[0])!r}; keep_digital takes names of the network, as "
                f"{', '.join(sorted(repr(printable(one.layer.name)) for one in found)[:4])}"
            )
        if not found:
            raise NetworksError("the network has no layer of weights that could go on a crossbar")
        return self._assembled(found)

    def _names_there(self) -> set[str]:
        return self.node_names | self.names

    def _kept(self, node: NodeProto, found: _Found | None = None) -> bool:
        return bool(self.keep & {node.name, *([found.layer.name] if found else [])})

    def _why_refused(self, node: NodeProto) -> str:
        """Why a node that is none of the weighted ones cannot stay as it is; empty where it can."""
        if node.op_type in REFUSED or node.domain in OWN_DOMAINS:
            return REFUSED.get(node.op_type, "")
        constants = [value for value in map(self.constants.get, filter(None, node.input)) if value is not None]
        return f"weights of an operator of {printable(node.domain)}" if any(one.ndim > 1 for one in constants) else ""

    def _layer(self, node: NodeProto) -> tuple[_Found | None, str]:
        """The layer of a node, or why there is none."""
        attributes = {each.name: each for each in node.attribute}
        weights = self.constants.get(node.input[1])
        if weights is None:
            fixed = self.constants.get(node.input[0]) is not None
            return None, "constant weights on the left" if fixed else "a product of two activations"
        if weights.dtype.kind != "f":
            return None, "integer weights" if weights.dtype.kind in "iu" else f"weights of type {weights.dtype}"
        if 0 in weights.shape:
            return None, f"weights of shape {weights.shape}"
        geometry = _geometry(weights, attributes) if node.op_type == "Conv" else None
        matrix, why = _matrix_of(node, weights, attributes)
        if matrix is None:
            return None, why
        bias, bias_sources = None, set[str]()
        if len(node.input) > 2 and node.input[2]:
            given = self.constants.get(node.input[2])
            bias = None if given is None else _by_column(given, matrix.shape[1], -1)
            if bias is None:
                return None, "a bias that is not constant" if given is None else f"a bias of shape {given.shape}"
            bias = bias * (attributes["beta"].f if "beta" in attributes else 1.0)
            bias_sources = self.constants.sources(node.input[2])
        layer = Layer(
            name=self._name(node),
            kind="dense" if geometry is None else "convolution",
            matrix=np.ascontiguousarray(matrix, dtype=np.float64),
            bias=None if bias is None else bias.astype(np.float64),
            geometry=geometry,
        )
        _require_finite(layer)
        return _Found(
            layer=layer,
            nodes=[node],
            input=node.input[0],
            output=node.output[0],
            dtype=weights.dtype,
            weight_sources=self.constants.sources(node.input[1]),
            bias_sources=bias_sources,
        ), ""

    def _with_what_follows(self, found: _Found) -> _Found:
        """Folds in what alone takes the layer's outputs, and names the activation after it."""
        while (node := self._only_user(found.output)) is not None:
            folded = self._folded(found, node)
            if folded is None:
                break
            scale, shift, sources, is_bias = folded
            layer = found.layer
            bias = layer.bias if layer.bias is None else layer.bias * scale
            if shift is not None:
                bias = shift if bias is None else bias + shift
            found.layer = replace(layer, matrix=layer.matrix * scale, bias=bias)
            _require_finite(found.layer)
            found.nodes.append(node)
            found.output = node.output[0]
            (found.bias_sources if is_bias else found.folded_sources).update(sources)
        if (node := self._only_user(found.output)) is not None and node.op_type in ACTIVATIONS:
            found.layer = replace(found.layer, activation=node.op_type)
        return found

    def _only_user(self, value: str) -> NodeProto | None:
        users = self.users.get(value, [])
        return users[0] if len(users) == 1 and value not in self.outputs else None

    def _folded(
        self, found: _Found, node: NodeProto
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None, set[str], bool] | None:
        """What a node does to the layer's outputs, as a factor and a shift of each column, (fan_out,), the shift None
        where there is none; the tensors that say so; whether it is the layer's own bias. None where it is anything
        else.
        """
        if node.domain not in OWN_DOMAINS:
            return None
        columns = found.layer.matrix.shape[1]
        ones = np.ones(columns)
        if node.op_type == "Identity" or (
            node.op_type == "Dropout" and len(node.output) == 1 and not self._trains(node)
        ):
            return ones, None, set(), False
        channel = 1 if found.layer.kind == "convolution" else None
        if node.op_type == "BatchNormalization" and node.input[0] == found.output:
            return self._normalisation(node, columns) if channel or self.ranks.get(found.output) == 2 else None
        if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(node.input) != 2:
            return None
        first = node.input[0] == found.output
        other = node.input[1 if first else 0]
        constant = None if other == found.output else self.constants.get(other)
        if constant is None or constant.dtype.kind != "f":
            return None
        axis = -1 if channel is None else -1 - len(found.layer.geometry.kernel if found.layer.geometry else ())
        if constant.ndim > max(self.ranks.get(found.output, 1), -axis):  # it would add axes
            return None
        value = _by_column(constant, columns, axis)
        if value is None:
            return None
        sources = self.constants.sources(other)
        if node.op_type == "Add":
            return ones, value, sources, found.layer.bias is None
        if node.op_type == "Sub":
            return (ones, -value, sources, False) if first else (-ones, value, sources, False)
        if node.op_type == "Mul":
            return value, None, sources, False
        return (1.0 / value, None, sources, False) if first and value.all() else None

    def _trains(self, dropout: NodeProto) -> bool:
        """Whether it may drop something."""
        if len(dropout.input) < 3 or not dropout.input[2]:
            return False
        training = self.constants.get(dropout.input[2])
        return training is None or bool(training.any())

    def _normalisation(
        self, node: NodeProto, columns: int
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], set[str], bool] | None:
        values = [self.constants.get(name) for name in node.input[1:5]]
        training = any(each.name == "training_mode" and each.i for each in node.attribute)
        if training or any(value is None or value.shape != (columns,) for value in values):
            return None
        gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in values)
        epsilon = next((each.f for each in node.attribute if each.name == "epsilon"), 1e-5)
        scale = gamma / np.sqrt(variance + epsilon)
        return scale, beta - mean * scale, set().union(*map(self.constants.sources, node.input[1:5])), False

    def _name(self, node: NodeProto) -> str:
        """By the weights' name, which frameworks take from the layer, else by the node's; each only once."""
        stem = node.name.removesuffix(f"/{node.op_type}").strip("/").replace("/", ".") or node.name
        for ending in NAME_ENDINGS:
            if node.input[1].endswith(ending) and len(node.input[1]) > len(ending):
                stem = node.input[1].removesuffix(ending)
        name = _unused(stem, lambda each: each in self.names or (each != node.name and each in self.node_names))
        self.names.add(name)
        return name

    def _assembled(self, found: list[_Found]) -> Graph:
        """Changes the reader's model itself."""
        parameters, graph = self._accounted(found), self.model.graph
        gone = {id(node) for one in found for node in one.nodes}
        left = [node for node in self.live if id(node) not in gone]
        taken = self.outputs | _names_within(left) | {value.name for value in graph.input}
        taken |= {name for node in left for name in (*node.input, *node.output)}
        stored_as: dict[str, str] = {}
        made: dict[int, list[NodeProto]] = {}

        def is_taken(stem: str) -> bool:
            return not taken.isdisjoint(stem + ending for ending in STORED)

        for one in found:
            stem = _unused(one.layer.name, is_taken)
            taken.update(stem + ending for ending in STORED)
            stored_as[one.layer.name] = stem
            made[id(one.nodes[0])] = _nodes_of(one, stem)
        nodes = [each for node in self.live for each in made.get(id(node), [] if id(node) in gone else [node])]
        _keep(graph.node, nodes)
        _keep(graph.node, _live_nodes(self.model))  # without what made only what was folded
        needed = {name for node in graph.node for name in node.input} | self.outputs | _names_within(graph.node)
        needed -= {stem + ending for stem in stored_as.values() for ending in STORED}  # they come with the layers
        _keep(graph.input, [value for value in graph.input if value.name not in self.constants.stored])
        _keep(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in needed])
        _keep(graph.value_info, [])
        return Graph(
            model=self.model,
            layers=tuple(one.layer for one in found),
            inputs_of={one.layer.name: one.input for one in found},
            outputs_of={one.layer.name: one.output for one in found},
            stored_as=stored_as,
            parameters=parameters,
            largest=self.largest,
            dtypes={one.layer.name: one.dtype for one in found},
            kept=tuple(sorted(self.keep)),
        )

    def _accounted(self, found: list[_Found]) -> Parameters:
        """Every stored tensor of the file once."""
        weights = set().union(*(one.weight_sources for one in found))
        biases = set().union(*(one.bias_sources for one in found)) - weights
        folded = set().union(*(one.folded_sources for one in found)) - weights - biases
        counts, digital = [0, 0, 0], dict[str, int]()
        owners = dict[str, str]()
        for node in self.model.graph.node:
            for name in (*node.input, *_names_within([node])):
                owners.setdefault(name, node.name)
            if within := parameters_within(node):
                digital[node.name] = within
        for name, elements in parameters_of(self.model.graph):
            for kind, names in enumerate((weights, biases, folded)):
                if name in names:
                    counts[kind] += elements
                    break
            else:
                owner = owners.get(name, name)
                digital[owner] = digital.get(owner, 0) + elements
        return Parameters(weights=counts[0], biases=counts[1], folded=counts[2], digital=digital)


def _matrix_of(
    node: NodeProto, weights: npt.NDArray[Any], attributes: Mapping[str, Any]
) -> tuple[npt.NDArray[Any] | None, str]:
    """A node's weights as (fan_in, fan_out), or why they are no such matrix."""
    if node.op_type == "Conv":
        if weights.ndim not in (3, 4):
            return None, f"a convolution over {weights.ndim - 2} axes"
        return weights.reshape(len(weights), -1).T, ""
    if weights.ndim != 2:
        return None, f"weights of {weights.ndim} axes"
    if node.op_type == "MatMul":
        return weights, ""
    if "transA" in attributes and attributes["transA"].i:
        return None, "an input that is transposed first"
    matrix = weights.T if "transB" in attributes and attributes["transB"].i else weights
    return matrix * (attributes["alpha"].f if "alpha" in attributes else 1.0), ""


def _geometry(weights: npt.NDArray[Any], attributes: Mapping[str, Any]) -> Geometry:
    axes = weights.ndim - 2

    def whole(name: str, count: int, default: int) -> tuple[int, ...]:
        return tuple(attributes[name].ints) if name in attributes else (default,) * count

    return Geometry(
        kernel=tuple(weights.shape[2:]),
        strides=whole("strides", axes, 1),
        pads=whole("pads", 2 * axes, 0),
        dilations=whole("dilations", axes, 1),
        auto_pad=attributes["auto_pad"].s.decode(errors="replace") if "auto_pad" in attributes else "NOTSET",
        groups=attributes["group"].i if "group" in attributes else 1,
    )


def _by_column(constant: npt.NDArray[Any], columns: int, axis: int) -> FloatArray | None:
    """A constant that is the same but along an axis, as (columns,); None where it is not. axis: from the end."""
    shape = (1,) * max(-axis - constant.ndim, 0) + constant.shape
    at = len(shape) + axis
    if any(size != 1 for place, size in enumerate(shape) if place != at) or shape[at] not in (1, columns):
        return None
    return np.broadcast_to(constant.astype(np.float64).reshape(shape[at]), columns).copy()


def _tensor_of(layer: Layer) -> FloatArray:
    if layer.geometry is None:
        return layer.matrix
    kernel = layer.geometry.kernel
    fan_in, fan_out = layer.matrix.shape
    return layer.matrix.T.reshape(fan_out, fan_in // int(np.prod(kernel)), *kernel)


def _in_precision(values: FloatArray, dtype: np.dtype[Any], layer: Layer) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):
        stored = values.astype(dtype)
    if not np.isfinite(stored).all():
        raise NetworksError(f"layer {printable(layer.name)!r} runs in {dtype}, and one of its numbers is larger")
    return stored


def _nodes_of(found: _Found, stem: str) -> list[NodeProto]:
    """The nodes that a layer is run by. stem: how the names of its weights and its bias begin."""
    from onnx import helper

    name, original = found.layer.name, found.nodes[0]
    weights, bias = f"{stem}.weights", [f"{stem}.bias"] if found.layer.bias is not None else []
    if found.layer.kind == "convolution":
        node = helper.make_node("Conv", [found.input, weights, *bias], [found.output], name)
        node.attribute.extend(original.attribute)
        return [node]
    if original.op_type == "Gemm":
        return [helper.make_node("Gemm", [found.input, weights, *bias], [found.output], name)]
    product = f"{stem}.product" if bias else found.output
    nodes = [helper.make_node("MatMul", [found.input, weights], [product], name)]
    return nodes + [helper.make_node("Add", [product, one], [found.output]) for one in bias]


def _shapes_of(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """The shape of each value for one sample, where it is known without running the model; 0 along axes of any size."""
    from onnx import ModelProto, shape_inference

    single = ModelProto()
    single.CopyFrom(model)
    for value in single.graph.input:
        axes = value.type.tensor_type.shape.dim
        if axes and not axes[0].dim_value:
            axes[0].dim_value = 1
    try:
        graph = shape_inference.infer_shapes(single).graph  # data_prop would make each constant that is a shape
    except Exception:  # a model that it does not understand may run all the same
        return {}
    values = [
        each for each in (*graph.value_info, *graph.input, *graph.output) if each.type.tensor_type.HasField("shape")
    ]
    return {each.name: tuple(axis.dim_value for axis in each.type.tensor_type.shape.dim) for each in values}


def _largest_of(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Raises NetworksError where a value is larger than any network needs for one sample."""
    largest = 0
    for name, shape in shapes.items():
        elements = math.prod(max(size, 1) for size in shape[:MOST_AXES])
        if elements > LARGEST_VALUE or len(shape) > MOST_AXES:
            raise NetworksError(f"value {printable(name)!r} of shape {shown(shape)} is too large to be run")
        largest = max(largest, elements)
    return largest


def _name_nodes(model: ModelProto) -> None:
    """Gives each node a name of its own; the first of several keeps it."""
    taken = {node.name for node in model.graph.node} | {""}
    seen = set[str]()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = _unused(node.name or f"{node.op_type}_{index}", taken.__contains__)
            taken.add(node.name)
        seen.add(node.name)


def _unused(stem: str, is_taken: Callable[[str], bool]) -> str:
    """The name itself, or with the first number behind it that nothing has."""
    name, number = stem, 2
    while is_taken(name):
        name, number = f"{stem}_{number}", number + 1
    return name


def _names_within(nodes: Collection[NodeProto]) -> set[str]:
    """Names that graphs within nodes use, which may be of the graph around them."""
    found = set[str]()
    for node in nodes:
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                found |= {name for one in graph.node for name in (*one.input, *one.output)}
                found |= {value.name for value in graph.output} | _names_within(graph.node)
    return found


def _live_nodes(model: ModelProto) -> list[NodeProto]:
    """The nodes that an output depends on, in the order of the graph."""
    needed = {value.name for value in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if not needed.isdisjoint(node.output):
            kept.append(node)
            needed |= set(node.input) | _names_within([node])
    return kept[::-1]


def _keep(held: Any, kept: Collection[Any]) -> None:
    """Leaves only these in a list of protobuf."""
    kept = list(kept)
    del held[:]
    held.extend(kept)


def _require_finite(layer: Layer) -> None:
    for what, values in (("weights", layer.matrix), ("biases", layer.bias)):
        if values is not None and not np.isfinite(values).all():
            raise NetworksError(f"the {what} of layer {printable(layer.name)!r} must be finite, one is not")
