"""Search: the fewest levels that keep a network's recognition (paper, Figure 2a), for many networks at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.errors import SearchError
from fewlevels.networks import Networks, recognised
from fewlevels.quantization import Midpoint, Quantized, Quantizer
from fewlevels.samples import FloatArray, Samples
from fewlevels.training import available_cores

CHUNK = 128
"""Models quantized together: their weights stay in the second-level cache."""


@dataclass(frozen=True)
class FewestLevels:
    """What a search found, for each model.

    q: (models,), the first number of levels that reaches alpha; 0 where none up to q_max does.
    stable_q: (models,), the smallest number from which every one up to q_max reaches alpha; 0 where none.
    occupied: (models,), levels that hold a weight at q; 0 where unsolved.
    recognition: (models,), before quantizing. recognition_trace: (models, q_max), at 1 .. q_max levels.
    """

    networks: Networks
    quantizer: Quantizer
    alpha: float
    q: npt.NDArray[np.intp]
    stable_q: npt.NDArray[np.intp]
    occupied: npt.NDArray[np.intp]
    recognition: FloatArray
    recognition_trace: FloatArray

    @property
    def solved(self) -> npt.NDArray[np.bool_]:
        """Whether a number of levels up to q_max reaches alpha, (models,)."""
        return self.q > 0

    @property
    def trained(self) -> npt.NDArray[np.bool_]:
        """Whether the network reaches alpha before quantizing, (models,)."""
        return reaches(self.recognition, self.alpha)

    def quantization(self, model: int) -> Quantized:
        """Levels and assignment of one model at its fewest levels. Raises SearchError where it is unsolved."""
        if not self.solved[model]:
            raise SearchError(f"model {model} does not reach {self.alpha:.0%} with any number of levels up to "
                              f"{self.recognition_trace.shape[1]}")  # fmt: skip
        return self.quantizer.quantize(self.networks[model].joint(), int(self.q[model]))

    def quantized(self, model: int) -> Networks:
        """One model with its weights at their fewest levels. Raises SearchError where it is unsolved."""
        return Networks.from_joint(self.quantization(model).values, self.networks.shapes)


def reaches(recognition: FloatArray, alpha: float) -> npt.NDArray[np.bool_]:
    """recognition >= alpha, for fractions that were divided out and an alpha that was typed in."""
    return recognition >= alpha - 1e-12


def fewest_levels(
    networks: Networks,
    samples: Samples,
    *,
    quantizer: Quantizer | None = None,
    alpha: float = 1.0,
    q_max: int = 64,
    jobs: int | None = None,
) -> FewestLevels:
    """Quantize each network with q = 1 .. q_max levels and find the fewest that keep its recognition at alpha.

    quantizer: Midpoint() where None, the paper's. alpha: target recognition, in (0, 1]. jobs: threads.
    Every q up to q_max is tried, because recognition does not only rise with q.
    Raises SearchError for arguments out of range, NetworksError where samples do not fit the networks.
    """
    if not 0 < alpha <= 1:
        raise SearchError(f"alpha must be in (0, 1], got {alpha}")
    if not isinstance(q_max, int) or q_max < 1:
        raise SearchError(f"q_max must be a whole number of at least 1, got {q_max!r}")
    if jobs is not None and jobs < 1:
        raise SearchError(f"jobs must be at least 1, got {jobs}")
    quantizer = Midpoint() if quantizer is None else quantizer
    joint, shapes = networks.joint(), networks.shapes
    trace = np.empty((len(networks), q_max))
    q, stable_q, occupied = (np.zeros(len(networks), np.intp) for _ in range(3))

    def search(begin: int) -> None:
        part = slice(begin, begin + CHUNK)
        weights = joint[part]
        for levels in range(1, q_max + 1):
            quantized = quantizer.quantize(weights, levels)
            trace[part, levels - 1] = recognised(quantized.values, shapes, samples).mean(axis=1)
        passes = reaches(trace[part], alpha)
        q[part] = np.where(passes.any(axis=1), passes.argmax(axis=1) + 1, 0)
        trailing = np.argmin(np.pad(passes[:, ::-1], ((0, 0), (0, 1))), axis=1)  # passing numbers at the end
        stable_q[part] = np.where(trailing > 0, q_max + 1 - trailing, 0)
        for levels in np.unique(q[part][q[part] > 0]):
            chosen = np.flatnonzero(q[part] == levels)
            occupied[begin + chosen] = quantizer.quantize(weights[chosen], int(levels)).occupied()

    with ThreadPoolExecutor(jobs or available_cores()) as threads:
        list(threads.map(search, range(0, len(networks), CHUNK)))
    return FewestLevels(networks, quantizer, alpha, q, stable_q, occupied, networks.recognition(samples), trace)
