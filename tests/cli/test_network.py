"""`fewlevels network`: what it says of a trained network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_cli import run

pytest.importorskip("onnxruntime")


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """Two inputs, of which the larger one is the class."""
    np.savez(
        tmp_path / "net.npz",
        W1=np.eye(2),
        b1=np.zeros(2),
        W2=2 * np.eye(2),
        b2=np.zeros(2),
        activations=np.array(["relu", "softmax"]),
    )
    np.savez(tmp_path / "data.npz", X=np.array([[3.0, 1.0], [1.0, 2.0], [0.5, 2.0]]), y=np.array([0, 1, 0]))
    return tmp_path


def test_layers_devices_and_recognition_are_said(net: Path) -> None:
    done = run("network", net / "net.npz", "--data", net / "data.npz", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["recognition"] == 2 / 3 and found["weights"] == 8 and found["devices"] == 16
    assert found["parameters"] == 12 and found["input_shape"] == [2]
    assert [layer["activation"] for layer in found["layers"]] == ["Relu", "Softmax"]
    assert [layer["multiply_accumulates"] for layer in found["layers"]] == [4, 4]
    assert [layer["weight_range"] for layer in found["layers"]] == [1, 2]


def test_the_page_says_the_same(net: Path) -> None:
    said = run("network", net / "net.npz", "--data", net / "data.npz").stdout
    assert "8 weights in 2 layers, 16 devices as differential pairs, input 2" in said
    assert "recognises 66.67 % of 3 samples" in said and "of 12 parameters 8 are weights, 4 biases stay digital" in said


def test_a_layer_can_stay_digital(net: Path) -> None:
    found = json.loads(run("network", net / "net.npz", "--keep-digital", "layer1", "--json").stdout)
    assert [layer["name"] for layer in found["layers"]] == ["layer2"]
    assert found["parameters"] == 12 and sum(found["parameters_digital"].values()) == 6


def test_data_without_labels_are_counted(net: Path) -> None:
    np.save(net / "x.npy", np.ones((5, 2)))
    assert "5 samples without labels" in run("network", net / "net.npz", "--data", net / "x.npy").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.onnx"], "nothing.onnx"),
        (["net.npz", "--activation", "relu"], "2 layers and 1 activation"),
        (["net.npz", "--keep-digital", "layer9"], "no layer or node is named 'layer9'"),
        (["net.npz", "--data", "digits5"], "takes samples of shape (2,), got (25,)"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(net: Path, arguments: list[str], message: str) -> None:
    done = run("network", *[net / each if each.endswith(".npz") else each for each in arguments])
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and message in done.stderr


def test_what_is_assumed_is_said(tmp_path: Path) -> None:
    """Units without names, channels that stand last, and a network that tells nothing of the samples."""
    np.savez(tmp_path / "bare.npz", W1=np.eye(3), W2=np.eye(3))
    np.savez(tmp_path / "data.npz", X=np.eye(3), y=[1, 2, 0])
    sentence = f"{tmp_path / 'bare.npz'} names no activations: its units are taken for sigmoids."
    done = run("network", tmp_path / "bare.npz", "--data", tmp_path / "data.npz", "--json")
    remarks = json.loads(done.stdout)["remarks"]
    assert remarks[0] == sentence
    assert remarks[1].endswith("with its classes in another order it would be 100.00 %.")
    assert sentence in run("network", tmp_path / "bare.npz").stdout
    assert (
        json.loads(run("network", tmp_path / "bare.npz", "--activation", "relu,softmax", "--json").stdout)["remarks"]
        == []
    )


def test_units_that_only_a_graph_has_are_described(tmp_path: Path) -> None:
    """A softmax of a hidden layer is no stacked network's."""
    np.savez(tmp_path / "net.npz", W1=np.eye(2), W2=np.eye(2), activations=np.array(["softmax", "softmax"]))
    done = run("network", tmp_path / "net.npz", "--json")
    assert done.returncode == 0, done.stderr
    assert [layer["activation"] for layer in json.loads(done.stdout)["layers"]] == ["Softmax", "Softmax"]
