"""TOML files that a user wrote: a table of values, or one sentence."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
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


def _numbers(values: Any, key: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(values, dict):
        for name, value in values.items():
            yield from _numbers(value, f"{key}.{name}" if key else name)
    elif isinstance(values, list):
        for value in values:
            yield from _numbers(value, key)
    elif isinstance(values, int):
        yield key, values
