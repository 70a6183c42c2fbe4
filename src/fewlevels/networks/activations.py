"""Activations: what units make of the sums of their inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import shown
from fewlevels.errors import NetworksError


class Activation(Protocol):
    """A function of the sums of one layer.

    name: one word, as frameworks say it. keeps_order: of two sums the larger one has the larger value, so that sums
    alone tell which output is the largest.
    """

    name: str
    keeps_order: bool

    def value(self, z: FloatArray) -> FloatArray:
        """Of the sums z, (…, units); same shape."""
        ...


class UnitActivation(Activation, Protocol):
    """A function that does not fall, the same for every unit of a layer, so that a circuit can compute it.

    bounds: no value is below the first or above the second, which may be infinite.
    """

    bounds: tuple[float, float]

    def slope(self, value: FloatArray) -> FloatArray:
        """The derivative where the activation has this value, same shape."""
        ...

    def spice(self, z: str) -> str:
        """The value as an expression of SPICE and Spectre. z: an expression that a minus can stand before, such as a
        product."""
        ...


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-z)). The native kernels have it built in."""

    name, keeps_order, bounds = "sigmoid", True, (0.0, 1.0)

    def value(self, z: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # exp(-z) beyond float64: the sigmoid is 0, as it should be
            return 1 / (1 + np.exp(-z))

    def slope(self, value: FloatArray) -> FloatArray:
        return value * (1 - value)

    def spice(self, z: str) -> str:
        return f"(1/(1+exp(-{z})))"


@dataclass(frozen=True)
class Tanh:
    """tanh z."""

    name, keeps_order, bounds = "tanh", True, (-1.0, 1.0)

    def value(self, z: FloatArray) -> FloatArray:
        return np.tanh(z)

    def slope(self, value: FloatArray) -> FloatArray:
        return 1 - value**2

    def spice(self, z: str) -> str:
        return f"tanh({z})"


@dataclass(frozen=True)
class Identity:
    """z itself."""

    name, keeps_order, bounds = "identity", True, (-math.inf, math.inf)

    def value(self, z: FloatArray) -> FloatArray:
        return z

    def slope(self, value: FloatArray) -> FloatArray:
        return np.ones_like(value)

    def spice(self, z: str) -> str:
        return f"({z})"


@dataclass(frozen=True)
class Relu:
    """max(z, 0)."""

    name, keeps_order, bounds = "relu", False, (0.0, math.inf)

    def value(self, z: FloatArray) -> FloatArray:
        return np.maximum(z, 0.0)

    def slope(self, value: FloatArray) -> FloatArray:
        return (value > 0).astype(float)

    def spice(self, z: str) -> str:
        return f"max({z},0)"


@dataclass(frozen=True)
class LeakyRelu:
    """z above 0, alpha z below. alpha: in (0, 1)."""

    alpha: float = 0.01
    name, keeps_order, bounds = "leaky_relu", True, (-math.inf, math.inf)

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise NetworksError(f"the slope of a leaky ReLU below 0 must be in (0, 1), got {self.alpha}")

    def value(self, z: FloatArray) -> FloatArray:
        return np.maximum(z, self.alpha * z)

    def slope(self, value: FloatArray) -> FloatArray:
        return np.where(value > 0, 1.0, self.alpha)

    def spice(self, z: str) -> str:
        return f"max({z},{self.alpha!r}*{z})"


@dataclass(frozen=True)
class Softmax:
    """exp(z) over the sum of all units' exp(z). It follows the last layer only, since its units are not alone."""

    name, keeps_order = "softmax", True

    def value(self, z: FloatArray) -> FloatArray:
        powers = np.exp(z - z.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)


SIGMOID, RELU, TANH, IDENTITY = Sigmoid(), Relu(), Tanh(), Identity()
LEAKY_RELU, SOFTMAX = LeakyRelu(), Softmax()

UNIT_ACTIVATIONS: dict[str, UnitActivation] = {one.name: one for one in (SIGMOID, RELU, TANH, LEAKY_RELU, IDENTITY)}
"""Of any layer, by their names."""

ACTIVATIONS: dict[str, Activation] = {**UNIT_ACTIVATIONS, SOFTMAX.name: SOFTMAX}
"""Of the last layer."""


ALIASES = {"linear": IDENTITY.name, "logistic": SIGMOID.name}
"""Other names that frameworks have for them."""


def written(activation: Activation) -> str:
    """The name that stands for it in a file: 'relu', or 'leaky_relu:0.2' where its slope is not the default."""
    differs = isinstance(activation, LeakyRelu) and activation != LEAKY_RELU
    return f"{LeakyRelu.name}:{activation.alpha!r}" if differs else activation.name  # type: ignore[attr-defined]


def is_known(name: str) -> bool:
    """Whether a name, as a file has it, is of an activation."""
    return name in ACTIVATIONS or name in ALIASES or _leaky(name) is not None


def _leaky(name: str) -> LeakyRelu | None:
    """Of 'leaky_relu:0.2'; None for any other name."""
    stem, colon, slope = name.partition(":")
    try:
        return LeakyRelu(float(slope)) if colon and stem == LeakyRelu.name else None
    except (ValueError, NetworksError):
        return None


def checked_activation(activation: object, *, last: bool) -> Activation:
    """The activation, or that of a name. last: it follows the last layer. Raises NetworksError where there is none."""
    known = ACTIVATIONS if last else UNIT_ACTIVATIONS
    activation = ALIASES.get(activation, activation) if isinstance(activation, str) else activation
    if isinstance(activation, str) and activation in known:
        return known[activation]
    if isinstance(activation, str) and (leaky := _leaky(activation)) is not None:
        return leaky
    if isinstance(activation, type) or not hasattr(activation, "value" if last else "slope"):
        where = "the last" if last else "a hidden"
        raise NetworksError(f"the activation of {where} layer must be {', '.join(known)}, got {shown(activation)}")
    return activation  # type: ignore[return-value]  # it has what is asked of one
