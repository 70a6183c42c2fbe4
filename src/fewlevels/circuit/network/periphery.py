"""Periphery: what stands around the crossbar of a layer. Drivers make voltages of values, an activation block makes
values of currents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import real_array, shown
from fewlevels.errors import CircuitError
from fewlevels.networks.activations import SIGMOID, Activation, UnitActivation
from fewlevels.networks.networks import Networks

Signed = Literal["two-reads", "two-lines"]
SIGNED: tuple[Signed, ...] = get_args(Signed)
"""How values of both signs come in. two-reads: a layer is read once with the values above 0 and once with the
magnitudes of those below; the currents of the second are taken off. two-lines: every value has a word line more, whose
weights are the negatives, for its magnitude below 0."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Periphery:
    """Around one crossbar. As it is by default, it is the paper's.

    activation: of the outputs. bias: (outputs,), added to the sums digitally; None for none. full: the value that
    drives a word line at the whole input voltage. signed: how values below 0 come in; None where there are none.
    constants: so many last word lines take a constant 1.
    """

    activation: Activation = SIGMOID
    bias: FloatArray | None = None
    full: float = 1.0
    signed: Signed | None = None
    constants: int = 0

    @property
    def reads(self) -> int:
        """Of the crossbar for one sample."""
        return 2 if self.signed == "two-reads" else 1

    @property
    def is_plain(self) -> bool:
        """Whether values are what the paper's are, and sums come out as they are."""
        own = self.bias is None and self.full == 1 and self.signed is None and not self.constants
        return own and self.activation == SIGMOID

    def told(self, layer: int) -> Iterator[str]:
        """What differs from values from 0 to 1, in words. layer: its number, from 1."""
        what = "Inputs are" if layer == 1 else f"The values of layer {layer} are"
        if self.full != 1:
            yield f"{what} scaled: one of {self.full:.6g} is at the whole input voltage."
        if self.signed is not None:
            yield f"{what} of both signs: they take {self.signed.replace('-', ' ')} each."

    def inputs(self, word_lines: int) -> int:
        """How many values it takes, of a crossbar of so many word lines."""
        return (word_lines - self.constants) // (2 if self.signed == "two-lines" else 1)

    def on_lines(self, w: FloatArray) -> FloatArray:
        """The weights of all word lines: those of the values, their negatives with 'two-lines', those of constants.
        w: (values and constants, outputs)."""
        own, constant = np.split(w, [len(w) - self.constants])
        return np.concatenate([own, -own, constant]) if self.signed == "two-lines" else w

    def shares(self, values: FloatArray) -> FloatArray:
        """Of the full signal, on each word line: (…, samples, values) -> (…, samples, word lines), or of two reads
        (…, 2 samples, word lines), those of the second after all of the first."""
        share = values / self.full
        if self.signed is not None:
            parts = np.maximum(share, 0.0), np.maximum(-share, 0.0)
            share = np.concatenate(parts, axis=-2 if self.signed == "two-reads" else -1)
        if self.constants:
            ones = np.full((*share.shape[:-1], self.constants), 1 / self.full)
            ones[..., values.shape[-2] :, :] = 0.0  # a second read takes off, and constants are added
            share = np.concatenate([share, ones], axis=-1)
        return share

    def combined(self, columns: FloatArray) -> FloatArray:
        """One current a column and sample: that of the only read, or of the first less that of the second."""
        if self.reads == 1:
            return columns
        first, second = np.split(columns, 2, axis=-2)
        return first - second

    def values(self, sums: FloatArray) -> FloatArray:
        """What the activation block makes of sums (…, outputs), same shape."""
        return self.activation.value(sums if self.bias is None else sums + self.bias)


def peripheries(networks: Networks, x: FloatArray | None, signed: Signed) -> tuple[Periphery, ...]:
    """Around each layer of one network.

    x: (samples, inputs), which scale the voltages: the largest magnitude that they give a layer drives its word lines
    fully, but no value below 1 does, where 1 is the largest there can be or constants come in. None where all values
    lie from 0 to 1 or are not to be scaled. signed: see SIGNED.
    Raises CircuitError where x is needed, or does not fit.
    """
    if signed not in SIGNED:
        raise CircuitError(f"signed must be {' or '.join(SIGNED)}, got {shown(signed)}")
    return tuple(
        Periphery(
            activation=networks.activations[layer],
            bias=None if b is None else b[0],
            full=full,
            signed=signed if below else None,
            constants=networks.bias_rows[layer],
        )
        for layer, (b, (full, below)) in enumerate(zip(networks.biases, _ranges(networks, x), strict=True))
    )


def _ranges(networks: Networks, x: FloatArray | None) -> Iterator[tuple[float, bool]]:
    """Of what each layer takes: the value that is a full signal, and whether there are values below 0."""
    hidden: Sequence[UnitActivation] = networks.activations[:-1]  # type: ignore[assignment]  # all but the last are
    if x is None:
        for one in hidden:
            if max(map(abs, one.bounds)) == np.inf:
                raise CircuitError(f"units of {one.name} have no largest value; give x, samples to scale by")
        yield 1.0, False
        yield from ((1.0, one.bounds[0] < 0) for one in hidden)
        return
    x = real_array("x", x, CircuitError)
    if x.ndim != 2 or x.shape[1] != networks.inputs or not len(x) or not np.isfinite(x).all():
        raise CircuitError(f"x must be (samples, {networks.inputs} inputs) and finite, got shape {x.shape}")
    bounds = [(float(x.min()), 1.0), *(one.bounds for one in hidden)]
    for values, rows, (low, high) in zip(networks.layer_inputs(x), networks.bias_rows, bounds, strict=True):
        own = values[..., : values.shape[-1] - rows]
        largest = float(np.abs(own).max(initial=0.0))
        least = 1.0 if high == 1 or rows or largest == 0 else 0.0
        yield max(largest, least), low < 0
