"""docs/architecture.md tells of the tree that is there: the row of folders, and every file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import fewlevels
from tests.test_imports import FOLDERS

ROOT = Path(fewlevels.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
FILES = sorted(
    path.relative_to(ROOT)
    for suffix in ("*.py", "*.cpp", "*.hpp")
    for path in ROOT.rglob(suffix)
    if path.name != "__init__.py"
)


def test_the_row_of_folders_is_the_one_that_imports_keep() -> None:
    row = re.search(r"^    errors(\s+->\s+\w+)+", PAGE, re.MULTILINE)
    assert row is not None and tuple(re.findall(r"\w+", row[0])) == FOLDERS


def section_of(file: Path) -> str:
    """The part of the page on a file's folder, up to the next heading."""
    heading = re.search(rf"^### .*`(?:\S* and `)?{file.parts[0]}/?`.*\n((?:(?!#).*\n)+)", PAGE, re.MULTILINE)
    assert heading is not None, f"docs/architecture.md has no heading for {file.parts[0]}"
    return heading[1]


@pytest.mark.parametrize("file", [file for file in FILES if file.parts[0] != "_native"], ids=str)
def test_every_file_is_told_of_under_its_folder(file: Path) -> None:
    assert f"`{file.name}`" in section_of(file)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(\w+\.(?:py|cpp|hpp))`", PAGE))))
def test_no_file_is_told_of_that_is_not_there(name: str) -> None:
    assert name in {file.name for file in FILES}
