"""Advice: what would make a network work on a device that it does not work on, each statement computed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fewlevels.devices.model import Device
from fewlevels.finetuning import FinetuningConfig, finetune
from fewlevels.fitting.placement import (
    Estimator,
    FitConfig,
    Trial,
    best_quantized,
    most_states,
    put_on,
    quantizers,
    safest,
    states_per_device,
)
from fewlevels.networks import Networks
from fewlevels.samples import Samples

BISECTIONS = 7
STATES_ADDED = (1, 2, 4, 8)
FINETUNED_STATES = (2, 3, 4)
NOISES = (1.0, 2.0)
STEPS = 600
COPIES = 32
"""Of the network, each fine-tuned with its own noise; the one with the largest margin counts."""


@dataclass(frozen=True, eq=False)
class Advice:
    """sentences: one for each way out. finetuned: the network fine-tuned for the device, where that suffices."""

    sentences: tuple[str, ...] = ()
    finetuned: Networks | None = None


def advise(
    networks: Networks, best: Trial, samples: Samples, device: Device, config: FitConfig, estimate: Estimator,
    limiting: str, limits: dict[str, tuple[float, float]],
) -> Advice:  # fmt: skip
    """Try less spread, more levels, and a network fine-tuned for the device; say what the limiting factor costs."""
    sentences = []
    if limiting in limits and limiting != "spread":
        sentences.append(f"without {limiting} {limits[limiting][0]:.1%} of chips recognise with {best.states} states")
    if device.spread_is_known and limiting != "levels":
        sentences.append(_less_spread(best, samples, device, config, estimate))
    if device.level_siemens is not None:
        sentences.append(_more_levels(networks, samples, device, config, estimate))
    else:
        sentences.append(f"no number of states up to {most_states(device, config)} suffices: the best is {best.states}")
    value, states, tuned = _finetuned(networks, samples, device, config, estimate)
    enough = value >= config.yield_target
    does = "would do" if enough else "does not suffice"
    sentences.append(
        f"fine-tuning the network for the device {does}: with {states} states {value:.1%} of chips recognise"
    )
    return Advice(tuple(sentences), tuned if enough else None)


def _less_spread(best: Trial, samples: Samples, device: Device, config: FitConfig, estimate: Estimator) -> str:
    def value(factor: float) -> float:
        conditions = replace(config.conditions, sigma_factor=factor * config.conditions.sigma_factor)
        return estimate(best.mapping, device, samples, config, conditions).value

    estimate.expect(1 + BISECTIONS)
    if (without := value(0.0)) < config.yield_target:
        return f"less spread does not help: with none at all {without:.1%} of chips recognise with {best.states} states"
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if value(middle) >= config.yield_target else (low, middle)
    factor = math.floor(100 * low) / 100
    widest = device.sigma_siemens(best.mapping.level_siemens, config.conditions.after_seconds).max()
    micro = 1e6 * factor * config.conditions.sigma_factor * float(widest)
    return (f"with {best.states} states, {config.yield_target:.0%} of chips recognise where the spread is {factor:.2f} "
            f"times what it is, or less: a standard deviation of {micro:.2g} µS where it is widest")  # fmt: skip


def _more_levels(networks: Networks, samples: Samples, device: Device, config: FitConfig, estimate: Estimator) -> str:
    """Levels added between those there are, evenly in their order, with the spread interpolated."""
    assert device.level_siemens is not None
    there = len(device.level_siemens)
    found = []
    estimate.expect(len(STATES_ADDED))
    for count in (there + added for added in STATES_ADDED):
        order = np.linspace(0, there - 1, count)
        finer = replace(device, level_siemens=tuple(np.interp(order, range(there), device.level_siemens).tolist()),
                        level_sigma_siemens=device.level_sigma_siemens and tuple(
                            np.interp(order, range(there), device.level_sigma_siemens).tolist()))  # fmt: skip
        _, quantizer = next(quantizers(finer, count, config.conditions.after_seconds))
        mapping = put_on(best_quantized(networks, samples, quantizer, count), finer, config)
        found.append((estimate(mapping, finer, samples, config, config.conditions).value, count))
        if found[-1][0] >= config.yield_target:
            return f"with {count} levels instead of {there}, in the same window, {found[-1][0]:.1%} of chips recognise"
    value, count = max(found, key=lambda item: (item[0], -item[1]))
    return (f"more levels in the same window do not suffice: of up to {there + STATES_ADDED[-1]} the best is {count}, "
            f"with {value:.1%} of chips")  # fmt: skip


def _finetuned(
    networks: Networks, samples: Samples, device: Device, config: FitConfig, estimate: Estimator
) -> tuple[float, int, Networks]:
    """The yield, the states and the network of the fine-tuning that yields most, with the device's states and with
    noise on the weights in the forward pass."""
    found: list[tuple[float, int, Networks]] = []
    after, most = config.conditions.after_seconds, most_states(device, config)
    ways = [
        [(states, way, noise) for _, way in quantizers(device, states, after) for noise in _noises(device, config)]
        for states in FINETUNED_STATES
        if states <= most
    ]
    estimate.expect(sum(map(len, ways)))
    for with_states in ways:
        for states, quantizer, noise in with_states:
            copies = networks[np.zeros(COPIES, np.intp)]
            tuned = finetune(copies, samples, quantizer=quantizer, levels=states, alpha=config.alpha,
                             config=FinetuningConfig(steps=STEPS, noise=noise), seed=config.seed)  # fmt: skip
            quantized = safest(Networks(tuned.quantized_weights), samples)
            mapping = put_on(quantized, device, config)
            value = estimate(mapping, device, samples, config, config.conditions).value
            found.append((value, states_per_device(mapping, states), quantized))
        if max(value for value, _, _ in found) >= config.yield_target:
            break
    return max(found, key=lambda item: (item[0], -item[1]))


def _noises(device: Device, config: FitConfig) -> tuple[float, ...]:
    """Relative noise on every weight to fine-tune with: the device's mean spread over half its window, and twice that,
    because margins grow with it."""
    if not device.spread_is_known or device.lowest_siemens is None or device.highest_siemens is None:
        return (0.0,)
    g = device.available_siemens()
    g = np.linspace(device.lowest_siemens, device.highest_siemens, 33) if g is None else g
    sigma = device.sigma_siemens(g, config.conditions.after_seconds).mean() * config.conditions.sigma_factor
    relative = 2 * sigma / (device.highest_siemens - device.lowest_siemens)
    return tuple(float(min(0.9, times * relative)) for times in NOISES)
