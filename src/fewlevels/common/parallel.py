"""Threads: one function over many tasks. An error or an interrupt drops the tasks that have not begun."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from fewlevels.common.machine import available_cores

Task = TypeVar("Task")
Result = TypeVar("Result")

LOOK_SECONDS = 0.5
"""Seconds between two times that a waiting caller wakes. Some systems deliver an interrupt only when it wakes."""


class Dropped(Exception):
    """Ends a task whose result nobody waits for any more."""


def in_order(function: Callable[[Task], Result], tasks: Iterable[Task], jobs: int | None = None) -> list[Result]:
    """The function's results for the tasks, in their order. jobs: threads; all cores where None.

    The caller only waits, so an interrupt reaches it at once. It then leaves without waiting for running tasks, which
    end at their next `checkpoint`. Where tasks fail, the error of the first of them in order is raised, once no task
    runs any more. A task that calls this function has its share of the threads: where tasks are as many as threads, it
    runs its own tasks one by one, in its own thread.
    """
    tasks = list(tasks)
    results = dict(_results(function, tasks, jobs))
    return [results[index] for index in range(len(tasks))]


def as_done(
    function: Callable[[Task], Result], tasks: Iterable[Task], jobs: int | None = None
) -> Generator[tuple[Task, Result], None, None]:
    """Each task with its result, in the order in which they end; else as `in_order`. To close it drops the rest."""
    tasks = list(tasks)
    for index, result in _results(function, tasks, jobs):
        yield tasks[index], result


def checkpoint() -> None:
    """A long task calls this now and then. Raises Dropped where nobody waits for the task's result any more."""
    if _here.dropped is not None and _here.dropped.is_set():
        raise Dropped


def threads_for(jobs: int | None = None) -> int:
    """How many threads may work for this caller: `jobs`, or all cores where None; within a task no more than its share
    of the threads, which libraries with threads of their own have, too.
    """
    return jobs or available_cores() if _here.share is None else min(jobs or _here.share, _here.share)


@contextmanager
def as_task() -> Iterator[None]:
    """Within this context the caller is a task of one thread: all that it calls runs in it."""
    before = _here.dropped, _here.share
    if _here.dropped is None:
        _here.dropped, _here.share = _Dropped(None), 1
    try:
        yield
    finally:
        _here.dropped, _here.share = before


class _Here(threading.local):
    """State of this thread. dropped: set once nobody waits for its task's result; None while it runs no task. share:
    threads that its task may start; None likewise.
    """

    dropped: _Dropped | None = None
    share: int | None = None


_here = _Here()


def _results(
    function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int | None
) -> Iterator[tuple[int, Result]]:
    """Index and result of every task that ends, as they come."""
    allowed = threads_for(jobs)
    threads = min(allowed, len(tasks))
    if _here.dropped is not None and threads <= 1:
        for index, task in enumerate(tasks):
            checkpoint()
            yield index, function(task)
        return
    pool = _Pool(function, tasks, share=allowed // max(threads, 1))
    try:
        for _ in range(threads):
            threading.Thread(target=pool.work, name="fewlevels").start()
        yield from pool.results()
    finally:
        pool.dropped.set()


class _Dropped(threading.Event):
    """Set once nobody waits for a task's result any more, or for that of the task that this one is part of."""

    def __init__(self, outer: _Dropped | None) -> None:
        super().__init__()
        self.outer = outer

    def is_set(self) -> bool:
        return super().is_set() or (self.outer is not None and self.outer.is_set())


class _Pool:
    """Tasks, and the threads that take one after the other until one fails."""

    def __init__(self, function: Callable[[Any], Any], tasks: Sequence[Any], *, share: int) -> None:
        self.function, self.tasks, self.share = function, tasks, share
        self.dropped = _Dropped(_here.dropped)
        self.lock, self.begun, self.failed = threading.Lock(), 0, False
        self.ended: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()

    def work(self) -> None:
        _here.dropped, _here.share = self.dropped, self.share
        while True:
            with self.lock:
                index = self.begun
                if self.failed or self.dropped.is_set() or index == len(self.tasks):
                    return
                self.begun += 1
            try:
                self.ended.put((index, self.function(self.tasks[index]), None))
            except BaseException as error:
                with self.lock:
                    self.failed = True
                self.ended.put((index, None, error))

    def results(self) -> Iterator[tuple[int, Any]]:
        errors: dict[int, BaseException] = {}
        ended = 0
        while ended < (self.begun if self.failed else len(self.tasks)):
            try:
                index, result, error = self.ended.get(timeout=LOOK_SECONDS)
            except Empty:
                checkpoint()
                continue
            ended += 1
            if error is None:
                yield index, result
            else:
                errors[index] = error
        if errors:
            raise errors[min(errors)]
