"""Separable levels: how many levels of a device can be told apart, and where to put them."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, positive, whole_number
from fewlevels.devices.model import Device
from fewlevels.devices.retention import MeasuredRetention, PowerLawDrift, TabulatedDrift
from fewlevels.errors import DeviceError

GRID = 4096
"""Points that a window is divided into, and the most levels that are placed in one."""
DAY = 86400.0
"""In seconds."""
VANISHES = 1e-12
"""In units of the mean. A smaller spread is lost in the rounding of mean + k sigma."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SeparableLevels:
    """How many levels of a device can be told apart at one time.

    count: a real number in a continuous window, a whole one in a level table, inf where nothing spreads.
    level_siemens: the levels as they are to be programmed, ascending. None where the source gives no conductances, or
    where there are more levels than GRID. reached_k_sigma: how many standard deviations the boundary between the
    closest two levels lies from both; None where no two levels spread. basis: where the count comes from: 'spread' of a
    continuous window, 'levels' of the device's own table, or 'stated' by a source without spreads.
    """

    device: str
    k_sigma: float
    after_seconds: float | None
    count: float
    level_siemens: FloatArray | None
    reached_k_sigma: float | None
    basis: Literal["spread", "levels", "stated"]

    def to_json(self) -> dict[str, Any]:
        """Plain values; a count without limit is null."""
        levels = self.level_siemens
        return {
            "after_seconds": self.after_seconds,
            "separable_levels": self.count if math.isfinite(self.count) else None,
            "basis": self.basis,
            "level_siemens": None if levels is None else levels.tolist(),
            "reached_k_sigma": self.reached_k_sigma,
        }

    def __str__(self) -> str:
        """The count, rounded down to a tenth: 3.98 levels are not four."""
        if math.isinf(self.count):
            return "any number"
        if self.basis == "spread":
            return f"{math.floor(self.count * 10 + 1e-9) / 10:.1f}"
        return f"{self.count:g}"


def separable_levels(device: Device, k_sigma: float = 3.0, after_seconds: float | None = None) -> SeparableLevels:
    """Levels whose boundaries lie k_sigma standard deviations of the programmed conductance from both neighbours.

    Continuous window: the count is 1 + the integral of dG / (2 k sigma(G)) over the means that it reaches. Where the
    spread changes so fast from level to level that fewer really fit, it is their number. The levels are the whole part
    of that count; they begin at the lowest conductance, and each pair of neighbours has the same error.
    Level table: the levels are a subset of the table whose intervals mean +- k sigma do not overlap. It is the largest
    such subset; of several, the one whose closest pair is furthest apart.
    A source that states levels without spreads is taken at its word.
    after_seconds: None as programmed; levels are given as they are to be programmed.
    Raises DeviceError where the device gives neither spreads nor levels, or was not measured at that time.
    """
    instance("device", device, Device, DeviceError)
    k_sigma = positive("k_sigma", k_sigma, DeviceError)
    after_seconds = None if after_seconds is None else positive("after_seconds", after_seconds, DeviceError)
    if not device.spread_is_known:
        return _of_stated(device, k_sigma, after_seconds)
    if device.level_siemens is not None:
        return _of_table(device, k_sigma, after_seconds)
    return _of_window(device, k_sigma, after_seconds)


def _of_stated(device: Device, k_sigma: float, after_seconds: float | None) -> SeparableLevels:
    """Of a source that states levels without spreads."""
    levels = device.available_siemens()
    if levels is None and device.states is None:
        raise DeviceError(f"{device.name}: neither spreads nor a number of levels are known")
    if after_seconds is not None:
        raise DeviceError(f"{device.name}: no spread of its conductances is known after {after_seconds:g} s")
    return SeparableLevels(
        device=device.name,
        k_sigma=k_sigma,
        after_seconds=None,
        count=len(levels) if levels is not None else float(device.states or 0),
        level_siemens=levels,
        reached_k_sigma=None,
        basis="stated",
    )


def _of_table(device: Device, k_sigma: float, after_seconds: float | None) -> SeparableLevels:
    """Of a device with a table of levels."""
    levels = np.array(device.level_siemens)
    mean, sigma = device.mean_siemens(levels, after_seconds), device.sigma_siemens(levels, after_seconds)
    chosen = _apart(mean, sigma, k_sigma)
    return SeparableLevels(
        device=device.name,
        k_sigma=k_sigma,
        after_seconds=after_seconds,
        count=len(chosen),
        level_siemens=levels[chosen],
        reached_k_sigma=_closest(mean[chosen], sigma[chosen]),
        basis="levels",
    )


