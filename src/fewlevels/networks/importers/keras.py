"""Keras: `.keras` and `.h5` files, read without TensorFlow or Keras, and models in memory.

A file holds the layers as JSON and their weights as HDF5. Keras keeps channels last, ONNX first: values of images are
kept channels first here, and turned where a layer sees their order.
"""

from __future__ import annotations

import functools
import graphlib
import io
import itertools
import json
import math
import mmap
import os
import struct
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fewlevels.common.extras import require
from fewlevels.common.words import printable
from fewlevels.errors import NetworksError
from fewlevels.networks.builder import Builder
from fewlevels.networks.network import Network

if TYPE_CHECKING:
    from onnx import ModelProto

LIBRARIES = ("onnx", "onnxruntime", "h5py")
EXPECTED = "a Keras file"

LARGEST_TEXT = 2**23
"""Bytes of the layers' text, at most; a thousand layers take one of these eight megabytes."""

FREE_BYTES = 2**25
"""Bytes that the weights may take together in however small a file."""

MOST_UNPACKED = 20
"""Times the size of the file that its weights may take; Keras does not pack them."""

HEAP = b"GCOL\x01\0\0\0"
"""How a heap of texts begins in an HDF5 file of version 1: its size, then pieces, each with its number and length."""

MODELS = ("Sequential", "Functional", "Model")

PRECISIONS = ("float32", "float64")
"""Of layers that are read. What is half precision in Keras would not give the same outputs here."""

Arrays = Sequence[npt.NDArray[Any]]

ATTRIBUTES = (b"weight_names", b"model_config", b"keras_version", b"name\0")
"""How the names of attributes that are read begin."""

VARIABLE_LENGTH = 9
"""The class of HDF5's types whose values lie elsewhere, as texts do."""

VERSION = "keras_version"
"""Where files tell the version of Keras that wrote them."""


@dataclass(frozen=True)
class Value:
    """A value of the graph. channels_first: whether its channels were moved to the second axis. axes: its number of
    axes, samples included."""

    name: str
    axes: int
    channels_first: bool = False


def read_keras(file: BinaryIO, called: str, *, is_zip: bool) -> ModelProto:
    """The model of an open `.keras` file, which is a zip, or `.h5` file, as ONNX. called: the file's name, for errors.
    Raises NetworksError where it is damaged, or holds a layer that is not read here.
    """
    require("networks", LIBRARIES, "a Keras file", NetworksError)
    try:
        config, weights = _from_zip(file, called) if is_zip else _from_h5(file, called)
    except NetworksError:
        raise
    except Exception as error:  # of zipfile, json and h5py: many kinds for damaged files
        raise NetworksError(f"{called} is no Keras file, or is damaged: {printable(error)}") from None
    return model_of(config, weights, called)


def from_keras(model: Any, *, keep_digital: Collection[str] = ()) -> Network:
    """The network of a Keras model in memory. keep_digital: see `load_network`. Raises NetworksError where it holds a
    layer that is not read here, or what cannot go on a crossbar.
    """
    require("networks", LIBRARIES, "a network of Keras", NetworksError)
    if not (hasattr(model, "to_json") and hasattr(model, "layers")):
        raise NetworksError(f"a Keras model is expected, got {type(model).__name__}")
    return Network.from_model(from_config(model), keep_digital=keep_digital)


def from_config(model: Any) -> ModelProto:
    """The model of a Keras model in memory, as ONNX."""
    return model_of(json.loads(model.to_json()), dict(_weights_of(model)), "the Keras model")


def model_of(config: Mapping[str, Any], weights: Mapping[str, Arrays], name: str) -> ModelProto:
    """config: of the model, as Keras writes it. weights: of each layer, in Keras's order, by its name, with the names
    of the models that it is in before it: inner/dense.
    """
    try:
        return _Reader(weights, name).model(config)
    except NetworksError:
        raise
    except Exception as error:  # of Python and onnx: many kinds for what Keras never wrote
        raise NetworksError(f"{name} is no Keras model that is read here: {printable(error)}") from None


