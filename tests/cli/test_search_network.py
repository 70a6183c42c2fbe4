"""`fewlevels search MODEL`: networks of any kind, samples with labels or without."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fewlevels import KMeans, Network, load_network
from fewlevels.networks.builder import Builder
from fewlevels.study.inputs import read_inputs
from fewlevels.study.reading import Reading
from tests.cli.test_cli import run

RNG = np.random.default_rng(8)
IMAGES = RNG.random((40, 2, 6, 6)).astype(np.float32)


def convolutional() -> Network:
    """Two channels of 6 x 6, a convolution with a skip, a mean, a dense layer of five classes."""
    rng = np.random.default_rng(3)
    builder = Builder([2, 6, 6])
    kernel = builder.constant("conv.weight", rng.normal(size=(4, 2, 3, 3)))
    offset = builder.constant("conv.bias", rng.normal(size=4))
    first = builder.activation(builder.node("Conv", [builder.input, kernel, offset], "conv", pads=[1] * 4), "relu")
    second = builder.constant("again.weight", rng.normal(size=(4, 4, 1, 1)))
    summed = builder.node("Add", [builder.node("Conv", [first, second], "again"), first], "skip")
    mean = builder.node("Flatten", [builder.node("GlobalAveragePool", [summed], "mean")])
    head = builder.dense(mean, "head", rng.normal(size=(4, 5)), rng.normal(size=5))
    return Network.from_model(builder.model(builder.activation(head, "softmax")))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    convolutional().to_onnx(tmp_path / "conv.onnx")
    return tmp_path / "conv.onnx"


def test_a_convolutional_network_is_searched_and_its_quantized_graphs_are_stored(model: Path, tmp_path: Path) -> None:
    network = load_network(model)
    np.savez(tmp_path / "data.npz", X=IMAGES, y=network.predict(IMAGES))
    arguments = (model, "--data", tmp_path / "data.npz", "--method", "kmeans,paper", "--share", "layer")
    done = run("search", *arguments, "--alpha", 0.9, "--q-max", 12, "--out", tmp_path / "found")
    assert done.returncode == 0, done.stderr
    assert "Its 9 biases stay digital." in done.stdout
    stored = json.loads((tmp_path / "found" / "search.json").read_text(encoding="utf-8"))
    trace = next(row for row in stored["methods"] if row["method"] == "kmeans")["recognition_trace"]
    for q, recognition in enumerate(trace, start=1):
        matrices = {
            layer.name: KMeans().quantize(layer.matrix.reshape(1, -1), q).values.reshape(layer.matrix.shape)
            for layer in network.layers
        }
        agreed = network.with_weights(matrices).predict(IMAGES) == network.predict(IMAGES)
        assert recognition == agreed.mean()
    (q,) = stored["q_of_trained"]["kmeans"]
    assert q == 1 + next(at for at, value in enumerate(trace) if value >= 0.9)
    quantized = load_network(tmp_path / "found" / "networks" / "1_kmeans.onnx")
    assert quantized.agreement(network, IMAGES) == trace[q - 1]
    assert all(len(np.unique(np.abs(layer.matrix))) <= q for layer in quantized.layers)
    with np.load(tmp_path / "found" / "search.npz") as arrays:
        for number, layer in enumerate(quantized.layers, start=1):
            np.testing.assert_allclose(arrays[f"W{number}"][0, 0], layer.matrix, rtol=1e-6)
    lines = done.stdout.split("Recognition at each number of levels:")[1].split("\n")
    assert lines[2].split() == ["levels", "kmeans", "paper"]
    assert [line.split()[1] for line in lines[3:15]] == [f"{value:.2%}" for value in trace]


def test_samples_without_labels_are_judged_by_agreement(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    labelled = tmp_path / "data.npz"
    np.savez(labelled, X=IMAGES, y=load_network(model).predict(IMAGES))
    found = []
    for data in (tmp_path / "x.npy", labelled):
        done = run("search", model, "--data", data, "--method", "kmeans", "--q-max", 6, "--json")
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found[0]["methods"] == found[1]["methods"]
    assert found[0]["remarks"][-1].startswith("Samples without labels get those that the network itself tells")
    assert found[0]["recognition_before_quantizing"] == 1.0


def test_biases_on_rows_are_weights_among_the_others(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    arguments = ("--data", tmp_path / "x.npy", "--method", "kmeans", "--share", "layer", "--q-max", 40, "--alpha", 0.7)
    done = run("search", model, *arguments, "--bias", "rows", "--out", tmp_path / "rows")
    assert done.returncode == 0, done.stderr
    rows = read_inputs(model, str(tmp_path / "x.npy"), reading=Reading(bias="rows")).networks.bias_rows
    assert rows[0] >= 1 and rows[1] == 0 and rows[2] >= 1
    assert f"Biases are weights, too, on {sum(rows)} rows." in done.stdout
    quantized = load_network(tmp_path / "rows" / "networks" / "1_kmeans.onnx")
    (q,) = json.loads((tmp_path / "rows" / "search.json").read_text(encoding="utf-8"))["q_of_trained"]["kmeans"]
    assert 0 < q < 20
    for layer, count in zip(quantized.layers, rows, strict=True):
        parts = [] if layer.bias is None else np.abs(layer.bias) / count
        assert len(np.unique(np.float32([*np.abs(layer.matrix).ravel(), *parts]).round(6))) <= q
    assert run("search", model, *arguments, "--bias", "off").stderr.strip().endswith("got 'off'")


def test_weights_alone_are_said_to_be_taken_for_sigmoids_and_named_units_are_not(tmp_path: Path) -> None:
    w1, w2 = RNG.normal(size=(12, 9)), RNG.normal(size=(9, 4))
    x = RNG.random((60, 12))
    y = (np.maximum(x @ w1, 0) @ w2).argmax(axis=1)
    np.savez(tmp_path / "net.npz", W1=w1, W2=w2)
    np.savez(tmp_path / "named.npz", W1=w1, W2=w2, activations=np.array(["relu", "softmax"]))
    np.savez(tmp_path / "data.npz", X=x, y=y)
    arguments = ("--data", tmp_path / "data.npz", "--method", "kmeans", "--q-max", 4, "--json")
    alone, told, named = (
        json.loads(run("search", *source, *arguments).stdout)
        for source in (
            (tmp_path / "net.npz",),
            (tmp_path / "net.npz", "--activation", "relu,softmax"),
            (tmp_path / "named.npz",),
        )
    )
    assert alone["remarks"][0] == f"{tmp_path / 'net.npz'} names no activations: its units are taken for sigmoids."
    assert alone["remarks"][1].startswith("With relu units it would recognise 100.00 % in place of ")
    assert alone["recognition_before_quantizing"] < 0.9
    assert told == {**named, "data": told["data"]} and named["recognition_before_quantizing"] == 1.0
    assert told["remarks"] == []


def test_a_network_that_misses_the_target_before_quantizing_is_told_of_relative(model: Path, tmp_path: Path) -> None:
    y = load_network(model).predict(IMAGES)
    y[0] = (y[0] + 1) % 5
    np.savez(tmp_path / "data.npz", X=IMAGES, y=y)
    done = run("search", model, "--data", tmp_path / "data.npz", "--method", "kmeans", "--q-max", 3)
    assert "The network recognises 97.50 % before quantizing: --relative keeps a fraction of that." in done.stdout
