"""Fit: does a network work on a device, with how many states, on which share of chips, and what limits it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from fewlevels.chips.yields import Yield
from fewlevels.common.counts import counted
from fewlevels.devices.model import Device
from fewlevels.devices.separability import SeparableLevels, separable_levels
from fewlevels.errors import DeviceError, MappingError
from fewlevels.fitting.advice import Advice, advise
from fewlevels.fitting.estimator import Estimator
from fewlevels.fitting.likelihood import assumed_spread
from fewlevels.fitting.problem import FitConfig, Problem
from fewlevels.fitting.trial import PILOTS, Trial, confirm, try_states
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import dense_of
from fewlevels.samples.samples import Samples
from fewlevels.search.target import Target

SWEEP_CHIPS = 500
SPREAD_FACTORS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
SPREAD_PERCENTS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
STUCK_RATES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """The answer.

    best: the trial that is the answer. Its yield is that of confirming chips. They had no part in choosing the
    candidate, but they decide whether its number of states is accepted.
    trials: one for each number of states, the fewest first. Their yields are of the chips before the confirming ones.
    recognition: of the network before quantizing.
    needed_states: the fewest states that reach alpha without any variation; None where none do.
    separable: the levels of the device that can be told apart; None where that is not known.
    limits: the yield with one imperfection switched off, by its name.
    against: values and the yield at each. The names are 'spread_factor' (or, where no spread is known,
    'spread_window_percent'), 'stuck_rate' and, with retention, 'after_seconds'.
    advice: what would make it feasible. assumptions: what the device's description lacks.
    """

    problem: Problem
    best: Trial
    trials: tuple[Trial, ...]
    recognition: float
    needed_states: int | None
    separable: SeparableLevels | None
    limits: dict[str, Yield]
    against: dict[str, list[tuple[float, Yield]]]
    advice: Advice
    assumptions: tuple[str, ...]

    @property
    def feasible(self) -> bool:
        return self.best.chip_yield.value >= self.problem.config.yield_target

    @property
    def certain(self) -> bool:
        """Whether the yield's interval lies on one side of the target; more chips narrow it."""
        low, high = self.best.chip_yield.interval
        return not low < self.problem.config.yield_target <= high

    @property
    def limiting_factor(self) -> str:
        """The imperfection that costs most: the name in `limits` with the highest yield.

        At equal yield it is the one with the largest median margin. It is 'none' where no yield and no margin is higher
        than with all imperfections. Where no number of states reaches alpha without variation, it is 'levels' if the
        network reaches alpha before quantizing, and 'network' if it does not.
        """
        return limiting_factor(self.problem, self.best, self.recognition, self.needed_states, self.limits)

    def as_dict(self) -> dict[str, object]:
        """Plain numbers and lists, ready for JSON."""
        best, config = self.best, self.problem.config
        offered = None if self.separable is None else self.separable.to_json()["separable_levels"]
        return {
            "feasible": self.feasible,
            "certain": self.certain,
            "states": best.states,
            **_plain(best.chip_yield),
            "yield_target": config.yield_target,
            "alpha": config.alpha,
            "needed_states": self.needed_states,
            "separable_levels": offered,
            "limiting_factor": self.limiting_factor,
            "device": self.problem.device.name,
            "scheme": config.scheme,
            "placement": best.placement,
            "state_siemens": best.mapping.level_siemens.tolist(),
            "recognition_before_quantizing": self.recognition,
            "recognition_without_variation": best.recognition,
            "chip_recognition_mean": best.chip_yield.recognition_mean,
            "chip_recognition_mean_interval": list(best.chip_yield.recognition_interval),
            "pulses_per_chip_mean": float(best.chip_yield.pulses.mean()),
            "missed_per_chip_mean": float(best.chip_yield.missed.mean()),
            "chips": config.chips,
            "after_seconds": config.conditions.after_seconds,
            "without": {name: _plain(found) for name, found in self.limits.items()},
            "trials": [
                {
                    "states": trial.states,
                    "placement": trial.placement,
                    "recognition_without_variation": trial.recognition,
                    **_plain(trial.chip_yield),
                }
                for trial in self.trials
            ],
            "against": {
                name: [{"value": value, **_plain(found)} for value, found in points]
                for name, points in self.against.items()
            },
            "advice": list(self.advice.sentences),
            "assumptions": list(self.assumptions),
            "remarks": list(best.mapping.circuit.remarks),
        }


