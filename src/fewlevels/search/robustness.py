"""Robustness: recognition beyond the samples a network was trained on, before and after quantizing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, shown, whole_number
from fewlevels.errors import SearchError
from fewlevels.networks.networks import Networks
from fewlevels.samples.flips import flip_pixels
from fewlevels.samples.samples import Samples

MOST_EXACT = 20_000
"""Flipped samples that are tried one and all; of more, random ones are drawn."""


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """Recognition of samples with flipped pixels.

    flips: pixels flipped. before, after: (models, flips), the fraction of flipped samples that the network recognises
    before and after quantizing; both see the same ones. tried: how many these are. exact: whether they are all there
    are, every choice of pixels of every sample; if not, they are random ones.
    """

    flips: tuple[int, ...]
    before: FloatArray
    after: FloatArray
    tried: tuple[int, ...]
    exact: tuple[bool, ...]


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

    samples: binary. Every choice of k pixels of every sample is tried where these are at most MOST_EXACT, as one and
    two flips of the paper's digits are. copies: of each sample, at random, where they are more; the same for all
    networks. seed: of their pixels, with k.
    Raises SearchError where the two are not as many networks, or for arguments out of range, SamplesError where pixels
    cannot be flipped.
    """
    for name, each in (("networks", networks), ("quantized", quantized)):
        instance(name, each, Networks, SearchError)
    instance("samples", samples, Samples, SearchError)
    if len(networks) != len(quantized):
        raise SearchError(f"each network needs its quantized one, got {len(networks)} and {len(quantized)}")
    flips = flips.tolist() if isinstance(flips, np.ndarray) else flips
    if not isinstance(flips, list | tuple | range) or len(flips) == 0:
        raise SearchError(f"flips must list at least one number of pixels, got {shown(flips)}")
    seed, flips = whole_number("seed", seed, SearchError), [whole_number("flips", k, SearchError) for k in flips]
    exact = tuple(0 < len(samples) * math.comb(samples.inputs, k) <= MOST_EXACT for k in flips)
    flipped = [
        _every_flip(samples, k)
        if every
        else flip_pixels(samples, k, copies, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,))))
        for k, every in zip(flips, exact, strict=True)
    ]
    before, after = (np.stack([n.recognition(x) for x in flipped], axis=1) for n in (networks, quantized))
    return Robustness(flips=tuple(flips), before=before, after=after, tried=tuple(map(len, flipped)), exact=exact)


def _every_flip(samples: Samples, pixels: int) -> Samples:
    """Each sample with each choice of so many of its pixels flipped, those of one sample side by side."""
    choices = list(itertools.combinations(range(samples.inputs), pixels))
    copies = flip_pixels(samples, 0, len(choices), np.random.default_rng(0))  # refuses what has no pixels to flip
    x = copies.x.reshape(len(samples), len(choices), samples.inputs)
    if pixels:
        flipped = np.array(choices)
        for sample in x:
            np.put_along_axis(sample, flipped, 1.0 - np.take_along_axis(sample, flipped, axis=1), axis=1)
    return replace(copies, x=x.reshape(len(copies), samples.inputs))
