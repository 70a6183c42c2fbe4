"""ONNX networks made by hand: the same outputs once their layers were taken out, every parameter told of once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.helper import make_node

from fewlevels.errors import NetworksError
from fewlevels.networks.importers.load import load_network
from fewlevels.networks.network import Network
from tests.support.onnx_models import assert_close, assert_same_network, model_of, outputs_of, real_numbers

RNG = np.random.default_rng(0)


def normal(*shape: int, kind: type = np.float32) -> np.ndarray:
    return RNG.normal(size=shape).astype(kind)


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 2.0, shape).astype(np.float32)


def loaded(model: onnx.ModelProto, folder: Path, **options: Any) -> Network:
    onnx.save(model, folder / "network.onnx")
    return load_network(folder / "network.onnx", **options)


Case = tuple[list[onnx.NodeProto], Mapping[str, np.ndarray], Sequence[int | str]]

FOLDED: dict[str, Case] = {
    "Gemm": ([make_node("Gemm", ["x", "w", "b"], ["y"])], {"w": normal(4, 3), "b": normal(3)}, ["n", 4]),
    "Gemm without a bias": ([make_node("Gemm", ["x", "w"], ["y"])], {"w": normal(4, 3)}, ["n", 4]),
    "Gemm with alpha, beta and transB": (
        [make_node("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, beta=-2.0, transB=1)],
        {"w": normal(3, 4), "b": normal(1, 3)},
        ["n", 4],
    ),
    "Gemm with one bias for all columns": (
        [make_node("Gemm", ["x", "w", "b"], ["y"], beta=3.0)],
        {"w": normal(4, 3), "b": normal()},
        ["n", 4],
    ),
    "MatMul + Add": (
        [make_node("MatMul", ["x", "w"], ["p"]), make_node("Add", ["p", "b"], ["y"])],
        {"w": normal(4, 3), "b": normal(3)},
        ["n", 4],
    ),
    "Add of a bias before the product": (
        [make_node("MatMul", ["x", "w"], ["p"]), make_node("Add", ["b", "p"], ["y"])],
        {"w": normal(4, 3), "b": normal(1, 3)},
        ["n", 4],
    ),
    "MatMul of three axes": (
        [make_node("MatMul", ["x", "w"], ["p"]), make_node("Add", ["p", "b"], ["y"])],
        {"w": normal(4, 3), "b": normal(1, 1, 3)},
        ["n", 5, 4],
    ),
    "arithmetic after a product": (
        [
            make_node("MatMul", ["x", "w"], ["a"]),
            make_node("Add", ["a", "b"], ["b1"]),
            make_node("Mul", ["s", "b1"], ["c"]),
            make_node("Sub", ["c", "t"], ["d"]),
            make_node("Div", ["d", "s"], ["e"]),
            make_node("Sub", ["t", "e"], ["f"]),
            make_node("Identity", ["f"], ["y"]),
        ],
        {"w": normal(4, 3), "b": normal(3), "s": positive(3), "t": normal(1, 3)},
        ["n", 4],
    ),
    "a product that is scaled and has no bias": (
        [make_node("MatMul", ["x", "w"], ["a"]), make_node("Mul", ["a", "s"], ["y"])],
        {"w": normal(4, 3), "s": positive(1)},
        ["n", 4],
    ),
    "normalisation after Gemm": (
        [make_node("Gemm", ["x", "w", "b"], ["a"]), make_node("BatchNormalization", ["a", "g", "s", "m", "v"], ["y"])],
        {"w": normal(4, 3), "b": normal(3), "g": normal(3), "s": normal(3), "m": normal(3), "v": positive(3)},
        ["n", 4],
    ),
    "normalisation after Conv": (
        [
            make_node("Conv", ["x", "w"], ["a"]),
            make_node("BatchNormalization", ["a", "g", "s", "m", "v"], ["c"], epsilon=0.1),
            make_node("Relu", ["c"], ["y"]),
        ],
        {"w": normal(3, 2, 3, 3), "g": normal(3), "s": normal(3), "m": normal(3), "v": positive(3)},
        ["n", 2, 6, 5],
    ),
    "arithmetic after Conv": (
        [
            make_node("Conv", ["x", "w", "b"], ["a"]),
            make_node("Mul", ["a", "s"], ["c"]),
            make_node("Add", ["t", "c"], ["d"]),
            make_node("Mul", ["d", "h"], ["y"]),
        ],
        {"w": normal(3, 2, 3, 3), "b": normal(3), "s": normal(3, 1, 1), "t": normal(1, 3, 1, 1), "h": normal()},
        ["n", 2, 6, 5],
    ),
    "Conv of one axis with strides, pads and dilations": (
        [make_node("Conv", ["x", "w", "b"], ["y"], strides=[2], pads=[3, 1], dilations=[2])],
        {"w": normal(4, 2, 3), "b": normal(4)},
        ["n", 2, 11],
    ),
    "Conv in groups with uneven pads": (
        [make_node("Conv", ["x", "w", "b"], ["y"], group=2, pads=[0, 2, 1, 3], strides=[2, 1], dilations=[1, 2])],
        {"w": normal(6, 2, 3, 2), "b": normal(6)},
        ["n", 4, 7, 6],
    ),
    "depthwise Conv with two channels of each": (
        [make_node("Conv", ["x", "w"], ["y"], group=3, auto_pad="SAME_UPPER", strides=[2, 2])],
        {"w": normal(6, 1, 3, 3)},
        ["n", 3, 8, 7],
    ),
    "Conv with SAME_LOWER": (
        [make_node("Conv", ["x", "w"], ["y"], auto_pad="SAME_LOWER", strides=[2, 1])],
        {"w": normal(4, 2, 2, 4)},
        ["n", 2, 7, 6],
    ),
    "Conv with VALID": (
        [make_node("Conv", ["x", "w"], ["y"], auto_pad="VALID", kernel_shape=[2, 4])],
        {"w": normal(4, 2, 2, 4)},
        ["n", 2, 7, 6],
    ),
    "a residual branch": (
        [
            make_node("Gemm", ["x", "w", "b"], ["a"]),
            make_node("Relu", ["a"], ["r"]),
            make_node("Gemm", ["r", "w2", "b2"], ["c"]),
            make_node("Add", ["c", "x"], ["y"]),
        ],
        {"w": normal(4, 4), "b": normal(4), "w2": normal(4, 4), "b2": normal(4)},
        ["n", 4],
    ),
    "a layer that is added to itself": (
        [make_node("Gemm", ["x", "w", "b"], ["a"]), make_node("Add", ["a", "a"], ["y"])],
        {"w": normal(4, 4), "b": normal(4)},
        ["n", 4],
    ),
    "a layer that two take, one of them a constant sum": (
        [
            make_node("Gemm", ["x", "w", "b"], ["a"]),
            make_node("Add", ["a", "b"], ["c"]),
            make_node("Mul", ["a", "c"], ["y"]),
        ],
        {"w": normal(4, 4), "b": normal(4)},
        ["n", 4],
    ),
    "weights shared by two nodes": (
        [
            make_node("Gemm", ["x", "w", "b"], ["a"]),
            make_node("Tanh", ["a"], ["t"]),
            make_node("Gemm", ["t", "w", "b"], ["c"], transB=1),
            make_node("Add", ["c", "x"], ["y"]),
        ],
        {"w": normal(4, 4), "b": normal(4)},
        ["n", 4],
    ),
    "weights shared with what stays digital": (
        [
            make_node("Gemm", ["x", "w", "b"], ["a"]),
            make_node("ReduceSum", ["w", "one"], ["s"], keepdims=1),
            make_node("Add", ["a", "s"], ["y"]),
        ],
        {"w": normal(4, 4), "b": normal(4), "one": np.array([0])},
        ["n", 4],
    ),
    "a bias that is another layer's normalisation": (
        [
            make_node("MatMul", ["x", "w"], ["a"]),
            make_node("Add", ["a", "b"], ["c"]),
            make_node("Mul", ["c", "b"], ["d"]),
            make_node("MatMul", ["d", "w2"], ["e"]),
            make_node("Mul", ["e", "b"], ["y"]),
        ],
        {"w": normal(4, 3), "b": normal(3), "w2": normal(3, 3)},
        ["n", 4],
    ),
    "weights through Transpose, Reshape and Slice": (
        [
            make_node("Reshape", ["w", "flat"], ["w1"]),
            make_node("Transpose", ["w1"], ["w2"], perm=[1, 0]),
            make_node("Slice", ["w2", "from", "to"], ["w3"]),
            make_node("MatMul", ["x", "w3"], ["y"]),
        ],
        {"w": normal(3, 2, 2), "flat": np.array([3, -1]), "from": np.array([0, 0]), "to": np.array([4, 2])},
        ["n", 4],
    ),
    "weights that are stored as eight bits": (
        [
            make_node("DequantizeLinear", ["w", "s", "z"], ["w1"], axis=0),
            make_node("Transpose", ["w1"], ["w2"], perm=[1, 0]),
            make_node("DequantizeLinear", ["b", "sb"], ["b1"]),
            make_node("Gemm", ["x", "w2", "b1"], ["y"]),
        ],
        {
            "w": RNG.integers(-127, 128, (3, 4)).astype(np.int8),
            "s": positive(3),
            "z": np.zeros(3, np.int8),
            "b": np.array([1, -2, 3], np.int32),
            "sb": np.float32(0.25),
        },
        ["n", 4],
    ),
    "weights of a Constant node": (
        [
            make_node("Constant", [], ["w"], value=onnx.numpy_helper.from_array(normal(4, 3))),
            make_node("Constant", [], ["b"], value_floats=[1.0, 2.0, 3.0]),
            make_node("Constant", [], ["s"], value_float=0.5),
            make_node("MatMul", ["x", "w"], ["p"]),
            make_node("Add", ["p", "b"], ["q"]),
            make_node("Mul", ["q", "s"], ["y"]),
        ],
        {},
        ["n", 4],
    ),
    "constants made where they are used": (
        [
            make_node("MatMul", ["x", "w"], ["p"]),
            make_node("Sqrt", ["v"], ["root"]),
            make_node("Reciprocal", ["root"], ["s"]),
            make_node("Unsqueeze", ["s", "zero"], ["s1"]),
            make_node("Mul", ["p", "s1"], ["y"]),
        ],
        {"w": normal(4, 3), "v": positive(3), "zero": np.array([0])},
        ["n", 4],
    ),
    "a batch of fixed size": ([make_node("Gemm", ["x", "w", "b"], ["y"])], {"w": normal(4, 3), "b": normal(3)}, [5, 4]),
}


@pytest.mark.parametrize("case", FOLDED)
def test_a_network_of_layers_that_were_taken_out_gives_the_same_outputs(case: str, tmp_path: Path) -> None:
    nodes, stored, shape = FOLDED[case]
    model = model_of(nodes, stored, shape)
    x = normal(*(5 if isinstance(size, str) else size for size in shape))
    network = loaded(model, tmp_path)
    assert_same_network(model, network, x, tmp_path)
    weighted = [node for node in nodes if node.op_type in ("Gemm", "MatMul", "Conv")]
    assert len(network.layers) == len(weighted) and not network.parameters.digital.keys() & {"y"}


@pytest.mark.parametrize(
    ("case", "digital"),
    [
        ("arithmetic after a product", 0),
        ("normalisation after Gemm", 0),
        ("normalisation after Conv", 0),
        ("arithmetic after Conv", 0),
        ("constants made where they are used", 0),
        ("weights of a Constant node", 0),
    ],
)
def test_what_alone_follows_a_layer_is_folded_into_it(case: str, digital: int, tmp_path: Path) -> None:
    nodes, stored, shape = FOLDED[case]
    network = loaded(model_of(nodes, stored, shape), tmp_path)
    assert sum(network.parameters.digital.values()) == digital and network.parameters.folded > 0
    kept = {node.op_type for node in network.graph.model.graph.node}
    assert kept <= {"Gemm", "MatMul", "Add", "Conv", "Relu"}


def test_a_scaled_product_without_a_bias_gets_none() -> None:
    nodes, stored, shape = FOLDED["a product that is scaled and has no bias"]
    (layer,) = Network.from_model(model_of(nodes, stored, shape)).layers
    assert layer.bias is None


NOT_FOLDED: dict[str, Case] = {
    "a number of each row": (
        [make_node("MatMul", ["x", "w"], ["a"]), make_node("Add", ["a", "c"], ["y"])],
        {"w": normal(4, 3), "c": normal(3, 1)},
        [3, 4],
    ),
    "a number of each position": (
        [make_node("MatMul", ["x", "w"], ["a"]), make_node("Mul", ["a", "c"], ["y"])],
        {"w": normal(4, 3), "c": normal(1, 3, 1)},
        ["n", 3, 4],
    ),
    "a column of an image": (
        [make_node("Conv", ["x", "w"], ["a"]), make_node("Add", ["a", "c"], ["y"])],
        {"w": normal(3, 2, 1, 1), "c": normal(3)},
        ["n", 2, 3, 3],
    ),
    "more axes than the outputs have": (
        [
            make_node("MatMul", ["x", "w"], ["a"]),
            make_node("Add", ["a", "c"], ["d"]),
            make_node("Squeeze", ["d", "zero"], ["y"]),
        ],
        {"w": normal(4, 3), "c": normal(1, 1, 3), "zero": np.array([0])},
        ["n", 4],
    ),
    "a column that becomes many": (
        [make_node("MatMul", ["x", "w"], ["a"]), make_node("Add", ["a", "c"], ["y"])],
        {"w": normal(4, 1), "c": normal(3)},
        ["n", 4],
    ),
    "what divides by the outputs": (
        [make_node("MatMul", ["x", "w"], ["a"]), make_node("Div", ["c", "a"], ["y"])],
        {"w": normal(4, 3), "c": normal(3)},
        ["n", 4],
    ),
    "normalisation of the middle axis": (
        [make_node("MatMul", ["x", "w"], ["a"]), make_node("BatchNormalization", ["a", "g", "s", "m", "v"], ["y"])],
        {"w": normal(4, 3), "g": normal(3), "s": normal(3), "m": normal(3), "v": positive(3)},
        ["n", 3, 4],
    ),
}


@pytest.mark.parametrize("case", NOT_FOLDED)
def test_what_is_not_one_number_of_each_column_stays_digital(case: str, tmp_path: Path) -> None:
    nodes, stored, shape = NOT_FOLDED[case]
    model = model_of(nodes, stored, shape)
    network = loaded(model, tmp_path)
    assert network.parameters.folded == 0 and sum(network.parameters.digital.values()) > 0
    x = normal(*(5 if isinstance(size, str) else size for size in shape))
    assert_same_network(model, network, x, tmp_path)


def test_what_is_not_known_to_keep_the_number_of_axes_is_not_folded() -> None:
    """The axes of `a` are not known where an operator before it is not."""
    nodes = [
        make_node("Reshape", ["x", "shape"], ["r"]),
        make_node("MatMul", ["r", "w"], ["a"]),
        make_node("Add", ["a", "c"], ["d"]),
        make_node("Squeeze", ["d", "zero"], ["y"]),
    ]
    size = [make_node("Shape", ["x"], ["size"]), make_node("Mod", ["size", "large"], ["shape"])]
    stored = {"w": normal(4, 3), "c": normal(1, 1, 3), "large": np.array([99, 99]), "zero": np.array([0])}
    model = model_of([*size, *nodes], stored, ["n", 4], rank=2)
    x = normal(5, 4)
    assert_close(Network.from_model(model).outputs(x), outputs_of(model, x)[0])


def test_a_layer_whose_output_is_an_output_too_is_not_folded() -> None:
    nodes = [make_node("Gemm", ["x", "w", "b"], ["a"]), make_node("Mul", ["a", "s"], ["y"])]
    model = model_of(nodes, {"w": normal(4, 3), "b": normal(3), "s": positive(3)}, ["n", 4], outputs=["y", "a"])
    network, x = Network.from_model(model), normal(5, 4)
    assert network.parameters.folded == 0
    assert_close(network.outputs(x), outputs_of(model, x)[0])


@pytest.mark.parametrize(("kind", "of", "relative"), [("float16", 10, 2e-3), ("float64", 11, 1e-12)])
def test_a_network_runs_in_its_own_precision(kind: str, of: int, relative: float, tmp_path: Path) -> None:
    dtype = np.dtype(kind).type
    nodes = [
        make_node("Gemm", ["x", "w", "b"], ["a"]),
        make_node("Tanh", ["a"], ["t"]),
        make_node("MatMul", ["t", "w2"], ["y"]),
    ]
    stored = {"w": normal(4, 3, kind=dtype), "b": normal(3, kind=dtype), "w2": normal(3, 2, kind=dtype)}
    model = model_of(nodes, stored, ["n", 4], kind=of)
    network = loaded(model, tmp_path)
    x = normal(5, 4, kind=dtype)
    assert network.outputs(x).dtype == dtype
    assert_same_network(model, network, x, tmp_path, relative)


def test_constants_that_are_inputs_too_are_constants(tmp_path: Path) -> None:
    """As files of before 2019 have it."""
    nodes, stored, shape = FOLDED["MatMul + Add"]
    model = model_of(nodes, stored, shape)
    for name, value in stored.items():
        model.graph.input.insert(0, helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape))
    network, x = loaded(model, tmp_path), normal(5, 4)
    assert_close(network.outputs(x), x @ stored["w"] + stored["b"])


def test_labels_beside_the_outputs_are_left_out(tmp_path: Path) -> None:
    nodes = [
        make_node("Gemm", ["x", "w", "b"], ["a"]),
        make_node("Softmax", ["a"], ["y"]),
        make_node("ArgMax", ["y"], ["label"], axis=1, keepdims=0),
    ]
    model = model_of(nodes, {"w": normal(4, 3), "b": normal(3)}, ["n", 4], outputs=["y"])
    model.graph.output.insert(0, helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]))
    network, x = loaded(model, tmp_path), normal(5, 4)
    assert network.predict(x).tolist() == outputs_of(model, x)[0].tolist()


def test_layers_that_reach_no_output_are_told_of_and_are_no_layers(tmp_path: Path) -> None:
    nodes = [
        make_node("Gemm", ["x", "w", "b"], ["y"], "used"),
        make_node("Gemm", ["x", "w2"], ["nowhere"], "unused"),
        make_node("LSTM", ["x3", "wl", "rl"], ["also nowhere"], "also unused", hidden_size=1),
        make_node("Unsqueeze", ["x", "zero"], ["x3"], "axis"),
    ]
    nodes[2:] = nodes[:1:-1]
    stored = {"w": normal(4, 3), "b": normal(3), "w2": normal(4, 2), "zero": np.array([0])}
    model = model_of(nodes, stored | {"wl": normal(1, 4, 4), "rl": normal(1, 4, 1)}, ["n", 4])
    network = loaded(model, tmp_path)
    assert [layer.name for layer in network.layers] == ["used"]
    assert network.parameters.digital == {"unused": 8, "also unused": 20}
    assert network.parameters.total == real_numbers(model.graph)
    assert network.multiply_accumulates() == {"used": 12}


def test_the_output_may_be_a_constant_only_where_a_layer_is_left(tmp_path: Path) -> None:
    nodes = [make_node("Gemm", ["x", "w"], ["a"]), make_node("Identity", ["c"], ["y"])]
    with pytest.raises(NetworksError, match="no layer of weights"):
        loaded(model_of(nodes, {"w": normal(4, 3), "c": normal(3)}, ["n", 4]), tmp_path)


BRANCHES = {
    name: helper.make_graph(
        [make_node("Add", ["a", constant], [f"{name} sum"])],
        name,
        [],
        [helper.make_tensor_value_info(f"{name} sum", TensorProto.FLOAT, [None, 3])],
        [onnx.numpy_helper.from_array(np.float32([1, 2, number]), constant)],
    )
    for name, constant, number in (("then", "t", 3), ("else", "e", 4))
}


def test_what_a_graph_within_takes_is_not_folded_away(tmp_path: Path) -> None:
    nodes = [
        make_node("Gemm", ["x", "w", "b"], ["a"], "layer"),
        make_node("Mul", ["a", "s"], ["c"], "scaled"),
        make_node("If", ["yes"], ["d"], "choice", then_branch=BRANCHES["then"], else_branch=BRANCHES["else"]),
        make_node("Add", ["c", "d"], ["y"], "sum"),
    ]
    stored = {"w": normal(4, 3), "b": normal(3), "s": positive(3), "yes": np.array(True)}
    model = model_of(nodes, stored, ["n", 4])
    network = loaded(model, tmp_path, keep_digital=["choice"])
    assert_same_network(model, network, normal(5, 4), tmp_path)
    assert network.parameters.digital == {"scaled": 3, "choice": 6}


def test_names_that_the_file_uses_already_are_not_used_twice(tmp_path: Path) -> None:
    """Layers are named after their weights, and their weights after them."""
    nodes = [
        make_node("MatMul", ["x", "relu.weight"], ["p"], "first"),
        make_node("Add", ["p", "b"], ["a"], "relu.add"),
        make_node("Relu", ["a"], ["relu.weights"], "relu"),
        make_node("MatMul", ["relu.weights", "fc.weight"], ["relu.product"], "relu_2"),
        make_node("Add", ["relu.product", "relu.bias"], ["c"], "fc.add"),
        make_node("Relu", ["c"], ["d"], "fc"),
        make_node("Mul", ["d", "fc.weights"], ["e"]),
        make_node("Gemm", ["e", "fc.weights"], ["y"], "fc.weights"),
    ]
    stored = {
        "relu.weight": normal(4, 3),
        "b": normal(3),
        "fc.weight": normal(3, 3),
        "relu.bias": normal(3),
        "fc.weights": normal(3, 3),
    }
    model = model_of(nodes, stored, [3, 4])
    network, x = loaded(model, tmp_path), normal(3, 4)
    assert len({layer.name for layer in network.layers}) == 3
    assert_same_network(model, network, x, tmp_path)
    assert sorted(network.multiply_accumulates().values()) == [9, 9, 12]


def test_nodes_without_names_are_named_apart(tmp_path: Path) -> None:
    nodes = [
        make_node("Gemm", ["x", "w"], ["a"], "Gemm_1"),
        make_node("Gemm", ["a", "w"], ["b"]),
        make_node("Gemm", ["b", "w"], ["y"], "Gemm_1"),
    ]
    network = loaded(model_of(nodes, {"w": normal(4, 4)}, ["n", 4]), tmp_path, keep_digital=["Gemm_1"])
    assert len(network.layers) + len(kept(network)) == 3


def kept(network: Network) -> list[str]:
    layers = {layer.name for layer in network.layers}
    return [node.name for node in network.graph.model.graph.node if node.name not in layers]


def test_external_data_within_the_folder_are_read(tmp_path: Path) -> None:
    model = model_of([make_node("Gemm", ["x", "w", "b"], ["y"])], {"w": normal(40, 30), "b": normal(30)}, ["n", 40])
    (tmp_path / "data").mkdir()
    x = normal(5, 40)
    expected = outputs_of(model, x)[0]
    for location in ("weights", "data/weights"):
        external = onnx.ModelProto()
        external.CopyFrom(model)
        onnx.save(external, tmp_path / "m.onnx", save_as_external_data=True, location=location, size_threshold=0)
        assert (tmp_path / location).exists()
        network = load_network(tmp_path / "m.onnx")
        assert_close(network.outputs(x), expected)
        assert network.parameters.total == 1230


def test_local_functions_are_looked_into(tmp_path: Path) -> None:
    function = helper.make_function(
        "own",
        "Dense",
        ["a", "w", "b"],
        ["c"],
        [make_node("MatMul", ["a", "w"], ["p"]), make_node("Add", ["p", "b"], ["c"])],
        [helper.make_opsetid("", 17)],
    )
    nodes = [
        make_node("Dense", ["x", "w", "b"], ["h"], "one", domain="own"),
        make_node("Dense", ["h", "w2", "b"], ["y"], "two", domain="own"),
    ]
    stored = {"w": normal(4, 3), "w2": normal(3, 3), "b": normal(3)}
    model = model_of(nodes, stored, ["n", 4], rank=2, functions=[function])
    network, x = loaded(model, tmp_path), normal(5, 4)
    assert len(network.layers) == 2
    assert_close(network.outputs(x), (x @ stored["w"] + stored["b"]) @ stored["w2"] + stored["b"])
    assert network.parameters.total == 24


def test_dropout_that_drops_is_not_folded(tmp_path: Path) -> None:
    nodes = [make_node("Gemm", ["x", "w"], ["a"]), make_node("Dropout", ["a", "ratio", "yes"], ["y"], seed=1)]
    stored = {"w": normal(4, 3), "ratio": np.float32(0.5), "yes": np.array(True)}
    network = loaded(model_of(nodes, stored, ["n", 4]), tmp_path)
    assert "Dropout" in {node.op_type for node in network.graph.model.graph.node}
