"""Dask: workers of a cluster, on this machine or on many that see the same folder."""

from __future__ import annotations

import itertools
import logging
import math
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from fewlevels.common.counts import counted
from fewlevels.common.extras import require
from fewlevels.common.machine import available_cores
from fewlevels.common.words import printable
from fewlevels.engines.engine import Result, Task
from fewlevels.errors import ClusterError, FewlevelsError, UsageError

WINDOW = 3
"""Tasks a worker that the scheduler knows of at a time: enough that no worker waits, few enough to lose."""

LOOK_SECONDS = 1.0
"""Between two looks at how many workers there are."""

SETTINGS: dict[str, Any] = {
    "distributed.comm.timeouts.connect": "10s",
    "distributed.comm.timeouts.tcp": "15s",
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.allowed-failures": 3,
}
"""Dask's own make a lost machine wait for minutes. A cluster that is already there keeps its own."""

LOG_SECONDS = 5.0
"""That a log is waited for at most."""

UNTOUCHED = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"
"""What a worker on this machine begins with: Ctrl-C reaches it, too, and is not meant for it."""

LOST = CancelledError, OSError, TimeoutError, RuntimeError
"""What Dask raises where its scheduler has gone."""


@dataclass(frozen=True)
class Dask:
    """Workers of a Dask cluster by its `distributed.Client`. Each task runs on one thread of a worker.

    The work itself is stored by the workers, so no result stays on them, and a worker's death costs the tasks that it
    has begun. A task that kills one worker after the other fails alone: all others are done before it is said.
    """

    elsewhere: ClassVar[bool] = True
    client: Any

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Generator[tuple[Task, Result], None, None]:
        """Raises ClusterError where the scheduler is lost or tasks killed their workers, and what a task raises."""
        suspects: dict[Task, Any] = {}
        yield from self._run(function, tasks, suspects)
        killed: dict[Task, Any] = {}
        for task in suspects:  # alone, because who waits on a worker that a task kills is suspected with it
            yield from self._run(function, [task], killed)
        if killed:
            raise ClusterError(self._in_words(killed))

    def _run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task], killed: dict[Task, Any]
    ) -> Generator[tuple[Task, Result], None, None]:
        """killed: gets the tasks whose workers died, with what Dask says of it."""
        from dask.distributed import as_completed
        from distributed.scheduler import KilledWorker

        waiting, running, failed = iter(tasks), dict[Any, Task](), None
        window, looked = 0, -math.inf
        ended = as_completed()
        try:
            while failed is None:
                if time.monotonic() - looked > LOOK_SECONDS:
                    window, looked = WINDOW * max(sum(self.client.nthreads().values()), 1), time.monotonic()
                for task in itertools.islice(waiting, max(window - len(running), 0)):
                    future = self.client.submit(function, task, pure=False)
                    running[future] = task
                    ended.add(future)
                if not running:
                    return
                future = next(ended)
                task, failed = running.pop(future), future.exception()
                if isinstance(failed, KilledWorker):
                    killed[task], failed = failed, None
                elif failed is None:
                    result = future.result()
                    future.release()
                    yield task, result
        except LOST:
            where = printable(self.client.scheduler.address)
            raise ClusterError(
                f"the scheduler at {where} was lost; what is stored stays, and the same command goes on where it was"
            ) from None
        finally:
            with suppress(*LOST):
                self.client.cancel(list(running), force=True)
        if isinstance(failed, FewlevelsError | OSError | MemoryError):
            raise failed
        raise ClusterError(
            f"{printable(task)} failed on a worker, which needs the same fewlevels and libraries as this process: "
            f"{type(failed).__name__}: {printable(failed)}"
        ) from failed

    def _in_words(self, killed: dict[Any, Any]) -> str:
        first, error = next(iter(killed.items()))
        more = f" and {counted(len(killed) - 1, 'other')}" if len(killed) > 1 else ""
        return (
            f"{printable(first)}{more} ended {error.allowed_failures + 1} workers one after the other; the last, at "
            f"{error.last_worker.address}, said: {self._last_words()}; all others are done"
        )

    def _last_words(self) -> str:
        """What is told of a worker's end in the logs of the processes that watch over workers."""
        said, until = list[str](), time.monotonic() + LOG_SECONDS
        with suppress(*LOST):
            while not said and time.monotonic() < until:  # until a worker is there in place of the dead
                logs = self.client.get_worker_logs(n=20, nanny=True)
                lines = [line for each in logs.values() for _, line in each]
                said = [line for line in lines if "killed by" in line or "exited with" in line]
                time.sleep(0.1)
        return printable(said[0].rpartition(" - ")[2]) if said else "nothing that is known here"


@contextmanager
def dask_at(where: str, jobs: int | None, say: Callable[[str], None]) -> Iterator[Dask]:
    """The workers of the cluster at an address or in a scheduler file (….json); of this machine, started for this,
    where that is ''.

    jobs: how many then, one a core where None. say: told the address of the dashboard.
    Raises ClusterError where no scheduler answers.
    """
    require("dask", ("dask", "distributed"), "--engine dask", ClusterError)
    import dask

    with dask.config.set(SETTINGS):
        from dask.distributed import Client, LocalCluster

        for handler in logging.getLogger("distributed").handlers:
            handler.setLevel(logging.CRITICAL)  # what is said on the terminal is said in a sentence
        if not where:
            sys.warnoptions.append("ignore:resource_tracker")  # of the child that would warn when Ctrl-C ends this
            cluster = LocalCluster(
                n_workers=jobs or available_cores(),
                threads_per_worker=1,
                silence_logs=logging.CRITICAL,
                dashboard_address="127.0.0.1:0",
                preload=[UNTOUCHED],
            )
            with cluster, Client(cluster) as client:
                say(f"dashboard: {client.dashboard_link}")
                yield Dask(client)
            return
        is_file = where.endswith(".json")
        if is_file and not Path(where).is_file():
            raise UsageError(f"there is no {printable(where)}; a file that dask-scheduler --scheduler-file has written")
        try:
            client = Client(scheduler_file=where) if is_file else Client(where)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ClusterError(f"no Dask scheduler answers at {printable(where)}: {printable(error)}") from None
        with client:
            say(f"dashboard: {client.dashboard_link}")
            yield Dask(client)
