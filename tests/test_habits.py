"""Habits: functions that one can see at once, and results whose numbers are named where they are made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fewlevels

LONGEST_BODY = 45
"""Lines, its docstring aside. A longer one says why in a comment above it that begins with `# Long:`."""

MOST_POSITIONS = 3
"""Of the arguments that make a result or a configuration."""

ROOT = Path(fewlevels.__file__).parent
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}


def body_lines(node: ast.FunctionDef) -> int:
    first = 1 if ast.get_docstring(node) is not None and len(node.body) > 1 else 0
    return (node.body[-1].end_lineno or 0) - node.body[first].lineno + 1


def long_functions(source: str) -> Iterator[str]:
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and body_lines(node) > LONGEST_BODY:
            above = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 2
            while above >= 0 and lines[above].lstrip().startswith("#") and "# Long:" not in lines[above]:
                above -= 1
            if "# Long:" not in lines[above]:
                yield f"{node.name}: {body_lines(node)} lines"


@pytest.mark.parametrize("path", SOURCES)
def test_a_function_can_be_seen_at_once(path: str) -> None:
    assert list(long_functions(SOURCES[path])) == []


def test_a_long_function_is_found() -> None:
    body = "    a = 1\n" * (LONGEST_BODY + 1)
    assert list(long_functions(f"def f():\n{body}")) == ["f: 46 lines"]
    assert list(long_functions(f"# Long: a table.\ndef f():\n{body}")) == []


def dataclasses() -> set[str]:
    named = re.compile(r"@(?:dataclasses\.)?dataclass\b.*\n(?:@.*\n)*class (\w+)")
    return {name for source in SOURCES.values() for name in named.findall(source)}


def unnamed(source: str, results: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        made = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if isinstance(node, ast.Call) and made in results and len(node.args) > MOST_POSITIONS:
            yield f"{made}, line {node.lineno}: {len(node.args)} positions"


@pytest.mark.parametrize("path", SOURCES)
def test_a_result_is_made_of_named_numbers(path: str) -> None:
    assert list(unnamed(SOURCES[path], dataclasses())) == []


def test_unnamed_numbers_are_found() -> None:
    assert "Fit" in dataclasses() and "FewestLevels" in dataclasses()
    assert list(unnamed("Fit(a, b, c, d)", {"Fit"})) == ["Fit, line 1: 4 positions"]
