"""docs/extending.md: every block of Python runs as it stands, and every file that the page names is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = {section.splitlines()[0]: section for section in PAGE.split("\n## ")[1:]}
BLOCKS = [
    pytest.param(block, id=f"{title}, {number}")
    for title, section in SECTIONS.items()
    for number, block in enumerate(re.findall(r"^```python\n(.*?)```", section, re.DOTALL | re.MULTILINE), start=1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_worked_example_runs(block: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w./]+/[\w.]+\.(?:py|pyi|toml|hpp))`", PAGE))))
def test_a_file_that_the_page_names_is_there(path: str) -> None:
    assert (ROOT / path).is_file() or (ROOT / "src" / "fewlevels" / path).is_file()


def test_everything_in_the_table_has_a_section() -> None:
    rows = re.findall(r"^\| (an? [\w ]+) \|", PAGE, re.MULTILINE)
    assert [row.capitalize() for row in rows] == list(SECTIONS)
