"""Network: one trained network of any kind, its layers of weights taken out as matrices.

It is a graph in ONNX's terms. Layers of weights can be changed; everything else stays digital and is run by
onnxruntime as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, real_array, shown
from fewlevels.common.words import printable
from fewlevels.errors import NetworksError
from fewlevels.networks.chains import model_of, networks_of
from fewlevels.networks.graph import Graph, Parameters, read_graph
from fewlevels.networks.layer import Layer
from fewlevels.networks.networks import Networks
from fewlevels.networks.session import Session
from fewlevels.samples.samples import Samples

if TYPE_CHECKING:
    from onnx import ModelProto

MONOTONE = ("Softmax", "LogSoftmax", "Sigmoid")
"""Activations of the last layer that leave the order of outputs as it is, but for rounding."""


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network. Made by `load_network`, `from_torch`, `from_keras`, `from_sklearn` or `from_networks`.

    layers: its layers of weights, in the order of the graph.
    """

    graph: Graph
    layers: tuple[Layer, ...]

    @classmethod
    def from_model(cls, model: ModelProto, *, keep_digital: Collection[str] = ()) -> Network:
        """From an ONNX model in memory. keep_digital: names of layers or nodes that stay digital. Raises NetworksError
        for what cannot go on a crossbar and is not kept.
        """
        graph = read_graph(model, keep_digital)
        return cls(graph, graph.layers)

    @classmethod
    def from_networks(cls, networks: Networks, model: int = 0) -> Network:
        """One of stacked networks, in double precision. Raises NetworksError where there is no such one."""
        return cls.from_model(model_of(networks, model))

    def as_networks(self) -> Networks:
        """The network as a stack of one. Raises NetworksError where it is not dense layers one after the other."""
        return networks_of(self.graph, self.layers)

    def __repr__(self) -> str:
        weights = sum(layer.weights for layer in self.layers)
        return f"<Network: {len(self.layers)} layers of {weights} weights, input {self.input_shape}>"

    def __getitem__(self, name: str) -> Layer:
        """The layer of this name. Raises NetworksError where there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise NetworksError(
            f"no layer is named {printable(name)!r}; there are {printable(', '.join(one.name for one in self.layers))}"
        )

    @property
    def parameters(self) -> Parameters:
        """Where the parameters of the file went."""
        return self.graph.parameters

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of one sample; None along an axis that may be of any size."""
        return self._session.sample_shape

    def outputs(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """The network's outputs, (samples, …), in its own precision. x: (samples, …), of the input's shape or flat.

        Raises NetworksError where x does not fit.
        """
        return self._run(x, [self._output])[0]

    def scores(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """Outputs whose largest decides, (samples, classes): those before a last softmax or sigmoid, where nothing
        saturates. Raises NetworksError where the network does not tell classes.
        """
        found = self._run(x, [self._scores])[0]
        found = found.reshape(len(found), -1) if found.ndim > 2 and 1 in found.shape[1:] else found
        if found.ndim != 2:
            raise NetworksError(f"the network's output of shape {found.shape[1:]} tells no classes")
        return found

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The class of each sample, (samples,): that of the largest output; of one output, class 1 where it is above
        0 before its sigmoid.
        """
        scores = self.scores(x)
        return np.asarray((scores[:, 0] > 0) if scores.shape[1] == 1 else scores.argmax(axis=1), np.intp)

    def recognised(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """Which samples the network recognises, (samples,)."""
        own, others = self.own_and_others(samples)
        return np.asarray(own > others)

    def own_and_others(self, samples: Samples) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Of the scores of each sample that of its own class, and the largest other one; both (samples,). Of one output
        the score of class 0 is 0. Raises NetworksError where samples do not fit.
        """
        instance("samples", samples, Samples, NetworksError)
        scores = self.scores(samples.x if samples.shape is None else samples.x.reshape(-1, *samples.shape))
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        if len(samples.classes) > scores.shape[1]:
            raise NetworksError(f"a network of {scores.shape[1]} classes cannot tell samples of {len(samples.classes)}")
        at = samples.y[:, None].astype(np.intp)
        own = np.take_along_axis(scores, at, axis=1)[:, 0]
        np.put_along_axis(scores, at, -np.inf, axis=1)
        return own, scores.max(axis=1)

    def labelled(self, x: npt.ArrayLike) -> Samples:
        """x as samples of the classes that the network itself tells: what a changed network recognises of them is its
        agreement with this one. x: as for `outputs`.
        """
        x = real_array("x", x, NetworksError)
        decided, count = self.predict(x), self.scores(x[:1]).shape[1]
        names = tuple(map(str, range(max(count, 2))))
        return Samples(x.reshape(len(x), -1), decided, names, shape=x.shape[1:] if x.ndim > 2 else None)

    def recognition(self, samples: Samples) -> float:
        """The fraction of samples that the network recognises."""
        return float(self.recognised(samples).mean())

    def agreement(self, other: Network, x: npt.ArrayLike) -> float:
        """The fraction of samples that both networks put into the same class. x: as for `outputs`."""
        return float((self.predict(x) == other.predict(x)).mean())

    def with_weights(
        self, weights: Mapping[str, npt.ArrayLike], biases: Mapping[str, npt.ArrayLike | None] | None = None
    ) -> Network:
        """The network with other weights: by a layer's name a matrix (fan_in, fan_out), and a bias (fan_out,).

        Raises NetworksError for a name that is not there, or an array that does not fit.
        """
        biases = biases or {}
        for name in {**weights, **biases}:
            self[name]
        return replace(self, layers=tuple(_changed(layer, weights, biases) for layer in self.layers))

    def layer_inputs(self, x: npt.ArrayLike) -> dict[str, npt.NDArray[Any]]:
        """What each layer sees, by its name: (samples, …) as it enters the layer. x: as for `outputs`."""
        values = [self.graph.inputs_of[layer.name] for layer in self.layers]
        session = self._session_with([value for value in dict.fromkeys(values) if value != self._input])
        x = self._fitted(x)
        wanted = list(dict.fromkeys(value for value in values if value != self._input))
        found = dict(zip(wanted, session.run(x, wanted), strict=True)) if wanted else {}
        found[self._input] = x
        return {layer.name: found[value] for layer, value in zip(self.layers, values, strict=True)}

    def multiply_accumulates(self) -> dict[str, int]:
        """How many multiplications each layer takes for one sample, by its name. Raises NetworksError where samples may
        be of any size.
        """
        if None in self.input_shape:
            raise NetworksError(f"the network takes samples of any size, {self.input_shape}; their shape decides")
        outputs = [self.graph.outputs_of[layer.name] for layer in self.layers]
        session = self._session_with(outputs)
        found = session.run(np.zeros((1, *map(int, filter(None, self.input_shape)))), outputs)
        return {
            layer.name: layer.weights * (value.size // layer.matrix.shape[1])
            for layer, value in zip(self.layers, found, strict=True)
        }

    def to_onnx(self, path: str | Path) -> None:
        """Write the network, its present weights in it, as one ONNX file."""
        from fewlevels.storage.files import write_file

        write_file(Path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """What `to_onnx` writes."""
        return self._model.SerializeToString()

    @cached_property
    def _model(self) -> ModelProto:
        return self.graph.with_layers(self.layers)

    @cached_property
    def _session(self) -> Session:
        return self._session_with([self._scores])

    def _session_with(self, also: Collection[str]) -> Session:
        return Session(self._model, also, largest=self.graph.largest)

    @property
    def _input(self) -> str:
        return self.graph.model.graph.input[0].name

    @property
    def _output(self) -> str:
        return self.graph.model.graph.output[0].name

    @cached_property
    def _scores(self) -> str:
        last = next(node for node in self.graph.model.graph.node if self._output in node.output)
        return last.input[0] if last.op_type in MONOTONE else self._output

    def arranged(self, x: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], str]:
        """x (samples, …) with its channels where the network has them, and a sentence where they had to be moved."""
        axes = _channels_moved(x.shape[1:], self.input_shape)
        fits = all(want is None or size == want for size, want in zip(x.shape[1:], self.input_shape, strict=False))
        if axes is None or (fits and x.ndim == 1 + len(self.input_shape)):
            return x, ""
        return np.moveaxis(x, axes[0], axes[1]), f"The samples' channels stand {axes[2]}; they were moved."

    def _fitted(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """x in the shape of the network's input."""
        given = x if isinstance(x, np.ndarray) and x.dtype == np.float32 else real_array("x", x, NetworksError)
        shape = self.input_shape
        if given.size == 0:
            raise NetworksError(f"at least one sample is needed, got an array of shape {given.shape}")
        fits = given.ndim == 1 + len(shape) and all(
            want is None or size == want for size, want in zip(given.shape[1:], shape, strict=True)
        )
        if fits:
            return given
        if len(shape) == 1 and given.ndim > 2:  # a network of flat inputs takes images row after row
            given = given.reshape(len(given), -1)
        if given.ndim > 2 and _without_ones(given.shape[1:]) == _without_ones(shape):
            return given.reshape(len(given), *map(int, filter(None, shape)))
        if given.ndim == 2 and None not in shape and given.shape[1] == int(np.prod([size or 1 for size in shape])):
            return given.reshape(len(given), *(size or 1 for size in shape))
        if given.ndim == 2 and shape.count(None) == 1:
            known = int(np.prod([size for size in shape if size is not None]))
            if given.shape[1] % known == 0:
                return given.reshape(len(given), *(-1 if size is None else size for size in shape))
        last = ""
        if axes := _channels_moved(given.shape[1:], shape):
            last = f": their channels stand {axes[2]}; np.moveaxis(x, {axes[0]}, {axes[1]}) moves them"
        raise NetworksError(f"the network takes samples of shape {shown(shape)}, got {given.shape[1:]}{last}")

    def _run(self, x: npt.ArrayLike, names: list[str]) -> list[npt.NDArray[Any]]:
        return self._session.run(self._fitted(x), names)


def _without_ones(shape: Sequence[int | None]) -> list[int | None]:
    return [size for size in shape if size != 1]


def _channels_moved(given: tuple[int, ...], wanted: tuple[int | None, ...]) -> tuple[int, int, str] | None:
    """Where the channels of samples are to be moved from and to, and where they stand, if that makes them fit; axes
    count from the samples'."""
    if len(given) != len(wanted) or len(given) < 2:
        return None
    for moved, axes in (((given[-1], *given[:-1]), (-1, 1, "last")), ((*given[1:], given[0]), (1, -1, "first"))):
        if all(want is None or size == want for size, want in zip(moved, wanted, strict=True)):
            return axes
    return None


def _changed(layer: Layer, weights: Mapping[str, npt.ArrayLike], biases: Mapping[str, npt.ArrayLike | None]) -> Layer:
    name = printable(layer.name)
    if layer.name in weights:
        matrix = _like(f"the weights of layer {name}", weights[layer.name], layer.matrix.shape)
        layer = replace(layer, matrix=matrix)
    if layer.name in biases:
        given = biases[layer.name]
        if (given is None) != (layer.bias is None):
            has = "no bias" if layer.bias is None else "a bias"
            raise NetworksError(f"layer {name} has {has}, and keeps it so")
        if given is not None:
            layer = replace(layer, bias=_like(f"the bias of layer {name}", given, layer.matrix.shape[1:]))
    return layer


def _like(name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    found = real_array(name, value, NetworksError).copy()
    if found.shape != shape or not np.isfinite(found).all():
        raise NetworksError(f"{name} must be finite and of shape {shape}, got shape {found.shape}")
    return found
