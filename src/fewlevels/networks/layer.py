"""Layer: one layer of weights, as the matrix that a crossbar holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fewlevels.common.arrays import FloatArray
from fewlevels.common.words import printable

Kind = Literal["dense", "convolution"]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How a convolution moves over its input.

    kernel: size along each axis. strides, dilations: in steps of the input, along each axis. pads: zeros before each
    axis, then after each. auto_pad: ONNX's word where pads follow from the input. groups: of channels that do not mix.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    auto_pad: str = "NOTSET"
    groups: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer of weights: outputs = inputs @ matrix + bias.

    matrix: (fan_in, fan_out). Of a convolution a column is one output channel, and its rows are the inputs that the
    kernel sees: (channels of the group, along the kernel's first axis, along its second), the last changing fastest.
    bias: (fan_out,), or None. geometry: of a convolution; a dense layer has none. activation: ONNX's name of the
    activation that alone takes the layer's outputs, or None.
    """

    name: str
    kind: Kind
    matrix: FloatArray
    bias: FloatArray | None
    geometry: Geometry | None = None
    activation: str | None = None

    def __repr__(self) -> str:
        fan_in, fan_out = self.matrix.shape
        groups = f" in {self.geometry.groups} groups" if self.geometry and self.geometry.groups > 1 else ""
        return f"<Layer {printable(self.name)}: {self.kind} {fan_in} x {fan_out}{groups}>"

    @property
    def weights(self) -> int:
        """How many weights the layer has, its bias aside."""
        return self.matrix.size

    @property
    def weight_range(self) -> float:
        """max W - min W (paper, Equation 1)."""
        return float(self.matrix.max() - self.matrix.min())
