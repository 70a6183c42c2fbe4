"""Imports: each stage knows only the stages to its left, and the package costs nothing until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fewlevels

STAGES = (
    "_kernels",
    "errors",
    "common",
    "storage",
    "engines",
    "samples",
    "networks",
    "training",
    "quantization",
    "circuit",
    "devices",
    "search",
    "chips",
    "fitting",
    "study",
    "reporting",
    "cli",
)
"""From left to right; a stage is a module, or a folder of modules that may also import each other."""

ROOT = Path(fewlevels.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def stage_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_stages(source: str) -> Iterator[str]:
    """The stages that a module's imports name, wherever in the module they stand."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in line {node.lineno}: name the module in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            stage = rest.split(".")[0]
            if package == "fewlevels" and stage != "__version__":
                yield fewlevels._PUBLIC.get(stage, stage).partition(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_stage_imports_only_to_its_left(path: Path) -> None:
    stage = stage_of(path)
    assert stage in STAGES, f"{stage} has no place in STAGES"
    allowed = {*STAGES[: STAGES.index(stage)], *([stage] if path.parent != ROOT else [])}
    assert set(imported_stages(path.read_text(encoding="utf-8"))) <= allowed


def test_imports_are_read_in_every_form() -> None:
    source = """
import numpy, fewlevels.search
from fewlevels import __version__, train
def later():
    from fewlevels.quantization.midpoint import Midpoint
    from fewlevels import errors as e
"""
    assert sorted(imported_stages(source)) == ["errors", "quantization", "search", "training"]


def test_every_stage_is_there() -> None:
    assert {"_kernels", *map(stage_of, MODULES)} == set(STAGES)


def test_importing_the_package_imports_no_library() -> None:
    code = "import fewlevels, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "fewlevels" in loaded
    assert set(loaded) & {"numpy", "scipy", "matplotlib", "pyarrow", "pydantic", "typer", "rich"} == set()


def test_a_search_imports_neither_scipy_nor_matplotlib_nor_pyarrow() -> None:
    code = "import sys; from fewlevels import fewest_levels, train, load_digits; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded and set(loaded) & {"scipy", "matplotlib", "pyarrow"} == set()


@pytest.mark.parametrize("name", fewlevels.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(fewlevels, name) is not None
    assert name in dir(fewlevels)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fewest_level'"):
        fewlevels.fewest_level  # noqa: B018
