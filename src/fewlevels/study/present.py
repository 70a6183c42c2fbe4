"""Present: how much of a study is in its folder."""

from __future__ import annotations

from dataclasses import dataclass

from fewlevels.study.folder import Store
from fewlevels.study.groups import groups_of


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
