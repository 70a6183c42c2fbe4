"""Progress on the command line, and what is done again."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewlevels.common.words import printable

if TYPE_CHECKING:
    from fewlevels.common.progress import Progress


def say_damaged(path: Path) -> None:
    print(f"{printable(path)} was damaged and is computed again", file=sys.stderr)


class shown_progress:
    """Shows progress on standard error: a live bar on a terminal, else a line for every tenth of the units."""

    def __init__(self, doing: str, units: str, quiet: bool) -> None:
        self.doing, self.units, self.quiet = doing, units, quiet
        self.bar: Any = None
        self.part, self.tenth = ("", 0), -1

    def __enter__(self) -> Any:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress as LiveBar,
                TextColumn,
                TimeRemainingColumn,
            )

            terminal = getattr(sys.stderr, "stream", sys.stderr)  # the bar moves the cursor
            self.bar = LiveBar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn(self.units),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(file=terminal),
            )
            self.bar.start()
            self.task = self.bar.add_task(self.doing, total=None, rate="")
        return self.update

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def update(self, progress: Progress) -> None:
        rate = progress.done_now / progress.seconds if progress.seconds else 0.0
        if self.bar is not None:
            shown = f"{rate:.0f} {self.units}/s" if rate else ""
            self.bar.update(
                self.task,
                description=progress.stage or self.doing,
                total=progress.total,
                completed=progress.done,
                rate=shown,
            )
            return
        if (part := (progress.stage, progress.total)) != self.part:
            self.part, self.tenth = part, -1
        if not self.quiet and (tenth := 10 * progress.done // progress.total) > self.tenth:
            self.tenth = tenth
            said = f"{progress.done} of {progress.total} {self.units}"
            if rate:
                left = math.ceil((progress.total - progress.done) / rate)
                said += f", {rate:.0f} {self.units}/s, {left} s left"
            print(f"{progress.stage}: {said}" if progress.stage else said, file=sys.stderr, flush=True)
