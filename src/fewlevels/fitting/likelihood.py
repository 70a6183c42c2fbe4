"""Likelihood: how likely chips are to recognise, to first order and without drawing any."""

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

SAMPLES = 256
"""The most samples that are looked at."""

ASSUMED_SPREAD = 0.01
"""The standard deviation that is taken where no spread is known, as a fraction of the device's window."""

SMALLEST_SPREAD = 1e-4
"""A standard deviation that every device has besides its own, as a fraction of its window. It keeps candidates in the
order of their margins where nothing spreads."""


def likelihood(problem: Problem, values: FloatArray, top_siemens: FloatArray) -> FloatArray:
    """A figure to compare candidates by, (candidates,). The larger it is, the likelier their chips are to recognise.

    values: the quantized weights, (candidates, weights). top_siemens: the conductance of each candidate's largest
    weight, (candidates,).

    The variance of every device is carried through the layers by their first derivatives. The own output minus another
    one is then taken for a normal variable. A sample is recognised where all these differences are positive. They are
    treated as if they were independent. At alpha = 1 the figure is the logarithm of the probability that all samples
    are recognised. Below, it is the expected number of recognised samples.
    At most SAMPLES of the problem's data are looked at, evenly spaced. Stuck devices and wires are left out.
    """
    from scipy.special import log_ndtr

    network = problem.network
    chosen = np.unique(np.linspace(0, len(problem.data) - 1, min(SAMPLES, len(problem.data))).astype(int))
    x, y = problem.data.x[chosen], problem.data.y[chosen]
    devices = _Devices(problem, values, top_siemens)
    mean, variance = np.broadcast_to(x, (len(values), *x.shape)), np.zeros((1, *x.shape))
    *hidden, last = zip(network.with_joint(values).weights, network.biases, network.bias_rows, strict=True)
    for (quantized, bias, rows), activation in zip(hidden, network.activations, strict=False):
        mean, variance = _with_constants(mean, 1.0, rows), _with_constants(variance, 0.0, rows)
        w, own_variance = devices.weights(quantized)
        z_variance = (mean**2 + variance) @ own_variance + variance @ w**2
        mean = activation.value(mean @ w if bias is None else mean @ w + bias)
        variance = activation.slope(mean) ** 2 * z_variance  # type: ignore[attr-defined]  # a hidden layer's has one
    quantized, bias, rows = last
    mean, variance = _with_constants(mean, 1.0, rows), _with_constants(variance, 0.0, rows)
    w, own_variance = devices.weights(quantized)
    z, direct = mean @ w if bias is None else mean @ w + bias, (mean**2 + variance) @ own_variance
    passed_on = variance @ w**2
    if z.shape[2] == 1:
        own_sum = np.where(y == 1, z[..., 0], -z[..., 0])
        return _summed_up(problem, log_ndtr(own_sum / np.sqrt(direct + passed_on)[..., 0]))
    common = (variance * w[:, :, y].swapaxes(1, 2)) @ w

    def own(each: FloatArray) -> FloatArray:
        return np.take_along_axis(each, y[None, :, None], axis=2)

    apart = own(z) - z
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = apart / np.sqrt(direct + own(direct) + passed_on + own(passed_on) - 2 * common)
    np.put_along_axis(sure, np.broadcast_to(y[None, :, None], (len(values), len(y), 1)), np.inf, axis=2)
    return _summed_up(problem, log_ndtr(sure).sum(axis=2))


def _summed_up(problem: Problem, log_recognised: FloatArray) -> FloatArray:
    """The figure of candidates whose samples are recognised with these logarithms of probabilities, (candidates,
    samples)."""
    return log_recognised.sum(axis=1) if problem.config.alpha == 1 else np.exp(log_recognised).sum(axis=1)


def _with_constants(values: FloatArray, constant: float, rows: int) -> FloatArray:
    """Values (candidates, samples, values), and so many constants after them."""
    return np.concatenate([values, np.full((*values.shape[:2], rows), constant)], axis=2) if rows else values


def assumed_spread(device: Device) -> Device:
    """The device with a standard deviation of ASSUMED_SPREAD of its window."""
    assert device.lowest_siemens is not None and device.highest_siemens is not None
    sigma = ASSUMED_SPREAD * (device.highest_siemens - device.lowest_siemens)
    if device.level_siemens is not None:
        return replace(device, level_sigma_siemens=(sigma,) * len(device.level_siemens))
    return replace(device, spread=PolynomialSpread(constant_siemens=sigma))


@dataclass(frozen=True)
class _Devices:
    """The devices of candidates. values, top_siemens: as for `likelihood`."""

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
        """Mean (S) and variance (S²) of the conductance of devices that are programmed to `siemens`, same shape."""
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
