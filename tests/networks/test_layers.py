"""Layers: their matrices against loops, put back changed, what they see, and how many multiplications they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx.helper import make_node

from fewlevels.errors import NetworksError
from fewlevels.networks.importers.load import load_network
from fewlevels.networks.layer import Geometry, Layer
from fewlevels.networks.network import Network
from fewlevels.samples.samples import Samples
from tests.support.onnx_models import assert_close, model_of, outputs_of

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def pads_of(geometry: Geometry, size: tuple[int, ...]) -> list[tuple[int, int]]:
    """Zeros before and after each axis, as ONNX defines auto_pad."""
    if geometry.auto_pad in ("NOTSET", "VALID"):
        axes = len(size)
        return [(geometry.pads[axis], geometry.pads[axes + axis]) for axis in range(axes)]
    found = []
    for n, kernel, stride, dilation in zip(size, geometry.kernel, geometry.strides, geometry.dilations, strict=True):
        zeros = max((-(-n // stride) - 1) * stride + (kernel - 1) * dilation + 1 - n, 0)
        found.append(
            (zeros // 2, zeros - zeros // 2) if geometry.auto_pad == "SAME_UPPER" else (-(-zeros // 2), zeros // 2)
        )
    return found


def layer_by_loops(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Each output as one sum over the rows of the layer's matrix. x: as it enters the layer."""
    bias = 0 if layer.bias is None else layer.bias
    geometry = layer.geometry
    if geometry is None:
        return x @ layer.matrix + bias
    x = np.pad(x, [(0, 0), (0, 0), *pads_of(geometry, x.shape[2:])])
    reach = [(k - 1) * d + 1 for k, d in zip(geometry.kernel, geometry.dilations, strict=True)]
    places = [range(0, n - r + 1, s) for n, r, s in zip(x.shape[2:], reach, geometry.strides, strict=True)]
    fan_out = layer.matrix.shape[1]
    found = np.zeros((len(x), fan_out, *map(len, places)))
    seen = x.shape[1] // geometry.groups
    for column in range(fan_out):
        group = column // (fan_out // geometry.groups)
        for at in np.ndindex(*map(len, places)):
            window = [
                slice(place[i], place[i] + r, d)
                for place, i, r, d in zip(places, at, reach, geometry.dilations, strict=True)
            ]
            inputs = x[:, group * seen : (group + 1) * seen][(slice(None), slice(None), *window)]
            found[(slice(None), column, *at)] = inputs.reshape(len(x), -1) @ layer.matrix[:, column]
    return found + np.reshape(bias, (-1,) + (1,) * len(places)) if layer.bias is not None else found


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((4, 2, 3, 3), (2, 6, 5), {}),
    "one axis": ((4, 2, 3), (2, 9), {"strides": [2], "pads": [0, 2], "dilations": [2]}),
    "strides and uneven pads": ((4, 2, 3, 2), (2, 6, 5), {"strides": [2, 1], "pads": [0, 2, 1, 0]}),
    "dilations": ((4, 2, 3, 2), (2, 8, 7), {"dilations": [2, 3], "pads": [1, 1, 1, 1]}),
    "groups": ((6, 2, 2, 3), (4, 5, 6), {"group": 2}),
    "depthwise": ((6, 1, 3, 3), (3, 6, 6), {"group": 3, "strides": [2, 2]}),
    "same, more zeros after": ((3, 2, 4, 2), (2, 7, 5), {"auto_pad": "SAME_UPPER", "strides": [2, 1]}),
    "same, more zeros before": ((3, 2, 4, 2), (2, 7, 5), {"auto_pad": "SAME_LOWER", "strides": [3, 1]}),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_the_unrolled_matrix_of_a_convolution_is_what_loops_multiply(case: str) -> None:
    kernel, shape, attributes = CONVOLUTIONS[case]
    nodes = [make_node("Conv", ["x", "w", "b"], ["y"], **attributes)]
    model = model_of(nodes, {"w": normal(*kernel), "b": normal(kernel[0])}, ["n", *shape])
    network, x = Network.from_model(model), normal(3, *shape)
    (layer,) = network.layers
    expected = layer_by_loops(layer, x)
    assert_close(expected, outputs_of(model, x)[0])
    assert layer.matrix.shape == (int(np.prod(kernel[1:])), kernel[0])
    positions = int(np.prod(expected.shape[2:]))
    assert network.multiply_accumulates() == {layer.name: layer.weights * positions}


