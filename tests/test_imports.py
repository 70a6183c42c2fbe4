"""Imports: folders know those before them, nothing goes in circles, and the package costs nothing until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

import fewlevels

FOLDERS = (
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
    "torch",
    "chips",
    "fitting",
    "study",
    "reporting",
    "cli",
)
"""From the ground up: a folder knows those before it."""

ROOT = Path(fewlevels.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted(ROOT.rglob("*.py"))
    if path != ROOT / "__init__.py"
}


def imported(source: str) -> Iterator[str]:
    """The modules of ours that a module's imports name, wherever in the module they stand, without 'fewlevels.'."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in line {node.lineno}: name the module in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for package, _, name in (name.partition(".") for name in names):
            if package == "fewlevels" and name != "__version__":
                yield module_of(fewlevels._PUBLIC.get(name, name))


def module_of(name: str) -> str:
    """The module that a name lies in, which may be the name of a folder."""
    while name and name not in MODULES and f"{name}.__init__" not in MODULES and name != "_kernels":
        name = name.rpartition(".")[0]
    return f"{name}.__init__" if f"{name}.__init__" in MODULES else name


IMPORTS = {name: sorted(set(imported(path.read_text(encoding="utf-8")))) for name, path in MODULES.items()}


@pytest.mark.parametrize("module", MODULES)
def test_a_folder_imports_only_from_those_before_it(module: str) -> None:
    folder = module.partition(".")[0]
    assert folder in FOLDERS, f"{folder} has no place in FOLDERS"
    allowed = {"_kernels", *FOLDERS[: FOLDERS.index(folder) + 1]}
    assert {name.partition(".")[0] for name in IMPORTS[module]} <= allowed


def circle(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """Names that import each other in turn, the first again at the end; none where there is no circle."""
    done: set[str] = set()

    def follow(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name not in done:
            for other in imports.get(name, ()):
                if found := follow(other, [*way, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in imports if (found := follow(name, []))), [])


def test_no_files_import_each_other() -> None:
    assert circle(IMPORTS) == []
    assert circle({"a": ["b"], "b": ["c", "d"], "d": ["b"]}) == ["b", "d", "b"]


@pytest.mark.parametrize("folder", sorted({name.rpartition(".")[0] for name in MODULES if "." in name}))
def test_what_lies_in_a_folder_imports_one_way(folder: str) -> None:
    """Its files, and each folder in it as a whole."""

    def room(name: str) -> str:
        return name.removeprefix(f"{folder}.").partition(".")[0]

    rooms: dict[str, set[str]] = {}
    for name, others in IMPORTS.items():
        if name.startswith(f"{folder}.") and room(name) != "__init__":
            inside = {room(other) for other in others if other.startswith(f"{folder}.")}
            rooms.setdefault(room(name), set()).update(inside - {room(name)})
    assert circle(rooms) == []


def test_imports_are_read_in_every_form() -> None:
    source = """
import numpy, fewlevels.search
from fewlevels import __version__, train
def later():
    from fewlevels.quantization.midpoint import Midpoint
    from fewlevels import errors as e
"""
    assert sorted(imported(source)) == ["errors", "quantization.midpoint", "search.__init__", "training.sgd"]


def test_every_folder_is_there() -> None:
    assert {name.partition(".")[0] for name in MODULES} == set(FOLDERS)


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
