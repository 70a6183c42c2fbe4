"""TrainingConfig: how networks are trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fewlevels.common.arrays import FLOAT32_MAX, FLOAT32_MIN
from fewlevels.common.checks import instance, positive, shown, whole_number
from fewlevels.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How networks are trained; the defaults are the paper's (section 2).

    hidden: hidden units. learning_rate: of each update W += learning_rate * outer(input, delta).
    init: the start of every weight, 'uniform:LOW,HIGH' or 'normal:MEAN,SD'. steps: backpropagations of each model.
    range_limit: the enforced weight range R: after each update every weight is projected on [-R/2, R/2]. None: free.
    Raises TrainingError for values that cannot be run.
    """

    hidden: int = 10
    learning_rate: float = 1.0
    init: str = "uniform:0,1"
    steps: int = 500_000
    range_limit: float | None = None

    def __post_init__(self) -> None:
        hidden = whole_number("hidden", self.hidden, TrainingError, least=1, most=2**31 - 1)
        rate = positive("learning_rate", self.learning_rate, TrainingError)
        steps = whole_number("steps", self.steps, TrainingError, most=2**63 - 1)
        if not FLOAT32_MIN <= rate <= FLOAT32_MAX:
            raise TrainingError(
                f"learning_rate must be within float32, {FLOAT32_MIN:.1e} to {FLOAT32_MAX:.1e}, got "
                f"{self.learning_rate}"
            )
        limit = self.range_limit
        if limit is not None:
            limit = positive("range_limit", limit, TrainingError)
            if limit / 2 < FLOAT32_MIN:  # would be no limit
                raise TrainingError(
                    f"range_limit must be at least {2 * FLOAT32_MIN:.1e}, where float32 begins, or "
                    f"None for no limit, got {self.range_limit}"
                )
        parse_init(self.init)
        for name, value in (("hidden", hidden), ("learning_rate", rate), ("steps", steps), ("range_limit", limit)):
            object.__setattr__(self, name, value)


def parse_init(init: str) -> tuple[str, float, float]:
    """('uniform', low, high) or ('normal', mean, sd) from its text; raises TrainingError where it is neither, or where
    float32 makes all of it one number.
    """
    kind, _, numbers = instance("init", init, str, TrainingError).partition(":")
    try:
        first, second = (float(number) for number in numbers.split(","))
    except ValueError:
        first = second = math.nan
    within = abs(first) <= FLOAT32_MAX and abs(second) <= FLOAT32_MAX  # not so for NaN
    valid = within and (first < second if kind == "uniform" else second > 0)
    if kind not in ("uniform", "normal") or not valid:
        raise TrainingError(
            f"init must be 'uniform:LOW,HIGH' with LOW < HIGH or 'normal:MEAN,SD' with SD > 0, got {shown(init)}",
            field="init",
        )
    low, high = (first, second) if kind == "uniform" else (first, first + second)
    if max(abs(low), abs(high)) < FLOAT32_MIN or np.float32(low) == np.float32(high):
        raise TrainingError(f"init must differ from weight to weight in float32, got {shown(init)}", field="init")
    return kind, first, second