def deep() -> tuple[Any, np.ndarray]:
    """A convolution in groups, a normalisation, a dense layer over positions, a residual branch."""
    nodes = [
        make_node("Conv", ["x", "conv.weight"], ["a"], group=2, pads=[1, 1, 1, 1]),
        make_node("BatchNormalization", ["a", "g", "s", "m", "v"], ["c"]),
        make_node("Relu", ["c"], ["d"]),
        make_node("Add", ["d", "x"], ["e"]),
        make_node("MatMul", ["e", "rows.weight"], ["f"]),
        make_node("Add", ["f", "rows.bias"], ["h"]),
        make_node("Flatten", ["h"], ["i"]),
        make_node("Gemm", ["i", "head.weight", "head.bias"], ["j"], transB=1, alpha=0.5),
        make_node("Softmax", ["j"], ["y"]),
    ]
    stored = {"conv.weight": normal(4, 2, 3, 3), "rows.weight": normal(5, 3), "rows.bias": normal(3)}
    stored |= {name: normal(4) for name in "gsm"} | {"v": normal(4) ** 2 + 0.1}
    stored |= {"head.weight": normal(3, 48), "head.bias": normal(3)}
    return model_of(nodes, stored, ["n", 4, 4, 5]), normal(70, 4, 4, 5)


def test_what_each_layer_sees_gives_what_the_network_gives() -> None:
    model, x = deep()
    network = Network.from_model(model)
    seen = network.layer_inputs(x)
    assert list(seen) == ["conv", "rows", "head"]
    assert np.array_equal(seen["conv"], x)
    convolution = np.maximum(layer_by_loops(network["conv"], x), 0)
    assert_close(seen["rows"], convolution + x)
    assert_close(seen["head"], layer_by_loops(network["rows"], seen["rows"]).reshape(len(x), -1))
    logits = layer_by_loops(network["head"], seen["head"])
    assert_close(network.scores(x), logits)
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    assert_close(network.outputs(x), exponentials / exponentials.sum(1, keepdims=True))
    assert [layer.activation for layer in network.layers] == ["Relu", None, "Softmax"]


def test_multiplications_are_counted_by_position() -> None:
    network = Network.from_model(deep()[0])
    assert network.multiply_accumulates() == {"conv": 72 * 20, "rows": 15 * 16, "head": 144}


def test_samples_of_any_size_have_no_number_of_multiplications() -> None:
    model = model_of([make_node("Conv", ["x", "w"], ["y"])], {"w": normal(2, 1, 3)}, ["n", 1, "length"])
    with pytest.raises(NetworksError, match="any size"):
        Network.from_model(model).multiply_accumulates()


def test_weights_that_are_put_back_are_those_that_run(tmp_path: Path) -> None:
    model, x = deep()
    network = Network.from_model(model)
    matrix, bias = normal(18, 4), normal(3)
    changed = network.with_weights({"conv": matrix}, {"head": bias})
    assert_close(changed["conv"].matrix, matrix)
    seen = changed.layer_inputs(x)
    assert_close(seen["rows"], np.maximum(layer_by_loops(changed["conv"], x), 0) + x)
    assert_close(changed.scores(x), seen["head"] @ network["head"].matrix + bias)
    assert_close(network.outputs(x), outputs_of(model, x)[0])
    changed.to_onnx(tmp_path / "changed.onnx")
    again = load_network(tmp_path / "changed.onnx")
    assert_close(again.outputs(x), changed.outputs(x))
    assert [layer.name for layer in again.layers] == ["conv", "rows", "head"]
    assert np.array_equal(again["conv"].matrix, matrix)


def test_a_matrix_that_is_changed_later_does_not_change_the_network() -> None:
    model, _ = deep()
    matrix = normal(18, 4).astype(np.float64)
    network = Network.from_model(model).with_weights({"conv": matrix})
    before = network["conv"].matrix.copy()
    matrix[:] = 0
    assert np.array_equal(network["conv"].matrix, before)


def test_the_same_weights_give_the_same_network_to_the_last_bit() -> None:
    model, x = deep()
    network = Network.from_model(model)
    same = network.with_weights({layer.name: layer.matrix for layer in network.layers})
    assert np.array_equal(same.outputs(x), network.outputs(x))


