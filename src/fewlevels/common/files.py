"""Files that a user names. They are opened with care, because a name may lead to a device or a pipe."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from fewlevels.common.checks import shown
from fewlevels.common.places import read
from fewlevels.common.words import printable
from fewlevels.errors import FewlevelsError


def open_regular(path: str | Path, error: type[FewlevelsError], expected: str) -> BinaryIO:
    """Open a file for reading. Links are followed.

    expected: what the file should hold, in words, for the error. Raises `error` where the file cannot be opened or is
    no regular file, such as a folder, a device or a pipe. It does not wait for a pipe to be written to.
    """
    if hasattr(path, "fs"):
        return _fetched(cast(Path, path), error, expected)
    if not isinstance(path, str | os.PathLike):
        raise error(f"a file is named by text, got {shown(path)}; expected {expected}")
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as failure:
        why = (failure.strerror or str(failure)).lower()
        raise error(f"cannot read {name_of(path)}: {why}; expected {expected}") from None
    except ValueError:  # a name with a NUL in it
        raise error(f"cannot read {name_of(path)}: this is not the name of a file; expected {expected}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise error(f"cannot read {name_of(path)}: a folder, a device or a pipe is no file; expected {expected}")
    return os.fdopen(descriptor, "rb")


def _fetched(path: Path, error: type[FewlevelsError], expected: str) -> BinaryIO:
    """A copy of a file of an object store, as a file of this machine, since readers ask for its descriptor."""
    try:
        content = read(path)
    except OSError as failure:
        raise error(f"cannot read {name_of(path)}: {printable(failure)}; expected {expected}") from None
    copy = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  (the reader closes it)
    copy.write(content)
    copy.seek(0)
    return copy


def read_text(path: str | Path, error: type[FewlevelsError], expected: str) -> str:
    """Text of a UTF-8 file, without its byte order mark. Raises `error` as `open_regular` does, or for other text."""
    with open_regular(path, error, expected) as file:
        content = file.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise error(f"{name_of(path)} is not UTF-8 text; expected {expected}") from None


def name_of(path: object) -> str:
    """A path as a sentence shows it."""
    return printable(path) if str(path) else "''"
