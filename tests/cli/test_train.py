"""`fewlevels train`: a network from samples, without any framework, that the other commands take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fewlevels import DenseConfig, load_dataset, load_networks, train_dense
from tests.cli.test_cli import run


def test_a_network_is_trained_searched_and_fine_tuned(tmp_path: Path) -> None:
    net = tmp_path / "net.npz"
    done = run("train", "digits8", "--hidden", "24,12", "--activation", "tanh", "--epochs", 8, "-o", net, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    training, test = load_dataset("digits8")
    expected = train_dense(training, DenseConfig(hidden=(24, 12), activation="tanh", epochs=8))
    assert told["test_recognition"] == expected.recognition(test)[0] > 0.9
    found = load_networks(net)
    np.testing.assert_array_equal(found.joint(), expected.joint())
    assert [one.name for one in found.activations] == ["tanh", "tanh", "softmax"]
    done = run(
        "search",
        net,
        "--data",
        "digits8",
        "--test",
        "digits8",
        "--method",
        "kmeans,qat:ternary",
        "--alpha",
        0.97,
        "--relative",
        "--share",
        "layer",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    _, tuned = json.loads(done.stdout)["methods"]
    assert tuned["solved_fraction"] == 1.0 and tuned["q_median"] == 2.0
    assert tuned["recognition_trace"][1] >= 0.97 * told["test_recognition"]


def test_a_file_of_samples_is_trained_on_as_a_set_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=np.eye(3), y=[0, 1, 2])
    done = run(
        "train", tmp_path / "data.npz", "--hidden", "", "--batch", 3, "--epochs", 200, "-o", tmp_path / "net.npz"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "recognises 100.00% of 3 samples"
    assert load_networks(tmp_path / "net.npz").shapes == [(3, 3)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--hidden", "a"], "--hidden must be whole numbers with commas between, got 'a'"),
        (["--activation", "swish"], "the activation of a hidden layer must be"),
        (["--epochs", "-1"], "epochs must be"),
        (["--learning-rate", "1e30"], "a smaller learning_rate than 1e+30 would stay in it"),
    ],
)
def test_what_cannot_be_trained_is_said_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    done = run("train", "digits5", "-o", tmp_path / "net.npz", *arguments)
    assert done.returncode in (1, 2) and sentence in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "net.npz").exists()
    done = run("train", "digits5", "-o", tmp_path / "net.onnx")
    assert done.returncode == 2 and "--out must end in .npz" in done.stderr