@pytest.mark.parametrize(
    ("weights", "biases", "named"),
    [
        ({"none": np.ones((2, 2))}, {}, "no layer is named 'none'; there are conv, rows, head"),
        ({"conv": np.ones((4, 18))}, {}, r"\(18, 4\), got shape \(4, 18\)"),
        ({"conv": np.full((18, 4), np.nan)}, {}, "finite"),
        ({"conv": np.full((18, 4), 1e300)}, {}, "float32"),
        ({"conv": "weights"}, {}, "array of numbers"),
        ({}, {"rows": np.ones(4)}, r"\(3,\)"),
        ({}, {"rows": None}, "has a bias"),
        ({}, {"none": None}, "no layer is named 'none'"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Any, biases: Any, named: str) -> None:
    network = Network.from_model(deep()[0])
    with pytest.raises(NetworksError, match=named):
        network.with_weights(weights, biases).outputs(deep()[1])


def test_a_batch_of_fixed_size_takes_any_number_of_samples() -> None:
    nodes = [
        make_node("Reshape", ["x", "rows"], ["r"]),
        make_node("MatMul", ["r", "w"], ["a"]),
        make_node("Reshape", ["a", "samples"], ["y"]),
    ]
    stored = {"w": normal(2, 3), "rows": np.array([-1, 2]), "samples": np.array([4, -1])}
    network, x = Network.from_model(model_of(nodes, stored, [4, 6], rank=2)), normal(11, 6)
    expected = (x.reshape(33, 2) @ stored["w"]).reshape(11, 9)
    assert_close(network.outputs(x), expected)
    assert_close(network.layer_inputs(x)["MatMul_1"], x.reshape(33, 2))
    assert network.multiply_accumulates() == {"MatMul_1": 18}


@pytest.mark.parametrize("samples", [1, 63, 64, 65, 200])
def test_what_comes_out_does_not_depend_on_how_many_samples_there_are(samples: int) -> None:
    network = Network.from_model(deep()[0])
    x = normal(samples, 4, 4, 5)
    assert_close(network.outputs(x), np.concatenate([network.outputs(x[i : i + 1]) for i in range(samples)]))


def test_samples_that_do_not_fit_are_refused() -> None:
    network = Network.from_model(deep()[0])
    assert network.outputs(normal(2, 80)).shape == (2, 3)  # flat
    for x in (normal(2, 79), normal(2, 4, 5, 4), normal(80), np.zeros((0, 4, 4, 5), np.float32), "samples", 3.0):
        with pytest.raises(NetworksError):
            network.outputs(x)


def test_a_network_does_not_change_the_model_that_it_was_made_of() -> None:
    model, _ = deep()
    before = model.SerializeToString()
    Network.from_model(model)
    assert model.SerializeToString() == before


def test_samples_of_images_are_never_read_in_another_order() -> None:
    """A convolution of (2, 3, 4) inputs: channels that stand last are moved where asked for, else refused; axes of one
    are put in; flat samples that know their shape are taken by it."""
    rng = np.random.default_rng(1)
    nodes = [
        make_node("Conv", ["x", "w"], ["c"]),
        make_node("Flatten", ["c"], ["f"]),
        make_node("MatMul", ["f", "v"], ["y"]),
    ]
    network = Network.from_model(model_of(nodes, {"w": normal(3, 2, 2, 2), "v": normal(18, 4)}, ["n", 2, 3, 4]))
    x = rng.random((5, 2, 3, 4)).astype(np.float32)
    last = np.moveaxis(x, 1, -1)
    with pytest.raises(NetworksError, match=r"their channels stand last; np.moveaxis\(x, -1, 1\) moves them"):
        network.outputs(last)
    arranged, said = network.arranged(last)
    np.testing.assert_array_equal(arranged, x)
    assert said == "The samples' channels stand last; they were moved."
    assert network.arranged(x)[1] == ""
    samples = network.labelled(x)
    assert samples.shape == (2, 3, 4) and network.recognition(samples) == 1.0
    with pytest.raises(NetworksError, match="their channels stand last"):
        network.recognition(Samples(last.reshape(5, -1), samples.y, samples.classes, shape=(3, 4, 2)))
