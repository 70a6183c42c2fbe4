"""Chosen: the one network, quantized or as it is, that a circuit is made of, from a study or from a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fewlevels.common.checks import shown
from fewlevels.errors import UsageError
from fewlevels.networks.networks import Networks
from fewlevels.quantization import Quantized
from fewlevels.samples.samples import Samples
from fewlevels.search.fewest import fewest_levels
from fewlevels.search.method import parse_methods
from fewlevels.study.inputs import Inputs
from fewlevels.study.result import SearchedStudy

DEFAULT_METHOD = "paper"


@dataclass(frozen=True, kw_only=True, eq=False)
class Chosen:
    """A network and its weights at their levels.

    networks: a stack of one. index: of the model in its study or file. data: what a user calls the samples. seed: of
    draws. remarks: what was assumed of a file, a sentence each.
    """

    networks: Networks
    quantized: Quantized
    samples: Samples
    index: int
    data: str
    seed: int = 1
    remarks: tuple[str, ...] = ()


def of_study(result: SearchedStudy, index: int) -> Chosen:
    """A model at its fewest levels. Raises SearchError where it is unsolved."""
    return Chosen(
        networks=result.search.networks[index],
        quantized=result.search.quantization(index),
        samples=result.samples,
        index=index,
        data=result.config.dataset,
        seed=result.config.seed,
    )


def of_file(inputs: Inputs, method: str | None, levels: int | None) -> Chosen:
    """The network of a file: as it is where neither is given; else at so many levels of a method, or at the fewest that
    keep all of what the network itself recognises.

    Raises UsageError for what is not one quantizer, SearchError where no number of levels suffices, QuantizationError
    for a number that the method does not give.
    """
    network = inputs.one
    return Chosen(
        networks=network,
        quantized=_as_it_is(network) if method is None and levels is None else _quantized(inputs, method, levels),
        samples=inputs.samples,
        index=inputs.index or 0,
        data=inputs.data_name,
        remarks=inputs.remarks,
    )


def _as_it_is(network: Networks) -> Quantized:
    joint = network.joint()
    levels, assignment = np.unique(joint, return_inverse=True)
    return Quantized(levels=levels[None], assignment=assignment.reshape(joint.shape), values=joint)


def _quantized(inputs: Inputs, name: str | None, levels: int | None) -> Quantized:
    methods = parse_methods(name or DEFAULT_METHOD)
    if len(methods) > 1 or methods[0].finetuned:
        raise UsageError(
            f"--method must be one quantizer, got {shown(name)}; a network that 'fewlevels search' fine-tuned is a "
            "file of its own"
        )
    quantizer = methods[0].quantizer
    if levels is not None:
        return quantizer.quantize(inputs.one.joint(), levels)
    return fewest_levels(inputs.one, inputs.samples, quantizer=quantizer, relative=True).quantization(0)