def _of_window(device: Device, k_sigma: float, after_seconds: float | None) -> SeparableLevels:
    """Of a device with a continuous window."""
    count, whole = _fitting(device, k_sigma, after_seconds)
    levels = reached = None
    if whole is not None:
        levels = equal_error_levels(device, whole, after_seconds)
        reached = _closest(device.mean_siemens(levels, after_seconds), device.sigma_siemens(levels, after_seconds))
    return SeparableLevels(
        device=device.name,
        k_sigma=k_sigma,
        after_seconds=after_seconds,
        count=count,
        level_siemens=levels,
        reached_k_sigma=reached,
        basis="spread",
    )


def _fitting(device: Device, k_sigma: float, after_seconds: float | None) -> tuple[float, int | None]:
    """How many levels fit a continuous window, and the whole number of them; None where there is no end to them, or
    more than a window is divided into."""
    target, mean, sigma = _window(device, after_seconds)
    if not sigma.any():
        return math.inf, None
    _refuse_vanishing(device, mean, sigma)
    risen = np.diff(np.maximum.accumulate(mean))  # no mean counts twice
    count = 1 + float((risen / _logarithmic_mean(sigma[:-1], sigma[1:])).sum()) / (2 * k_sigma)
    if count > GRID:
        return count, None
    whole = math.floor(count + 1e-9)
    fitting = len(_stack(target, mean, sigma, k_sigma * (1 - 1e-9), whole))
    return (float(fitting), fitting) if fitting < whole else (count, whole)


def equal_error_levels(device: Device, levels: int, after_seconds: float | None = None) -> FloatArray:
    """Conductances to program, ascending, in a continuous window so that neighbours are confused equally often.

    The first level is the lowest conductance of the window. Each gap between two means is the same multiple of the sum
    of their two standard deviations, and the multiple is the largest that fits. Where nothing spreads, steps are equal.
    Raises DeviceError for fewer than one level, for a spread that is unknown or is 0 in a part of the window only, and
    for a time that was not measured.
    """
    instance("device", device, Device, DeviceError)
    levels = whole_number("levels", levels, DeviceError, least=1, most=GRID)
    target, mean, sigma = _window(device, after_seconds)
    if levels == 1:
        return target[:1]
    if not sigma.any():
        return np.linspace(target[0], target[-1], levels)
    _refuse_vanishing(device, mean, sigma)
    low, high, best = 0.0, float(np.ptp(mean) / sigma.min()), target[:1].tolist() * levels
    while low < (middle := (low + high) / 2) < high:
        if len(found := _stack(target, mean, sigma, middle, levels)) < levels:
            high = middle
        else:
            low, best = middle, found
    return np.array(best)


def _stack(target: FloatArray, mean: FloatArray, sigma: FloatArray, separation: float, most: int) -> list[float]:
    """From the lowest conductance on, each level as close above the one before as `separation` standard deviations of
    both allow: as many as fit (no placement fits more), at most `most`."""
    bottom = np.maximum.accumulate(mean - separation * sigma).tolist()
    top, grid = (mean + separation * sigma).tolist(), target.tolist()
    at, above = [grid[0]], top[0]
    while len(at) < most:
        cell = bisect.bisect_left(bottom, above)
        if cell == len(grid):
            break
        part = (above - bottom[cell - 1]) / (bottom[cell] - bottom[cell - 1])
        at.append(grid[cell - 1] + part * (grid[cell] - grid[cell - 1]))
        above = top[cell - 1] + part * (top[cell] - top[cell - 1])
    return at


def geometric_levels(device: Device, levels: int) -> FloatArray:
    """Conductances at equal ratios over the window: an assumption of ours, for sources that give no levels.

    Raises DeviceError for fewer than two levels, or without a window above 0 S.
    """
    if levels < 2:
        raise DeviceError(f"levels must be at least 2, got {levels}")
    if not device.lowest_siemens or device.highest_siemens is None:
        raise DeviceError(f"{device.name}: levels at equal ratios need a conductance window above 0 S")
    return np.geomspace(device.lowest_siemens, device.highest_siemens, levels)


def compare(needed: int, offered: SeparableLevels) -> str:
    """'needs 4, offers 3.2 after a day'."""
    if offered.basis == "stated":
        return f"needs {needed}, offers {offered.count:g} by its source, which gives no spreads"
    return f"needs {needed}, offers {offered} {when(offered.after_seconds)}"


