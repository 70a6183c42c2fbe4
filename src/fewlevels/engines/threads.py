"""Threads of this process: the engine that every machine has."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fewlevels.common.parallel import as_done
from fewlevels.engines.engine import Result, Task


@dataclass(frozen=True)
class Threads:
    """Threads of this process; the kernels let go of the interpreter lock. jobs: all cores where None."""

    elsewhere: ClassVar[bool] = False
    jobs: int | None = None

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Generator[tuple[Task, Result], None, None]:
        return as_done(function, tasks, self.jobs)
