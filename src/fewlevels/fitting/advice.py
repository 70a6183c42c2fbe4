"""Advice: what would make a network work on a device that it does not work on, each statement computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from fewlevels.chips.yields import Yield
from fewlevels.common.counts import counted
from fewlevels.common.proportions import percent
from fewlevels.devices.model import Device
from fewlevels.errors import TrainingError
from fewlevels.fitting.candidates import KEPT, Candidate, conductance_of, placements
from fewlevels.fitting.estimator import Estimator
from fewlevels.fitting.likelihood import likelihood
from fewlevels.fitting.problem import Problem, tops
from fewlevels.fitting.trial import PILOTS, Trial, confirm, try_candidates, try_states
from fewlevels.networks.networks import Networks
from fewlevels.quantization import Quantizer, Table
from fewlevels.search.finetuning import finetune
from fewlevels.search.finetuning_config import FinetuningConfig

BISECTIONS = 7
MOST_ADDED = 8
FINETUNED_STATES = (2, 3, 4)
NOISES = (1.0, 2.0)
STEPS = 600
COPIES = 32
"""Of the network, each fine-tuned with its own noise; the likeliest of them are tried."""


@dataclass(frozen=True, eq=False)
class Advice:
    """sentences: one for each way out. finetuned: the network fine-tuned for the device, where that suffices."""

    sentences: tuple[str, ...] = ()
    finetuned: Networks | None = None


def advise(problem: Problem, best: Trial, estimate: Estimator, limiting: str, limits: dict[str, Yield]) -> Advice:
    """Try less spread, more levels, and a network fine-tuned for the device; say what the limiting factor costs."""
    device, config, sentences = problem.device, problem.config, []
    if limiting == "network":
        own = float(problem.network.recognition(problem.samples)[0])
        sentences.append(
            f"the network itself recognises {percent(own)} of the samples before quantizing, less than "
            f"the {percent(config.alpha)} asked for: ask for less, or train it better"
        )
    elif limiting in limits and limiting != "spread":
        share, name = percent(limits[limiting].value, 1), limiting.replace("_", " ")
        sentences.append(f"without {name} {share} of chips recognise with {counted(best.states, 'state')}")
    if device.spread_is_known and limiting not in ("network", "levels"):
        sentences.append(_less_spread(problem, best, estimate))
    if device.level_siemens is not None:
        sentences.append(_more_levels(problem, estimate))
    else:
        sentences.append(
            f"none of up to {counted(problem.most_states, 'state')} that were tried suffices: the best is {best.states}"
        )
    try:
        sentence, tuned = _finetuned(problem, estimate)
    except TrainingError as error:  # units of a user's own, or biases on rows
        sentence, tuned = f"fine-tuning was not tried: {error}", None
    return Advice((*sentences, *([sentence] if sentence else [])), tuned)


def _less_spread(problem: Problem, best: Trial, estimate: Estimator) -> str:
    config = problem.config
    conditions, chips = config.conditions, range(config.chips, 2 * config.chips)
    mapping = best.mapping
    if best.recognition < best.safest_recognition:
        mapping = problem.put_on(best.safest.network, top_siemens=best.safest.top_siemens)

    def value(factor: float) -> float:
        calmer = replace(conditions, sigma_factor=factor * conditions.sigma_factor)
        return estimate(replace(problem, config=replace(config, conditions=calmer)), mapping, chips).value

    estimate.expect("spread to reach", (1 + BISECTIONS) * config.chips)
    if (without := value(0.0)) < config.yield_target:
        return (
            f"less spread does not help: with none at all {percent(without, 1)} of chips recognise with "
            f"{counted(best.states, 'state')}"
        )
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if value(middle) >= config.yield_target else (low, middle)
    factor = math.floor(100 * low) / 100
    widest = problem.device.sigma_siemens(mapping.level_siemens, conditions.after_seconds).max()
    micro = 1e6 * factor * conditions.sigma_factor * float(widest)
    return (
        f"with {counted(best.states, 'state')}, {percent(config.yield_target, 0)} of chips recognise where the "
        f"spread is {factor:.2f} times what it is, or less: a standard deviation of {micro:.2g} µS where it is "
        f"widest"
    )


def _more_levels(problem: Problem, estimate: Estimator) -> str:
    """Levels added between those there are, evenly in their order, with the spread interpolated."""
    device, config = problem.device, problem.config
    assert device.level_siemens is not None
    there, found = len(device.level_siemens), []
    estimate.expect("adding levels", MOST_ADDED * (PILOTS + config.chips))
    for count in range(there + 1, there + MOST_ADDED + 1):
        finer = replace(problem, device=_finer(device, count), config=replace(config, most_states=count))
        if (trial := try_states(finer, count, estimate)) is None:
            continue
        if trial.chip_yield.value >= config.yield_target:
            trial = confirm(finer, trial, estimate)
        found.append((trial.chip_yield.value, count))
        if trial.chip_yield.value >= config.yield_target:
            share = f"{percent(trial.chip_yield.value, 1)} of chips recognise"
            return f"with {counted(count, 'level')} instead of {there}, in the same window, {share}"
    value, count = max(found, key=lambda item: (item[0], -item[1]), default=(0.0, there))
    return (
        f"more levels in the same window do not suffice: of {there + 1} to {there + MOST_ADDED} the best is "
        f"{count}, with {percent(value, 1)} of chips"
    )


def _finer(device: Device, count: int) -> Device:
    assert device.level_siemens is not None
    there = range(len(device.level_siemens))
    order = np.linspace(0, there[-1], count)
    sigma = device.level_sigma_siemens
    return replace(
        device,
        level_siemens=tuple(np.interp(order, there, device.level_siemens).tolist()),
        level_sigma_siemens=sigma and tuple(np.interp(order, there, sigma).tolist()),
    )


def _finetuned(problem: Problem, estimate: Estimator) -> tuple[str, Networks | None]:
    """What fine-tuning with the device's states, and with noise on the weights in the forward pass, comes to; and the
    network, where that suffices."""
    config = problem.config
    numbers = [states for states in FINETUNED_STATES if states <= problem.most_states]
    estimate.expect("fine-tuning", len(numbers) * (PILOTS + config.chips))
    found: list[Trial] = []
    for states in numbers:
        trial = try_candidates(problem, _copies(problem, states, estimate.jobs), states, estimate)
        if trial is None:
            continue
        if trial.chip_yield.value >= config.yield_target:
            trial = confirm(problem, trial, estimate)
        found.append(trial)
        if trial.chip_yield.value >= config.yield_target:
            break
    if not found:
        return "", None
    best = max(found, key=lambda trial: (trial.chip_yield.value, -trial.states))
    enough = best.chip_yield.value >= config.yield_target
    judged = "the same samples" if problem.data is problem.samples else "other samples"
    return (
        f"fine-tuning the network for the device {'would do' if enough else 'does not suffice'}: with "
        f"{counted(best.states, 'state')} {percent(best.chip_yield.value, 1)} of chips recognise (trained on "
        f"{counted(len(problem.data), 'sample')}, judged on "
        f"{judged})",
        best.network if enough else None,
    )


def _copies(problem: Problem, states: int, jobs: int | None) -> list[Candidate]:
    """The likeliest of the network's fine-tuned copies, of every placement and noise."""
    ranked: dict[tuple[bytes, float], tuple[float, Candidate]] = {}
    copies = problem.network[np.zeros(COPIES, np.intp)]
    for placement, quantizer in placements(problem, states):
        for noise in _noises(problem):
            tuned = finetune(
                copies,
                problem.data,
                quantizer=quantizer,
                levels=problem.scheme.magnitudes(states),
                alpha=problem.config.alpha,
                config=FinetuningConfig(steps=STEPS, noise=noise),
                seed=problem.config.seed,
                jobs=jobs,
            ).quantized.networks
            for network in (tuned[copy] for copy in np.flatnonzero(tuned.joint().any(axis=1)).tolist()):
                for top in _tops(problem, network, quantizer):
                    if len(problem.put_on(network, top_siemens=top).level_siemens) <= states:
                        found = float(likelihood(problem, network.joint(), np.array([top]))[0])
                        candidate = Candidate(placement, network, top)
                        ranked.setdefault((network.joint().tobytes(), top), (found, candidate))
    best = sorted(ranked.values(), key=lambda each: -each[0])[:KEPT]
    return [candidate for _, candidate in best]


def _tops(problem: Problem, network: Networks, quantizer: Quantizer) -> list[float]:
    """The conductances that can carry the largest weight: of the states that the network was fine-tuned for."""
    lowest, highest = problem.window_siemens
    if not isinstance(quantizer, Table):
        return [highest]
    return [conductance_of(problem, top - lowest) for top in tops(network, lowest + np.array(quantizer.table))]


def _noises(problem: Problem) -> Iterator[float]:
    """Relative noise on every weight to fine-tune with: the device's mean spread over half its window, and twice that,
    because margins grow with it."""
    device, conditions = problem.device, problem.config.conditions
    if not device.spread_is_known:
        yield 0.0
        return
    low, high = problem.window_siemens
    available = device.available_siemens()
    g = np.linspace(low, high, 33) if available is None else available
    relative = 2 * device.sigma_siemens(g, conditions.after_seconds).mean() * conditions.sigma_factor / (high - low)
    yield from (float(min(0.9, times * relative)) for times in NOISES)
