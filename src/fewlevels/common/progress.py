"""Progress of a run: what its stages report and the command line shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run, or its present stage, is: units done, units done since it began, all units, seconds since then."""

    done: int
    done_now: int
    total: int
    seconds: float
    stage: str = ""


QUICK_SECONDS = 2.0
"""A run that ends within this time shows no progress."""


def unless_quick(on_progress: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Tells only of runs that take longer than moments."""
    return lambda now: on_progress(now) if now.seconds > QUICK_SECONDS else None


class Meter:
    """Counts units that threads have done, and reports each, unless the run is quick."""

    def __init__(self, total: int, on_progress: Callable[[Progress], None], stage: str = "") -> None:
        self.total, self.on_progress, self.stage = total, unless_quick(on_progress), stage
        self.began, self.done, self.lock = time.perf_counter(), 0, threading.Lock()

    def step(self) -> None:
        """One unit more is done."""
        with self.lock:
            self.done += 1
            seconds = time.perf_counter() - self.began
            now = Progress(done=self.done, done_now=self.done, total=self.total, seconds=seconds, stage=self.stage)
            self.on_progress(now)
