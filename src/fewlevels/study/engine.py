"""Engine: where the groups of a study are computed. Threads of this process, until something larger is put here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from fewlevels.common.parallel import as_done

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Applies a function to tasks that do not depend on each other, and hands back each result as it comes; closed, it
    begins no other."""

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Generator[tuple[Task, Result], None, None]: ...


@dataclass(frozen=True)
class Threads:
    """Threads of this process; the kernels let go of the interpreter lock. jobs: all cores where None."""

    jobs: int | None = None

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Generator[tuple[Task, Result], None, None]:
        return as_done(function, tasks, self.jobs)
