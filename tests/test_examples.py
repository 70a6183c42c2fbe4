"""The worked examples, as they stand: each answer is the one that the README tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


def run(name: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [EXAMPLES / name], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def answer(folder: Path) -> dict[str, object]:
    return json.loads((folder / "fit.json").read_text())


def test_both_examples_end_as_the_readme_says(folder: Path) -> None:
    run("1_taox_four_levels.sh", folder)
    taox = answer(folder / "taox")
    assert taox["feasible"] and taox["q"] == taox["needed_levels"] == taox["separable_levels"] == 4
    run("2_wan_after_a_day.sh", folder)
    wan, tuned = answer(folder / "wan"), answer(folder / "wan_finetuned")
    assert not wan["feasible"] and wan["limiting_factor"] == "spread" and wan["needed_levels"] == 4
    assert 3.2 < wan["separable_levels"] < 3.3  # type: ignore[operator]
    assert tuned["feasible"] and tuned["q"] == 2
