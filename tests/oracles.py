"""What the tests compare with: plain NumPy, one network and one sample at a time, written from the formulas; circuits
node by node."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import hypothesis
import numpy as np

from fewlevels import Crossbar, _kernels

ISAS: list[str] = _kernels.instruction_sets()


def given(**strategies: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """hypothesis.given without its deadline: a shared machine pauses for longer than that."""
    return lambda test: hypothesis.settings(deadline=None)(hypothesis.given(**strategies)(test))


def xoshiro(words: Sequence[int]) -> Iterator[int]:
    """The 32-bit numbers of xoshiro128++ (Blackman & Vigna), from its four state words."""

    def rotate(value: int, bits: int) -> int:
        return (value << bits | value >> (32 - bits)) & 0xFFFFFFFF

    s = [int(word) for word in words]
    while True:
        yield (rotate((s[0] + s[3]) & 0xFFFFFFFF, 7) + s[0]) & 0xFFFFFFFF
        shifted = (s[1] << 9) & 0xFFFFFFFF
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotate(s[3], 11)


def draws(words: Sequence[int], samples: int, steps: int) -> list[int]:
    """The sample that a model takes at each step."""
    return [number * samples >> 32 for number in itertools.islice(xoshiro(words), steps)]


def start(
    seed: int, key: tuple[int, int], kind: str, first: float, second: float, shapes: Sequence[tuple[int, int]]
) -> tuple[list[np.ndarray], np.ndarray]:
    """One model's first weights, rounded to float32, and the four words of its sample stream."""
    weights, stream = np.random.SeedSequence(seed, spawn_key=key).spawn(2)
    rng = np.random.default_rng(weights)
    draws = [getattr(rng, kind)(first, second, shape).astype(np.float32) for shape in shapes]
    return draws, stream.generate_state(4)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def sgd_step(
    x: np.ndarray, target: np.ndarray, w1: np.ndarray, w2: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Both layers after one backpropagation of the squared error, float64; leading axes are independent networks."""
    h = sigmoid(np.einsum("...i,...ij->...j", x, w1))
    o = sigmoid(np.einsum("...j,...jk->...k", h, w2))
    d2 = (target - o) * o * (1 - o)
    d1 = np.einsum("...jk,...k->...j", w2, d2) * h * (1 - h)
    return w1 + rate * x[..., :, None] * d1[..., None, :], w2 + rate * h[..., :, None] * d2[..., None, :]


def sgd(
    x: np.ndarray, y: np.ndarray, w1: np.ndarray, w2: np.ndarray, words: np.ndarray, rate: float, steps: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Both layers (models, fan_in, fan_out) before the first step and after every step: one random sample a step."""
    x, w1, w2 = (np.asarray(a, np.float64) for a in (x, w1, w2))
    yield w1, w2
    for sample in np.array([draws(model, len(x), steps) for model in words]).T:
        w1, w2 = sgd_step(x[sample], np.arange(w2.shape[2]) == y[sample, None], w1, w2, rate)
        yield w1, w2


def recognised(weights: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which samples one network recognises: its own output, before the last sigmoid, above every other."""
    result = []
    for sample, own in zip(x, y, strict=True):
        signal = sample
        for w in weights[:-1]:
            signal = sigmoid(signal @ w)
        z = signal @ weights[-1]
        result.append(all(z[own] > z[other] for other in range(len(z)) if other != own))
    return np.array(result)


def transfer_by_star_mesh(crossbar: Crossbar, conductance: np.ndarray) -> np.ndarray:
    """T (word lines, bit lines), siemens: each node gives way to conductances g_p g_q / sum(g) between its neighbours.
    Sums, products and quotients of positive numbers alone, so that every entry keeps all but a few last digits."""
    rows, columns = conductance.shape
    cells = rows * columns
    word = np.arange(cells).reshape(rows, columns)
    bit = cells + word
    source, ground = 2 * cells + np.arange(rows), 2 * cells + rows + np.arange(columns)
    g = np.zeros((2 * cells + rows + columns,) * 2)
    for p, q, siemens in (
        (word, bit, conductance), (word, np.column_stack([source, word[:, :-1]]), 1 / crossbar.word_wire_ohm),
        (bit[:-1], bit[1:], 1 / crossbar.bit_wire_ohm), (bit[-1], ground, 1 / crossbar.foot_ohm),
    ):  # fmt: skip
        g[p, q] = g[q, p] = siemens
    for node in range(2 * cells):
        rest, star = slice(node + 1, None), g[node, node + 1 :]
        g[rest, rest] += np.outer(star, star) / star.sum()
        np.fill_diagonal(g, 0)
    return g[np.ix_(source, ground)]
