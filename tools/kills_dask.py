"""Kill the workers, the scheduler and the client of a command on a Dask cluster at random instants, and let it go on.

    tools/kills_dask.py 50 study|search|fit

A scheduler, two workers and a client are started. One of the four, drawn at random, is killed (SIGKILL) after a random
time, and whatever is missing is started again, until the command has ended with the bytes of one that ran on threads
undisturbed. Then it begins anew in another folder, until there were so many kills. The workers' logs tell which piece
began and was stored when. A piece must not begin once it is stored and a client that starts can see it.
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

COMMANDS = {
    "study": "study --seeds 16 --repeats 96 --epochs 4000 --q-max 8",
    "search": "search net.npz --data digits8 --method paper,kmeans,qat:paper --piece-seconds 0.2",
    "fit": "fit --network net.npz --data digits5 --device cmo_hfox --chips 20000 --most-states 4 --piece-seconds 0.3",
}
DATA = {"search": "digits8", "fit": "digits5"}
"""What the network learned that is searched or fitted."""

FOR_WORKERS = {"networks.npz", "samples.npz", "test.npz", "judge.npz", "data.npz"}
"""Files that only processes elsewhere need."""

VICTIMS = ("worker", "worker", "scheduler", "client")
LONGEST_SECONDS = 4.0
LOGGED = re.compile(r"^(\S+ \S+),(\d+) - fewlevels - INFO - (\S+) (begins|is stored)$", re.M)
ENVIRONMENT = os.environ | {"DASK_LOGGING__FEWLEVELS": "info"}


class Cluster:
    """Processes that are started where they are missing. Every worker has a log of its own."""

    def __init__(self, scratch: Path, command: list[str]) -> None:
        self.scratch, self.command, self.logs = scratch, command, 0
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
                [sys.executable, "-m", *command], stdout=log, stderr=log, env=ENVIRONMENT, cwd=self.scratch.parent
            )

    def start_all(self, folder: Path) -> float:
        """Returns when the client started."""
        port = self.address.rpartition(":")[2]
        self.start("scheduler", "dask", "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        for name in ("worker-1", "worker-2"):
            self.start(name, "dask", "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        before = self.processes.get("client")
        began = time.time()
        self.start("client", "fewlevels.cli", *self.command, "--out", str(folder), "--engine", f"dask:{self.address}")
        return began if self.processes["client"] is not before else 0.0

    def kill(self, name: str) -> bool:
        process = self.processes[name]
        process.kill()
        return process.wait() < 0

    def logged(self) -> list[tuple[float, str, bool]]:
        """When a piece began or was stored, its name, whether it was stored; in order of time."""
        found = []
        for path in self.scratch.glob("worker-*.log"):
            for day, milliseconds, name, what in LOGGED.findall(path.read_text(errors="replace")):
                seconds = datetime.fromisoformat(day).timestamp() + int(milliseconds) / 1000
                found.append((seconds, name, what == "is stored"))
        return sorted(found)


def again(logged: list[tuple[float, str, bool]], clients: list[float]) -> tuple[int, int]:
    """How often a piece began that a client before it could have seen stored; and that was in flight elsewhere."""
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


def main(kills: int, command: list[str], data: str | None) -> None:
    rng, killed = random.Random(1), Counter[str]()
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch, "whole")
        for each in ([["train", data, "--out", "net.npz"]] if data else []) + [[*command, "--out", str(whole)]]:
            subprocess.run([sys.executable, "-m", "fewlevels.cli", *each], check=True, cwd=scratch, stdout=sys.stderr)
        runs = twice = pieces = 0
        while killed.total() < kills:
            runs += 1
            folder, place = Path(scratch, f"run-{runs}"), Path(scratch, f"logs-{runs}")
            place.mkdir()
            cluster, clients = Cluster(place, command), list[float]()
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
            stored = {path.name.rpartition("-")[0] for path in folder.rglob("shards/*.parquet")}
            twice, pieces = twice + more, pieces + len(stored)
            unlogged = stored - {name for _, name, _ in cluster.logged()}
            if unlogged:
                raise SystemExit(f"no worker's log tells of {', '.join(sorted(unlogged))}")
            if seen:
                raise SystemExit(f"{seen} pieces were computed again though they were there")
            there, expected = contents(folder), contents(whole)
            more_files = {Path(name).name for name in there.keys() - expected.keys()}
            if not (expected.items() <= there.items() and more_files <= FOR_WORKERS):
                raise SystemExit(f"after {killed.total()} kills {folder} has other bytes")
    said = ", ".join(f"{count} of a {victim}" for victim, count in killed.most_common())
    print(f"{killed.total()} kills ({said}) in {runs} runs of {pieces} pieces in all: the same bytes each time")
    print(f"{twice} times a piece began again that had been in flight; none that was there")


if __name__ == "__main__":
    main(int(sys.argv[1]), [*COMMANDS[sys.argv[2]].split(), "--quiet"], DATA.get(sys.argv[2]))
