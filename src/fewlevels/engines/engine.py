"""Engine: what computes tasks that do not depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import ClassVar, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Applies a function to tasks that do not depend on each other, and hands back each result as it comes; closed, it
    begins no other. elsewhere: whether other processes compute, which read what they need in a folder.
    """

    elsewhere: ClassVar[bool]

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Generator[tuple[Task, Result], None, None]: ...
