"""What cannot go on a crossbar is refused by the name of its node, and kept digital where that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.helper import make_node

from fewlevels.errors import NetworksError
from fewlevels.networks.importers.load import load_network
from fewlevels.networks.network import Network
from tests.support.onnx_models import assert_same_network, model_of

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def branch(name: str) -> onnx.GraphProto:
    return helper.make_graph(
        [make_node("Gemm", ["h", f"w {name}"], [name])],
        name,
        [],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 4])],
        [onnx.numpy_helper.from_array(normal(4, 4), f"w {name}")],
    )


BODY = helper.make_graph(
    [make_node("MatMul", ["state", "w body"], ["next"]), make_node("Identity", ["going"], ["goes on"])],
    "body",
    [
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("going", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, [None, 4]),
    ],
    [
        helper.make_tensor_value_info("goes on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("next", TensorProto.FLOAT, [None, 4]),
    ],
    [onnx.numpy_helper.from_array(normal(4, 4), "w body")],
)

Case = tuple[list[onnx.NodeProto], Mapping[str, np.ndarray], str, int]

THREE_AXES = [make_node("Reshape", ["h", "shape"], ["h3"])]
"""From (samples, 4) to (samples, 2, 2)."""

CASES: dict[str, Case] = {
    "LSTM": (
        [
            make_node("Transpose", ["h3"], ["s"], perm=[1, 0, 2]),
            make_node("LSTM", ["s", "w1", "r1"], ["", "o"], "refused", hidden_size=4),
            make_node("Squeeze", ["o", "zero"], ["k"]),
        ],
        {"w1": normal(1, 16, 2), "r1": normal(1, 16, 4), "zero": np.array([0])},
        "a recurrent layer",
        96,
    ),
    "GRU": (
        [
            make_node("Transpose", ["h3"], ["s"], perm=[1, 0, 2]),
            make_node("GRU", ["s", "w1", "r1"], ["", "o"], "refused", hidden_size=4),
            make_node("Squeeze", ["o", "zero"], ["k"]),
        ],
        {"w1": normal(1, 12, 2), "r1": normal(1, 12, 4), "zero": np.array([0])},
        "a recurrent layer",
        72,
    ),
    "a product of two activations": (
        [
            make_node("Transpose", ["h3"], ["t"], perm=[0, 2, 1]),
            make_node("MatMul", ["h3", "t"], ["o"], "refused"),
            make_node("Flatten", ["o"], ["k"]),
        ],
        {},
        "a product of two activations",
        0,
    ),
    "constant weights on the left": (
        [make_node("MatMul", ["w1", "h3"], ["o"], "refused"), make_node("Flatten", ["o"], ["k"])],
        {"w1": normal(2, 2)},
        "constant weights on the left",
        4,
    ),
    "a matrix of each position": (
        [make_node("MatMul", ["h3", "w1"], ["o"], "refused"), make_node("Flatten", ["o"], ["k"])],
        {"w1": normal(2, 2, 2)[:1]},
        "weights of 3 axes",
        4,
    ),
    "Einsum": (
        [make_node("Einsum", ["h", "w1"], ["k"], "refused", equation="ni,io->no")],
        {"w1": normal(4, 4)},
        "a product that is not read here",
        16,
    ),
    "ConvTranspose": (
        [make_node("ConvTranspose", ["h3", "w1"], ["o"], "refused"), make_node("Flatten", ["o"], ["k"])],
        {"w1": normal(2, 2, 1)},
        "a transposed convolution",
        4,
    ),
    "a convolution of three axes": (
        [
            make_node("Reshape", ["h", "cube"], ["c"]),
            make_node("Conv", ["c", "w1"], ["o"], "refused"),
            make_node("Flatten", ["o"], ["k"]),
        ],
        {"w1": normal(1, 1, 1, 1, 1), "cube": np.array([0, 1, 2, 2, 1])},
        "a convolution over 3 axes",
        1,
    ),
    "weights that are no constant": (
        [
            make_node("ReduceMean", ["h"], ["mean"], axes=[0, 1], keepdims=0),
            make_node("Mul", ["w1", "mean"], ["w2"]),
            make_node("Gemm", ["h", "w2"], ["k"], "refused"),
        ],
        {"w1": normal(4, 4)},
        "a product of two activations",
        16,
    ),
    "an input that is transposed first": (
        [make_node("Gemm", ["h", "w1"], ["o"], "refused", transA=1), make_node("MatMul", ["h", "o"], ["k"], "also")],
        {"w1": normal(5, 4)},
        "an input that is transposed first",
        20,
    ),
    "a bias of each sample": (
        [make_node("Gemm", ["h", "w1", "c"], ["k"], "refused")],
        {"w1": normal(4, 4), "c": normal(5, 1)},
        r"a bias of shape \(5, 1\)",
        21,
    ),
    "integer weights": (
        [
            make_node("DynamicQuantizeLinear", ["h"], ["q", "scale", "zero"]),
            make_node("MatMulInteger", ["q", "w1", "zero"], ["i"], "refused"),
            make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
            make_node("Mul", ["f", "scale"], ["k"]),
        ],
        {"w1": RNG.integers(-9, 9, (4, 4)).astype(np.int8)},
        "integer weights",
        0,
    ),
    "If": (
        [make_node("If", ["yes"], ["k"], "refused", then_branch=branch("then"), else_branch=branch("else"))],
        {"yes": np.array(True)},
        "control flow",
        32,
    ),
    "Loop": (
        [make_node("Loop", ["turns", "yes", "h"], ["k"], "refused", body=BODY)],
        {"turns": np.array(3), "yes": np.array(True)},
        "control flow",
        16,
    ),
}


def model_with(case: str) -> onnx.ModelProto:
    """A dense layer before and after what is refused."""
    nodes, stored, _, _ = CASES[case]
    first, last = make_node("Gemm", ["x", "w"], ["h"], "before"), make_node("Gemm", ["k", "w0"], ["y"], "after")
    stored = {"w": normal(3, 4), "w0": normal(9 if case == "none" else 4, 2), "shape": np.array([0, 2, 2])} | dict(
        stored
    )
    used = {name for node in nodes for name in node.input}
    middle = [*(THREE_AXES if "h3" in used else []), *nodes]
    if case == "ConvTranspose":
        stored["w0"] = normal(4, 2)
    return model_of([first, *middle, last], stored, [5 if "sample" in case or "first" in case else "n", 3])


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_by_name_with_the_remedy_and_kept_digital_when_asked(case: str, tmp_path: Path) -> None:
    _, _, why, parameters = CASES[case]
    model = model_with(case)
    onnx.save(model, tmp_path / "network.onnx")
    with pytest.raises(NetworksError, match=rf"'refused' \(\w+: {why}\).*cannot go on a crossbar") as refused:
        load_network(tmp_path / "network.onnx")
    assert "--keep-digital refused" in str(refused.value)
    keep = ["refused", *(["also"] if case == "an input that is transposed first" else [])]
    network = load_network(tmp_path / "network.onnx", keep_digital=keep)
    assert [layer.name for layer in network.layers] == ["before", "after"]
    assert network.parameters.digital.get("refused", 0) == parameters or case == "weights that are no constant"
    assert_same_network(model, network, normal(5, 3), tmp_path)


def test_a_layer_that_is_kept_digital_is_none(tmp_path: Path) -> None:
    nodes = [make_node("Gemm", ["x", "fc.weight"], ["a"], "first"), make_node("Gemm", ["a", "w"], ["y"], "last")]
    model = model_of(nodes, {"fc.weight": normal(3, 4), "w": normal(4, 2)}, ["n", 3])
    for name in ("first", "fc"):  # of the node, of the layer
        network = Network.from_model(model, keep_digital=[name])
        assert [layer.name for layer in network.layers] == ["last"]
        assert network.parameters.digital == {"first": 12}
        assert_same_network(model, network, normal(5, 3), tmp_path)
    with pytest.raises(NetworksError, match="no layer of weights"):
        Network.from_model(model, keep_digital=["first", "last"])
    with pytest.raises(NetworksError, match=r"no layer or node is named 'none'.*'fc', 'last'"):
        Network.from_model(model, keep_digital=["none"])


def test_weights_of_an_operator_that_is_not_known_are_refused() -> None:
    nodes = [
        make_node("FusedGemm", ["x", "w", "b"], ["a"], "fused", domain="com.microsoft", activation="Relu"),
        make_node("Gemm", ["a", "w"], ["y"], "last"),
    ]
    model = model_of(nodes, {"w": normal(4, 4), "b": normal(4)}, ["n", 4], rank=2)
    with pytest.raises(NetworksError, match=r"'fused' \(FusedGemm: weights of an operator of com.microsoft\)"):
        Network.from_model(model)
    assert Network.from_model(model, keep_digital=["fused"]).parameters.digital == {"fused": 4}


def test_weights_that_are_attributes_are_refused() -> None:
    nodes = [
        make_node("Gemm", ["x", "w"], ["a"], "first"),
        make_node("LinearRegressor", ["a"], ["y"], "linear", domain="ai.onnx.ml", coefficients=[1.0] * 8, targets=2),
    ]
    model = model_of(nodes, {"w": normal(4, 4)}, ["n", 4], rank=2)
    with pytest.raises(NetworksError, match=r"'linear' \(LinearRegressor: weights that are attributes\)"):
        Network.from_model(model)
    assert Network.from_model(model, keep_digital=["linear"]).parameters.total == 24


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    weights = normal(3, 4)
    weights[1, 2] = value
    with pytest.raises(NetworksError, match="'layer' must be finite"):
        Network.from_model(model_of([make_node("Gemm", ["x", "w"], ["y"], "layer")], {"w": weights}, ["n", 3]))


def test_many_that_are_refused_are_told_of_in_one_sentence() -> None:
    nodes = [make_node("Gemm", ["x", "w"], ["v0"], "layer")]
    nodes += [make_node("MatMul", [f"v{n}", f"v{n}"], [f"v{n + 1}"], f"square {n}") for n in range(7)]
    nodes.append(make_node("Relu", ["v7"], ["y"]))
    with pytest.raises(NetworksError, match=r"'square 3' .* and 3 more cannot go"):
        Network.from_model(model_of(nodes, {"w": normal(3, 3)}, [3, 3]))
