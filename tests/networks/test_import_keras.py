"""Keras models, saved and read again without Keras, and in memory: the same outputs, every parameter told of once."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytest.importorskip("h5py")

from fewlevels.errors import NetworksError  # noqa: E402
from fewlevels.networks.importers.keras import from_config  # noqa: E402
from fewlevels.networks.importers.load import load_network  # noqa: E402
from fewlevels.networks.network import Network  # noqa: E402
from tests.support.onnx_models import assert_close  # noqa: E402

L: Any = keras.layers


def scrambled(model: Any) -> Any:
    """With weights that are all different, those of normalisations too."""
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.2, 0.9, w.shape) * rng.choice([1, -1], w.shape) for w in model.get_weights()])
    for layer in model._flatten_layers():
        if isinstance(layer, L.BatchNormalization):
            layer.moving_variance.assign(np.abs(np.asarray(layer.moving_variance)))
    return model


def sequential(*layers: Any) -> Any:
    return scrambled(keras.Sequential(list(layers)))


def functional(shape: tuple[int, ...], build: Callable[[Any], Any]) -> Any:
    given = keras.Input(shape)
    return scrambled(keras.Model(given, build(given)))


def dense() -> Any:
    return sequential(
        L.Input((6,)),
        L.Dense(5, activation="relu"),
        L.BatchNormalization(),
        L.Dropout(0.5),
        L.Dense(4, use_bias=False),
        L.Activation("tanh"),
        L.Dense(3, activation=keras.activations.softmax),
    )


def image() -> Any:
    return sequential(
        L.Input((9, 8, 3)),
        L.ZeroPadding2D(((1, 0), (2, 1))),
        L.Conv2D(4, (3, 2), strides=2, padding="same", activation="relu"),
        L.BatchNormalization(scale=False),
        L.MaxPooling2D(2, padding="same"),
        L.Conv2D(6, 2, groups=2, padding="valid", use_bias=False),
        L.BatchNormalization(center=False),
        L.ReLU(max_value=6.0),
        L.Flatten(),
        L.Dense(3),
    )


def dilated() -> Any:
    return sequential(
        L.Input((12, 11, 2)),
        L.Conv2D(3, 3, dilation_rate=(2, 1), padding="same"),
        L.LeakyReLU(),
        L.Conv2D(3, 3, dilation_rate=2, padding="valid"),
        L.ELU(0.5),
        L.AveragePooling2D((2, 3), padding="same"),
        L.GlobalAveragePooling2D(),
        L.Dense(2),
    )


def depthwise() -> Any:
    return sequential(
        L.Input((10, 9, 3)),
        L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="relu"),
        L.SeparableConv2D(4, 3, depth_multiplier=2, strides=2, padding="same", activation="elu"),
        L.DepthwiseConv2D(2, strides=2, padding="valid", use_bias=False),
        L.SpatialDropout2D(0.1),
        L.GlobalMaxPooling2D(),
        L.Dense(2, activation="sigmoid"),
    )


def one_axis() -> Any:
    return sequential(
        L.Input((20, 3)),
        L.ZeroPadding1D((2, 1)),
        L.Conv1D(4, 3, strides=2, padding="same", activation="selu"),
        L.Conv1D(4, 2, dilation_rate=2, padding="valid", groups=2),
        L.DepthwiseConv1D(3, depth_multiplier=2, padding="same"),
        L.SeparableConv1D(5, 2, activation="softplus"),
        L.BatchNormalization(),
        L.MaxPooling1D(2),
        L.AveragePooling1D(2, padding="same"),
        L.Dense(4, activation="softsign"),
        L.GlobalAveragePooling1D(),
    )


def branches() -> Any:
    def build(x: Any) -> Any:
        x = L.Rescaling(1 / 3, offset=-0.5)(x)
        a = L.Conv2D(4, 3, padding="same", activation="relu")(x)
        b = L.Conv2D(4, 1, padding="same")(x)
        c = L.Add()([a, b, a])
        d = L.Concatenate()([c, L.Activation("gelu")(b)])
        e = L.Multiply()([L.Conv2D(8, 1, activation="hard_sigmoid")(d), d])
        f = L.Subtract()([L.Maximum()([e, d]), L.Minimum()([e, d])])
        g = L.Concatenate(axis=1)([f, L.Softmax()(f)])
        h = L.Permute((2, 1, 3))(g)
        return L.Dense(3, activation="log_softmax")(L.Reshape((-1,))(h))

    return functional((6, 5, 3), build)


def squeezed() -> Any:
    """A factor of each channel, as squeeze-and-excitation has it."""

    def build(x: Any) -> Any:
        a = L.Conv2D(4, 3, padding="same", activation="swish")(x)
        s = L.GlobalAveragePooling2D(keepdims=True)(a)
        s = L.Conv2D(4, 1, activation="sigmoid")(s)
        t = L.Reshape((1, 1, 4))(L.Dense(4)(L.GlobalAveragePooling2D()(a)))
        return L.Flatten()(L.Add()([L.Multiply()([a, s]), t]))

    return functional((5, 4, 3), build)


def nested() -> Any:
    """A model within a model within a model, whose layers have the same names and sizes."""
    inner = keras.Sequential([L.Input((6,)), L.Dense(6, name="same"), L.BatchNormalization(name="norm")], name="inner")
    given = keras.Input((6,))
    middle = keras.Model(given, L.Dense(6, name="same", activation="tanh")(inner(given)), name="middle")

    def build(x: Any) -> Any:
        x = L.Dense(6, name="same", activation="relu")(x)
        return L.Dense(3, name="last")(L.BatchNormalization(name="norm")(middle(x)))

    return functional((6,), build)


def activations() -> Any:
    names = ("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "hard_sigmoid")
    names += ("softplus", "softsign", "exponential", "linear", "hard_silu", "log_softmax", "softmax")
    return sequential(
        L.Input((5,)),
        *(L.Dense(5, activation=name) for name in names[:8]),
        *(L.Activation(name) for name in names),
        L.Dense(4, activation=keras.layers.LeakyReLU(negative_slope=0.3)),
        L.Dense(4, activation=keras.layers.ReLU(max_value=2.0, negative_slope=0.1)),
        L.Dense(4, activation=keras.layers.ELU(alpha=0.3)),
        L.Dense(4, activation=keras.activations.tanh),
        L.ReLU(negative_slope=0.2),
        L.Softmax(),
    )


def dense_of_positions() -> Any:
    return sequential(L.Input((4, 3)), L.Dense(5, activation="relu"), L.Dense(2), L.Flatten(), L.Dense(2))


MODELS = (dense, image, dilated, depthwise, one_axis, branches, squeezed, nested, activations, dense_of_positions)


def expected_of(model: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(x, verbose=0))


def samples_of(model: Any) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(4, *model.input_shape[1:])).astype(np.float32)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("make", MODELS)
def test_a_model_that_was_saved_gives_the_same_outputs(make: Callable[[], Any], suffix: str, tmp_path: Path) -> None:
    model = make()
    model.save(tmp_path / f"model{suffix}")
    network, x = load_network(tmp_path / f"model{suffix}"), samples_of(model)
    assert_close(network.outputs(x), expected_of(model, x))
    added = network.parameters.total - model.count_params()
    assert 0 <= added <= 40  # gamma or beta where Keras has none, and constants of activations


@pytest.mark.parametrize("make", MODELS)
def test_a_model_in_memory_gives_the_same_outputs(make: Callable[[], Any]) -> None:
    model = make()
    x = samples_of(model)
    assert_close(Network.from_model(from_config(model)).outputs(x), expected_of(model, x))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_that_was_trained_is_read_without_its_optimizer(suffix: str, tmp_path: Path) -> None:
    model = dense()
    model.compile(optimizer="adam", loss="mse")
    x = samples_of(model)
    model.fit(x, np.ones((4, 3)), verbose=0)
    model.save(tmp_path / f"model{suffix}")
    network = load_network(tmp_path / f"model{suffix}")
    assert_close(network.outputs(x), expected_of(model, x))
    assert network.parameters.total == model.count_params()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_layers_that_were_frozen_are_read_in_their_order(suffix: str, tmp_path: Path) -> None:
    model = nested()
    for layer in model._flatten_layers():
        if layer.name == "norm":
            layer.trainable = False
    model.save(tmp_path / f"model{suffix}")
    x = samples_of(model)
    assert_close(load_network(tmp_path / f"model{suffix}").outputs(x), expected_of(model, x))


def test_names_of_layers_are_kept(tmp_path: Path) -> None:
    nested().save(tmp_path / "model.keras")
    assert [layer.name for layer in load_network(tmp_path / "model.keras").layers] == [
        "same",
        "middle/inner/same",
        "middle/same",
        "last",
    ]


def ops(build: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: functional((6,), build)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a product with a number": (ops(lambda x: L.Dense(3)(x) * 2.0), "multiply"),
    "a difference from a number": (ops(lambda x: 1.0 - L.Dense(3)(x)), "subtract"),
    "a function of arrays": (
        ops(lambda x: keras.ops.concatenate([L.Dense(3)(x), L.Dense(3)(x)], axis=0)),
        "concatenate",
    ),
    "a recurrent layer": (lambda: sequential(L.Input((4, 3)), L.LSTM(2, name="memory"), L.Dense(2)), "memory"),
    "a gated layer": (lambda: sequential(L.Input((4, 3)), L.GRU(2, name="memory"), L.Dense(2)), "memory"),
    "a transposed convolution": (
        lambda: sequential(L.Input((4, 4, 3)), L.Conv2DTranspose(2, 3, name="up"), L.Flatten()),
        "up",
    ),
    "a convolution of three axes": (
        lambda: sequential(L.Input((4, 4, 4, 3)), L.Conv3D(2, 3, name="deep"), L.Flatten()),
        "deep",
    ),
    "attention": (lambda: functional((4, 3), lambda x: L.MultiHeadAttention(2, 2, name="look")(x, x)), "look"),
    "causal padding": (lambda: sequential(L.Input((9, 3)), L.Conv1D(2, 3, padding="causal")), "causal"),
    "channels first": (
        lambda: sequential(L.Input((3, 9)), L.Conv1D(2, 3, data_format="channels_first")),
        "channels first",
    ),
    "a layer that is used twice": (
        lambda: functional((6,), lambda x: (lambda layer: layer(layer(x)))(L.Dense(6, name="twice"))),
        "twice",
    ),
    "values of different numbers of axes": (
        lambda: functional(
            (4, 4, 3), lambda x: L.Multiply(name="mixed")([L.Conv2D(4, 1)(x), L.Dense(4)(L.GlobalMaxPooling2D()(x))])
        ),
        "mixed",
    ),
    "an activation that is not known": (lambda: sequential(L.Input((4,)), L.Dense(3, activation="mish")), "mish"),
    "half precision": (
        lambda: sequential(L.Input((4,)), L.Dense(3, dtype="mixed_float16", name="half"), L.Dense(2)),
        "half",
    ),
    "normalisation in training mode": (
        lambda: functional((4,), lambda x: L.BatchNormalization(name="norm")(L.Dense(3)(x), training=True)),
        "norm",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_is_refused_by_the_name_of_the_layer(case: str, tmp_path: Path) -> None:
    make, named = REFUSED[case]
    model = make()
    model.save(tmp_path / "model.keras")
    with pytest.raises(NetworksError, match=named):
        load_network(tmp_path / "model.keras")
    with pytest.raises(NetworksError, match=named):
        Network.from_model(from_config(model))


def test_a_layer_of_another_package_is_not_taken_for_one_of_keras(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("own")
    class Dense(L.Dense):  # type: ignore[name-defined,misc]
        def call(self, x: Any) -> Any:
            return 2 * super().call(x)

    sequential(L.Input((4,)), Dense(3, name="double")).save(tmp_path / "model.keras")
    with pytest.raises(NetworksError, match="double"):
        load_network(tmp_path / "model.keras")


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The file with another configuration."""
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(held["config.json"])
    change(config)
    held["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    return path


def test_weights_that_no_layer_uses_are_not_left_out_silently(tmp_path: Path) -> None:
    dense().save(tmp_path / "model.keras")
    rewritten(tmp_path / "model.keras", lambda config: config["config"]["layers"].pop(1))
    with pytest.raises(NetworksError, match="weights"):
        load_network(tmp_path / "model.keras")


def test_two_layers_of_one_name_are_refused(tmp_path: Path) -> None:
    model = branches()
    model.save(tmp_path / "model.keras")

    def change(config: dict[str, Any]) -> None:
        layers = config["config"]["layers"]
        layers.append(layers[2])

    rewritten(tmp_path / "model.keras", change)
    with pytest.raises(NetworksError, match="twice"):
        load_network(tmp_path / "model.keras")


def test_layers_in_any_order_are_read(tmp_path: Path) -> None:
    model = branches()
    model.save(tmp_path / "model.keras")
    rewritten(tmp_path / "model.keras", lambda config: config["config"]["layers"].reverse())
    x = samples_of(model)
    assert_close(load_network(tmp_path / "model.keras").outputs(x), expected_of(model, x))


def test_layers_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    branches().save(tmp_path / "model.keras")

    def change(config: dict[str, Any]) -> None:
        layers = config["config"]["layers"]
        layers[2]["inbound_nodes"] = layers[-1]["inbound_nodes"]

    rewritten(tmp_path / "model.keras", change)
    with pytest.raises(NetworksError, match="wait for each other"):
        load_network(tmp_path / "model.keras")


def test_a_file_of_weights_alone_says_what_to_save(tmp_path: Path) -> None:
    dense().save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(NetworksError, match=r"save the whole model"):
        load_network(tmp_path / "model.weights.h5")


def test_weights_of_the_wrong_shape_are_refused(tmp_path: Path) -> None:
    import h5py

    model = dense()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO(held["model.weights.h5"])
    with h5py.File(buffer, "r+") as stored:
        group = stored["layers/dense/vars"]
        del group["0"]
        group["0"] = np.ones((7, 5), np.float32)
    held["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    with pytest.raises(NetworksError):
        load_network(tmp_path / "model.keras").outputs(samples_of(model))
