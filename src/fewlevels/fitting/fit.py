"""Fit: does a network work on a device, with how many states, on which share of chips, and what limits it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from fewlevels.devices.model import Device
from fewlevels.devices.separability import SeparableLevels, separable_levels
from fewlevels.devices.variation import Conditions
from fewlevels.errors import DeviceError, MappingError
from fewlevels.fitting.advice import Advice, advise
from fewlevels.fitting.placement import (
    Estimator,
    FitConfig,
    Trial,
    best_quantized,
    checked_mapping,
    placements,
    put_on,
    states_per_device,
)
from fewlevels.networks import Networks
from fewlevels.samples import Samples
from fewlevels.search import reaches


@dataclass(frozen=True, eq=False)
class Fit:
    """The answer. best: the trial with the fewest states that is feasible, or the one of the highest yield.

    trials: all of them. needed_states: the fewest that keep alpha without any variation, None where none does.
    separable: the states that the device offers, as far as they can be told apart; None where that is not published.
    limits: the yield and the median of the chips' smallest margin with one imperfection switched off at a time.
    advice: what would make it feasible, each computed. assumptions: what the device's description lacks.
    """

    device: Device
    config: FitConfig
    best: Trial
    trials: tuple[Trial, ...]
    needed_states: int | None
    separable: SeparableLevels | None
    limits: dict[str, tuple[float, float]]
    advice: Advice
    assumptions: tuple[str, ...]

    @property
    def feasible(self) -> bool:
        return self.best.found.value >= self.config.yield_target

    @property
    def limiting_factor(self) -> str:
        """What costs most yield, and at equal yield most margin; 'none' where nothing costs any."""
        return _limiting(self.best, self.limits, self.config)

    def as_dict(self) -> dict[str, object]:
        """Plain numbers and lists, ready for JSON."""
        best = self.best
        offered = None if self.separable is None else self.separable.to_json()["count"]
        return {
            "feasible": self.feasible, "q": best.states, "yield": best.found.value,
            "yield_interval": list(best.found.interval), "yield_target": self.config.yield_target,
            "alpha": self.config.alpha, "needed_levels": self.needed_states, "separable_levels": offered,
            "limiting_factor": self.limiting_factor, "device": self.device.name, "scheme": self.config.scheme,
            "placement": best.placement, "level_siemens": best.mapping.level_siemens.tolist(),
            "recognition": best.recognition, "recognition_mean": float(best.found.recognition.mean()),
            "recognition_interval": list(best.found.recognition_interval),
            "margin_median": float(np.median(best.found.margin.min(axis=1))),
            "pulses_per_chip": float(best.found.pulses.mean()), "chips": self.config.chips,
            "after_seconds": self.config.conditions.after_seconds,
            "without": {name: {"yield": y, "margin_median": m} for name, (y, m) in self.limits.items()},
            "trials": [{
                "q": t.states, "placement": t.placement, "recognition": t.recognition, "yield": t.found.value,
                "yield_interval": list(t.found.interval), "margin_median": float(np.median(t.found.margin.min(axis=1))),
            } for t in self.trials],
            "advice": list(self.advice.sentences), "assumptions": list(self.assumptions),
        }  # fmt: skip


def fit_network(
    networks: Networks,
    samples: Samples,
    device: Device,
    config: FitConfig | None = None,
    *,
    estimate: Estimator | None = None,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Fit:
    """Try one network with 2, 3 … states per device, and say with how few enough chips recognise.

    A device with a level table takes a subset of it, and a scale, as `device_levels` does; on a continuous window the
    states lie evenly with a dead zone, or at equal error, and the better yield counts. Each trial checks that the
    quantizer did bind. estimate: stands in for the Monte Carlo, to store it.
    Raises DeviceError where the device lacks what is asked, MappingError where the network cannot be put on it,
    NetworksError where the samples do not fit it.
    """
    config = FitConfig() if config is None else config
    if len(networks) != 1:
        raise MappingError(f"one network is fitted to a device, got {len(networks)}; choose one by its index")
    networks.recognition(samples)  # refuses samples that do not fit
    estimate = Estimator() if estimate is None else estimate
    tried, imperfections = placements(device, config), list(_imperfections(device, config))
    estimate.expect(len(tried) + len(imperfections))
    trials: list[Trial] = []
    for states, placement, quantizer in tried:
        quantized = best_quantized(networks, samples, quantizer, states)
        mapping = checked_mapping(quantized, device, config, states)
        found = estimate(mapping, device, samples, config, config.conditions)
        recognition = float(quantized.recognition(samples)[0])
        trials.append(Trial(states_per_device(mapping, states), placement, quantized, recognition, mapping, found))
        on_trial(trials[-1])
    enough = [t for t in trials if t.found.value >= config.yield_target]
    fewest = min((t.states for t in enough), default=None)
    among = trials if fewest is None else [t for t in enough if t.states == fewest]
    best = max(among, key=lambda t: (t.found.value, float(np.median(t.found.margin.min(axis=1))), -t.states))
    needed = [t.states for t in trials if reaches(np.array([t.recognition]), config.alpha)[0]]
    limits = {name: _without(best, samples, estimate, *calmer) for name, calmer in imperfections}
    advice = Advice()
    if not enough:
        limiting = _limiting(best, limits, config)
        advice = advise(networks, best, samples, device, config, estimate, limiting, limits)
    separable = _separable(device, config.conditions.after_seconds)
    return Fit(device, config, best, tuple(trials), min(needed, default=None), separable, limits, advice,
               tuple(_assumed(device, config.conditions)))  # fmt: skip


def _limiting(best: Trial, limits: dict[str, tuple[float, float]], config: FitConfig) -> str:
    here = best.found.value, float(np.median(best.found.margin.min(axis=1)))
    if not reaches(np.array([best.recognition]), config.alpha)[0]:
        return "levels"
    name, most = max(limits.items(), key=lambda item: item[1], default=("none", here))
    return name if most > here else "none"


def _imperfections(device: Device, config: FitConfig) -> Iterator[tuple[str, tuple[FitConfig, Device, Conditions]]]:
    """Each that is there, with what is fitted where it alone is switched off."""
    conditions = config.conditions
    calm = replace(device, read_noise=0.0)
    ideal_wires = replace(config, wire_ohm=0.0)
    straight = replace(device, nonlinearity=None, selector=None)
    if device.spread_is_known:
        yield "spread", (config, device, replace(conditions, sigma_factor=0.0))
    if conditions.after_seconds is not None:
        yield "drift", (config, device, replace(conditions, after_seconds=None))
    if device.read_noise > 0:
        yield "read noise", (config, calm, conditions)
    if device.stuck_on_rate + device.stuck_off_rate > 0 or conditions.stuck_rate:
        yield "stuck devices", (config, device, replace(conditions, stuck_rate=0.0))
    if config.wire_ohm > 0:
        yield "wires", (ideal_wires, device, conditions)
    if device.cell is not None:
        yield "cell nonlinearity", (config, straight, conditions)


def _without(
    best: Trial, samples: Samples, estimate: Estimator, config: FitConfig, device: Device, conditions: Conditions
) -> tuple[float, float]:
    """The yield, and the median of the chips' smallest margin, of the best trial under other circumstances."""
    found = estimate(put_on(best.networks, device, config), device, samples, config, conditions)
    return found.value, float(np.median(found.margin.min(axis=1)))


def _separable(device: Device, after_seconds: float | None) -> SeparableLevels | None:
    try:
        return separable_levels(device, after_seconds=after_seconds)
    except DeviceError:
        return None


def _assumed(device: Device, conditions: Conditions) -> Iterator[str]:
    if not device.spread_is_known:
        yield f"no spread is published for {device.name}: every device is taken to hit its target"
    if device.states is not None:
        yield f"{device.name} is said to have {device.states} states; where they lie is not published and chosen here"
    if device.retention is None:
        yield f"no drift or retention is published for {device.name}: none is taken"
    if device.stuck_on_rate + device.stuck_off_rate == 0 and conditions.stuck_rate is None:
        yield f"no stuck devices are published for {device.name}: none are taken"