def fit_network(
    networks: Networks | Network,
    samples: Samples,
    device: Device,
    config: FitConfig | None = None,
    *,
    data: Samples | None = None,
    estimate: Estimator | None = None,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Fit:
    """Try one network with 2, 3 … states per device, and find how few are enough.

    For each number of states the likeliest candidates run on pilot chips. The best of them runs on `config.chips` other
    chips, and its yield there must reach the target. It must do so again on as many confirming chips. The fewest states
    that pass both are the answer. Where none do, the answer is the number of states with the highest yield. Numbers
    that reach alpha without variation come before those that do not.

    networks: a stack of one, or a `Network`, of dense layers one after the other.
    samples: what chips are judged on. data: what settings are chosen on and fine-tuning trains on; None for `samples`.
    config: what is asked; None for the defaults. estimate: makes yields; a fit's store gives one that keeps them.
    on_trial: called with each trial.
    Raises DeviceError where the device lacks what is asked, MappingError where the network cannot be put on it,
    NetworksError where the samples do not fit it.
    """
    problem = Problem(
        network=dense_of(networks, MappingError, "network"),
        samples=samples,
        data=samples if data is None else data,
        device=device,
        config=FitConfig() if config is None else config,
    )
    return fit_problem(problem, Estimator() if estimate is None else estimate, on_trial)


def fit_problem(problem: Problem, estimate: Estimator, on_trial: Callable[[Trial], None]) -> Fit:
    """`fit_network` of a problem that is made already."""
    config, imperfections, sweeps = problem.config, list(_imperfections(problem)), list(_sweeps(problem))
    trials = _trials(problem, estimate, on_trial)
    best = _best(problem, trials, estimate)
    recognition = float(problem.network.recognition(problem.samples)[0])
    needed = min((t.states for t in trials if _enough(t.safest_recognition, config)), default=None)
    confirming = range(config.chips, 2 * config.chips)
    swept = confirming[:SWEEP_CHIPS]
    estimate.expect(
        "what limits", len(imperfections) * config.chips + len(swept) * sum(len(each) for _, each in sweeps)
    )
    limits = {
        name: estimate(calmer, calmer.put_on(best.network, top_siemens=best.chosen.top_siemens), confirming)
        for name, calmer in imperfections
    }
    against = {name: [(value, estimate(other, best.mapping, swept)) for value, other in each] for name, each in sweeps}
    advice = Advice()
    if best.chip_yield.value < config.yield_target:
        limiting = limiting_factor(problem, best, recognition, needed, limits)
        advice = advise(problem, best, estimate, limiting, limits)
    return Fit(
        problem=problem,
        best=best,
        trials=tuple(trials),
        recognition=recognition,
        needed_states=needed,
        separable=_separable(problem),
        limits=limits,
        against=against,
        advice=advice,
        assumptions=tuple(_assumed(problem)),
    )


def limiting_factor(
    problem: Problem, best: Trial, recognition: float, needed_states: int | None, limits: dict[str, Yield]
) -> str:
    """See Fit.limiting_factor."""
    if needed_states is None:
        return "levels" if _enough(recognition, problem.config) else "network"

    def cost(found: Yield) -> tuple[float, float]:
        return found.value, found.median_margin

    name = max(limits, key=lambda each: cost(limits[each]), default="none")
    return name if name != "none" and cost(limits[name]) > cost(best.chip_yield) else "none"


def _trials(problem: Problem, estimate: Estimator, on_trial: Callable[[Trial], None]) -> list[Trial]:
    """A trial for each number of states that the network can be put on the device with, the fewest first."""
    config, numbers = problem.config, range(2, problem.most_states + 1)
    estimate.expect("trying states", len(numbers) * (PILOTS + config.chips))
    trials: dict[int, Trial] = {}
    for states in numbers:
        if (trial := try_states(problem, states, estimate)) is not None and trial.states not in trials:
            trials[trial.states] = trial
            on_trial(trial)
    if not trials:
        raise MappingError(
            f"no weights are left with at most {counted(numbers[-1], 'state')} per device, {config.scheme}"
        )
    return list(trials.values())


def _best(problem: Problem, trials: list[Trial], estimate: Estimator) -> Trial:
    """The trial with the fewest states that yield enough twice; else the one with the highest yield.

    Its yield is of the confirming chips. They had no part in choosing the candidate, but they decide whether its number
    of states is accepted.
    """
    target = problem.config.yield_target
    estimate.expect("confirming", problem.config.chips)
    for trial in trials:
        if (
            trial.chip_yield.value >= target
            and (confirmed := confirm(problem, trial, estimate)).chip_yield.value >= target
        ):
            return confirmed
    able = [t for t in trials if _enough(t.safest_recognition, problem.config)] or trials
    best = max(able, key=lambda t: (t.chip_yield.value, t.chip_yield.median_margin, -t.states))
    return confirm(problem, best, estimate)


def _enough(recognition: float, config: FitConfig) -> bool:
    return bool(Target(config.alpha).reached(np.array(recognition)))


def _imperfections(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """The name of each imperfection that is there, with the problem where it alone is switched off."""
    device, config = problem.device, problem.config
    conditions = config.conditions

    def under(**changed: object) -> Problem:
        return replace(problem, config=replace(config, conditions=replace(conditions, **changed)))  # type: ignore[arg-type]

    if device.spread_is_known:
        yield "spread", under(sigma_factor=0.0)
    if conditions.after_seconds is not None:
        yield "drift", under(after_seconds=None)
    if device.read_noise > 0:
        yield "read_noise", replace(problem, device=replace(device, read_noise=0.0))
    if device.stuck_on_rate + device.stuck_off_rate > 0 or conditions.stuck_rate:
        yield "stuck_devices", under(stuck_rate=0.0)
    if config.wire_ohm > 0:
        yield "wires", replace(problem, config=replace(config, wire_ohm=0.0))
    if device.cell is not None:
        yield "cell_nonlinearity", replace(problem, device=replace(device, nonlinearity=None, selector=None))


def _sweeps(problem: Problem) -> Iterator[tuple[str, list[tuple[float, Problem]]]]:
    """The name of each quantity that the yield is computed against, with its values and the problem at each."""
    config, device = problem.config, problem.device

    def at(condition: str, value: float, of: Problem = problem) -> Problem:
        conditions = replace(config.conditions, **{condition: value})  # type: ignore[arg-type]
        return replace(of, config=replace(config, conditions=conditions))

    if device.spread_is_known:
        factor = config.conditions.sigma_factor
        yield "spread_factor", [(times, at("sigma_factor", times * factor)) for times in SPREAD_FACTORS]
    elif device.lowest_siemens is not None:
        rough = replace(problem, device=assumed_spread(device))
        yield "spread_window_percent", [(percent, at("sigma_factor", percent, rough)) for percent in SPREAD_PERCENTS]
    yield "stuck_rate", [(rate, at("stuck_rate", rate)) for rate in STUCK_RATES]
    if (retention := device.retention) is not None:
        first, last = retention.first_seconds, retention.last_seconds
        times = [first, *np.geomspace(first, last, 9)[1:-1].tolist(), last] if first < last else [first]
        yield "after_seconds", [(seconds, at("after_seconds", seconds)) for seconds in times]


def _separable(problem: Problem) -> SeparableLevels | None:
    try:
        return separable_levels(problem.device, after_seconds=problem.config.conditions.after_seconds)
    except DeviceError:
        return None


def _assumed(problem: Problem) -> Iterator[str]:
    device, conditions = problem.device, problem.config.conditions
    if not device.spread_is_known:
        yield f"no spread is given for {device.name}: every device is taken to hit its target"
    if device.iv_fit is not None and device.iv_fit.is_poor:
        yield f"the law fitted to the I-V curve of {device.name} describes it poorly: R² {device.iv_fit.r_squared:.3f}"
    if device.states is not None:
        states = counted(device.states, "state")
        yield f"{device.name} is said to have {states}; where they lie is not given and chosen here"
    if device.retention is None:
        yield f"no drift or retention is given for {device.name}: none is taken"
    if device.stuck_on_rate + device.stuck_off_rate == 0 and conditions.stuck_rate is None:
        yield f"no stuck devices are given for {device.name}: none are taken"


def _plain(found: Yield) -> dict[str, object]:
    """The numbers of a yield that fit.json holds."""
    return {"yield": found.value, "yield_interval": list(found.interval), "chip_margin_median": found.median_margin}
