"""Method: a way to few levels, by the name that it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fewlevels.common.checks import instance, shown
from fewlevels.devices.files import load_device_levels
from fewlevels.errors import SearchError
from fewlevels.quantization import QUANTIZERS, Quantizer

PAPER_NAMES = {"paper": "midpoint", "paper-signed": "midpoint-signed"}
"""Names of methods that are not their quantizer's own."""

NAMES = (*PAPER_NAMES, *(name for name in QUANTIZERS if name not in PAPER_NAMES.values()))
"""Of all methods that are one quantizer."""


DEFAULT_METHODS = "paper,clipped,qat:ternary"
DEFAULT_OF_GRAPHS = "paper,clipped"
"""Of networks that are not dense layers one after the other, which are not fine-tuned here."""


@dataclass(frozen=True)
class Method:
    """A quantizer, searched as it is or fine-tuned for (`finetuned`), under the name it was asked for."""

    name: str
    quantizer: Quantizer
    finetuned: bool = False


def parse_methods(text: str) -> list[Method]:
    """Methods from 'paper,clipped,zero,kmeans,device:levels.csv,qat:ternary': quantizers by name, a device
    after 'device:' (see load_device_levels), and 'qat:' before any of these to fine-tune for it.

    Raises SearchError for a name that there is not or that stands twice, DeviceError for a file not valid.
    """
    names = [name.strip() for name in instance("methods", text, str, SearchError).split(",")]
    for name in names:
        if names.count(name) > 1:
            raise SearchError(f"each method can be asked for once, {name!r} stands {names.count(name)} times")
    return [_parse_method(name) for name in names]


def checked_methods(methods: str | Sequence[Method]) -> Sequence[Method]:
    """The methods, of their names where these are given; raises SearchError for what are none."""
    methods = parse_methods(methods) if isinstance(methods, str) else methods
    if not (isinstance(methods, list | tuple) and all(isinstance(method, Method) for method in methods)):
        raise SearchError(f"methods must be a list of methods or of their names, got {shown(methods)}")
    if not methods:
        raise SearchError("methods must name at least one method, got none")
    return methods


def _parse_method(name: str) -> Method:
    bare = name.removeprefix("qat:")
    finetuned = bare != name
    if bare.startswith("device:"):
        return Method(name, load_device_levels(bare.removeprefix("device:")), finetuned)
    quantizer = QUANTIZERS.get(PAPER_NAMES.get(bare, bare))
    if quantizer is None:
        known = ", ".join([*NAMES, "device:LEVELS.csv|DEVICE.toml", "qat:METHOD"])
        raise SearchError(f"methods are {known}; got {shown(name)}")
    return Method(name, quantizer.for_finetuning() if finetuned else quantizer, finetuned)
