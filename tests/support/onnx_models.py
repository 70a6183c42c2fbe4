"""ONNX models made by hand, run by onnxruntime as they are, and what a file holds counted independently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from fewlevels.networks.network import Network

REAL = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16}


def model_of(
    nodes: Sequence[onnx.NodeProto],
    stored: Mapping[str, np.ndarray],
    shape: Sequence[int | str],
    *,
    outputs: Sequence[str] = ("y",),
    rank: int | None = None,
    kind: int = TensorProto.FLOAT,
    opset: int = 17,
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A model from x, of this shape, to these outputs. rank: their number of axes, where it cannot be inferred."""
    graph = helper.make_graph(
        list(nodes),
        "made by hand",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None if rank is None else [None] * rank) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    domains = {node.domain for node in nodes} - {""}
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))
    inferred = onnx.shape_inference.infer_shapes(model)
    del model.graph.output[:]
    model.graph.output.extend(inferred.graph.output)
    return model


def outputs_of(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """What onnxruntime itself gives for the untouched model."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})


def real_numbers(graph: onnx.GraphProto) -> int:
    """How many real numbers a graph and those within it store."""
    count = sum(int(np.prod(tensor.dims)) for tensor in graph.initializer if tensor.data_type in REAL)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                count += real_numbers(attribute.g)
            elif node.op_type == "Constant" and attribute.type == onnx.AttributeProto.TENSOR:
                count += int(np.prod(attribute.t.dims)) * (attribute.t.data_type in REAL)
            elif node.op_type == "Constant" and attribute.type == onnx.AttributeProto.FLOATS:
                count += len(attribute.floats)
            elif node.op_type == "Constant" and attribute.type == onnx.AttributeProto.FLOAT:
                count += 1
    return count


def assert_close(found: Any, expected: Any, relative: float = 1e-5) -> None:
    """Within this share of the largest output."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= relative * np.abs(expected).max()


def assert_same_network(
    model: onnx.ModelProto, network: Network, x: np.ndarray, folder: Path, relative: float = 1e-5
) -> None:
    """The same outputs, alone and written and read again; every real number of the file is told of once."""
    from fewlevels.networks.importers.load import load_network

    expected = outputs_of(model, x)[0]
    assert_close(network.outputs(x), expected, relative)
    assert network.parameters.total == real_numbers(model.graph)
    network.to_onnx(folder / "again.onnx")
    assert_close(load_network(folder / "again.onnx", keep_digital=kept_of(network)).outputs(x), expected, relative)


def kept_of(network: Network) -> list[str]:
    """Nodes that stayed digital and would be refused."""
    from fewlevels.networks.graph import REFUSED, WEIGHTED

    layers = {layer.name for layer in network.layers}
    return [
        node.name
        for node in network.graph.model.graph.node
        if node.name not in layers and node.op_type in {*REFUSED, *WEIGHTED}
    ]
