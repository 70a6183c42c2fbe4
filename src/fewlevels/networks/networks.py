"""Networks: many dense networks of one shape, their weights stacked, applied together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_whole, real_array, shown
from fewlevels.errors import NetworksError
from fewlevels.networks.activations import SIGMOID, Activation, checked_activation
from fewlevels.networks.bias_rows import on_rows
from fewlevels.networks.forward import check_fit, recognised, recognised_by_sums, sizes_of
from fewlevels.samples.samples import Samples

Models = slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]
"""Indices of some models."""


@dataclass(frozen=True, eq=False)
class Networks:
    """Feed-forward networks of dense layers: input -> W1 (+ b1) -> activation -> W2 …; the largest output wins.

    weights: one array (models, fan_in, fan_out) per layer, float64, finite. biases: one array (models, fan_out) per
    layer, None where a layer has none; by default none has, as the paper's. activations: one per layer, or their names;
    by default sigmoids, the paper's. Of one output class 1 wins where it is above 0 before its activation.
    bias_rows: one number per layer; so many last rows of its weights take a constant 1 in place of an input, as word
    lines do that hold a bias (see `with_bias_rows`); by default none does.
    Raises NetworksError where layers do not fit together.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray | None, ...] = field(default=(), kw_only=True)
    activations: tuple[Activation, ...] = field(default=(), kw_only=True)
    bias_rows: tuple[int, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.weights, list | tuple):
            raise NetworksError(f"weights must be a list of arrays, one a layer, got {shown(self.weights)}")
        weights = tuple(
            real_array(f"the weights of layer {i}", w, NetworksError) for i, w in enumerate(self.weights, start=1)
        )
        if not weights:
            raise NetworksError("networks need at least one layer of weights, got none")
        for layer, w in enumerate(weights, start=1):
            if w.ndim != 3 or 0 in w.shape[1:]:
                raise NetworksError(f"the weights of layer {layer} must be (models, fan_in, fan_out), got {w.shape}")
            if not np.isfinite(w).all():
                raise NetworksError(f"the weights of layer {layer} must be finite, got {w[~np.isfinite(w)][0]}")
        rows = _checked_rows(self.bias_rows, weights)
        for layer, (before, w) in enumerate(itertools.pairwise(weights), start=2):
            if w.shape[:2] != (len(before), before.shape[2] + rows[layer - 1]):
                raise NetworksError(
                    f"layer {layer} must take the {before.shape[2]} outputs of layer {layer - 1} in "
                    f"{len(before)} models, got shape {w.shape}"
                )
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "biases", _checked_biases(self.biases, weights))
        object.__setattr__(self, "bias_rows", rows)
        object.__setattr__(self, "activations", _checked_activations(self.activations, len(weights)))

    @classmethod
    def from_weights(
        cls,
        weights: Sequence[npt.ArrayLike],
        *,
        biases: Sequence[npt.ArrayLike | None] = (),
        activations: Sequence[str | Activation] = (),
    ) -> Networks:
        """Networks of the user's own: one array per layer, (fan_in, fan_out) for one network, or
        (models, fan_in, fan_out) for several; biases likewise, (fan_out,) or (models, fan_out), None where a layer has
        none. Raises NetworksError where they do not fit together.
        """
        if not isinstance(weights, list | tuple):
            raise NetworksError(f"weights must be a list of arrays of numbers, one a layer, got {shown(weights)}")
        arrays = [
            real_array(f"the weights of layer {i}", w, NetworksError).copy() for i, w in enumerate(weights, start=1)
        ]
        if isinstance(biases, list | tuple):
            given = [
                None if b is None else real_array(f"the bias of layer {i}", b, NetworksError).copy()
                for i, b in enumerate(biases, start=1)
            ]
            biases = [b[None] if b is not None and b.ndim == 1 else b for b in given]
        return Networks(
            tuple(w[None] if w.ndim == 2 else w for w in arrays),
            biases=biases,  # type: ignore[arg-type]  # anything, checked there
            activations=activations,  # type: ignore[arg-type]  # the same
        )

    @classmethod
    def from_joint(cls, joint: FloatArray, shapes: Sequence[tuple[int, int]]) -> Networks:
        """The inverse of `joint`: weights (models, all weights) cut into layers of these (fan_in, fan_out)."""
        pairs = isinstance(shapes, list | tuple) and all(
            isinstance(pair, list | tuple) and len(pair) == 2 and all(map(is_whole, pair)) for pair in shapes
        )
        if not pairs:
            raise NetworksError(f"shapes must list (fan_in, fan_out) of each layer, got {shown(shapes)}")
        sizes = [fan_in * fan_out for fan_in, fan_out in shapes]
        joint = real_array("joint weights", joint, NetworksError)
        if joint.ndim != 2 or not sizes or joint.shape[1] != sum(sizes):
            raise NetworksError(
                f"joint weights of layers {shown(shapes)} must be (models, {sum(sizes)}), got shape {joint.shape}"
            )
        ends = np.cumsum(sizes)[:-1]
        parts = np.split(joint, ends, axis=1)
        return Networks(tuple(part.reshape(len(joint), *shape) for part, shape in zip(parts, shapes, strict=True)))

    def __len__(self) -> int:
        return len(self.weights[0])

    def __repr__(self) -> str:
        return f"<Networks: {len(self)} of {'-'.join(map(str, sizes_of(self.shapes)))}{self._units}>"

    @property
    def _units(self) -> str:
        """What differs from the paper's, in words."""
        if self.plain:
            return ""
        bias = " with biases" if any(b is not None for b in self.biases) else ""
        bias += " with bias rows" if any(self.bias_rows) else ""
        return f"{bias}, {', '.join(one.name for one in self.activations)}"

    def __getitem__(self, models: int | Models) -> Networks:
        """The networks at these indices; an integer gives one network."""
        if isinstance(models, int | np.integer):
            if not -len(self) <= models < len(self):
                raise IndexError(f"model must be {-len(self)} to {len(self) - 1}, got {models}")
            models = slice(models, models + 1 or None)
        biases = tuple(None if b is None else b[models] for b in self.biases)
        return self._like(tuple(w[models] for w in self.weights), biases)

    @property
    def plain(self) -> bool:
        """Whether they are of the paper's kind, which the native kernels know: no biases, sigmoids, several outputs."""
        no_bias = all(b is None for b in self.biases) and not any(self.bias_rows)
        return no_bias and all(one == SIGMOID for one in self.activations) and self.shapes[-1][1] > 1

    @property
    def inputs(self) -> int:
        """How many inputs a sample has."""
        return self.shapes[0][0] - self.bias_rows[0]

    @property
    def digital_biases(self) -> int:
        """How many biases each network has beside its weights."""
        return sum(b.shape[1] for b in self.biases if b is not None)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of each layer."""
        return [(w.shape[1], w.shape[2]) for w in self.weights]

    def joint(self) -> FloatArray:
        """All weights of a model in one row, layer after layer: (models, weights); the paper's W."""
        return np.concatenate([w.reshape(len(w), w.shape[1] * w.shape[2]) for w in self.weights], axis=1)

    def weight_range(self) -> FloatArray:
        """max W - min W over all layers together, (models,) (paper, Equation 1)."""
        return np.ptp(self.joint(), axis=1)

    def weight_range_a(self) -> FloatArray:
        """max |W| - min |W| over all layers together, (models,) (paper, Equation 2)."""
        return np.ptp(np.abs(self.joint()), axis=1)

    def with_joint(self, joint: FloatArray) -> Networks:
        """The same networks with these joint weights (models, weights); biases and activations stay. Of one network as
        many copies as there are rows.
        """
        joint = real_array("joint weights", joint, NetworksError)
        ends = np.cumsum([fan_in * fan_out for fan_in, fan_out in self.shapes])
        if joint.ndim != 2 or joint.shape[1] != ends[-1]:
            raise NetworksError(f"joint weights must be (models, {ends[-1]}), got shape {joint.shape}")
        parts = np.split(joint, ends[:-1], axis=1)
        shaped = (part.reshape(len(joint), *shape) for part, shape in zip(parts, self.shapes, strict=True))
        repeats = len(joint) if len(self) == 1 else 1
        biases = tuple(None if b is None else b.repeat(repeats, axis=0) for b in self.biases)
        return self._like(tuple(shaped), biases)

    def with_bias_rows(self) -> Networks:
        """The same networks with each layer's bias on word lines of its own, as weights among the others; see
        `on_rows`.
        """
        laid = [on_rows(w, b) for w, b in zip(self.weights, self.biases, strict=True)]
        rows = tuple(given + more for given, (_, more) in zip(self.bias_rows, laid, strict=True))
        return Networks(tuple(w for w, _ in laid), activations=self.activations, bias_rows=rows)

    def _like(self, weights: tuple[FloatArray, ...], biases: tuple[FloatArray | None, ...]) -> Networks:
        return Networks(weights, biases=biases, activations=self.activations, bias_rows=self.bias_rows)

    def sums(self, x: FloatArray) -> FloatArray:
        """What the last layer's units sum, before their activation: (models, samples, outputs). x: as `outputs` takes
        it.
        """
        w, b = self.weights[-1], self.biases[-1]
        return _summed(self._last_inputs(self._checked(x)), w, b)

    def outputs(self, x: FloatArray) -> FloatArray:
        """Outputs after the last activation: (models, samples, outputs). x: (samples, inputs)."""
        return self.activations[-1].value(self.sums(x))

    def recognised(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """Which samples each network recognises, (models, samples).

        A sample is recognised where its own output is the largest by more than rounding. Outputs are compared before
        the last activation where it keeps their order; nothing saturates there.
        Raises NetworksError where samples do not fit.
        """
        return self.judged(self.joint(), samples)

    def judged(
        self, joint: FloatArray, samples: Samples, models: Models = slice(None), margin: FloatArray | None = None
    ) -> npt.NDArray[np.bool_]:
        """`recognised` with joint weights (models, weights) in place of those of these models.

        margin: (models, samples), filled with each sample's own output minus the largest other output.
        """
        if self.plain:
            return recognised(joint, self.shapes, samples, margin)
        check_fit(self.shapes, samples, self.bias_rows[0])
        networks = self[models].with_joint(joint)
        signal, w, b = networks._last_inputs(samples.x), networks.weights[-1], networks.biases[-1]
        terms = np.abs(w).max(axis=(1, 2))[:, None] * np.abs(signal).sum(axis=2)
        terms += 0.0 if b is None else np.abs(b).max(axis=1)[:, None]
        return recognised_by_sums(_summed(signal, w, b), terms, self.activations[-1], samples, margin)

    def recognition(self, samples: Samples) -> FloatArray:
        """The fraction of samples that each network recognises, (models,)."""
        return self.recognised(samples).mean(axis=1)

    def labelled(self, x: npt.ArrayLike, model: int = 0) -> Samples:
        """x, (samples, …), as samples of the classes that one network itself tells: what a changed network recognises
        of them is its agreement with this one.
        """
        given = real_array("x", x, NetworksError)
        flat = given.reshape(len(given), -1)
        sums = self[model].sums(flat)[0]
        decided = (
            (sums[:, 0] > 0).astype(int) if sums.shape[1] == 1 else self.activations[-1].value(sums).argmax(axis=1)
        )
        names = tuple(map(str, range(max(sums.shape[1], 2))))
        return Samples(flat, decided, names, shape=given.shape[1:] if given.ndim > 2 else None)

    def layer_inputs(self, x: FloatArray) -> Iterator[FloatArray]:
        """What each layer takes in turn, (models, samples, fan_in) with the constants of its bias rows. x: as `outputs`
        takes it.
        """
        return self._signals(self._checked(x))

    def _checked(self, x: FloatArray) -> FloatArray:
        x = real_array("x", x, NetworksError)
        if x.ndim != 2 or x.shape[1] != self.inputs:
            raise NetworksError(f"x must be (samples, {self.inputs} inputs), got shape {x.shape}")
        return x

    def _signals(self, x: FloatArray) -> Iterator[FloatArray]:
        signal = self._with_constants(np.broadcast_to(x, (len(self), *x.shape)), 0)
        yield signal
        for layer, (w, b) in enumerate(zip(self.weights[:-1], self.biases, strict=False)):
            signal = self._with_constants(self.activations[layer].value(_summed(signal, w, b)), layer + 1)
            yield signal

    def _last_inputs(self, x: FloatArray) -> FloatArray:
        """What the last layer takes, (models, samples, fan_in)."""
        for signal in self._signals(x):
            last = signal
        return last

    def _with_constants(self, signal: FloatArray, layer: int) -> FloatArray:
        rows = self.bias_rows[layer]
        return np.concatenate([signal, np.ones((*signal.shape[:2], rows))], axis=2) if rows else signal


def _summed(signal: FloatArray, w: FloatArray, b: FloatArray | None) -> FloatArray:
    return signal @ w if b is None else signal @ w + b[:, None]


def _checked_biases(biases: object, weights: Sequence[FloatArray]) -> tuple[FloatArray | None, ...]:
    given = biases if isinstance(biases, list | tuple) else [biases]
    given = given or [None] * len(weights)
    if len(given) != len(weights):
        raise NetworksError(f"biases must be a list of {len(weights)} arrays, one a layer, got {shown(biases)}")
    checked: list[FloatArray | None] = []
    for layer, (b, w) in enumerate(zip(given, weights, strict=True), start=1):
        b = b if b is None else real_array(f"the bias of layer {layer}", b, NetworksError)
        shape = len(w), w.shape[2]
        if b is not None and (b.shape != shape or not np.isfinite(b).all()):
            raise NetworksError(f"the bias of layer {layer} must be finite and of shape {shape}, got shape {b.shape}")
        checked.append(b)
    return tuple(checked)


def _checked_rows(rows: object, weights: Sequence[FloatArray]) -> tuple[int, ...]:
    given = rows if isinstance(rows, list | tuple) else [rows]
    given = given or [0] * len(weights)
    fits = len(given) == len(weights) and all(map(is_whole, given))
    if not fits or not all(0 <= count < w.shape[1] for count, w in zip(given, weights, strict=True)):
        raise NetworksError(f"bias_rows must be a number of rows of each layer, fewer than it has, got {shown(rows)}")
    return tuple(map(int, given))


def _checked_activations(activations: object, layers: int) -> tuple[Activation, ...]:
    given = activations if isinstance(activations, list | tuple) else [activations]
    given = given or [SIGMOID] * layers
    if len(given) != layers:
        raise NetworksError(f"activations must be a list of {layers}, one a layer, got {shown(activations)}")
    return tuple(checked_activation(one, last=layer == layers) for layer, one in enumerate(given, start=1))
