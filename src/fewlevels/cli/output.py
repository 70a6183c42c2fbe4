"""Output of the command line: text and line breaks, whatever the names in it hold."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TextIO

from fewlevels.common.words import printable_lines


class ShownStream:
    """A text stream that shows control characters instead of writing them, and what it cannot encode by its code.

    stream: what it writes to, for those who control a terminal on purpose.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        with suppress(AttributeError):  # not a file's stream
            stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]

    def write(self, text: str) -> int:
        if not isinstance(text, str):  # click asks so whether this is a stream of bytes
            raise TypeError(f"write() takes text, got {type(text).__name__}")
        self.stream.write(printable_lines(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
