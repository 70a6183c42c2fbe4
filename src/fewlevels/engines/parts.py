"""Parts: pieces of work shared out among commands that know nothing of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from fewlevels.common.checks import shown
from fewlevels.errors import ConfigError

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class Part:
    """Every `count`-th piece, from the `number`-th on; number: 1 to count. Each piece is in exactly one part, and the
    parts differ by one piece at most. Raises ConfigError for other numbers.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ConfigError(f"a part is one of 1/{self.count} to {self.count}/{self.count}, got {self}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Part:
        """From K/N, as 2/5. Raises ConfigError for anything else."""
        if not (match := re.fullmatch(r"([0-9]{1,9})/([1-9][0-9]{0,8})", text)):
            raise ConfigError(f"--part must be K/N, as 2/5 for the second of five parts, got {shown(text)}")
        return cls(int(match[1]), int(match[2]))

    def of(self, pieces: Sequence[Piece]) -> list[Piece]:
        """The pieces of this part."""
        return list(pieces[self.number - 1 :: self.count])
