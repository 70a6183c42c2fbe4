"""Choose: the engine that a user names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fewlevels.common.checks import shown
from fewlevels.engines.engine import Engine
from fewlevels.engines.threads import Threads
from fewlevels.errors import UsageError


@contextmanager
def engine_named(name: str, jobs: int | None, say: Callable[[str], None] = lambda _: None) -> Iterator[Engine]:
    """threads; dask: workers on this machine, for as long as this lasts; dask:ADDRESS or dask:FILE.json: those of a
    cluster by its scheduler's address or file.

    jobs: threads, or workers on this machine; all cores where None. say: told the address of a dashboard.
    Raises UsageError for another name, for less than one job and for jobs of a cluster, ClusterError where no scheduler
    answers.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs must be at least 1, got {jobs}")
    kind, colon, where = name.partition(":")
    if name == "threads":
        yield Threads(jobs)
        return
    if kind != "dask" or (colon and not where):
        raise UsageError(f"--engine must be threads, dask, dask:ADDRESS or dask:FILE.json, got {shown(name)}")
    if where and jobs is not None:
        raise UsageError("--jobs is of this machine; how many workers a cluster has is said where they are started")
    from fewlevels.engines.dask import dask_at

    with dask_at(where, jobs, say) as engine:
        yield engine
