"""Likelihood: by how much margins exceed what the device's spread does to them, to first order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fewlevels.circuit.network.columns import DeviceMap
from fewlevels.common.arrays import FloatArray
from fewlevels.devices.laws import PolynomialSpread
from fewlevels.devices.model import Device
from fewlevels.devices.retention import Drift
from fewlevels.fitting.problem import Problem
from fewlevels.networks.activations import SIGMOID
from fewlevels.networks.networks import Networks

SAMPLES = 256
ASSUMED_SPREAD = 0.01
"""Of a device's window: what is taken where no spread is known."""

SMALLEST_SPREAD = 1e-4
"""Of a device's window: keeps margins in order where nothing spreads."""


def likelihood(problem: Problem, values: FloatArray, top_siemens: FloatArray) -> FloatArray:
    """How likely chips of quantized networks are to recognise, (candidates,): a figure to compare candidates by.

    values: (candidates, weights). top_siemens: (candidates,), of each one's largest weight.
    The variance of every device is carried through the layers by their first derivatives; each difference of an own and
    another output is then a normal variable. At alpha = 1 the logarithm of the probability that all are positive, as if
    independent; below, the samples expected to be recognised. At most SAMPLES of the samples are looked at, evenly
    taken. Stuck devices and wires do not count here.
    """
    from scipy.special import log_ndtr

    chosen = np.unique(np.linspace(0, len(problem.data) - 1, min(SAMPLES, len(problem.data))).astype(int))
    x, y = problem.data.x[chosen], problem.data.y[chosen]
    devices = _Devices(problem, values, top_siemens)
    mean, variance = np.broadcast_to(x, (len(values), *x.shape)), np.zeros((1, *x.shape))
    *hidden, last = Networks.from_joint(values, problem.network.shapes).weights
    for quantized in hidden:
        w, own_variance = devices.weights(quantized)
        z_variance = (mean**2 + variance) @ own_variance + variance @ w**2
        mean = SIGMOID.value(mean @ w)
        variance = SIGMOID.slope(mean) ** 2 * z_variance
    w, own_variance = devices.weights(last)
    z, direct = mean @ w, (mean**2 + variance) @ own_variance
    passed_on = variance @ w**2
    common = (variance * w[:, :, y].swapaxes(1, 2)) @ w

    def own(each: FloatArray) -> FloatArray:
        return np.take_along_axis(each, y[None, :, None], axis=2)

    apart = own(z) - z
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = apart / np.sqrt(direct + own(direct) + passed_on + own(passed_on) - 2 * common)
    np.put_along_axis(sure, np.broadcast_to(y[None, :, None], (len(values), len(y), 1)), np.inf, axis=2)
    log_recognised = log_ndtr(sure).sum(axis=2)
    return log_recognised.sum(axis=1) if problem.config.alpha == 1 else np.exp(log_recognised).sum(axis=1)


def assumed_spread(device: Device) -> Device:
    """The device with a standard deviation of ASSUMED_SPREAD of its window."""
    assert device.lowest_siemens is not None and device.highest_siemens is not None
    sigma = ASSUMED_SPREAD * (device.highest_siemens - device.lowest_siemens)
    if device.level_siemens is not None:
        return replace(device, level_sigma_siemens=(sigma,) * len(device.level_siemens))
    return replace(device, spread=PolynomialSpread(constant_siemens=sigma))


@dataclass(frozen=True)
class _Devices:
    """What devices make of the quantized weights of candidates, values: (candidates, weights)."""

    problem: Problem
    values: FloatArray
    top_siemens: FloatArray

    def weights(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the weights w (candidates, fan_in, fan_out) of one layer, in units of weights."""
        return self.problem.scheme.on_devices(w, self._map, self._mean_and_variance)

    @cached_property
    def _map(self) -> DeviceMap:
        """The conductances of each candidate's weights, (candidates, 1, 1)."""
        columns, lowest = self.problem.scheme.design.columns, self.problem.window_siemens[0]
        return columns.device_map(self.values[:, None, None], lowest, self.top_siemens[:, None, None])

    def _mean_and_variance(self, siemens: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of the conductance of devices that are programmed to this one."""
        device, conditions = self.problem.device, self.problem.config.conditions
        device = device if device.spread_is_known else assumed_spread(device)
        assert device.lowest_siemens is not None and device.highest_siemens is not None
        after, window = conditions.after_seconds, device.highest_siemens - device.lowest_siemens
        programmed = variance = (conditions.sigma_factor * device.sigma_siemens(siemens)) ** 2
        if conditions.tolerance_siemens is not None:
            variance = np.minimum(programmed, conditions.tolerance_siemens**2)
        if after is not None:
            grown = (conditions.sigma_factor * device.sigma_siemens(siemens, after)) ** 2
            if isinstance(drift := device.retention, Drift):
                square = drift.factor(siemens, after) ** 2 * np.exp(drift.log_growth(siemens, after))
                variance = grown - square * (programmed - variance)
            else:
                variance = np.minimum(variance, grown) + np.maximum(grown - programmed, 0)
        variance = variance + (device.read_noise * siemens) ** 2 + (SMALLEST_SPREAD * window) ** 2
        return device.mean_siemens(siemens, after), variance
