"""Kill the workers, the scheduler and the client of a study on a Dask cluster at random instants, and let it go on.

    tools/kills_dask.py 50

A scheduler, two workers and a client are started. One of the four, drawn at random, is killed (SIGKILL) after a random
time, and whatever is missing is started again, until the study is complete and has the bytes of one that ran on threads
undisturbed. Then the next study begins, until there were so many kills. The workers' logs tell which group began and
was stored when. A group must not begin once it is stored and a client that starts can see it.
"""

import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

from kills import contents

STUDY = ["study", "--seeds", "16", "--repeats", "96", "--epochs", "4000", "--q-max", "8", "--quiet"]
VICTIMS = ("worker", "worker", "scheduler", "client")
LONGEST_SECONDS = 4.0
LOGGED = re.compile(r"^(\S+ \S+),(\d+) - fewlevels - INFO - (\S+) (begins|is stored)$", re.M)
ENVIRONMENT = os.environ | {"DASK_LOGGING__FEWLEVELS": "info"}


class Cluster:
    """Processes that are started where they are missing. Every worker has a log of its own."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.logs = scratch, 0
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def start(self, name: str, *command: str) -> None:
        if name in self.processes and self.processes[name].poll() is None:
            return
        self.logs += 1
        with open(self.scratch / f"{name}-{self.logs}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command], stdout=log, stderr=log, env=ENVIRONMENT
            )

    def start_all(self, folder: Path) -> float:
        """Returns when the client started."""
        port = self.address.rpartition(":")[2]
        self.start("scheduler", "dask", "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        for name in ("worker-1", "worker-2"):
            self.start(name, "dask", "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        before = self.processes.get("client")
        began = time.time()
        self.start("client", "fewlevels.cli", *STUDY, "--out", str(folder), "--engine", f"dask:{self.address}")
        return began if self.processes["client"] is not before else 0.0

    def kill(self, name: str) -> bool:
        process = self.processes[name]
        process.kill()
        return process.wait() < 0

    def logged(self) -> list[tuple[float, str, bool]]:
        """When a group began or was stored, its name, whether it was stored; in order of time."""
        found = []
        for path in self.scratch.glob("worker-*.log"):
            for day, milliseconds, name, what in LOGGED.findall(path.read_text(errors="replace")):
                seconds = datetime.fromisoformat(day).timestamp() + int(milliseconds) / 1000
                found.append((seconds, name, what == "is stored"))
        return sorted(found)


def again(logged: list[tuple[float, str, bool]], clients: list[float]) -> tuple[int, int]:
    """How often a group began that a client before it could have seen stored; and that was in flight elsewhere."""
    stored: dict[str, float] = {}
    begun = Counter[str]()
    seen = twice = 0
    for seconds, name, is_stored in logged:
        if is_stored:
            stored.setdefault(name, seconds)
            continue
        client = max((each for each in clients if each <= seconds), default=0.0)
        seen += stored.get(name, seconds) < client
        twice += begun[name] > 0
        begun[name] += 1
    return seen, twice


def main(kills: int) -> None:
    rng, killed = random.Random(1), Counter[str]()
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch, "whole")
        subprocess.run([sys.executable, "-m", "fewlevels.cli", *STUDY, "--out", str(whole)], check=True)
        studies = twice = groups = 0
        while killed.total() < kills:
            studies += 1
            folder, place = Path(scratch, f"study-{studies}"), Path(scratch, f"logs-{studies}")
            place.mkdir()
            cluster, clients = Cluster(place), list[float]()
            while True:
                clients.append(cluster.start_all(folder))
                client = cluster.processes["client"]
                try:
                    client.wait(rng.uniform(1.0, LONGEST_SECONDS) if killed.total() < kills else 300)
                except subprocess.TimeoutExpired:
                    victim = rng.choice(VICTIMS)
                    name = f"worker-{rng.randint(1, 2)}" if victim == "worker" else victim
                    killed[victim] += cluster.kill(name)
                    continue
                if client.returncode == 0:
                    break
            for process in cluster.processes.values():
                process.kill()
                process.wait()
            seen, more = again(cluster.logged(), clients)
            twice, groups = twice + more, groups + len(list((folder / "shards").iterdir()))
            unlogged = {path.name.rpartition("-")[0] for path in (folder / "shards").iterdir()} - {
                name for _, name, _ in cluster.logged()
            }
            if unlogged:
                raise SystemExit(f"no worker's log tells of {', '.join(sorted(unlogged))}")
            if seen:
                raise SystemExit(f"{seen} groups were computed again though they were there")
            if contents(folder) != contents(whole):
                raise SystemExit(f"after {killed.total()} kills the study in {folder} has other bytes")
    said = ", ".join(f"{count} of a {victim}" for victim, count in killed.most_common())
    print(f"{killed.total()} kills ({said}) in {studies} studies of {groups} groups in all: the same bytes each time")
    print(f"{twice} times a group began again that had been in flight; none that was there")


if __name__ == "__main__":
    main(int(sys.argv[1]))
