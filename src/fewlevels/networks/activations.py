"""Activations: what a unit makes of the sum of its inputs."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fewlevels.common.arrays import FloatArray


class Activation(Protocol):
    """A function that rises, the same for every unit of a layer.

    name: one word, for people.
    """

    name: str

    def value(self, z: FloatArray) -> FloatArray:
        """Of the sums z, any shape; same shape."""
        ...

    def slope(self, value: FloatArray) -> FloatArray:
        """The derivative where the activation has this value, same shape."""
        ...

    def spice(self, z: str) -> str:
        """The value as an expression of SPICE and Spectre. z: an expression that a minus can stand before, such as a
        product."""
        ...


class Sigmoid:
    """1 / (1 + exp(-z)). The native kernels have it built in."""

    name = "sigmoid"

    def value(self, z: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # exp(-z) beyond float64: the sigmoid is 0, as it should be
            return 1 / (1 + np.exp(-z))

    def slope(self, value: FloatArray) -> FloatArray:
        return value * (1 - value)

    def spice(self, z: str) -> str:
        return f"(1/(1+exp(-{z})))"


SIGMOID: Activation = Sigmoid()
"""Of every unit of the paper's networks."""
