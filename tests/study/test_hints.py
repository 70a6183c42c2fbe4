"""Hints: a network that recognises far too little says what would help; one that works says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewlevels import DenseConfig, Network, Networks, load_dataset, train_dense
from fewlevels.study.hints import hint, other_units
from fewlevels.study.inputs import read_inputs
from fewlevels.study.reading import Reading

TRAINING, TEST = load_dataset("digits8")
X, Y = TEST.x, TEST.y.astype(np.intp)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return train_dense(TRAINING, DenseConfig(hidden=(16,), epochs=10))


@pytest.mark.parametrize("whole", [False, True], ids=["stack", "graph"])
def test_a_network_that_works_says_nothing(networks: Networks, whole: bool) -> None:
    pytest.importorskip("onnxruntime")
    assert hint(Network.from_networks(networks) if whole else networks, X, Y, 10) == ""


def test_another_order_of_the_classes_is_named(networks: Networks) -> None:
    order = np.roll(np.arange(10), 3)
    said = hint(networks, X, order[Y], 10)
    assert said.startswith("It recognises ") and "where chance is 10.00 %; with its classes in another order" in said
    assert float(said.split("it would be ")[1].split(" %")[0]) > 90


def test_another_scale_of_the_inputs_is_named() -> None:
    """A network of inputs from 0 to 1 with large biases, which inputs of 0 to 255 drown."""
    pytest.importorskip("onnxruntime")
    w, b = np.vstack([np.eye(3), -np.eye(3)]), np.array([0.0, 0.0, 0.3])
    network = Networks.from_weights([w], biases=[b], activations=["softmax"])
    rng = np.random.default_rng(1)
    x = rng.random((200, 6)) / 100
    y = np.asarray(network.labelled(255 * x).y, np.intp)
    assert (network.labelled(x).y == 2).all()
    said = hint(network, x, y, 3)
    assert "with inputs multiplied by 255" in said


def test_where_nothing_helps_all_that_may_be_wrong_is_named(networks: Networks) -> None:
    rng = np.random.default_rng(2)
    said = hint(networks, X, rng.integers(0, 10, len(X)), 10)
    assert "its inputs may be meant on another scale, its classes in another order" in said


def test_relus_that_are_taken_for_sigmoids_are_named(networks: Networks, tmp_path: Path) -> None:
    bare = Networks(networks.weights)
    relus = replace(bare, activations=networks.activations)
    both = [one.recognition(TEST)[0] for one in (bare, relus)]
    assert both[1] - both[0] > 0.15
    assert other_units(relus, X, Y) == ""
    np.savez(tmp_path / "net.npz", W1=networks.weights[0][0], W2=networks.weights[1][0])
    remarks = " ".join(read_inputs(tmp_path / "net.npz", "digits8", model="best").remarks)
    assert "its units are taken for sigmoids" in remarks and "With relu units it would recognise" in remarks
    assert "--activation relu,softmax" in remarks


def test_a_layer_that_stays_digital_takes_no_word_from_what_is_said(tmp_path: Path) -> None:
    """The last layer on a crossbar has fewer columns than there are classes."""
    pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(3)
    np.savez(tmp_path / "net.npz", W1=rng.normal(size=(64, 8)), W2=rng.normal(size=(8, 10)))
    remarks = " ".join(read_inputs(tmp_path / "net.npz", "digits8", reading=Reading(keep_digital=("layer2",))).remarks)
    assert "its units are taken for sigmoids" in remarks
    assert "It recognises " in remarks and ", where chance is 10.00 %" in remarks
