"""Which model: the one of a study or of a file that a user names, by its index or as the best."""

from __future__ import annotations

from fewlevels.errors import SearchError
from fewlevels.study.result import SearchedStudy

BEST = "best"


def model_index(name: str, models: int) -> int | None:
    """The index that a user names a model by, or None for 'best'. Raises SearchError where there is no such model."""
    if name == BEST:
        return None
    if not (name.isascii() and name.isdecimal() and len(name) < 20 and int(name) < models):
        raise SearchError(f"--model must be {BEST}, or 0 to {models - 1}, got {name!r}")
    return int(name)


def best_of(study: SearchedStudy) -> int:
    """The index of a study's best model. Raises SearchError where none is solved."""
    if study.best < 0:
        raise SearchError("no model of this study was solved, so there is no best one; choose one with --model INDEX")
    return study.best
