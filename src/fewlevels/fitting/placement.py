"""Placement: the states of a network on the conductances of a device, and what a trial of it finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fewlevels.circuit.network_circuit import margins
from fewlevels.devices.mapping import OPEN_SIEMENS, Mapping, Scheme, map_network
from fewlevels.devices.model import Device
from fewlevels.devices.separability import equal_error_levels, geometric_levels, has_equal_error_levels
from fewlevels.devices.variation import Conditions
from fewlevels.errors import DeviceError, MappingError
from fewlevels.networks import Networks
from fewlevels.quantization import DeadZone, Quantizer, Table, device_levels
from fewlevels.quantization.protocol import searchable
from fewlevels.samples import FloatArray, Samples
from fewlevels.yields import Yield, estimate_yield


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """What is asked. yield_target: the share of chips that must recognise at alpha. most_states: states per device that
    are tried, at most, on a device with a continuous window. Raises DeviceError for values that cannot be.
    """

    alpha: float = 1.0
    yield_target: float = 0.95
    chips: int = 2000
    most_states: int = 16
    scheme: Scheme = "differential-pair"
    wire_ohm: float = 0.0
    conditions: Conditions = field(default_factory=Conditions)
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("alpha", "yield_target"):
            if not 0 < getattr(self, name) <= 1:
                raise DeviceError(f"{name} must be in (0, 1], got {getattr(self, name)}")
        for name, least in (("chips", 1), ("most_states", 2), ("seed", 0)):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= least):
                raise DeviceError(f"{name} must be a whole number of at least {least}, got {getattr(self, name)!r}")
        if not 0 <= self.wire_ohm < np.inf:
            raise DeviceError(f"wire_ohm must be at least 0, got {self.wire_ohm}")


@dataclass(frozen=True, eq=False)
class Trial:
    """One way to put the network on the device: with so many states per device, the resting one included.

    placement: how the states were placed. networks: the quantized network. recognition: of the quantized network.
    """

    states: int
    placement: str
    networks: Networks
    recognition: float
    mapping: Mapping
    found: Yield


class Estimator:
    """How a fit finds its yields: from chips drawn afresh; a store stands in for it."""

    def expect(self, estimates: int) -> None:
        """So many more estimates are to come, at most."""

    def __call__(
        self, mapping: Mapping, device: Device, samples: Samples, config: FitConfig, conditions: Conditions
    ) -> Yield:
        return estimate_yield(mapping, device, samples, chips=config.chips, alpha=config.alpha, conditions=conditions,
                              seed=config.seed)  # fmt: skip


def placements(device: Device, config: FitConfig) -> list[tuple[int, str, Quantizer]]:
    """Every number of states and every way to place them: (states, name of the placement, quantizer)."""
    return [
        (states, name, quantizer)
        for states in range(2, most_states(device, config) + 1)
        for name, quantizer in quantizers(device, states, config.conditions.after_seconds)
    ]


def most_states(device: Device, config: FitConfig) -> int:
    """As many as the device is said to have, or as are to be tried."""
    available = device.available_siemens()
    return min(config.most_states, device.states or config.most_states) if available is None else len(available)


def quantizers(device: Device, states: int, after_seconds: float | None) -> Iterator[tuple[str, Quantizer]]:
    """How `states` states can be placed on a device: (name of the placement, quantizer).

    A device whose levels are counted but not published is given even ones, or a constant ratio from each to the next.
    """
    available = device.available_siemens()
    if available is not None:
        yield "levels of the device", device_levels(tuple(np.maximum(available, OPEN_SIEMENS).tolist()))
        return
    yield "even, dead zone", DeadZone()
    if has_equal_error_levels(device, after_seconds):
        yield "equal error", _table(equal_error_levels(device, states, after_seconds), "equal error")
    elif not device.spread_is_known and device.states is not None and device.lowest_siemens:
        yield "constant ratio", _table(geometric_levels(device, device.states), "constant ratio")


def _table(levels: FloatArray, label: str) -> Table:
    return Table(table=tuple((levels - levels[0]).tolist()), label=label)


def best_quantized(networks: Networks, samples: Samples, quantizer: Quantizer, states: int) -> Networks:
    """One network at so many states, by the quantizer's setting whose network is the `safest`."""
    joint = networks.joint()
    values = np.concatenate([s.quantize(joint, states).values for s in searchable(quantizer).settings()])
    values = values[np.abs(values).max(axis=1) > 0]
    if not len(values):
        raise MappingError(f"all weights become 0 with {states} states of {quantizer.name!r}")
    return safest(Networks.from_joint(values, networks.shapes), samples)


def safest(networks: Networks, samples: Samples) -> Networks:
    """The network of the highest recognition, then of the largest margin of its output currents, in currents of one
    device at the highest conductance."""
    signal: FloatArray = samples.x
    *hidden, last = networks.weights
    for w in hidden:
        signal = 1 / (1 + np.exp(-(signal @ w)))
    ahead = margins(signal @ last, samples.y, 1.0) / np.abs(networks.joint()).max(axis=1, keepdims=True)
    best = np.lexsort((ahead.min(axis=1), (ahead > 0).mean(axis=1)))[-1]
    return networks[best : best + 1]


def put_on(quantized: Networks, device: Device, config: FitConfig) -> Mapping:
    """The mapping of a quantized network: its largest weight at the highest conductance, or, on a level table, each
    weight at its level."""
    available, lowest, highest = device.available_siemens(), device.lowest_siemens, device.highest_siemens
    if available is not None:
        lowest, highest = float(available[0]), _top(quantized, np.maximum(available, OPEN_SIEMENS))
    if lowest is None or highest is None:
        raise DeviceError(f"{device.name} gives no conductance window, so no weight can be mapped on it")
    return map_network(
        quantized, lowest_siemens=lowest, highest_siemens=highest, scheme=config.scheme, available_siemens=available,
        cell=device.cell, word_wire_ohm=config.wire_ohm, bit_wire_ohm=config.wire_ohm,
    )  # fmt: skip


def checked_mapping(quantized: Networks, device: Device, config: FitConfig, states: int) -> Mapping:
    """`put_on` of a network with so many states; raises MappingError where quantization did not bind."""
    mapping = put_on(quantized, device, config)
    programmed = len(mapping.level_siemens)
    if config.scheme == "differential-pair" and programmed > states:
        raise MappingError(f"{states} states were asked for and {programmed} would be programmed; this is a defect")
    return mapping


def states_per_device(mapping: Mapping, asked: int) -> int:
    """Of a differential pair as many as were asked for; elsewhere signs take states of their own."""
    return asked if mapping.scheme == "differential-pair" else len(mapping.level_siemens)


def _top(quantized: Networks, available: FloatArray) -> float:
    """The conductance of the largest weight: the level at which all magnitudes fall on levels."""
    magnitudes = np.unique(np.abs(quantized.joint()))
    relative = magnitudes[magnitudes > 0] / magnitudes[-1]
    above = available - available[0]
    for top in range(len(available) - 1, 0, -1):
        on_level = np.isclose(above[:, None], above[top] * relative, rtol=1e-9, atol=0).any(axis=0)
        if on_level.all():
            return float(available[top])
    raise MappingError("the weights are no multiples of the device's levels; quantize the network to them")
