"""What a command reads: the files of a folder that a process opens, counted where Python itself opens them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CODE = """
import collections, json, os, sys

folder, opened = os.path.realpath(sys.argv.pop(1)), collections.Counter()

def count(event, arguments):
    if event != "open" or not isinstance(arguments[0], str | os.PathLike) or arguments[2] & (os.O_WRONLY | os.O_RDWR):
        return
    path = os.path.realpath(arguments[0])
    if path.startswith(folder + os.sep) and os.path.isfile(path):
        opened[os.path.relpath(path, folder)] += 1

sys.addaudithook(count)
from fewlevels.cli.main import main
try:
    main()
except SystemExit as end:
    if end.code:
        raise
finally:
    print(json.dumps(opened), file=sys.stderr)
"""


def files_read(folder: Path, *arguments: object) -> dict[str, int]:
    """How often a `fewlevels` command opened each file in a folder to read it."""
    command = [sys.executable, "-c", CODE, str(folder), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stderr.splitlines()[-1]))
