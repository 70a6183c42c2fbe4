"""Counts: a number with its noun, as a person reads it."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: '1 network', '3 networks', '0 networks'. plural: where it is not the noun and an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
