"""Ctrl-C on the command line: one sentence, and out within a second."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

INTERRUPTED = 130
GOES_ON = "the same command goes on where it was"

GRACE_SECONDS = 0.7
"""From Ctrl-C until the process ends without Python's main thread, which a long native call may hold up."""

HEARING_SECONDS = 0.1
"""After an error, for a Ctrl-C that caused it to be heard of."""

_left = ""
_leaving = threading.Lock()
_interrupted = threading.Event()


def on_interrupt(left: str) -> None:
    """What a Ctrl-C from now on leaves behind, for its sentence; '' for nothing to be said."""
    global _left  # of the process, as the interrupt is
    _left = left


def leave() -> NoReturn:
    """Say that the command was interrupted, and end the process without waiting for what is under way."""
    with _leaving:  # one thread says it
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), b"\x1b[?25h")  # the cursor, which a live bar hides
        print("fewlevels: interrupted" + (f"; {_left}" if _left else ""), file=sys.stderr, flush=True)
        os._exit(INTERRUPTED)


@contextmanager
def leaving_soon() -> Iterator[None]:
    """Ends the process soon after Ctrl-C, even where a native call keeps Python from noticing it, or where it becomes
    another error: a KeyboardInterrupt while a class is made, as imports do, is raised as a RuntimeError."""
    on_interrupt("")
    _interrupted.clear()
    heard, tell = os.pipe()
    os.set_blocking(tell, False)
    before = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    ended = threading.Event()
    threading.Thread(target=_listen, args=(heard, ended), daemon=True).start()
    try:
        yield
    except Exception:
        if _interrupted.wait(HEARING_SECONDS):
            leave()
        raise
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        os.close(tell)


def _listen(heard: int, ended: threading.Event) -> None:
    while number := os.read(heard, 1):
        if number[0] == signal.SIGINT:
            _interrupted.set()
            if not ended.wait(GRACE_SECONDS):
                leave()
    os.close(heard)
