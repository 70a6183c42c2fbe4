"""Constants: what of an ONNX graph does not depend on its input, and how many parameters its file holds."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.words import printable
from fewlevels.errors import NetworksError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

FOLDED = {
    "Add",
    "Cast",
    "Concat",
    "DequantizeLinear",
    "Div",
    "Flatten",
    "Identity",
    "Mul",
    "Neg",
    "Reciprocal",
    "Reshape",
    "Slice",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
}
"""Operators through which a constant is followed. None makes more elements than its operands together, or than they
make when they are broadcast against each other.
"""

DEEPEST = 64
"""Nodes one after the other through which a constant is followed, at most; exporters write fewer than ten."""

MOST_COMPUTED = 8
"""Times the stored elements of a graph that all its constants may have together; exporters cast and turn each once."""

FREE_ELEMENTS = 2**22
"""Elements that constants may have together in however small a file."""


class Constants:
    """The constant values of a graph by name, each computed when it is first asked for."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self.made_by = {name: node for node in model.graph.node for name in node.output if name}
        self._known: dict[str, npt.NDArray[Any] | None] = {}
        stored = sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
        self._elements_left = FREE_ELEMENTS + MOST_COMPUTED * stored

    def get(self, name: str, depth: int = 0) -> npt.NDArray[Any] | None:
        """The value, or None where it depends on the input or is not followed. depth: nodes passed until here.

        Raises NetworksError for a constant that is larger, or further away, than any network needs.
        """
        if name not in self._known:
            if depth > DEEPEST:
                raise NetworksError(f"constant {printable(name)!r} is made by more than {DEEPEST} nodes in a row")
            self._known[name] = None  # ends a circle
            self._known[name] = self._computed(name, depth)
        return self._known[name]

    def sources(self, name: str) -> set[str]:
        """The stored tensors that a constant is made of."""
        found, seen, waiting = set[str](), set[str](), [name]
        while waiting:
            each = waiting.pop()
            if each in seen:
                continue
            seen.add(each)
            node = self.made_by.get(each)
            if each in self.stored or (node is not None and node.op_type == "Constant"):
                found.add(each)
            elif node is not None:
                waiting.extend(filter(None, node.input))
        return found

    def _computed(self, name: str, depth: int) -> npt.NDArray[Any] | None:
        if name in self.stored:
            return _array_of(self.stored[name])
        node = self.made_by.get(name)
        if node is None or node.domain not in ("", "ai.onnx"):
            return None
        if node.op_type == "Constant":
            return _value_of(node)
        if node.op_type not in FOLDED:
            return None
        operands: dict[str, npt.NDArray[Any]] = {}
        for each in filter(None, node.input):
            value = self.get(each, depth + 1)
            if value is None:
                return None
            operands[each] = value
        self._elements_left -= _most_elements([value.shape for value in operands.values()])
        if self._elements_left < 0:
            raise NetworksError(
                f"node {printable(node.name or node.op_type)!r} makes a constant larger than all that the file holds"
            )
        return _evaluated(self.model, node, operands)


def _array_of(tensor: TensorProto) -> npt.NDArray[Any] | None:
    """None for text, of which NumPy gives each as much room as the longest."""
    from onnx import TensorProto
    from onnx.numpy_helper import to_array

    return None if tensor.data_type == TensorProto.STRING else to_array(tensor)


def _value_of(constant: NodeProto) -> npt.NDArray[Any] | None:
    (attribute,) = constant.attribute
    if attribute.name == "value":
        return _array_of(attribute.t)
    if attribute.name in ("value_float", "value_floats"):
        return np.array(attribute.f if attribute.name == "value_float" else attribute.floats, np.float32)
    if attribute.name in ("value_int", "value_ints"):
        return np.array(attribute.i if attribute.name == "value_int" else attribute.ints, np.int64)
    return None


def _most_elements(shapes: Collection[tuple[int, ...]]) -> int:
    together = sum(map(math.prod, shapes))
    axes = max(map(len, shapes), default=0)
    aligned = [(1,) * (axes - len(shape)) + shape for shape in shapes]
    return max(together, math.prod(map(max, zip(*aligned, strict=True))))


def _evaluated(model: ModelProto, node: NodeProto, operands: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    import onnxruntime
    from onnx import helper, numpy_helper

    stored = [numpy_helper.from_array(value, name) for name, value in operands.items()]
    outputs = [helper.make_empty_tensor_value_info(node.output[0])]
    graph = helper.make_graph([node], "constant", [], outputs, stored)
    single = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        session = onnxruntime.InferenceSession(single.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {})[0])
    except Exception as error:  # of many kinds, all of onnxruntime's own
        raise NetworksError(
            f"the constant of node {printable(node.name or node.op_type)!r} cannot be computed: {printable(error)}"
        ) from None


def parameters_of(graph: GraphProto) -> Iterator[tuple[str, int]]:
    """Each stored tensor of real numbers of a graph, those within its nodes aside: its name and its elements."""
    from onnx import AttributeProto

    for tensor in graph.initializer:
        if is_real(tensor):
            yield tensor.name, math.prod(tensor.dims)
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.type == AttributeProto.TENSOR and is_real(attribute.t):
                yield node.output[0], math.prod(attribute.t.dims)
            elif attribute.type in (AttributeProto.FLOAT, AttributeProto.FLOATS):
                yield node.output[0], max(len(attribute.floats), 1)


def parameters_within(node: NodeProto) -> int:
    """How many real numbers the graphs within a node store, and operators of classical methods as attributes."""
    count = 0
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            count += sum(elements for _, elements in parameters_of(graph)) + sum(map(parameters_within, graph.node))
        if node.domain == "ai.onnx.ml":
            count += len(attribute.floats)
    return count


def is_real(tensor: TensorProto) -> bool:
    from onnx import TensorProto

    return tensor.data_type in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
