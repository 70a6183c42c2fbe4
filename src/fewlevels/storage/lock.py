"""Lock: a file held for this process; the system lets go of it however the process ends."""

from __future__ import annotations

import errno
import sys

UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""What a file system without locks says, as many network file systems do."""


def try_lock(descriptor: int) -> bool:
    """Whether the file is now held; False where another process holds it.

    Raises OSError where it cannot be held at all, with one of UNSUPPORTED where the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True
