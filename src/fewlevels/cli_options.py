"""Options of the command line: how they are declared, and what is said of a value that is no number."""

from __future__ import annotations

from typing import Any

import typer


def option(name: str, help_text: str, metavar: str) -> Any:
    """A typer option; metavar N takes whole numbers, X numbers, anything else text."""
    parser = {"N": _whole, "X": _real}.get(metavar)
    return typer.Option(name, help=help_text, metavar=metavar, show_default=False, parser=parser)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"a whole number is expected, got {text!r}.") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"a number is expected, got {text!r}.") from None
