"""Flips: binary samples of which some pixels are wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fewlevels.common.checks import instance, whole_number
from fewlevels.errors import SamplesError
from fewlevels.samples.samples import Samples


def flip_pixels(samples: Samples, pixels: int, copies: int, rng: np.random.Generator) -> Samples:
    """Noisy copies of binary samples: in each copy `pixels` different inputs, drawn at random, are flipped (0 <-> 1).

    copies: of each sample. Returns samples * copies samples; the copies of one sample follow each other.
    Raises SamplesError where x is not binary or has fewer inputs than `pixels`.
    """
    instance("samples", samples, Samples, SamplesError)
    instance("rng", rng, np.random.Generator, SamplesError)
    if not np.isin(samples.x, (0.0, 1.0)).all():
        raise SamplesError("only binary samples have pixels to flip; this x holds values other than 0 and 1")
    pixels = whole_number("pixels", pixels, SamplesError, most=samples.inputs)
    copies = whole_number("copies", copies, SamplesError, least=1, most=2**31 - 1)
    x = np.repeat(samples.x, copies, axis=0)
    chosen = np.argsort(rng.random(x.shape), axis=1)[:, :pixels]
    np.put_along_axis(x, chosen, 1.0 - np.take_along_axis(x, chosen, axis=1), axis=1)
    return replace(samples, x=x, y=np.repeat(samples.y, copies))