def telling_times(device: Device) -> list[float | None]:
    """As programmed (None), and the later times at which a device is looked at unless one is asked for.

    For measured tables these are all their times. For a law they are its first time, a day, and its last time; the day
    is left out where the last time follows within another day. A time at which the device is still as programmed is
    left out, too.
    """
    retention = device.retention
    if retention is None or not device.spread_is_known:
        return [None]
    if isinstance(retention, MeasuredRetention):
        given = device.spread is not None or device.level_sigma_siemens is not None
        return [None, *(table.after_seconds for table in retention.table[0 if given else 1 :])]
    first, last = retention.first_seconds, retention.last_seconds
    times = [first, DAY, last] if first < DAY < last / 2 else [first, last]
    return [None, *(times[1:] if isinstance(retention, PowerLawDrift) else times)]


def when(after_seconds: float | None) -> str:
    """A time in words: 'as programmed', 'after a day', 'after 90 s'."""
    if after_seconds is None:
        return "as programmed"
    for name, article, seconds in (("year", "a", 31557600), ("day", "a", 86400), ("hour", "an", 3600)):
        if after_seconds >= seconds:
            number = f"{after_seconds / seconds:.3g}"
            return f"after {article} {name}" if number == "1" else f"after {number} {name}s"
    return f"after {after_seconds:g} s"


def _window(device: Device, after_seconds: float | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A fine grid of targets that contains the points of every table, with means and spreads there."""
    device.sigma_siemens(np.array([]), after_seconds)  # refuses before the window is asked for
    assert device.lowest_siemens is not None and device.highest_siemens is not None
    low, high = device.lowest_siemens, device.highest_siemens
    points = [np.linspace(low, high, GRID), np.geomspace(low or high / GRID, high, GRID)[1:-1]]
    if device.spread is not None:
        points.append(np.array(device.spread.measured_siemens))
    if isinstance(device.retention, MeasuredRetention):
        points += [np.array(table.conductance_siemens) for table in device.retention.table]
    if isinstance(device.retention, TabulatedDrift):
        points.append(np.array(device.retention.conductance_siemens))
    target = np.unique(np.concatenate(points))
    target = target[(target >= low) & (target <= high)]
    return target, device.mean_siemens(target, after_seconds), device.sigma_siemens(target, after_seconds)


def _refuse_vanishing(device: Device, mean: FloatArray, sigma: FloatArray) -> None:
    if not (sigma > VANISHES * mean).all():
        raise DeviceError(f"{device.name}: its spread vanishes within its window: any number of levels fits there")


def _logarithmic_mean(a: FloatArray, b: FloatArray) -> FloatArray:
    """(b - a) / ln(b / a). Where sigma is a straight line, a step divided by this is exactly the integral of 1 /
    sigma."""
    near = np.abs(b - a) < 1e-6 * a
    return np.where(near, (a + b) / 2, (b - a) / np.where(near, 1.0, np.log(b / a)))


def _apart(mean: FloatArray, sigma: FloatArray, k_sigma: float) -> list[int]:
    """Indices of the largest set of levels whose intervals of k sigma do not overlap.

    Of several sets it is the one that still does not overlap at the largest k.
    """
    one, other = np.triu_indices(len(mean), 1)
    both = sigma[one] + sigma[other]
    reached = (np.abs(mean[one] - mean[other])[both > 0] / both[both > 0]) * (1 - 1e-12)
    chosen = _disjoint(mean - k_sigma * sigma, mean + k_sigma * sigma)
    wider = np.unique(reached[reached > k_sigma]).tolist()

    def fewer(k: float) -> bool:
        return len(_disjoint(mean - k * sigma, mean + k * sigma)) < len(chosen)

    if last := bisect.bisect_left(wider, True, key=fewer):
        chosen = _disjoint(mean - wider[last - 1] * sigma, mean + wider[last - 1] * sigma)
    return chosen


def _disjoint(low: FloatArray, high: FloatArray) -> list[int]:
    """Indices of the most intervals that do not overlap. Taking the one that ends first, again and again, is exact."""
    chosen: list[int] = []
    for index in np.argsort(high, kind="stable"):
        if not chosen or low[index] >= high[chosen[-1]]:
            chosen.append(int(index))
    return sorted(chosen)


def _closest(mean: FloatArray, sigma: FloatArray) -> float | None:
    """The smallest gap between neighbouring means over the sum of their standard deviations; None without a pair that
    spreads."""
    order = np.argsort(mean, kind="stable")
    gap, both = np.diff(mean[order]), sigma[order][:-1] + sigma[order][1:]
    return float((gap[both > 0] / both[both > 0]).min()) if both.any() else None
