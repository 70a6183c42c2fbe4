"""Estimator: how a fit finds its yields."""

from __future__ import annotations

from fewlevels.chips.mapping import Mapping
from fewlevels.chips.yields import Yield, estimate_yield
from fewlevels.fitting.problem import Problem


class Estimator:
    """From chips drawn afresh, on so many threads; a store stands in for it."""

    def __init__(self, jobs: int | None = None) -> None:
        self.jobs = jobs

    def expect(self, stage: str, chips: int) -> None:
        """A stage begins: so many chips, at most."""

    def __call__(self, problem: Problem, mapping: Mapping, chips: range) -> Yield:
        config = problem.config
        return estimate_yield(
            mapping,
            problem.device,
            problem.samples,
            chips=chips,
            alpha=config.alpha,
            conditions=config.conditions,
            seed=config.seed,
            jobs=self.jobs,
        )
