"""Yields: which share of virtual chips recognises, by Monte Carlo on the circuit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fewlevels.chips.mapping import Mapping
from fewlevels.chips.variation import Chips, Conditions, draw_chips, drawing_bytes, reads
from fewlevels.circuit.crossbar import check_conductance
from fewlevels.circuit.network.point import margins
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import fraction, instance, is_whole, jobs_or_all, real_array, shown, whole_number
from fewlevels.common.memory import MEMORY_BYTES, at_once
from fewlevels.common.parallel import checkpoint, in_order, threads_for
from fewlevels.common.proportions import wilson
from fewlevels.devices.laws import ROUNDING
from fewlevels.devices.model import Device
from fewlevels.errors import DeviceError, NotConvergedError
from fewlevels.samples.samples import Samples

CHIPS_AT_ONCE = 250
"""Chips that a thread holds at once, at most: more are no faster."""


@dataclass(frozen=True, kw_only=True)
class Yield:
    """Virtual chips at work.

    current_margin: (chips, samples), by how much the own output's current exceeds the largest other, in currents of one
    device at the highest conductance; recognised where positive. pulses: (chips,), of programming. missed: (chips,),
    devices that write-verify gave up on. alpha: the target.
    """

    current_margin: FloatArray
    pulses: FloatArray
    missed: FloatArray
    alpha: float

    @property
    def recognition(self) -> FloatArray:
        """Of each chip, (chips,)."""
        return (self.current_margin > 0).mean(axis=1)

    @property
    def recognition_mean(self) -> float:
        """Over chips: the expected recognition of one."""
        return float(self.recognition.mean())

    @property
    def recognition_interval(self) -> tuple[float, float]:
        """Of the mean recognition over chips, at 95 %: Wilson's for as many samples as there are chips, which is wide
        enough however the samples of a chip hang together."""
        return _wilson(float(self.recognition.sum()), len(self.current_margin))

    @cached_property
    def chip_margin(self) -> FloatArray:
        """Of each chip, (chips,): the margin of the sample that decides whether it reaches alpha, positive where it
        does. At alpha = 1 the smallest, else the smallest but for the samples that may fail."""
        samples = self.current_margin.shape[1]
        may_fail = samples - max(math.ceil(self.alpha * samples - 1e-9), 1)
        return np.partition(self.current_margin, may_fail, axis=1)[:, may_fail]

    @property
    def median_margin(self) -> float:
        """Of chip_margin."""
        return float(np.median(self.chip_margin))

    @property
    def passed(self) -> int:
        """Chips whose recognition reaches alpha."""
        return int((self.chip_margin > 0).sum())

    @property
    def value(self) -> float:
        """The share of chips whose recognition reaches alpha."""
        return self.passed / len(self.current_margin)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the yield, at 95 % (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
        return _wilson(self.passed, len(self.current_margin))


def estimate_yield(
    mapping: Mapping,
    device: Device,
    samples: Samples,
    *,
    chips: int | Sequence[int] = 2000,
    alpha: float = 1.0,
    conditions: Conditions | None = None,
    seed: int = 1,
    jobs: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Yield:
    """Draw chips (so many, or these), run the samples through each one's circuit, and count those that recognise.

    Each sample is one read. The circuit is the mapping's, with its wires. jobs: threads. memory_bytes: what all of them
    together hold at once, beside the result: 512 MB unless given, and no less than one chip each. The result depends on
    neither of the two.
    Raises DeviceError and CircuitError for what cannot be, NotConvergedError where a circuit does not converge.
    """
    conditions = Conditions() if conditions is None else conditions
    for name, value, kind in (
        ("mapping", mapping, Mapping),
        ("device", device, Device),
        ("samples", samples, Samples),
        ("conditions", conditions, Conditions),
    ):
        instance(name, value, kind, DeviceError)
    numbers = _chips(chips)
    alpha, seed = fraction("alpha", alpha, DeviceError), whole_number("seed", seed, DeviceError)
    jobs = jobs_or_all(jobs, DeviceError)
    _refuse_beyond_curve(mapping, device, conditions.input_volt, samples)
    chips_at_once, reads_at_once = _portions(mapping, device, len(samples), memory_bytes, threads_for(jobs))
    work = _Work(
        mapping=mapping, device=device, samples=samples, conditions=conditions, seed=seed, reads_at_once=reads_at_once
    )
    parts = [numbers[begin : begin + chips_at_once] for begin in range(0, len(numbers), chips_at_once)]
    margin, pulses, missed = (np.concatenate(each) for each in zip(*in_order(work.run, parts, jobs), strict=True))
    return Yield(current_margin=margin, pulses=pulses, missed=missed, alpha=alpha)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What all chips of a yield share. reads_at_once: samples whose noisy reads are held together."""

    mapping: Mapping
    device: Device
    samples: Samples
    conditions: Conditions
    seed: int
    reads_at_once: int

    def run(self, part: Sequence[int]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Margins (chips, samples), pulses and missed devices (chips,) of the chips of these numbers."""
        drawn = draw_chips(self.mapping, self.device, part, self.conditions, seed=self.seed)
        try:
            output = self._output(drawn, part)
        except NotConvergedError as error:
            raise NotConvergedError(f"{self.device.name}: {error}") from None
        full_ampere = self.conditions.input_volt / self.mapping.circuit.window.r_min_ohm
        return margins(output, self.samples.y, full_ampere), drawn.pulses, drawn.missed

    def _output(self, drawn: Chips, part: Sequence[int]) -> FloatArray:
        """Output currents, (chips, samples, outputs)."""
        x, volt, circuit = self.samples.x, self.conditions.input_volt, self.mapping.circuit
        if self.device.read_noise == 0:
            return circuit.run_chips(x, volt, drawn.conductance_siemens, 1)
        seen = reads(drawn, self.device, part, len(x), seed=self.seed, at_once=self.reads_at_once)
        each_read = zip(x, _one_by_one(seen), strict=True)
        return np.concatenate([circuit.run_chips(one[None], volt, chips, 1) for one, chips in each_read], axis=1)


def _refuse_beyond_curve(mapping: Mapping, device: Device, input_volt: float, samples: Samples) -> None:
    """Raises DeviceError where devices would get more than the voltage that their I-V curve was measured to."""
    highest_volt = input_volt * max(1.0, float(np.abs(samples.x).max()) / mapping.circuit.periphery[0].full)
    if device.iv_fit is not None and highest_volt > device.iv_fit.largest_volt * (1 + ROUNDING):
        raise DeviceError(
            f"{device.name}: its I-V curve was measured to {device.iv_fit.largest_volt:g} V, its devices "
            f"would get {highest_volt:g} V; lower input_volt"
        )


def _portions(mapping: Mapping, device: Device, samples: int, memory_bytes: int, threads: int) -> tuple[int, int]:
    """Chips, and samples whose noisy reads, that a thread holds at once, so that all stay within the memory."""
    devices, is_noisy = sum(target.size for target in mapping.target_siemens), device.read_noise > 0
    own_bytes = memory_bytes // threads - drawing_bytes(devices)
    read_bytes = 8 * devices if is_noisy else 0
    signals = 6 * 8 * max(target.shape[1] for target in mapping.target_siemens)  # currents, voltages, activations
    chip_bytes = 8 * devices + 2 * read_bytes + (1 if is_noisy else samples) * signals
    chips_at_once = at_once(chip_bytes, most=CHIPS_AT_ONCE, memory_bytes=own_bytes)
    return chips_at_once, at_once(chips_at_once * read_bytes, most=samples, memory_bytes=own_bytes // 2)


def measured_chip(
    mapping: Mapping,
    conductance_siemens: Sequence[FloatArray],
    samples: Samples,
    *,
    alpha: float = 1.0,
    input_volt: float = 1.0,
) -> Yield:
    """One chip that was programmed and measured, as `Mapping.read_csv` gives it, run through the mapping's circuit.

    conductance_siemens: of each layer, shaped like the mapping's targets.
    """
    instance("mapping", mapping, Mapping, DeviceError)
    instance("samples", samples, Samples, DeviceError)
    alpha = fraction("alpha", alpha, DeviceError)
    shapes = [target.shape for target in mapping.target_siemens]
    given = isinstance(conductance_siemens, list | tuple)
    layers = [real_array("conductance_siemens", g, DeviceError) for g in (conductance_siemens if given else ())]
    if [g.shape for g in layers] != shapes:
        raise DeviceError(
            f"conductance_siemens must be one array for each layer, shaped {shapes}, got "
            f"{[g.shape for g in layers] if given else shown(conductance_siemens)}"
        )
    for g in layers:
        check_conductance(g)
    output = mapping.circuit.run_chips(samples.x, input_volt, [g[None] for g in layers])
    margin = margins(output, samples.y, input_volt / mapping.circuit.window.r_min_ohm)
    return Yield(current_margin=margin, pulses=np.zeros(1), missed=np.zeros(1), alpha=alpha)


def _chips(chips: int | Sequence[int]) -> Sequence[int]:
    if is_whole(chips):
        return range(whole_number("chips", chips, DeviceError, least=1, most=2**31 - 1))
    if not isinstance(chips, list | tuple | range) or len(chips) == 0:
        raise DeviceError(f"chips must be at least 1, or a list of their numbers, got {shown(chips)}")
    return [whole_number("chips", chip, DeviceError) for chip in chips] if not isinstance(chips, range) else chips


def _one_by_one(reads: Iterable[tuple[FloatArray, ...]]) -> Iterator[list[FloatArray]]:
    """The conductances (chips, word lines, bit lines) of each sample's read."""
    for seen in reads:
        for sample in range(seen[0].shape[1]):
            checkpoint()
            yield [np.ascontiguousarray(layer[:, sample]) for layer in seen]


def _wilson(successes: float, trials: int) -> tuple[float, float]:
    low, high = wilson(successes, trials)
    return float(low), float(high)
