"""Progress of a run: what its stages report and the command line shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run, or its present stage, is: units done, units done since it began, all units, seconds since then."""

    done: int
    done_now: int
    total: int
    seconds: float
    stage: str = ""
