"""Problem: what a fit is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fewlevels.chips.mapping import Mapping, map_network
from fewlevels.chips.schemes import DEFAULT_SCHEME, SCHEMES, Scheme, find_scheme
from fewlevels.chips.variation import Conditions
from fewlevels.circuit.network.periphery import SIGNED, Signed
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import fraction, instance, is_number, one_of, shown, whole_number
from fewlevels.devices.limits import LARGEST_WIRE_OHM
from fewlevels.devices.model import Device
from fewlevels.errors import DeviceError, MappingError
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import dense_of
from fewlevels.quantization.device_table import OPEN_SIEMENS
from fewlevels.samples.samples import Samples


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """What is asked. alpha: recognition that a chip must reach. yield_target: the share of chips that must reach it.
    chips: of each yield. most_states: states per device that are tried, at most. scheme: how signed weights sit on
    devices, the name of one of SCHEMES. wire_ohm: of every wire segment. seed: root of all randomness. signed: how
    values of both signs come in, one of SIGNED.
    Raises DeviceError for values that cannot be.
    """

    alpha: float = 1.0
    yield_target: float = 0.95
    chips: int = 2000
    most_states: int = 16
    scheme: str = DEFAULT_SCHEME
    wire_ohm: float = 0.0
    conditions: Conditions = field(default_factory=Conditions)
    seed: int = 1
    signed: Signed = "two-reads"

    def __post_init__(self) -> None:
        for name, value in (("alpha", self.alpha), ("the yield", self.yield_target)):
            fraction(name, value, DeviceError, hint="; 95 % is 0.95")
        for name, least in (("chips", 1), ("most_states", 2), ("seed", 0)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), DeviceError, least=least))
        find_scheme(self.scheme, DeviceError)
        one_of("signed", self.signed, SIGNED, DeviceError)
        instance("conditions", self.conditions, Conditions, DeviceError)
        if not (is_number(self.wire_ohm) and 0 <= self.wire_ohm <= LARGEST_WIRE_OHM):
            raise DeviceError(
                f"wire_ohm must be from 0 to {LARGEST_WIRE_OHM:g}, got {shown(self.wire_ohm)}; it is of "
                "one segment, between two cells"
            )
        for name in ("alpha", "yield_target", "wire_ohm"):
            object.__setattr__(self, name, float(getattr(self, name)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """One network, the samples that chips must recognise, the device, and what is asked.

    data: samples on which settings are chosen and fine-tuning trains; often the same.
    Raises MappingError for several networks or a level table without the differential pair, NetworksError where samples
    do not fit.
    """

    network: Networks
    samples: Samples
    data: Samples
    device: Device
    config: FitConfig

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", dense_of(self.network, MappingError, "network"))
        for name, kind in (("samples", Samples), ("data", Samples), ("device", Device), ("config", FitConfig)):
            instance(name, getattr(self, name), kind, MappingError)
        if len(self.network) != 1:
            raise MappingError(f"one network is fitted to a device, got {len(self.network)}; choose one by its index")
        if not self.network.joint().any():
            raise MappingError("the weights of the network are all zero: it recognises nothing and cannot be mapped")
        if self.device.level_siemens is not None and not self.scheme.rests:
            raise MappingError(
                f"{self.config.scheme} puts zero between the levels of {self.device.name}; its level "
                f"table needs the scheme {DEFAULT_SCHEME}"
            )
        for samples in (self.samples, self.data):
            self.network.recognised(samples)  # refuses samples that do not fit

    @property
    def scheme(self) -> Scheme:
        """How signed weights sit on devices."""
        return SCHEMES[self.config.scheme]

    @property
    def most_states(self) -> int:
        """States per device that can be tried: no more than asked for, or than the device has."""
        available = self.device.available_siemens()
        has = self.device.states if available is None else len(available)
        return min(self.config.most_states, has or self.config.most_states)

    @property
    def window_siemens(self) -> tuple[float, float]:
        """What a resting device and the largest weight can be programmed to: the ends of the window or of the level
        table. Raises DeviceError where the device gives neither.
        """
        device, available = self.device, self.device.available_siemens()
        if available is not None:
            return max(float(available[0]), OPEN_SIEMENS), float(available[-1])
        if device.lowest_siemens is None or device.highest_siemens is None:
            raise DeviceError(f"{device.name} gives no conductance window, so no weight can be mapped on it")
        return device.lowest_siemens, device.highest_siemens

    def put_on(self, quantized: Networks, states: int | None = None, top_siemens: float | None = None) -> Mapping:
        """The mapping of a quantized network, its voltages scaled by the data: its largest weight at top_siemens or,
        where that is None, at the highest conductance; on a level table each weight at its level, the largest at the
        highest that allows it. Raises MappingError where it needs more than `states` states.
        """
        config, available = self.config, self.device.available_siemens()
        lowest, highest = self.window_siemens
        if top_siemens is not None:
            highest = top_siemens
        elif available is not None:
            highest = tops(quantized, np.maximum(available, OPEN_SIEMENS))[0]
        mapping = map_network(
            quantized,
            lowest_siemens=lowest,
            highest_siemens=highest,
            scheme=config.scheme,
            available_siemens=available,
            cell=self.device.cell,
            word_wire_ohm=config.wire_ohm,
            bit_wire_ohm=config.wire_ohm,
            x=self.data.x,
            signed=config.signed,
        )
        if states is not None and len(mapping.level_siemens) > states:
            raise MappingError(
                f"the quantized network needs {len(mapping.level_siemens)} states per device, not the "
                f"{states} that were asked for"
            )
        return mapping


def tops(quantized: Networks, available: FloatArray) -> list[float]:
    """The levels that can carry the largest weight of a quantized network, so that all its magnitudes fall on levels;
    the highest first. Raises MappingError where there is none."""
    magnitudes = np.unique(np.abs(quantized.joint()))
    relative = magnitudes[magnitudes > 0] / magnitudes[-1]
    above = available - available[0]
    found = [
        float(available[top])
        for top in range(len(available) - 1, 0, -1)
        if np.isclose(above[:, None], above[top] * relative, rtol=1e-9, atol=0).any(axis=0).all()
    ]
    if not found:
        raise MappingError("the weights are no multiples of the device's levels; quantize the network to them")
    return found
