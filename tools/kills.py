"""Kill a command many times at random instants, let it go on, and compare what it leaves with an undisturbed run.

    tools/kills.py study 100 --seeds 6 --repeats 96 --epochs 400 --q-max 8

The command runs once undisturbed. Then it is started over and over in other folders, and killed (SIGKILL) after a
random part of the time that the undisturbed run took, a few times in the same folder, then left to end. All files of
the two folders must be the same, but for the lock and the wall time.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KILLS_IN_A_ROW = 4
SECONDS = {"run.json": "seconds"}
"""Where files hold a wall time."""
PRINTS_SECONDS = {"report.html"}
"""Files whose text does, and that are made of the others alone."""


def contents(folder: Path) -> dict[str, object]:
    """Every file of a folder: its bytes, or for JSON with a wall time all but that."""
    found: dict[str, object] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name in SECONDS:
            found[name] = {key: value for key, value in json.loads(path.read_bytes()).items() if key != SECONDS[name]}
        else:
            found[name] = b"" if name == "lock" or name in PRINTS_SECONDS else path.read_bytes()
    return found


def start(command: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([*command, "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main(name: str, kills: int, options: list[str]) -> None:
    command = [sys.executable, "-m", "fewlevels.cli", name, *options]
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        if code := start(command, Path(scratch, "whole")).wait():
            raise SystemExit(f"the undisturbed {name} ended with exit code {code}")
        seconds = time.monotonic() - began
        whole = contents(Path(scratch, "whole"))
        done = folders = 0
        while done < kills:
            folder, folders = Path(scratch, str(folders)), folders + 1
            for _ in range(min(KILLS_IN_A_ROW, kills - done)):
                process = start(command, folder)
                try:
                    process.wait(rng.uniform(0, seconds))
                except subprocess.TimeoutExpired:
                    process.kill()
                done += process.wait() < 0
            if code := start(command, folder).wait():
                raise SystemExit(f"{name}, killed {done} times, goes on with exit code {code}")
            found = contents(folder)
            differing = [name for name in {*whole, *found} if whole.get(name) != found.get(name)]
            if differing:
                raise SystemExit(f"{name}, killed {done} times, leaves other files: {', '.join(sorted(differing))}")
    print(f"{name}: {done} kills in {folders} folders, all ended with the same {len(whole)} files")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
