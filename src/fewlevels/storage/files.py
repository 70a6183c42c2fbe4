"""Files that are written whole or not at all, even if the machine stops or another process writes the same file.

A file is written under a temporary name of its own, synced, and renamed. The temporary name holds the machine and the
process that writes. So a file that a killed process left can be told from one that is still being written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from fewlevels.common.places import is_local, write_object
from fewlevels.errors import StoreError, UsageError

UNFINISHED = re.compile(r"\.fewlevels-([0-9a-f]{8})-([0-9]{1,9})-[0-9a-f]{16}\.partial")
"""The temporary name of a file that is being written: machine, process, random."""

ABANDONED_SECONDS = 86400.0
"""After this time nobody still writes a file: writing one takes seconds, and clocks of two machines differ by less."""

MOST_LINKS = 40
"""How many links in a row are followed; Linux follows as many."""


def write_file(path: Path, content: bytes) -> bool:
    """Write a file that a user named.

    A regular file, or a new one, is replaced as a whole, in an object store, too. Its folder is made where it is
    missing. A link is followed, and the file that it leads to is replaced. A device, a fifo or a socket is opened and
    written to. So is an open file of this process by its name (/dev/stdout, /dev/fd/3). Returns whether the content is
    now in a regular file. Raises UsageError for a folder, StoreError where it cannot be written.
    """
    with failures(f"write {path}"):
        if not is_local(path):
            return write_object(path, content)
        if (descriptor := _open_file(path)) is not None:
            sys.stdout.flush()  # what was printed before comes first
            with open(os.dup(descriptor), "wb") as file:
                file.write(content)
            return False
        target, mode = Path(os.path.realpath(path)), None
        with suppress(FileNotFoundError):
            mode = os.stat(path).st_mode
        if mode is None:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, content)
        elif stat.S_ISREG(mode):
            if not os.access(path, os.W_OK):  # to rename, a file need not be writable: a protected one stays
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            write_whole(target, content, stat.S_IMODE(mode))
        elif stat.S_ISDIR(mode):
            raise UsageError(f"{path} is a folder; name a file to write")
        elif stat.S_ISSOCK(mode):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(os.fspath(path))
                connection.sendall(content)
        else:
            with open(os.open(path, os.O_WRONLY), "wb") as file:
                file.write(content)
        return mode is None or stat.S_ISREG(mode)


def write_whole(path: Path, content: bytes, mode: int | None = None, *, only_new: bool = False) -> bool:
    """Write a file; returns whether it now holds this content.

    At any instant its name stands for the whole old content or the whole new one.

    mode: permissions that the file had before, to be kept. only_new: a file that is there stays as it is, even one that
    another process writes at the same time (on file systems with hard links).

    Raises OSError, and leaves nothing behind, where it cannot be written.
    """
    partial = path.with_name(f".fewlevels-{_machine()}-{os.getpid()}-{secrets.token_hex(8)}.partial")
    try:
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(partial, mode)
        written = _named(partial, path, only_new=only_new)
    finally:
        partial.unlink(missing_ok=True)  # there where writing failed, or by its second name
    if hasattr(os, "O_DIRECTORY"):
        directory = os.open(path.parent, os.O_DIRECTORY)
        os.fsync(directory)
        os.close(directory)
    return written


def _named(partial: Path, path: Path, *, only_new: bool) -> bool:
    """Give a file its name; only_new: unless there is a file of that name, which is then False."""
    if only_new:
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError:  # the file system has no hard links
            if path.exists():
                return False
        else:
            return True
    os.replace(partial, path)
    return True


def remove_unfinished(folder: Path) -> None:
    """Remove unfinished files of `write_whole` from this folder (not below it), where their writer is dead.

    A writer on this machine is dead when its process does not run. Of another machine nobody can know, so a file from
    there is removed after a day.
    """
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            name = UNFINISHED.fullmatch(entry.name)
            if name is None or not entry.is_file(follow_symlinks=False):
                continue
            with suppress(FileNotFoundError):  # another one removes it, or its writer has renamed it
                if _is_dead(name[1], int(name[2]), entry.stat(follow_symlinks=False).st_mtime):
                    os.unlink(entry.path)


@contextmanager
def failures(action: str) -> Iterator[None]:
    """Failures of the system as a StoreError: 'cannot ACTION: reason'."""
    try:
        yield
    except OSError as error:
        hint = "; free some space and run the same command again" if error.errno == errno.ENOSPC else ""
        raise StoreError(f"cannot {action}: {(error.strerror or str(error)).lower()}{hint}") from None


def _open_file(path: Path) -> int | None:
    """The descriptor that a name such as /dev/stdout stands for; None for the name of a file."""
    own = {os.path.realpath("/dev/fd"), os.path.realpath("/proc/self/fd")}
    for _ in range(MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in own and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = Path(folder, os.readlink(path))
    return None


@cache
def _machine() -> str:
    """Eight hex digits for this machine, its last start and its numbering of processes, which each container has."""
    known = [platform.node()]
    with suppress(OSError):
        known += [Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"), os.readlink("/proc/self/ns/pid")]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:8]


def _is_dead(machine: str, process: int, written_at: float) -> bool:
    if machine != _machine() or sys.platform == "win32":  # where os.kill ends a process instead of asking for it
        return time.time() - written_at > ABANDONED_SECONDS
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
