"""SLURM on this machine alone: its daemons, started for a test and stopped after it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo")
START_SECONDS = 30.0


class NotStarted(Exception):
    """The daemons are installed, and their node stays down, as in a container that lacks what they ask for."""


CONFIG = """\
ClusterName=one
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
NodeName={host} CPUs={cores} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES State=UP
"""


def missing() -> str:
    """Why SLURM cannot be started here, in words; nothing where it may."""
    if os.geteuid() != 0:
        return "only root starts the daemons of SLURM"
    absent = [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]
    return f"{', '.join(absent)} not installed" if absent else ""


def search_path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin"


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which SLURM's commands find the daemons. Raises NotStarted where its node stays down."""
    host = socket.gethostname().partition(".")[0]
    (folder / "spool").mkdir(parents=True)
    config = folder / "slurm.conf"
    cores = len(os.sched_getaffinity(0))
    config.write_text(CONFIG.format(host=host, ports=free_ports(2), folder=folder, cores=cores), encoding="utf-8")
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    environment = os.environ | {"SLURM_CONF": str(config), "PATH": search_path()}
    munged = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    munged += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "seed", "log")]
    daemons = [munged, ["slurmctld", "-D", "-f", str(config)], ["slurmd", "-D", "-f", str(config)]]
    running = []
    with open(folder / "daemons.log", "wb") as log:
        try:
            for command in daemons:
                running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
                time.sleep(1)
            until = time.monotonic() + START_SECONDS
            while "idle" not in output(["sinfo", "--noheader", "--format=%T"], environment):
                if time.monotonic() > until:
                    raise NotStarted((folder / "daemons.log").read_text(encoding="utf-8", errors="replace"))
                time.sleep(0.5)
            yield environment
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait(timeout=30)


def output(command: list[str], environment: dict[str, str], folder: Path | None = None) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout
