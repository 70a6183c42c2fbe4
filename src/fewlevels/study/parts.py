"""Parts: a study's groups shared out among commands that know nothing of each other, and how many of them are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fewlevels.common.checks import shown
from fewlevels.errors import ConfigError
from fewlevels.study.folder import Store
from fewlevels.study.groups import Group, groups_of


@dataclass(frozen=True)
class Part:
    """Every `count`-th group, from the `number`-th on; number: 1 to count. Each group is in exactly one part, and the
    parts differ by one group at most. Raises ConfigError for other numbers.
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

    def of(self, groups: Sequence[Group]) -> list[Group]:
        """The groups of this part."""
        return list(groups[self.number - 1 :: self.count])


@dataclass(frozen=True, kw_only=True)
class Present:
    """How much of a study is in its folder: groups with a table, of all; and the models in them, of all."""

    groups: int
    all_groups: int
    models: int
    all_models: int

    def __str__(self) -> str:
        return f"{self.groups} of {self.all_groups} groups are there, {self.models} of {self.all_models} models"


def present(store: Store) -> Present:
    """What is there by the names of files, of which none is opened. Raises ConfigError where this is no study."""
    groups, names = groups_of(store.config()), set(store.names())
    there = [group for group in groups if group.name in names]
    return Present(
        groups=len(there),
        all_groups=len(groups),
        models=sum(len(group.models) for group in there),
        all_models=sum(len(group.models) for group in groups),
    )
