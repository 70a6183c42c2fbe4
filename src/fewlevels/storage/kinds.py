"""Kinds: which command's results a folder holds, so that no command writes among the results of another."""

from __future__ import annotations

from pathlib import Path

from fewlevels.common.places import is_folder, is_there, matching
from fewlevels.errors import StoreError
from fewlevels.storage.files import failures

MARKS = {
    "study.toml": "study",
    "request.json": "fit",
    "fit.json": "fit",
    "search.json": "search",
    "search.npz": "search",
    "search/*/request.json": "search",
}
"""What shows which kind a folder is. The folder of a study may also hold a search of its networks."""


def kind_of(folder: Path) -> str | None:
    """'study', 'fit' or 'search'; None for a folder that holds none of them, or is not there."""
    with failures(f"read {folder}"):
        return next((kind for name, kind in MARKS.items() if matching(folder, name)), None)


def require_kind(folder: Path, kind: str) -> None:
    """Raises StoreError where a folder holds results of another kind."""
    if (there := kind_of(folder)) not in (None, kind):
        raise StoreError(f"{folder} holds a {there}; give the {kind} a folder of its own")
    if is_there(folder) and not is_folder(folder):
        raise StoreError(f"{folder} is a file; name a folder for the {kind}")
