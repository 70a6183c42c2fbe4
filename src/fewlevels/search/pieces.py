"""Pieces: a search cut into parts of about a minute's work, each a pure function of what is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from fewlevels.engines.work import PIECE_SECONDS
from fewlevels.errors import NetworksError
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import Variants
from fewlevels.quantization.protocol import searchable
from fewlevels.search.contest import Contest, Tried
from fewlevels.search.method import Method
from fewlevels.storage.provenance import DIGEST, digest

MULTIPLICATION_SECONDS = 3e-10
"""For one weight and one sample, quantizing included (measured on digits5 and digits8: 2e-10 to 5e-9)."""

FINETUNING_TRIES = 400
"""A model is quantized and judged about so often while it is fine-tuned."""

LANES = 16
"""Models that the widest kernel takes side by side: of a stack a piece has a multiple of them."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A method with some of the networks at some of its numbers of levels. size: how often it quantizes and judges."""

    method: Method
    models: range
    numbers: range
    size: int

    @property
    def name(self) -> str:
        """Of its table: the method in plain letters, what its quantizer is, the first model and how many, the numbers
        of levels."""
        said = re.sub(r"[^a-z0-9]+", "-", self.method.name.lower())[:40].strip("-")
        numbers = f"{self.numbers.start}-{self.numbers.stop - 1}"
        return f"{said}-{quantizer_key(self.method)}-models-{self.models.start:06d}-{len(self.models)}-levels-{numbers}"

    def __str__(self) -> str:
        return self.name


def quantizer_key(method: Method) -> str:
    """Tells one quantizer, fine-tuned for or not, from another."""
    return digest([repr(method.quantizer), method.finetuned]).removeprefix(DIGEST)[:8]


def pieces_of(contest: Contest, methods: Sequence[Method], piece_seconds: float = PIECE_SECONDS) -> list[Piece]:
    """All pieces, method after method, each of about so many seconds on one core: of many networks some of them at all
    numbers of levels, of few at some of the numbers.
    """
    once = MULTIPLICATION_SECONDS * len(contest.samples) * _multiplications(contest.networks)
    return [piece for method in methods for piece in _of_method(contest, method, piece_seconds / once)]


def _of_method(contest: Contest, method: Method, most_tries: float) -> Iterator[Piece]:
    """most_tries: how often a piece may quantize and judge."""
    total, numbers, tries = len(contest.networks), contest.numbers(method), _tries(method)
    fitting = int(most_tries / (tries * max(len(numbers), 1)))
    models = min(max(fitting // LANES, 1) * LANES, total)
    levels = max(int(most_tries / (tries * models)), 1)
    for begin in range(0, total, models):
        some = range(begin, min(begin + models, total))
        for at in range(0, len(numbers), levels):
            these = numbers[at : at + levels]
            yield Piece(method=method, models=some, numbers=these, size=len(some) * len(these) * tries)


def _tries(method: Method) -> int:
    """How often a model is quantized and judged at one number of levels, about."""
    return FINETUNING_TRIES if method.finetuned else len(searchable(method.quantizer).settings())


def _multiplications(networks: Networks) -> int:
    """Of a network for one sample, at least one."""
    if isinstance(networks, Networks):
        return max(sum(fan_in * fan_out for fan_in, fan_out in networks.shapes), 1)
    network = cast(Variants, networks).network
    try:
        return max(sum(network.multiply_accumulates().values()), 1)
    except NetworksError:  # of samples of any size; their weights at least
        return max(sum(layer.weights for layer in network.layers), 1)


def joined(contest: Contest, method: Method, found: Sequence[tuple[Piece, Tried]]) -> Tried:
    """What the pieces of one method found together, in the order of `pieces_of`."""
    if not found:
        return contest.tried(method, range(len(contest.networks)), contest.numbers(method))
    of_models: dict[range, list[Tried]] = {}
    for piece, tried in found:
        of_models.setdefault(piece.models, []).append(tried)
    return Tried.joined([Tried.joined(each, axis=1) for each in of_models.values()], axis=0)