class _Reader:
    def __init__(self, weights: Mapping[str, Arrays], name: str) -> None:
        self.weights, self.name = weights, name
        self.used: set[int] = set()  # the arrays that layers took, by identity
        self.builder = Builder([])
        self.is_keras_2 = False

    def model(self, config: Mapping[str, Any]) -> ModelProto:
        shape = _input_shape(config)
        self.is_keras_2 = str(config.get(VERSION, "")).startswith("2.")
        self.builder.sample_shape = shape
        output = self.run(config, [Value(self.builder.input, 1 + len(shape))])
        for name, arrays in self.weights.items():
            if any(id(array) not in self.used for array in arrays):
                raise NetworksError(f"{self.name} holds weights of {printable(name)!r}, which none of its layers uses")
        return self.builder.model(self.last(output).name)

    def run(self, config: Mapping[str, Any], given: list[Value], within: str = "") -> Value:
        """A whole model, or one within another, from its inputs to its output. within: the names of the models that it
        is in and its own, each with a / behind it.
        """
        kind, inner = config["class_name"], config["config"]
        if kind == "Sequential":
            value = given[0]
            for layer in _named_once(inner["layers"] if isinstance(inner, dict) else inner).values():
                value = self.layer(layer, [value], within)
            return value
        if kind not in MODELS:
            raise NetworksError(f"{self.name} is a {printable(kind)}; Sequential and Functional models are read")
        starts, ends = _tensors_in(inner["input_layers"]), _tensors_in(inner["output_layers"])
        if len(starts) != len(given) or len(ends) != 1:
            raise NetworksError(
                f"{self.name} takes {len(starts)} inputs and gives {len(ends)} outputs; one of each is read"
            )
        layers = _named_once(inner["layers"])
        inputs = {name: [] if name in starts else _inputs_of(layer) for name, layer in layers.items()}
        values = dict(zip(starts, given, strict=True))
        try:
            order = list(graphlib.TopologicalSorter(inputs).static_order())
        except graphlib.CycleError as error:
            raise NetworksError(
                f"{self.name} holds layers that wait for each other, as {printable(error.args[1][0])!r}"
            ) from None
        for name in order:
            if name not in values:
                values[name] = self.layer(layers[name], [values[each] for each in inputs[name]], within)
        return values[ends[0]]

    def layer(self, layer: Mapping[str, Any], given: list[Value], within: str) -> Value:
        kind, config = layer["class_name"], layer["config"]
        name = f"{within}{config['name']}" if kind not in MODELS else f"{within}{_name_of(layer)}"
        if kind in MODELS:
            return self.run(layer, given, f"{name}/")
        if kind not in LAYERS or layer.get("module") not in (None, "keras.layers"):
            raise NetworksError(
                f"{self.name}: layer {printable(name)!r} is a {printable(kind)}, which is not read from Keras files; "
                f"export the model to ONNX"
            )
        if config.get("data_format", "channels_last") not in ("channels_last", None):
            raise NetworksError(f"{self.name} keeps channels first; models with channels last are read")
        if (precision := _precision_of(config.get("dtype"))) not in PRECISIONS:
            raise NetworksError(
                f"{self.name}: layer {printable(name)!r} runs in {printable(precision)}; save the model in float32"
            )
        return LAYERS[kind](self, {**config, "name": name}, given)

    def arrays(self, config: Mapping[str, Any], count: int) -> Arrays:
        found = self.weights.get(config["name"], ())
        self.used |= set(map(id, found))
        if len(found) != count:
            raise NetworksError(
                f"{self.name}: layer {printable(config['name'])!r} needs {count} arrays of weights and has {len(found)}"
            )
        return found

    def first(self, value: Value) -> Value:
        """With channels first."""
        if value.channels_first or value.axes < 3:
            return value
        order = [0, value.axes - 1, *range(1, value.axes - 1)]
        return Value(self.builder.node("Transpose", [value.name], perm=order), value.axes, True)

    def last(self, value: Value) -> Value:
        """With channels last, as Keras means it."""
        if not value.channels_first:
            return value
        order = [0, *range(2, value.axes), 1]
        return Value(self.builder.node("Transpose", [value.name], perm=order), value.axes)

    def activated(self, value: Value, activation: Any, layer: str) -> Value:
        """activation: a name, or a function or a layer of activation as Keras writes it."""
        if isinstance(activation, dict) and activation["class_name"] in ACTIVATION_LAYERS:
            return LAYERS[activation["class_name"]](self, {**activation["config"], "name": layer}, [value])
        name = _activation_of(activation)
        if name in ("softmax", "log_softmax"):
            value = self.last(value)
        if name == "hard_sigmoid" and self.is_keras_2:  # Keras 3 made it x / 6 + 0.5
            return replace(value, name=self.builder.node("HardSigmoid", [value.name], alpha=0.2, beta=0.5))
        if name == "relu6":
            return replace(value, name=self._relu(value.name, 0.0, 6.0, 0.0))
        if name == "leaky_relu":
            return replace(value, name=self.builder.node("LeakyRelu", [value.name], alpha=0.2))
        if name in ("swish", "silu"):
            gate = self.builder.node("Sigmoid", [value.name])
            return replace(value, name=self.builder.node("Mul", [value.name, gate]))
        return replace(value, name=self.builder.activation(value.name, name, layer))

    def _relu(self, x: str, slope: float, largest: float | None, threshold: float) -> str:
        if threshold:
            raise NetworksError(f"{self.name} has a ReLU with a threshold, which is not read")
        x = self.builder.node("LeakyRelu", [x], alpha=slope) if slope else self.builder.node("Relu", [x])
        if largest is None:
            return x
        return self.builder.node("Min", [x, self.builder.constant(f"largest_{len(self.builder.nodes)}", largest)])

    # One method a kind of layer; each takes the layer's configuration and its inputs.

    def same(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        return given[0]

    def dense(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        arrays = self.arrays(config, 1 + bool(config["use_bias"]))
        value = self.last(given[0])
        bias = arrays[1] if config["use_bias"] else None
        found = self.builder.dense(value.name, config["name"], arrays[0], bias)
        return self.activated(replace(value, name=found), config["activation"], config["name"])

    def convolution(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        arrays = self.arrays(config, 1 + bool(config["use_bias"]))
        bias = arrays[1] if config["use_bias"] else None
        kernel = np.moveaxis(arrays[0], (-1, -2), (0, 1))  # (out, in of a group, along the kernel)
        value = self._convolved(config, given[0], config["name"], kernel, bias, config.get("groups", 1))
        return self.activated(value, config["activation"], config["name"])

    def depthwise(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        arrays = self.arrays(config, 1 + bool(config["use_bias"]))
        bias = arrays[1] if config["use_bias"] else None
        kernel, groups = _depthwise_kernel(arrays[0])
        value = self._convolved(config, given[0], config["name"], kernel, bias, groups)
        return self.activated(value, config["activation"], config["name"])

    def separable(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        arrays = self.arrays(config, 2 + bool(config["use_bias"]))
        kernel, groups = _depthwise_kernel(arrays[0])
        value = self._convolved(config, given[0], f"{config['name']}.depthwise", kernel, None, groups)
        pointwise = np.moveaxis(arrays[1], (-1, -2), (0, 1))
        plain = {"strides": 1, "dilation_rate": 1, "padding": "valid"}
        bias = arrays[2] if config["use_bias"] else None
        value = self._convolved(plain, value, f"{config['name']}.pointwise", pointwise, bias, 1)
        return self.activated(value, config["activation"], config["name"])

    def _convolved(
        self,
        config: Mapping[str, Any],
        value: Value,
        name: str,
        kernel: npt.NDArray[Any],
        bias: npt.NDArray[Any] | None,
        groups: int,
    ) -> Value:
        value, axes = self.first(value), kernel.ndim - 2
        stored = [self.builder.constant(f"{name}.weight", kernel)]
        stored += [] if bias is None else [self.builder.constant(f"{name}.offset", bias)]
        found = self.builder.node(
            "Conv",
            [value.name, *stored],
            name,
            group=groups,
            strides=_along(config["strides"], axes),
            dilations=_along(config["dilation_rate"], axes),
            **_padding(config, kernel.shape[2:]),
        )
        return replace(value, name=found)

    def normalisation(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        value = self.first(given[0])
        axis = config["axis"][0] if isinstance(config["axis"], list) else config["axis"]
        if axis not in (-1, value.axes - 1):
            raise NetworksError(
                f"{self.name}: layer {printable(config['name'])!r} normalises another axis than the channels"
            )
        gamma, beta = bool(config["scale"]), bool(config["center"])
        arrays = list(self.arrays(config, 2 + gamma + beta))
        size = len(arrays[-1])
        scale = arrays.pop(0) if gamma else np.ones(size)
        shift = arrays.pop(0) if beta else np.zeros(size)
        stored = [
            self.builder.constant(f"{config['name']}.{what}", each)
            for what, each in zip(("gamma", "beta", "mean", "variance"), (scale, shift, *arrays), strict=True)
        ]
        found = self.builder.node("BatchNormalization", [value.name, *stored], epsilon=float(config["epsilon"]))
        return replace(value, name=found)

    def activation(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        return self.activated(given[0], config["activation"], config["name"])

    def relu(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        slope, threshold = float(config.get("negative_slope") or 0), float(config.get("threshold") or 0)
        largest = config.get("max_value")
        found = self._relu(given[0].name, slope, None if largest is None else float(largest), threshold)
        return replace(given[0], name=found)

    def leaky_relu(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        slope = float(config.get("negative_slope", config.get("alpha", 0.3)))
        return replace(given[0], name=self.builder.node("LeakyRelu", [given[0].name], alpha=slope))

    def elu(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        return replace(given[0], name=self.builder.node("Elu", [given[0].name], alpha=float(config.get("alpha", 1.0))))

    def softmax(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        value = self.last(given[0])
        return replace(value, name=self.builder.node("Softmax", [value.name], axis=int(config.get("axis", -1))))

    def flatten(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        return Value(self.builder.node("Flatten", [self.last(given[0]).name], axis=1), 2)

    def reshape(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        target = [0, *config["target_shape"]]
        shape = self.builder.constant(f"{config['name']}.shape", target, np.int64)
        return Value(self.builder.node("Reshape", [self.last(given[0]).name, shape]), len(target))

    def permute(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        value = self.last(given[0])
        return replace(value, name=self.builder.node("Transpose", [value.name], perm=[0, *config["dims"]]))

    def max_pooling(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        return self._pooled("MaxPool", config, given[0])

    def average_pooling(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        return self._pooled("AveragePool", config, given[0])

    def _pooled(self, operator: str, config: Mapping[str, Any], value: Value) -> Value:
        value = self.first(value)
        axes = value.axes - 2
        size = _along(config["pool_size"], axes)
        strides = _along(config["strides"] or config["pool_size"], axes)
        found = self.builder.node(operator, [value.name], kernel_shape=size, strides=strides, **_padding(config))
        return replace(value, name=found)

    def global_average(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        return self._over_positions("ReduceMean", config, given[0])

    def global_max(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        return self._over_positions("ReduceMax", config, given[0])

    def _over_positions(self, operator: str, config: Mapping[str, Any], value: Value) -> Value:
        value, keep = self.first(value), bool(config.get("keepdims", False))
        found = self.builder.node(operator, [value.name], axes=list(range(2, value.axes)), keepdims=int(keep))
        return Value(found, value.axes, True) if keep else Value(found, 2)

    def zero_padding(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        value = self.first(given[0])
        padding = config["padding"]
        pairs = [(each, each) if isinstance(each, int) else each for each in padding]
        pairs = [tuple(padding)] if value.axes == 3 else pairs  # of one axis the two numbers themselves
        pads = [0, 0, *(before for before, _ in pairs), 0, 0, *(after for _, after in pairs)]
        stored = self.builder.constant(f"{config['name']}.pads", pads, np.int64)
        return replace(value, name=self.builder.node("Pad", [value.name, stored]))

    def rescaling(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        scale = self.builder.constant(f"{config['name']}.scale", config["scale"])
        offset = self.builder.constant(f"{config['name']}.offset", config["offset"])
        value = self.last(given[0])
        return replace(value, name=self.builder.node("Add", [self.builder.node("Mul", [value.name, scale]), offset]))

    def joined(self, operator: str) -> Callable[[Mapping[str, Any], list[Value]], Value]:
        def merge(config: Mapping[str, Any], given: list[Value]) -> Value:
            if len({value.axes for value in given}) > 1:
                raise NetworksError(f"{self.name}: layer {printable(config['name'])!r} joins values of different axes")
            values = self._alike(given)
            names = [value.name for value in values]
            found = names[0]
            for name in names[1:]:
                found = self.builder.node(operator, [found, name])
            return replace(values[0], name=found)

        return merge

    def _alike(self, given: list[Value]) -> list[Value]:
        turn = self.first if any(value.channels_first for value in given) else self.last
        return [turn(value) for value in given]

    def concatenate(self, config: Mapping[str, Any], given: list[Value]) -> Value:
        values = [self.last(value) for value in given]
        axis = int(config.get("axis", -1))
        return replace(values[0], name=self.builder.node("Concat", [value.name for value in values], axis=axis))


def _merging(operator: str) -> Callable[[_Reader, Mapping[str, Any], list[Value]], Value]:
    return lambda reader, config, given: reader.joined(operator)(config, given)


LAYERS: dict[str, Callable[[_Reader, Mapping[str, Any], list[Value]], Value]] = {
    **dict.fromkeys(
        (
            "InputLayer",
            "Dropout",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "AlphaDropout",
            "GaussianDropout",
            "GaussianNoise",
            "ActivityRegularization",
        ),
        _Reader.same,
    ),
    **dict.fromkeys(("Conv1D", "Conv2D", "Convolution2D"), _Reader.convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _Reader.depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _Reader.separable),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D"), _Reader.max_pooling),
    **dict.fromkeys(("AveragePooling1D", "AveragePooling2D"), _Reader.average_pooling),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalAveragePooling2D"), _Reader.global_average),
    **dict.fromkeys(("GlobalMaxPooling1D", "GlobalMaxPooling2D"), _Reader.global_max),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _Reader.zero_padding),
    "Dense": _Reader.dense,
    "BatchNormalization": _Reader.normalisation,
    "Activation": _Reader.activation,
    "ReLU": _Reader.relu,
    "LeakyReLU": _Reader.leaky_relu,
    "ELU": _Reader.elu,
    "Softmax": _Reader.softmax,
    "Flatten": _Reader.flatten,
    "Reshape": _Reader.reshape,
    "Permute": _Reader.permute,
    "Rescaling": _Reader.rescaling,
    "Add": _merging("Add"),
    "Subtract": _merging("Sub"),
    "Multiply": _merging("Mul"),
    "Maximum": _merging("Max"),
    "Minimum": _merging("Min"),
    "Concatenate": _Reader.concatenate,
}
"""What is read of Keras, by the layer's class."""

ACTIVATION_LAYERS = ("Activation", "ELU", "LeakyReLU", "ReLU", "Softmax")
"""Layers that may stand as the activation of another."""


class _Stored:
    """The arrays of an HDF5 file. What is linked from elsewhere is refused, what holds no real numbers left out."""

    def __init__(self, called: str, file_bytes: int) -> None:
        self.called, self.file_bytes = called, file_bytes
        self.bytes_left = FREE_BYTES + MOST_UNPACKED * file_bytes
        self.seen: set[Any] = set()

    def child(self, group: Any, name: str) -> Any:
        """What a group holds itself. Raises NetworksError for what is linked from elsewhere."""
        import h5py

        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise NetworksError(f"{self.called}: {printable(name)!r} is no part of the file, or a link")
        return group[name]

    def attribute(self, holder: Any, name: str) -> Any:
        """An attribute of a group or a dataset, None where it has none of this name. Raises NetworksError where it says
        to be larger than the file."""
        if name not in holder.attrs:
            return None
        declared = holder.attrs.get_id(name)
        if math.prod(declared.shape or ()) * declared.dtype.itemsize > self.file_bytes:
            raise NetworksError(f"{self.called} is damaged: {name} is larger than the file")
        return holder.attrs[name]

    def arrays(self, found: Iterable[Any]) -> Arrays:
        """Raises NetworksError where numbers do not lie in the file, or are more than it can hold."""
        import h5py

        arrays = []
        for data in found:
            if not isinstance(data, h5py.Dataset) or data.dtype.kind != "f":
                continue
            if data.external or data.is_virtual:
                raise NetworksError(f"{self.called}: {printable(data.name)!r} lies in another file")
            self.bytes_left -= data.nbytes
            if self.bytes_left < 0:
                raise NetworksError(f"{self.called}: {printable(data.name)!r} claims more than the file can hold")
            arrays.append(np.asarray(data[()]))
        return arrays

    def layers(self, group: Any, name: str, within: str = "") -> Iterator[tuple[str, Arrays]]:
        """The arrays of each layer within a group of a `.keras`: vars/0, 1 …; vars says what the layer is called."""
        import h5py

        if group in self.seen:
            raise NetworksError(f"{self.called}: {printable(name)!r} stands at two places")
        self.seen.add(group)
        if "vars" in group:
            stored = self.child(group, "vars")
            within += str(self.attribute(stored, "name") or name)
            yield within, self.arrays(self.child(stored, key) for key in sorted(stored, key=int))
            within += "/"
        for key in group:
            child = self.child(group, key)
            if key != "vars" and isinstance(child, h5py.Group):
                yield from self.layers(child, key, within)


def _from_zip(file: IO[bytes], called: str) -> tuple[dict[str, Any], dict[str, Arrays]]:
    import h5py

    size = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        config = json.loads(_member(archive, "config.json", LARGEST_TEXT, called))
        if "metadata.json" in archive.namelist():
            told = json.loads(_member(archive, "metadata.json", LARGEST_TEXT, called))
            config[VERSION] = str(told.get(VERSION, ""))
        content = _member(archive, "model.weights.h5", FREE_BYTES + MOST_UNPACKED * size, called)
    _require_heaps_that_end(content, called)
    _require_texts_that_fit(content, called)
    reader, weights = _Stored(called, size), dict[str, Arrays]()
    with h5py.File(io.BytesIO(content), "r") as stored:
        for key in ("layers", "_layer_checkpoint_dependencies"):  # the second by Keras of before 2023
            if key in stored:
                weights.update(reader.layers(reader.child(stored, key), key))
    return config, weights


def _from_h5(file: IO[bytes], called: str) -> tuple[dict[str, Any], dict[str, Arrays]]:
    """A layer's weights are those of the group of its name; of a layer in a model within, those that are named so."""
    import h5py

    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        _require_heaps_that_end(content, called)
        _require_texts_that_fit(content, called)
    reader, weights = _Stored(called, os.fstat(file.fileno()).st_size), dict[str, Arrays]()
    with h5py.File(file, "r") as stored:
        if "model_config" not in stored.attrs:
            raise NetworksError(f"{called} holds weights alone; save the whole model, model.save(…)")
        config = json.loads(reader.attribute(stored, "model_config"))
        config[VERSION] = _text(reader.attribute(stored, VERSION) or "")
        groups = reader.child(stored, "model_weights")
        for key in groups:
            group, inner = reader.child(groups, key), dict[str, list[npt.NDArray[Any]]]()
            for name in _weight_names(reader, group):
                parts = name.split("/")
                arrays = reader.arrays([functools.reduce(reader.child, parts, group)])
                within = parts[:-1] if parts[0] == key else [key, *parts[:-1]]
                for layer in {key, "/".join(within)}:
                    inner.setdefault(layer, []).extend(arrays)
            weights.update(inner)
    return config, weights


def _require_heaps_that_end(content: bytes | mmap.mmap, called: str) -> None:
    """Raises NetworksError where a heap of texts has free room of no size, which HDF5 would read without end."""
    place, pieces_left = content.find(HEAP), len(content) // 16  # heaps do not overlap
    while place >= 0:
        (size,) = struct.unpack_from("<Q", content, place + 8)
        piece, end = place + 16, min(place + size, len(content))
        while piece + 16 <= end:
            number, _, _, length = struct.unpack_from("<HHIQ", content, piece)
            pieces_left -= 1
            if number == length == 0 or pieces_left < 0:
                raise NetworksError(f"{called} is damaged: a heap of its texts does not end")
            piece += length if number == 0 else 16 + -(-length // 8) * 8
        place = content.find(HEAP, place + 1)


def _require_texts_that_fit(content: bytes | mmap.mmap, called: str) -> None:
    """Raises NetworksError where an attribute holds texts that say to be longer than the file, for which HDF5 would
    reserve memory before it looks for them.

    An attribute is a message of its own: version, flags, and the sizes of its name, its type and its space before these
    and its values (HDF5 file format, IV.A.2.m). Parts are filled up to 8 bytes in version 1.
    """
    for name in ATTRIBUTES:
        place = content.find(name)
        while place >= 0:
            for version, before in ((1, 8), (2, 8), (3, 9)):
                if place >= before and content[place - before] == version:
                    _require_values_that_fit(content, place, before, version, called)
            place = content.find(name, place + 1)


def _require_values_that_fit(content: bytes | mmap.mmap, place: int, before: int, version: int, called: str) -> None:
    """Of the attribute whose name is at this place, so far behind the beginning of its message."""
    sizes = struct.unpack_from("<3H", content, place - before + 2)
    filled = [-(-size // 8) * 8 if version == 1 else size for size in sizes]
    kind, values = place + filled[0], place + sum(filled)
    if values > len(content) or content[kind] & 0x0F != VARIABLE_LENGTH:
        return
    space = kind + filled[1]
    rank, sized_from = content[space + 1], space + (8 if content[space] == 1 else 4)
    if sized_from + 8 * rank > len(content):
        return
    count = math.prod(struct.unpack_from(f"<{rank}Q", content, sized_from))
    for number in range(min(count, (len(content) - values) // 16)):
        if struct.unpack_from("<I", content, values + 16 * number)[0] > len(content):
            raise NetworksError(f"{called} is damaged: a text of it is longer than the file")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _weight_names(reader: _Stored, group: Any) -> list[str]:
    """Keras cuts a list that is too long for one attribute."""
    pieces = itertools.takewhile(group.attrs.__contains__, (f"weight_names{n}" for n in itertools.count()))
    keys = ["weight_names"] if "weight_names" in group.attrs else list(pieces)
    found = [name for key in keys for name in reader.attribute(group, key)]
    return [_text(name) for name in found]


def _member(archive: zipfile.ZipFile, name: str, most: int, called: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise NetworksError(f"{called} is no Keras file: it holds no {name}") from None
    if info.file_size > most or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NetworksError(f"{called}: {name} unpacks to {info.file_size} bytes, more than is read")
    with archive.open(info) as member:
        content = member.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise NetworksError(f"{called}: {name} is not of the size that it claims")
    return content


def _weights_of(model: Any, within: str = "") -> Iterator[tuple[str, Arrays]]:
    """Of each layer of a model in memory, those of models within it too."""
    for layer in model.layers:
        name = f"{within}{layer.name}"
        if hasattr(layer, "layers"):
            yield from _weights_of(layer, f"{name}/")
        else:
            yield name, [np.asarray(each) for each in layer.get_weights()]


def _name_of(layer: Mapping[str, Any]) -> str:
    """Older files name a layer in its configuration alone."""
    return str(layer.get("name") or layer["config"]["name"])


def _named_once(layers: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    named = {_name_of(layer): layer for layer in layers}
    if len(named) < len(layers):
        names = [_name_of(layer) for layer in layers]
        twice = next(name for name in names if names.count(name) > 1)
        raise NetworksError(f"the Keras model names {printable(twice)!r} twice")
    return named


def _precision_of(dtype: Any) -> str:
    """Of a layer, by its name, or by a policy."""
    if isinstance(dtype, dict):
        dtype = dtype["config"]["name"]
    return "float32" if dtype is None else str(dtype)


def _input_shape(config: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Of one sample."""
    inner = config["config"]
    layers = inner["layers"] if isinstance(inner, dict) else inner
    for layer in layers:
        for key in ("batch_shape", "batch_input_shape"):
            if shape := layer["config"].get(key):
                return tuple(shape[1:])
        if layer["class_name"] in MODELS:
            return _input_shape(layer)
    built = inner.get("build_input_shape") if isinstance(inner, dict) else None
    if built:
        return tuple(built[1:])
    raise NetworksError("the Keras model does not say what shape its input has; build it before it is saved")


def _tensors_in(given: Any) -> list[str]:
    """Names of layers in any of the forms in which Keras lists tensors."""
    if isinstance(given, dict):
        history = given.get("config", {}).get("keras_history")
        return [history[0]] if history else [name for each in given.values() for name in _tensors_in(each)]
    if isinstance(given, list):
        if len(given) >= 3 and isinstance(given[0], str) and isinstance(given[1], int):
            return [given[0]]
        return [name for each in given for name in _tensors_in(each)]
    return []


def _inputs_of(layer: Mapping[str, Any]) -> list[str]:
    nodes, name = layer["inbound_nodes"], printable(_name_of(layer))
    if len(nodes) > 1:
        raise NetworksError(f"layer {name!r} is used {len(nodes)} times; export the model to ONNX")
    if any(options.get("training") for options in _options_in(nodes)):
        raise NetworksError(f"layer {name!r} is called in training mode; export the model to ONNX")
    return _tensors_in(nodes)


def _options_in(given: Any) -> Iterator[Mapping[str, Any]]:
    """The keyword arguments of a layer's call, in any of the forms in which Keras lists them."""
    for each in given:
        if isinstance(each, dict):
            yield each.get("kwargs", each)
        elif isinstance(each, list):
            yield from _options_in(each)


def _activation_of(given: Any) -> str:
    """The name of a function."""
    if isinstance(given, dict):
        inner = given["config"]
        return str(inner if isinstance(inner, str) else given["class_name"])
    return "linear" if given is None else str(given)


def _along(value: Any, axes: int) -> list[int]:
    return [int(value)] * axes if isinstance(value, int) else [int(each) for each in value]


def _padding(config: Mapping[str, Any], kernel: Sequence[int] = ()) -> dict[str, Any]:
    """ONNX's attributes of Keras's padding. kernel: its size along each axis, of a convolution."""
    kinds = {"same": "SAME_UPPER", "valid": "VALID"}
    if config["padding"] not in kinds:
        raise NetworksError(f"padding {printable(config['padding'])!r} is not read; export the model to ONNX")
    dilations = _along(config.get("dilation_rate", 1), len(kernel))
    if config["padding"] == "same" and max(dilations, default=1) > 1:  # which onnxruntime does not pad by itself
        zeros = [(size - 1) * dilation for size, dilation in zip(kernel, dilations, strict=True)]  # strides are 1
        return {"pads": [each // 2 for each in zeros] + [each - each // 2 for each in zeros]}
    return {"auto_pad": kinds[config["padding"]]}


def _depthwise_kernel(kernel: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
    """(along the kernel, in, of each) as (in x of each, 1, along the kernel), and the number of groups."""
    *along, channels, each = kernel.shape
    turned = np.moveaxis(kernel, (-2, -1), (0, 1)).reshape(channels * each, 1, *along)
    return turned, channels
