"""Places: files and folders of this machine, or of an object store such as s3://BUCKET/FOLDER.

A path in an object store is a `UPath` of the library universal_pathlib, which is used as a `Path` is. There are no
folders, no locks and no renames there: a file is written whole, by one request. Whatever a store's library raises is an
OSError here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from fewlevels.common.extras import require
from fewlevels.common.words import printable
from fewlevels.errors import StoreError, UsageError


def place(text: str) -> Path:
    """What a user names: a path of this machine, or one such as s3://BUCKET/FOLDER of an object store.

    Raises UsageError for a store that no installed library reaches, and where no bucket is named.
    """
    if "://" not in text:
        return Path(text)
    require("cloud", ("upath",), printable(text), UsageError)
    from upath import UPath

    try:
        path = UPath(text, use_listings_cache=False)  # other processes write there, too
        store: Any = path.fs
    except (ImportError, ValueError) as error:
        raise UsageError(f"{printable(text)} is in no store that can be used here: {printable(error)}") from None
    if not path.path.strip("/"):
        raise UsageError(f"{printable(text)} names no bucket; s3://BUCKET/FOLDER is expected")
    return Path(path.path) if store.protocol == ("file", "local") else cast(Path, path)


def is_local(path: Path) -> bool:
    """Whether a path is of this machine's file systems."""
    return isinstance(path, os.PathLike)


def is_there(path: Path) -> bool:
    """Whether there is a file or folder. Raises StoreError where that cannot be told."""
    return kind_of(path) is not None


def is_folder(path: Path) -> bool:
    """Whether there is a folder. Raises StoreError where that cannot be told."""
    return kind_of(path) == "directory"


def is_same(path: Path, other: Path) -> bool:
    """Whether two paths that are there are of the same file or folder."""
    return path.samefile(other) if is_local(path) and is_local(other) else path == other


def read(path: Path) -> bytes:
    """The content of a file. Raises OSError."""
    if is_local(path):
        return path.read_bytes()
    store: Any = path
    with _store_errors(path):
        return bytes(store.fs.cat_file(store.path))


def status(path: Path) -> tuple[int, int]:
    """Size in bytes and time of change in ns. Raises OSError."""
    with _store_errors(path):
        found = path.stat()
        return found.st_size, found.st_mtime_ns


def names_in(folder: Path) -> list[str]:
    """Of all files in a folder, in order. Raises OSError."""
    if is_local(folder):
        return sorted(os.listdir(folder))
    store: Any = folder
    with _store_errors(folder):
        return sorted(name.rpartition("/")[2] for name in store.fs.ls(store.path, detail=False))


def matching(folder: Path, pattern: str) -> list[Path]:
    """The paths below a folder that match, in order. Raises OSError."""
    with _store_errors(folder):
        return sorted(folder.glob(pattern))


def remove(path: Path) -> None:
    """Remove a file, if it is there. Raises OSError."""
    with _store_errors(path):
        path.unlink(missing_ok=True)


def write_object(path: Path, content: bytes, *, only_new: bool = False) -> bool:
    """Write a file of an object store, there whole or not at all; returns whether it now holds this content.

    only_new: a file that is there stays as it is, even one that another process writes at the same time.
    Raises OSError.
    """
    store: Any = path
    with _store_errors(path):
        try:
            store.fs.pipe_file(store.path, content, **({"mode": "create"} if only_new else {}))
        except FileExistsError:
            return False
    return True


def kind_of(path: Path) -> str | None:
    """'directory', or another word for what is no folder; None where there is nothing. Raises StoreError where that
    cannot be told."""
    try:
        if is_local(path):
            return "directory" if path.is_dir() else "file" if path.exists() else None
        store: Any = path
        with _store_errors(path):
            return str(store.fs.info(store.path)["type"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {printable(path)}: {(error.strerror or printable(error)).lower()}") from None


@contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    """Errors of an object store's library as OSError, which they are of any kind."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if is_local(path):
            raise
        raise OSError(str(error) or type(error).__name__) from error
