"""Kill a command many times at random instants, let it go on, and compare what it leaves with an undisturbed run.

    tools/kills.py study 100 --seeds 6 --repeats 96 --epochs 400 --q-max 8
    tools/kills.py search 100 net.npz --data digits5 --method paper,qat:ternary
    tools/kills.py fit 100 --network net.npz --data digits5 --device cmo_hfox --chips 3000

The command runs once undisturbed. Then it is started over and over in other folders, and killed (SIGKILL): every other
time after a random part of the time that the undisturbed run took, else right after it changed its folder for a random
number of times. It is killed a few times in the same folder, then left to end. Both folders must hold the same files,
byte for byte but for the wall time and verified.json, which holds times. How many kills fell where is printed at the
end.
"""

import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

KILLS_IN_A_ROW = 10
WALL_TIME = re.compile(rb'(?<="wall_seconds": )[0-9.]+|(?<=<td>wall time</td><td>)[0-9.]+')
"""In run.json and in report.html."""

LOOK_SECONDS = 0.0005
AFTER_A_CHANGE_SECONDS = 0.005


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, its bytes but for the wall time."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "verified.json")
    return {path.relative_to(folder).as_posix(): WALL_TIME.sub(b"", path.read_bytes()) for path in files}


def names(folder: Path) -> dict[str, int]:
    """Every file that is there now, and when it was written, in nanoseconds."""
    found = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # renamed since it was listed
            if path.is_file():
                found[path.relative_to(folder).as_posix()] = path.stat().st_mtime_ns
    return found


def start(command: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([*command, "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_changes(process: "subprocess.Popen[bytes]", folder: Path, changes: int) -> None:
    """Until the folder has changed so often, or the process has ended."""
    before = names(folder)
    while changes and process.poll() is None:
        time.sleep(LOOK_SECONDS)
        if (now := names(folder)) != before:
            before, changes = now, changes - 1


def place(there: set[str], whole: set[str], earlier: set[str]) -> str:
    """How far a killed run had come, by the files that are there and those that were there before it."""
    shards = {name for name in whole if name.startswith("shards/")}
    if any(name.endswith(".partial") for name in there - earlier):
        return "while a file was written"
    if not there & whole - {"lock"}:
        return "before its first file"
    if not shards <= there:
        return "among its shards"
    return "among its last files" if whole - there else "when all files were there"


def main(name: str, kills: int, options: list[str]) -> None:
    command = [sys.executable, "-m", "fewlevels.cli", name, *options]
    rng, places = random.Random(1), Counter[str]()
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
                earlier = set(names(folder))
                process = start(command, folder)
                if rng.random() < 0.5:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(rng.uniform(0, seconds))
                else:
                    wait_for_changes(process, folder, rng.randint(1, 2 * len(whole)))
                    time.sleep(rng.uniform(0, AFTER_A_CHANGE_SECONDS))
                process.kill()
                if process.wait() < 0:
                    done += 1
                    places[place(set(names(folder)), set(whole), earlier)] += 1
            if code := start(command, folder).wait():
                raise SystemExit(f"{name}, killed {done} times, goes on with exit code {code}")
            found = contents(folder)
            differing = [name for name in {*whole, *found} if whole.get(name) != found.get(name)]
            if differing:
                raise SystemExit(f"{name}, killed {done} times, leaves other files: {', '.join(sorted(differing))}")
    print(f"{name}: {done} kills in {folders} folders, all ended with the same {len(whole)} files")
    for where, count in places.most_common():
        print(f"{count:>5} {where}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
