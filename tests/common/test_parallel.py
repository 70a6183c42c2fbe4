"""Threads: results in order whatever the threads, and nothing goes on that nobody waits for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fewlevels.common import parallel
from fewlevels.common.machine import available_cores
from fewlevels.common.parallel import Dropped, as_done, checkpoint, in_order, threads_for


@pytest.mark.parametrize("jobs", [1, 3, None])
def test_results_stand_in_the_order_of_the_tasks(jobs: int | None) -> None:
    def late_first(task: int) -> int:
        time.sleep(0.02 if task == 0 else 0.0)
        return task**2

    assert in_order(late_first, range(20), jobs) == [task**2 for task in range(20)]
    assert sorted(as_done(late_first, range(20), jobs)) == [(task, task**2) for task in range(20)]
    assert in_order(late_first, [], jobs) == [] and list(as_done(late_first, [], jobs)) == []


def test_no_more_threads_work_than_jobs_say() -> None:
    working, most, lock = 0, 0, threading.Lock()

    def count(_: int) -> None:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        time.sleep(0.002)
        with lock:
            working -= 1

    for jobs in (1, 2, 5):
        most = 0
        in_order(count, range(20), jobs)
        assert most == jobs


def test_a_pool_within_a_task_takes_no_more_threads() -> None:
    def outer(_: int) -> set[int]:
        assert threads_for() == threads_for(7) == 1
        return {threading.get_ident(), *in_order(lambda _: threading.get_ident(), range(9), 4)}

    assert all(len(threads) == 1 for threads in in_order(outer, range(3), 2))
    assert threads_for(7) == 7 and threads_for() == available_cores()


def test_a_task_has_its_share_of_the_threads() -> None:
    together = threading.Barrier(2, timeout=10)

    def meet(number: int) -> int:
        together.wait()
        return number

    def outer(_: int) -> list[int]:
        assert threads_for() == threads_for(9) == 2 and threads_for(1) == 1
        return in_order(meet, range(2))

    assert in_order(outer, range(1), 2) == [[0, 1]]
    assert [len(each) for each in in_order(lambda _: in_order(str, range(5)), range(2), 5)] == [5, 5]


def test_tasks_within_a_task_are_dropped_with_it() -> None:
    begun, ended = threading.Event(), threading.Event()

    def inner(_: int) -> None:
        begun.set()
        try:
            while True:
                checkpoint()
                time.sleep(0.01)
        except Dropped:
            ended.set()
            raise

    def outer(number: int) -> int:
        if number:
            in_order(inner, range(2))
        else:
            begun.wait(10)
        return number

    results = as_done(outer, range(2), 4)
    assert next(results) == (0, 0)
    results.close()
    assert ended.wait(10)


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_the_error_is_the_first_task_s_whatever_the_threads(jobs: int) -> None:
    begun: list[int] = []

    def fail(task: int) -> None:
        begun.append(task)
        time.sleep(0.05 if task == 3 else 0.002)
        if task in (3, 4):
            raise ValueError(f"task {task}")

    with pytest.raises(ValueError, match="task 3"):
        in_order(fail, range(1000), jobs)
    assert len(begun) < 1000


def test_results_that_came_before_an_error_are_handed_out() -> None:
    def fail(task: int) -> int:
        if task == 5:
            raise ValueError("task 5")
        return task

    came: list[int] = []
    with pytest.raises(ValueError, match="task 5"):
        for task, _ in as_done(fail, range(9), 1):
            came.append(task)
    assert came == [0, 1, 2, 3, 4]


def test_a_closed_iterator_drops_what_is_left_and_ends_what_is_under_way() -> None:
    begun: list[int] = []
    ended = threading.Event()

    def task(number: int) -> None:
        begun.append(number)
        time.sleep(0.005)
        while number == 1:
            try:
                checkpoint()
            except Dropped:
                ended.set()
                raise

    results = as_done(task, range(100), 2)
    assert next(results)[0] == 0
    results.close()
    assert ended.wait(5) and len(begun) < 100


def test_a_checkpoint_outside_a_task_does_nothing() -> None:
    checkpoint()


SCRIPT = """
import os, time
from fewlevels.common.parallel import checkpoint, in_order
def task(number):
    os.write(1, b"begun\\n")  # at once, in one piece
    for _ in range(2000):
        time.sleep(0.05)
        checkpoint()
try:
    in_order(task, range(50), 2)
except KeyboardInterrupt:
    print("left", flush=True)
"""


def test_an_interrupt_leaves_at_once_and_the_process_ends() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == process.stdout.readline() == "begun\n"
    began = time.perf_counter()
    os.kill(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "left\n"
    left = time.perf_counter() - began
    assert process.wait(timeout=30) == 0
    assert left < 10 and process.stdout.read() == ""  # a task takes 100 s; no other one began


def test_threads_are_started_in_one_place() -> None:
    package = Path(parallel.__file__).parents[1]
    started = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"threading\.Thread\(|PoolExecutor|multiprocessing", path.read_text(encoding="utf-8"))
    }
    assert started == {"common/parallel.py", "cli/interrupt.py"}  # this one listens for Ctrl-C
