"""Variants: one network of any kind with several sets of weights, used as a stack of networks is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, shown
from fewlevels.errors import FewlevelsError, NetworksError
from fewlevels.networks.bias_rows import on_rows
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Models, Networks
from fewlevels.samples.samples import Samples


@dataclass(frozen=True, eq=False)
class Variants:
    """One network with several sets of weights; searches take it as they take `Networks`.

    values: (models, weights), layer after layer, as `Networks.joint`. bias_rows: of each layer's matrix, its last rows
    that hold the bias (see `on_rows`).
    """

    network: Network
    values: FloatArray
    bias_rows: tuple[int, ...]
    plain = False

    @classmethod
    def of(cls, network: Network, *, bias_rows: bool = False) -> Variants:
        """The network itself, as a stack of one. bias_rows: biases are weights, too; else they stay digital."""
        biases = [layer.bias if bias_rows else None for layer in network.layers]
        laid = [
            on_rows(layer.matrix[None], None if bias is None else bias[None])
            for layer, bias in zip(network.layers, biases, strict=True)
        ]
        return cls(network, np.concatenate([w.ravel() for w, _ in laid])[None], tuple(rows for _, rows in laid))

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"<Variants: {len(self)} of {self.network!r}>"

    def __getitem__(self, models: int | Models) -> Variants:
        return replace(self, values=self.values[[models] if isinstance(models, int | np.integer) else models])

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of each layer's matrix, with its rows of biases."""
        matrices = [layer.matrix.shape for layer in self.network.layers]
        return [(shape[0] + rows, shape[1]) for shape, rows in zip(matrices, self.bias_rows, strict=True)]

    @property
    def weights(self) -> tuple[FloatArray, ...]:
        """One array (models, fan_in, fan_out) per layer."""
        return tuple(_cut(self.values, self.shapes))

    @property
    def digital_biases(self) -> int:
        """How many biases are no weights."""
        layers = zip(self.network.layers, self.bias_rows, strict=True)
        return sum(layer.bias.size for layer, rows in layers if layer.bias is not None and not rows)

    def with_bias_rows(self) -> Variants:
        """The same; rows are laid when it is made (see `of`)."""
        return self

    def joint(self) -> FloatArray:
        """All weights in one row a model, (models, weights)."""
        return self.values.copy()

    def with_joint(self, joint: FloatArray) -> Variants:
        """The same network with these sets of weights."""
        return replace(self, values=joint)

    def one(self, model: int) -> Network:
        """The network with one of its sets of weights."""
        weights, biases = {}, {}
        for layer, w, rows in zip(
            self.network.layers, _cut(self.values[[model]], self.shapes), self.bias_rows, strict=True
        ):
            inputs = layer.matrix.shape[0]
            weights[layer.name] = w[0, :inputs]
            if rows:
                biases[layer.name] = w[0, inputs:].sum(axis=0)
        return self.network.with_weights(weights, biases)

    def labelled(self, x: npt.ArrayLike, model: int = 0) -> Samples:
        """See `Network.labelled`."""
        return self.one(model).labelled(x)

    def judged(
        self, joint: FloatArray, samples: Samples, models: Models = slice(None), margin: FloatArray | None = None
    ) -> npt.NDArray[np.bool_]:
        """Which samples the network recognises with each of these sets of weights, (sets, samples).

        margin: (sets, samples), filled with each sample's own score minus the largest other one (see `Network.scores`).
        """
        found = np.empty((len(joint), len(samples)), bool)
        given = self.with_joint(joint)
        for model in range(len(joint)):
            own, others = given.one(model).own_and_others(samples)
            found[model] = own > others
            if margin is not None:
                margin[model] = own - others
        return found

    def recognised(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """Which samples the network recognises with each set of weights, (models, samples)."""
        return self.judged(self.values, samples)

    def recognition(self, samples: Samples) -> FloatArray:
        """The fraction of samples that the network recognises with each set of weights, (models,)."""
        return self.recognised(samples).mean(axis=1)


def stack_of(
    networks: Networks | Network, error: type[FewlevelsError] = NetworksError, *, bias_rows: bool = False
) -> Networks:
    """Networks as they are, a `Network` as the one of its `Variants`: they do all that searches ask of networks.

    bias_rows: of a `Network`, see `Variants.of`. Raises the given error for anything else.
    """
    if isinstance(networks, Network):
        networks = cast(Networks, Variants.of(networks, bias_rows=bias_rows))
    if isinstance(networks, (Networks, Variants)):
        return networks
    raise error(f"networks must be Networks or a Network, got {shown(networks)}")


def dense_of(networks: Networks | Network, error: type[FewlevelsError], name: str = "networks") -> Networks:
    """Networks as they are, a `Network` of dense layers one after the other as a stack of one. name: of the argument.

    Raises the given error for a `Network` of other layers, and for anything else.
    """
    if not isinstance(networks, Network):
        return instance(name, networks, Networks, error)
    try:
        return networks.as_networks()
    except NetworksError as problem:
        raise error(str(problem)) from None


def _cut(joint: FloatArray, shapes: Sequence[tuple[int, int]]) -> list[FloatArray]:
    ends = np.cumsum([fan_in * fan_out for fan_in, fan_out in shapes])[:-1]
    parts = np.split(joint, ends, axis=1)
    return [part.reshape(len(joint), *shape) for part, shape in zip(parts, shapes, strict=True)]
