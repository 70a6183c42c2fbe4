"""A terminal to run a command on."""

import os
import pty
import subprocess


def stderr_on_a_terminal(command: list[str]) -> bytes:
    """What the command writes to standard error where that is a terminal; it must succeed."""
    parent, child = pty.openpty()
    process = subprocess.Popen(command, stderr=child, stdout=subprocess.DEVNULL, env=os.environ | {"TERM": "xterm"})
    os.close(child)
    shown = b""
    while True:
        try:
            piece = os.read(parent, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    assert process.wait(timeout=60) == 0
    return shown
