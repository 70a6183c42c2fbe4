"""Keras 2's `.h5`, written here as Keras 2 lays it out, against loops in NumPy: no Keras is needed for it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewlevels.errors import NetworksError
from fewlevels.networks.importers.load import load_network
from tests.support.onnx_models import assert_close

h5py = pytest.importorskip("h5py")
RNG = np.random.default_rng(4)
VERSION = "2.3.0-tf"

Weights = Mapping[str, np.ndarray]


def write_h5(path: Path, config: Mapping[str, Any], weights: Mapping[str, Weights], version: str = VERSION) -> None:
    """weights: by the layer's name, or that of a model within, its arrays by their names, as dense/kernel:0."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = version, "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        groups = file.create_group("model_weights")
        groups.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, arrays in weights.items():
            group = groups.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, array in arrays.items():
                group.create_dataset(name, data=array)


def sequential(layers: Sequence[Mapping[str, Any]], name: str = "net") -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, "dtype": "float32", **config}}


def dense(name: str, units: int, activation: str = "linear", **config: Any) -> dict[str, Any]:
    return layer("Dense", name, units=units, activation=activation, use_bias=True, **config)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def of_dense(name: str, fan_in: int, fan_out: int) -> dict[str, np.ndarray]:
    return {f"{name}/kernel:0": normal(fan_in, fan_out) / fan_in**0.5, f"{name}/bias:0": normal(fan_out)}


@pytest.mark.parametrize("attribute", ["weight_names", "model_config"])
def test_a_text_that_says_to_be_longer_than_the_file_is_refused(attribute: str, tmp_path: Path) -> None:
    """HDF5 would reserve 2 GB for it; here nothing is."""
    config = sequential([dense("one", 4, batch_input_shape=[None, 5])])
    write_h5(tmp_path / "net.h5", config, {"one": of_dense("one", 5, 4)})
    with h5py.File(tmp_path / "net.h5", "a") as file:
        names = ["one/kernel:0", "one/bias:0"]
        file["model_weights/one"].attrs.create("weight_names", names, dtype=h5py.string_dtype())
        length = len(names[0]) if attribute == "weight_names" else len(file.attrs["model_config"])
    load_network(tmp_path / "net.h5")
    content = bytearray((tmp_path / "net.h5").read_bytes())
    at = content.index(length.to_bytes(4, "little"), content.index(attribute.encode() + b"\0"))
    content[at : at + 4] = (2**31).to_bytes(4, "little")
    (tmp_path / "net.h5").write_bytes(content)
    with pytest.raises(NetworksError, match="is damaged: a text of it is longer than the file"):
        load_network(tmp_path / "net.h5")


def test_an_attribute_that_says_to_be_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    config = sequential([dense("one", 4, batch_input_shape=[None, 5])])
    write_h5(tmp_path / "net.h5", config, {"one": of_dense("one", 5, 4)})
    with h5py.File(tmp_path / "net.h5", "a") as file:
        group = file["model_weights/one"]
        group.attrs.create("weight_names", ["one/kernel:0", "one/bias:0"] + [""] * 1000, dtype=h5py.string_dtype())
    content = (tmp_path / "net.h5").read_bytes()
    long = content.replace((1002).to_bytes(8, "little"), (10**9).to_bytes(8, "little"))
    assert long != content
    (tmp_path / "net.h5").write_bytes(long)
    with pytest.raises(NetworksError, match="damaged"):
        load_network(tmp_path / "net.h5")


@pytest.mark.parametrize(("version", "slope"), [("2.3.0-tf", 0.2), ("2.15.0", 0.2), ("3.4.1", 1 / 6)])
def test_a_hard_sigmoid_is_that_of_its_version(version: str, slope: float, tmp_path: Path) -> None:
    held = of_dense("one", 5, 4), of_dense("two", 4, 3)
    config = sequential([dense("one", 4, "hard_sigmoid", batch_input_shape=[None, 5]), dense("two", 3)])
    write_h5(tmp_path / "net.h5", config, {"one": held[0], "two": held[1]}, version)
    x = 3 * normal(20, 5)
    hidden = np.clip(slope * (x @ held[0]["one/kernel:0"] + held[0]["one/bias:0"]) + 0.5, 0, 1)
    assert 0 in hidden and 1 in hidden
    expected = hidden @ held[1]["two/kernel:0"] + held[1]["two/bias:0"]
    assert_close(load_network(tmp_path / "net.h5").outputs(x), expected)


def test_a_model_within_a_model_is_read_in_its_place(tmp_path: Path) -> None:
    """The inner model's weights stand in one group of its name, in the order of its layers."""
    inner = sequential([dense("a", 6, "relu", batch_input_shape=[None, 5]), dense("b", 4, "tanh")], "inner")
    config = sequential([layer("InputLayer", "in", batch_input_shape=[None, 5]), inner, dense("head", 3)])
    a, b, head = of_dense("a", 5, 6), of_dense("b", 6, 4), of_dense("head", 4, 3)
    write_h5(tmp_path / "net.h5", config, {"inner": {**a, **b}, "head": head})
    network, x = load_network(tmp_path / "net.h5"), normal(7, 5)
    hidden = np.tanh(np.maximum(x @ a["a/kernel:0"] + a["a/bias:0"], 0) @ b["b/kernel:0"] + b["b/bias:0"])
    assert_close(network.outputs(x), hidden @ head["head/kernel:0"] + head["head/bias:0"])
    assert [one.matrix.shape for one in network.layers] == [(5, 6), (6, 4), (4, 3)]


def test_an_autoencoder_with_normalisations_is_itself(tmp_path: Path) -> None:
    """As MLPerf Tiny's for machine sounds: dense layers, batch normalisation, ReLU, wide ends, a narrow middle."""
    widths = (64, 32, 32, 4, 32, 64)
    layers: list[dict[str, Any]] = [layer("InputLayer", "in", batch_input_shape=[None, 64])]
    weights: dict[str, dict[str, np.ndarray]] = {}
    x = value = normal(9, 64)
    last = len(widths) - 2
    for number, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        name, norm = f"dense_{number}", f"norm_{number}"
        weights[name] = own = of_dense(name, fan_in, fan_out)
        layers.append(dense(name, fan_out))
        value = value @ own[f"{name}/kernel:0"].astype(float) + own[f"{name}/bias:0"]
        if number == last:
            break
        gamma, beta, mean, variance = normal(fan_out), normal(fan_out), normal(fan_out), normal(fan_out) ** 2 + 0.1
        names = [f"{norm}/{part}:0" for part in ("gamma", "beta", "moving_mean", "moving_variance")]
        weights[norm] = dict(zip(names, (gamma, beta, mean, variance), strict=True))
        layers.append(
            layer("BatchNormalization", norm, axis=[1], epsilon=0.001, center=True, scale=True, momentum=0.99)
        )
        layers.append(layer("Activation", f"relu_{number}", activation="relu"))
        value = np.maximum(gamma * (value - mean) / np.sqrt(variance + 0.001) + beta, 0)
    write_h5(tmp_path / "net.h5", sequential(layers), weights)
    network = load_network(tmp_path / "net.h5")
    found = network.outputs(x)
    assert np.abs(found - value).max() <= 1e-5 * np.abs(value).max()
    assert network.parameters.total == sum(array.size for arrays in weights.values() for array in arrays.values())
    assert network.as_networks().activations[0].name == "relu"
