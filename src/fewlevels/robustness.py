"""Robustness: recognition beyond the samples a network was trained on, before and after quantizing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fewlevels.common.checks import instance, shown, whole_number
from fewlevels.errors import SearchError
from fewlevels.networks import Networks
from fewlevels.samples import FloatArray, Samples, flip_pixels


@dataclass(frozen=True)
class Robustness:
    """Recognition of samples with flipped pixels.

    flips: pixels flipped. before, after: (models, flips), the fraction of noisy samples that the network recognises
    before and after quantizing; both see the same samples.
    """

    flips: tuple[int, ...]
    before: FloatArray
    after: FloatArray


def recognition_under_flips(
    networks: Networks,
    quantized: Networks,
    samples: Samples,
    *,
    flips: Sequence[int] = (0, 1, 2, 3),
    copies: int = 20,
    seed: int = 1,
) -> Robustness:
    """Recognition under k flipped pixels, of the same networks before and after quantizing.

    samples: binary. copies: noisy copies of each sample, the same for all networks. seed: of the pixels, with k.
    Raises SearchError where the two are not as many networks, or for arguments out of range, SamplesError where pixels
    cannot be flipped.
    """
    for name, each in (("networks", networks), ("quantized", quantized)):
        instance(name, each, Networks, SearchError)
    if len(networks) != len(quantized):
        raise SearchError(f"each network needs its quantized one, got {len(networks)} and {len(quantized)}")
    flips = flips.tolist() if isinstance(flips, np.ndarray) else flips
    if not isinstance(flips, list | tuple | range) or len(flips) == 0:
        raise SearchError(f"flips must list at least one number of pixels, got {shown(flips)}")
    seed, flips = whole_number("seed", seed, SearchError), [whole_number("flips", k, SearchError) for k in flips]
    noisy = [
        flip_pixels(samples, k, copies, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,))))
        for k in flips
    ]
    before, after = (np.stack([n.recognition(x) for x in noisy], axis=1) for n in (networks, quantized))
    return Robustness(tuple(flips), before, after)
