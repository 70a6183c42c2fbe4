"""Dense networks with biases and other activations than the paper's, against a plain loop and onnxruntime."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from fewlevels import KMeans, Network, Networks, Samples, fewest_levels
from fewlevels.errors import NetworksError
from fewlevels.networks.activations import ACTIVATIONS, UNIT_ACTIVATIONS, LeakyRelu
from fewlevels.networks.builder import Builder
from fewlevels.networks.variants import Variants

RNG = np.random.default_rng(12)
X, Y = RNG.normal(size=(60, 6)), np.tile(np.arange(4), 15)
SAMPLES = Samples(X, Y, tuple("abcd"))


def dense(models: int, activations: Sequence[str], sizes: Sequence[int] = (6, 9, 5, 4), bias: bool = True) -> Networks:
    rng = np.random.default_rng([models, *sizes])
    pairs = list(itertools.pairwise(sizes))
    return Networks.from_weights(
        [rng.normal(size=(models, *pair)) for pair in pairs],
        biases=[rng.normal(size=(models, fan_out)) if bias else None for _, fan_out in pairs],
        activations=activations,
    )


def one_unit_at_a_time(networks: Networks, model: int, x: np.ndarray) -> np.ndarray:
    """The outputs of one sample, (outputs,), before the last activation."""
    signal = x
    for layer, (w, b) in enumerate(zip(networks.weights, networks.biases, strict=True)):
        sums = np.array([sum(signal[i] * w[model, i, j] for i in range(len(signal))) for j in range(w.shape[2])])
        sums = sums if b is None else sums + b[model]
        last = layer == len(networks.weights) - 1
        signal = sums if last else networks.activations[layer].value(sums)
    return signal


@pytest.mark.parametrize("hidden", UNIT_ACTIVATIONS)
@pytest.mark.parametrize("last", ACTIVATIONS)
def test_outputs_and_recognition_are_those_of_a_plain_loop(hidden: str, last: str) -> None:
    networks = dense(3, [hidden, hidden, last])
    for model in range(3):
        sums = np.array([one_unit_at_a_time(networks, model, x) for x in X])
        np.testing.assert_allclose(networks.sums(X)[model], sums, rtol=1e-12, atol=1e-12)
        outputs = ACTIVATIONS[last].value(sums)
        np.testing.assert_allclose(networks.outputs(X)[model], outputs, rtol=1e-12, atol=1e-14)
        others = np.where(np.arange(4) == Y[:, None], -np.inf, outputs).max(axis=1)
        own = outputs[np.arange(60), Y]
        deciding = outputs if last == "relu" else sums  # where nothing saturates
        largest = np.where(np.arange(4) == Y[:, None], -np.inf, deciding).max(axis=1)
        assert networks.recognised(SAMPLES)[model].tolist() == (deciding[np.arange(60), Y] > largest).tolist()
        margin = np.empty((1, 60))
        networks[model].judged(networks[model].joint(), SAMPLES, margin=margin)
        np.testing.assert_allclose(margin[0], own - others, rtol=1e-9, atol=1e-12)


def test_units_that_are_equal_but_for_rounding_are_a_tie() -> None:
    one, third = Networks.from_weights([[[0.1, 0.3], [0.2, 0.0]]], activations=["identity"]), np.ones((1, 2))
    assert float(third[0] @ [0.1, 0.2]) != 0.3  # they differ in the last digit
    assert not one.recognised(Samples(third, np.array([0]), ("a", "b"))).any()


def test_networks_keep_biases_and_activations_through_indices_and_other_weights() -> None:
    networks = dense(4, ["relu", "tanh", "softmax"])
    for some in (networks[2], networks[np.array([2])], networks[2:3], networks.with_joint(networks.joint())[[2]]):
        np.testing.assert_array_equal(some.outputs(X), networks.outputs(X)[2:3])
    assert repr(networks) == "<Networks: 4 of 6-9-5-4 with biases, relu, tanh, softmax>"
    assert not networks.plain and not dense(1, ["relu", "sigmoid"], (6, 3, 4), bias=False).plain
    assert dense(1, [], (6, 3, 4), bias=False).plain


MISFITS: list[tuple[list[np.ndarray | None], str]] = [
    ([np.zeros(9)], "biases must be a list of 3 arrays, one a layer"),
    ([np.zeros(9), None, np.zeros(5)], r"the bias of layer 3 must be finite and of shape \(1, 4\), got shape \(1, 5\)"),
    ([np.full(9, np.nan), None, None], "the bias of layer 1 must be finite"),
]


@pytest.mark.parametrize(("biases", "message"), MISFITS)
def test_biases_that_do_not_fit_are_refused(biases: list[np.ndarray | None], message: str) -> None:
    with pytest.raises(NetworksError, match=message):
        Networks.from_weights([np.ones((6, 9)), np.ones((9, 5)), np.ones((5, 4))], biases=biases)


@pytest.mark.parametrize("last", ACTIVATIONS)
def test_a_stacked_network_becomes_a_graph_and_comes_back(last: str) -> None:
    networks = dense(3, ["tanh", "leaky_relu", last])
    network = Network.from_networks(networks, 1)
    np.testing.assert_allclose(network.outputs(X), networks.outputs(X)[1], rtol=1e-6, atol=1e-9)  # alpha is float32
    back = network.as_networks()
    np.testing.assert_array_equal(back.joint(), networks.joint()[[1]])
    assert [one.name for one in back.activations] == ["tanh", "leaky_relu", last]
    np.testing.assert_allclose(back.outputs(X)[0], network.outputs(X), rtol=1e-12, atol=1e-15)
    assert isinstance(back.activations[1], LeakyRelu) and back.activations[1].alpha == float(np.float32(0.01))


def test_what_is_no_chain_is_refused_by_the_node_that_is_none() -> None:
    builder = Builder([3])
    first = builder.dense(builder.input, "first", np.eye(3), None)
    network = Network.from_model(builder.model(builder.node("Add", [first, builder.input], "skip")))
    with pytest.raises(NetworksError, match=r"not dense layers one after the other: 'skip' \(Add\)"):
        network.as_networks()
    doubled = Builder([3])
    twice = doubled.activation(doubled.activation(doubled.dense(doubled.input, "one", np.eye(3), None), "relu"), "tanh")
    with pytest.raises(NetworksError, match=r"\(Tanh\) is none of a chain"):
        Network.from_model(doubled.model(twice)).as_networks()


@pytest.mark.parametrize("share", ["network", "layer", "column"])
def test_a_search_finds_the_same_in_a_graph_and_in_the_stacked_network(share: str) -> None:
    networks = dense(1, ["relu", "tanh", "softmax"])
    labelled = Samples(X, networks.sums(X)[0].argmax(axis=1), tuple("abcd"))
    options = {"quantizer": KMeans(), "alpha": 0.9, "q_max": 8, "share": share}
    stacked = fewest_levels(networks, labelled, **options)  # type: ignore[arg-type]
    graph = fewest_levels(Network.from_networks(networks), labelled, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(graph.recognition_trace, stacked.recognition_trace)
    assert stacked.solved.all() and graph.q.tolist() == stacked.q.tolist()
    one = graph.quantized_network()
    np.testing.assert_array_equal(one.as_networks().joint(), stacked.quantized(0).joint())
    assert one.recognition(labelled) == stacked.recognition_trace[0, stacked.q[0] - 1] >= 0.9
    expected = [  # every number of levels by hand: quantize the matrices, run the graph
        network_by_hand(Network.from_networks(networks), q, share).recognition(labelled) for q in range(1, 9)
    ]
    np.testing.assert_array_equal(graph.recognition_trace[0], expected)


def network_by_hand(network: Network, levels: int, share: str) -> Network:
    matrices = {layer.name: layer.matrix for layer in network.layers}
    if share == "network":
        joint = np.concatenate([matrix.ravel() for matrix in matrices.values()])[None]
        values, begin = KMeans().quantize(joint, levels).values[0], 0
        for name, matrix in matrices.items():
            matrices[name] = values[begin : begin + matrix.size].reshape(matrix.shape)
            begin += matrix.size
    elif share == "layer":
        matrices = {n: KMeans().quantize(m.reshape(1, -1), levels).values.reshape(m.shape) for n, m in matrices.items()}
    else:
        matrices = {n: KMeans().quantize(m.T, levels).values.T for n, m in matrices.items()}
    return network.with_weights(matrices)


def test_a_search_with_biases_on_rows_finds_the_same_in_a_graph_and_in_the_stacked_network() -> None:
    networks = dense(1, ["relu", "tanh", "softmax"])
    labelled = Samples(X, networks.sums(X)[0].argmax(axis=1), tuple("abcd"))
    graph = Variants.of(Network.from_networks(networks), bias_rows=True)
    stacked = networks.with_bias_rows()
    assert graph.shapes == stacked.shapes and graph.bias_rows == stacked.bias_rows
    np.testing.assert_array_equal(graph.joint(), stacked.joint())
    one, other = (
        fewest_levels(each, labelled, quantizer=KMeans(), alpha=0.8, q_max=12)  # type: ignore[arg-type]
        for each in (graph, stacked)
    )
    np.testing.assert_array_equal(one.recognition_trace, other.recognition_trace)
    biases = {layer.name: layer.bias for layer in one.quantized_network().layers}
    assert one.solved.all() and all(bias is not None for bias in biases.values())
    levels = np.unique(np.abs(other.quantized(0).joint()))
    assert len(levels) <= one.q[0]


def test_agreement_is_the_recognition_of_what_the_network_itself_tells() -> None:
    networks = dense(2, ["relu", "relu", "identity"])
    one, other = Network.from_networks(networks, 0), Network.from_networks(networks, 1)
    assert one.recognition(one.labelled(X)) == 1.0
    assert other.recognition(one.labelled(X)) == other.agreement(one, X) < 1.0


def test_bias_rows_are_weights_of_a_constant_1() -> None:
    networks = dense(3, ["relu", "tanh", "softmax"])
    rows = networks.with_bias_rows()
    np.testing.assert_allclose(rows.sums(X), networks.sums(X), rtol=1e-12, atol=1e-12)
    assert rows.biases == (None, None, None) and rows.inputs == 6
    for w, b, own, count in zip(rows.weights, networks.biases, networks.weights, rows.bias_rows, strict=True):
        assert b is not None
        least = np.ceil(np.abs(b).max(axis=1) / np.abs(own).max(axis=(1, 2))).max()
        assert count == least and np.abs(w[:, -count:]).max() <= np.abs(own).max()
        np.testing.assert_allclose(w[:, -count:].sum(axis=1), b, rtol=1e-12)
    np.testing.assert_allclose(Network.from_networks(rows, 2).outputs(X), networks.outputs(X)[2], rtol=1e-6, atol=1e-9)
    assert "with bias rows" in repr(rows) and rows[1].bias_rows == rows.bias_rows
    assert rows.joint().shape[1] == sum(fan_in * fan_out for fan_in, fan_out in rows.shapes)
    np.testing.assert_array_equal(rows.with_joint(rows.joint()).outputs(X), rows.outputs(X))


def test_a_large_bias_takes_several_rows_and_none_takes_no_row() -> None:
    one = Networks.from_weights([[[1.0], [0.5]], [[2.0]]], biases=[[3.5], None], activations=["relu", "identity"])
    rows = one.with_bias_rows()
    assert rows.bias_rows == (4, 0) and rows.weights[0][0, :, 0].tolist() == [1.0, 0.5, *[0.875] * 4]
    with pytest.raises(NetworksError, match="bias_rows must be a number of rows of each layer"):
        Networks(rows.weights, bias_rows=(6, 0))
