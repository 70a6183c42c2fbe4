"""What the tests compare with: plain NumPy, one network and one sample at a time, written from the formulas; circuits
node by node."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import hypothesis
import mpmath
import numpy as np

from fewlevels import Crossbar, Diode, _kernels
from fewlevels.circuit.cell import law_numbers

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


def layers(joint: np.ndarray, shapes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """One network's joint weights as its layers."""
    ends = np.cumsum([fan_in * fan_out for fan_in, fan_out in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(joint, ends[:-1]), shapes, strict=True)]


def descent(weights: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray, squared: bool) -> np.ndarray:
    """Minus the gradient of the mean loss over the samples, joint: of the squared error, or of cross-entropy."""
    signals = [x]
    for w in weights:
        signals.append(sigmoid(signals[-1] @ w))
    o = signals[-1]
    delta = (np.eye(o.shape[1])[y] - o) * (o * (1 - o) if squared else 1.0)
    parts: list[np.ndarray] = []
    for w, signal in zip(weights[::-1], signals[-2::-1], strict=True):
        parts.insert(0, (signal.T @ delta / len(x)).ravel())
        delta = (delta @ w.T) * signal * (1 - signal)
    return np.concatenate(parts)


def normals(words: Sequence[int], count: int) -> Iterator[np.ndarray]:
    """Again and again `count` about normal numbers: sums of four uniform ones, two 32-bit words each."""
    stream = xoshiro(words)
    while True:
        pairs = np.array(list(itertools.islice(stream, 2 * count))).reshape(count, 2)
        halves = ((pairs >> 16) + (pairs & 0xFFFF)).sum(axis=1)
        yield (halves - 4 * 65535 / 2) / (65536 / np.sqrt(3))


def straight_through(
    joint: np.ndarray,
    shapes: Sequence[tuple[int, int]],
    x: np.ndarray,
    y: np.ndarray,
    quantize: Callable[[np.ndarray], np.ndarray],
    *,
    steps: int,
    rate: float,
    final_rate: float,
    ramp: float,
    limits: np.ndarray,
    squared: bool,
    batches: Iterator[np.ndarray],
    noise: float,
    words: Sequence[int],
) -> Iterator[tuple[np.ndarray, float]]:
    """Adam with a straight-through quantizer on one network: before each step and after the last its latent weights,
    and the fraction of the step's samples that it recognises in the forward pass, with noise.

    rate and limits in mean magnitudes at the start; limits: (weights,). batches: the samples of every step.
    """
    scale = np.abs(joint).mean()
    latent, m, v, luck = joint.copy(), np.zeros_like(joint), np.zeros_like(joint), normals(words, joint.size)
    for step in range(steps + 1):
        hard = min(1.0, step / (ramp * steps)) if ramp else 1.0
        forward = hard * quantize(latent) + (1 - hard) * latent
        if noise:
            forward = forward * (1 + noise * next(luck))
        chosen, weights = next(batches), layers(forward, shapes)
        yield latent, recognised(weights, x[chosen], y[chosen]).mean()
        g = descent(weights, x[chosen], y[chosen], squared)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        cosine = (1 + np.cos(np.pi * (step + 1) / steps)) / 2
        moved = m / (1 - 0.9 ** (step + 1)) / (np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8)
        latent = latent + rate * scale * (final_rate + (1 - final_rate) * cosine) * moved
        latent = np.clip(latent, -limits * scale, limits * scale)


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


def diode_cell(diode: Diode, volt: float, conductance: float) -> tuple[float, float]:
    """Current and derivative of a device in series with a diode, in 60 digits, by Newton's method on w + ln w = z."""
    with mpmath.workdps(60):
        slope, saturation, gmin, series = map(mpmath.mpf, law_numbers(diode).tolist())
        ohm = 1 / mpmath.mpf(float(conductance)) + series
        a = 1 + gmin * ohm
        x, k = mpmath.mpf(float(volt)) / (a * slope), ohm * saturation / (a * slope)
        z = x + k + mpmath.log(k)
        w = mpmath.exp(z) if z < 0 else mpmath.mpf(1) + z
        for _ in range(500):
            step = (w + mpmath.log(w) - z) * w / (1 + w)
            w = w - step if step < w else w / 10
            if abs(step) < abs(w) * mpmath.mpf(10) ** -55:
                break
        junction = (a * w / ohm) + gmin
        return float(slope * (w - k) / ohm + gmin * mpmath.mpf(float(volt)) / a), float(junction / (1 + ohm * junction))


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
        (word, bit, conductance),
        (word, np.column_stack([source, word[:, :-1]]), 1 / crossbar.word_wire_ohm),
        (bit[:-1], bit[1:], 1 / crossbar.bit_wire_ohm),
        (bit[-1], ground, 1 / crossbar.foot_ohm),
    ):
        g[p, q] = g[q, p] = siemens
    for node in range(2 * cells):
        rest, star = slice(node + 1, None), g[node, node + 1 :]
        g[rest, rest] += np.outer(star, star) / star.sum()
        np.fill_diagonal(g, 0)
    return g[np.ix_(source, ground)]
