"""Device figures: the spread of a device, and the levels it offers against those a network needs."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fewlevels.common.counts import counted
from fewlevels.devices.model import Device
from fewlevels.devices.separability import (
    SeparableLevels,
    compare,
    equal_error_levels,
    separable_levels,
    telling_times,
    when,
)
from fewlevels.reporting.figures.style import ACCENT, GREY, INK, STYLE, new_figure

LINES = ("-", "--", ":", "-.")


def separability_figure(
    device: Device, needed: int | None = None, *, k_sigma: float = 3.0, after_seconds: float | None = None
) -> Figure:
    """Spread, levels told apart and where they stand, as programmed and later.

    needed: levels of a network, drawn against what the device offers. after_seconds: the one later time to show;
    all of telling_times where None.
    Raises DeviceError where neither spreads nor levels are known.
    """
    times = telling_times(device) if after_seconds is None else [None, after_seconds]
    offered = [separable_levels(device, k_sigma, after) for after in times]
    with matplotlib.rc_context(STYLE):
        if not device.spread_is_known:
            figure = new_figure(1.8)
            _counts(figure.subplots(), offered, needed)
            return figure
        figure = new_figure(4.8)
        axes = figure.subplot_mosaic("ab;cc")
        _spreads(axes["a"], device, times)
        _counts(axes["b"], offered, needed)
        _places(axes["c"], device, offered, needed)
        axes["b"].set_title(f"(b) {axes['b'].get_title('left')}")
    return figure


def _spreads(axes: Axes, device: Device, times: list[float | None]) -> None:
    own = device.available_siemens()
    target = np.linspace(device.lowest_siemens or 0, device.highest_siemens or 0, 400) if own is None else own
    for number, after in enumerate(times):
        sigma = device.sigma_siemens(target, after)
        axes.plot(
            target * 1e6,
            sigma * 1e6,
            color=ACCENT if number else INK,
            linestyle=LINES[number % len(LINES)],
            marker="" if own is None else "o",
            markersize=4,
            label=when(after),
        )
    axes.set(title="(a) Spread", xlabel="programmed conductance (µS)", ylabel="standard deviation (µS)")
    rows = math.ceil(len(times) / 2) if len(times) > 1 else 0
    axes.set_ylim(0, axes.get_ylim()[1] * (1.1 + 0.15 * rows))  # the legend stands above the curves
    if rows:
        axes.legend(fontsize=7, loc="upper right", ncols=2, columnspacing=1.0)


def _counts(axes: Axes, offered: list[SeparableLevels], needed: int | None) -> None:
    counts = [found.count if math.isfinite(found.count) else 0.0 for found in offered]
    for row, (found, count) in enumerate(zip(offered, counts, strict=True)):
        axes.barh(row, count, height=0.55, color=ACCENT if needed and found.count < needed else GREY)
        axes.annotate(str(found), (count, row), (4, 0), textcoords="offset points", va="center")
    stated = offered[0].basis == "stated"
    axes.set_yticks(range(len(offered)), ["stated" if stated else when(found.after_seconds) for found in offered])
    axes.set_ylim(len(offered) - 0.4, -0.9)
    axes.set_xlim(0, 1.2 * max(*counts, needed or 0, 1.0))
    axes.set_xlabel("levels" if stated else f"levels told apart at {offered[0].k_sigma:g} σ")
    axes.set_title("Levels offered")
    if needed is not None:
        axes.axvline(needed, color=INK, linestyle="--", linewidth=1)
        axes.set_title(compare(needed, offered[-1]).capitalize())


def _places(axes: Axes, device: Device, offered: list[SeparableLevels], needed: int | None) -> None:
    """Rows of levels, each with its mean and the interval of k standard deviations around it."""
    rows = [
        (f"{counted(len(found.level_siemens), 'level')}\n{when(found.after_seconds)}", found.level_siemens, found)
        for found in offered
        if found.level_siemens is not None
    ]
    last = offered[-1]
    if needed is not None and device.level_siemens is None and last.count < needed:
        levels = equal_error_levels(device, needed, last.after_seconds)
        rows.append((f"the {needed} needed\n{when(last.after_seconds)}", levels, last))
    for row, (_, levels, found) in enumerate(rows):
        mean = device.mean_siemens(levels, found.after_seconds) * 1e6
        reach = found.k_sigma * device.sigma_siemens(levels, found.after_seconds) * 1e6
        lift = row + np.where(np.arange(len(levels)) % 2, 0.12, -0.12) * (len(levels) > 1)
        color = INK if len(levels) <= found.count else ACCENT
        axes.errorbar(mean, lift, xerr=reach, color=color, fmt="o", markersize=3, linewidth=1, capsize=2)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set(title=f"(c) Where they stand, mean ± {last.k_sigma:g} σ", xlabel="conductance (µS)")
