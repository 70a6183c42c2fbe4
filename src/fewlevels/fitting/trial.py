"""Trial: one number of states per device, its best candidate, and the share of chips that recognise."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fewlevels.chips.mapping import Mapping
from fewlevels.chips.yields import Yield
from fewlevels.fitting.candidates import KEPT, Candidate, ranked
from fewlevels.fitting.estimator import Estimator
from fewlevels.fitting.problem import Problem
from fewlevels.networks.networks import Networks

PILOT_CHIPS = 200
FIRST_PILOT = 10**9
"""Number of the first pilot chip: far from those that a yield is estimated from."""

PILOTS = (1 + KEPT) * PILOT_CHIPS
"""Pilot chips of one number of states, at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One way to put the network on the device.

    states: conductances that a device must hold, the resting one included. chosen: the quantized network, how its
    states were placed and which carries the largest weight. recognition: of it without any variation. safest,
    safest_recognition: the candidate that is safest without any. chip_yield: of the chosen one.
    """

    states: int
    chosen: Candidate
    recognition: float
    safest: Candidate
    safest_recognition: float
    mapping: Mapping
    chip_yield: Yield

    @property
    def placement(self) -> str:
        return self.chosen.placement

    @property
    def network(self) -> Networks:
        return self.chosen.network


def try_states(problem: Problem, states: int, estimate: Estimator) -> Trial | None:
    """The trial with so many states; None where no candidate takes exactly so many."""
    return try_candidates(problem, ranked(problem, states), states, estimate)


def try_candidates(problem: Problem, candidates: list[Candidate], states: int, estimate: Estimator) -> Trial | None:
    """Of these candidates, the one of the best yield on pilot chips and the problem's data, on `chips` others; the
    first is taken for the safest without variation."""
    if not candidates:
        return None
    mappings = [problem.put_on(each.network, states, each.top_siemens) for each in candidates]
    best = 0
    if len(candidates) > 1:
        choosing = replace(problem, samples=problem.data)
        pilot = range(FIRST_PILOT, FIRST_PILOT + min(PILOT_CHIPS, problem.config.chips))
        pilots = [estimate(choosing, mapping, pilot) for mapping in mappings]
        best = max(range(len(pilots)), key=lambda i: (pilots[i].value, pilots[i].recognition_mean, -i))
    chosen, mapping = candidates[best], mappings[best]
    chip_yield = estimate(problem, mapping, range(problem.config.chips))
    safest = candidates[0]
    recognition = [float(each.network.recognition(problem.samples)[0]) for each in (chosen, safest)]
    return Trial(
        states=len(mapping.level_siemens),
        chosen=chosen,
        recognition=recognition[0],
        safest=safest,
        safest_recognition=recognition[1],
        mapping=mapping,
        chip_yield=chip_yield,
    )


def confirm(problem: Problem, trial: Trial, estimate: Estimator) -> Trial:
    """The same trial on as many new chips, which had no part in choosing its candidate."""
    chips = problem.config.chips
    return replace(trial, chip_yield=estimate(problem, trial.mapping, range(chips, 2 * chips)))
