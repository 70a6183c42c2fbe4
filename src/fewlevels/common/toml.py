"""TOML files that a user wrote: a table of values, or one sentence."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fewlevels.common.checks import shown
from fewlevels.common.files import name_of, read_text
from fewlevels.common.words import printable
from fewlevels.errors import FewlevelsError


def read_toml(path: str | Path, error: type[FewlevelsError]) -> dict[str, Any]:
    """The values of a TOML file. Raises `error` where there is no such file, or `parse_toml` refuses it."""
    return parse_toml(read_text(path, error, "a TOML file"), path, error)


def parse_toml(text: str, path: str | Path, error: type[FewlevelsError]) -> dict[str, Any]:
    """The values of a TOML text. Raises `error`, with the path, where it is not valid, nested too deeply, or holds a
    whole number beyond float64.
    """
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise error(f"{name_of(path)} is nested too deeply") from None
    except ValueError as failure:
        raise error(f"{name_of(path)} is not valid TOML: {printable(failure)}") from None
    for key, value in _numbers(values):
        try:
            float(value)
        except OverflowError:
            raise error(f"{name_of(path)}: {printable(key)} must be at most 1.8e308, got {shown(value)}") from None
    return values


def line_of(lines: Sequence[str], section: str, key: str) -> int:
    """The line of a TOML file where a key stands, or else its section; 0 where neither stands.

    Section 'a.b.2' is the third [[a.b]]; '' is what stands before all sections.
    """
    numbered = re.fullmatch(r"(.*)\.(\d+)", section)
    name, index = (numbered[1], int(numbered[2])) if numbered else (section, 0)
    here, seen, section_line = "", {"": 0}, 0
    for number, line in enumerate(lines, start=1):
        if header := re.match(r"\s*\[+\s*([\w.-]+)\s*\]", line):
            here = header[1]
            seen[here] = seen.get(here, -1) + 1
            if here == name and seen[here] == index:
                section_line = number
            if key and f"{here}.".startswith(f"{section}.{key}.".removeprefix(".")):
                return number
        elif key and here == name and seen[here] == index and re.match(rf"\s*{re.escape(key)}\s*=", line):
            return number
    return section_line


def _numbers(values: Any, key: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(values, dict):
        for name, value in values.items():
            yield from _numbers(value, f"{key}.{name}" if key else name)
    elif isinstance(values, list):
        for value in values:
            yield from _numbers(value, key)
    elif isinstance(values, int):
        yield key, values
