"""Figures of a fit: yield against states, margin against spread, the levels, yield against what may change."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fewlevels.chips.variation import draw_chips
from fewlevels.chips.yields import Yield, measured_chip
from fewlevels.common.words import in_figure
from fewlevels.fitting.fit import Fit
from fewlevels.fitting.trial import Trial
from fewlevels.reporting.figures.style import ACCENT, GREY, INK, STYLE, in_percent, new_figure

DRAWN_CHIPS = 200
WORST_SAMPLES = 20
NAME_LETTERS = 14
LETTERS_ACROSS = 40
"""That fit side by side below a panel; names of more stand upright."""

BELOW: dict[str, Any] = {
    "fontsize": 7,
    "loc": "upper center",
    "bbox_to_anchor": (0.45, -0.24),
    "ncols": 3,
    "columnspacing": 1.0,
    "handletextpad": 0.4,
}
SWEEPS = {
    "spread_factor": ("Yield and spread", "spread, times the device's"),
    "spread_window_percent": ("Yield and a spread that is not given", "spread, were it so many % of the window"),
    "stuck_rate": ("Yield and faults", "share of stuck devices"),
    "after_seconds": ("Yield and time", "time after programming (s)"),
}
"""Title and axis of each sweep of Fit.against."""


def draw_fit(fit: Fit) -> Figure:
    """One figure of six panels, or seven with retention, that says whether the network works on the device, and why."""
    with matplotlib.rc_context(STYLE):
        figure = new_figure(7.8)
        last = "eeefff" if len(fit.against) == 2 else "eeffgg"
        panels = figure.subplot_mosaic(f"aaabbb;cccddd;{last}")
        _against_states(panels["a"], fit)
        _margins(panels["b"], fit)
        _samples(panels["c"], fit)
        _levels(panels["d"], fit)
        for letter, (name, points) in zip("efg", fit.against.items(), strict=False):
            _against(panels[letter], points, fit.problem.config.yield_target)
            title, label = SWEEPS[name]
            panels[letter].set(title=f"({letter}) {title}", xlabel=label, ylabel="chips" if letter == "e" else "")
            if name == "stuck_rate":
                panels[letter].xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            if name == "after_seconds":
                panels[letter].set_xscale("log")
    return figure


def _against_states(axes: Axes, fit: Fit) -> None:
    """Hollow where the network does not recognise even without variation."""
    config = fit.problem.config

    def draw(trials: list[Trial], filled: bool, label: str | None = None) -> None:
        if not trials:
            return
        x, y = [t.states for t in trials], np.array([t.chip_yield.value for t in trials])
        ends = np.array([t.chip_yield.interval for t in trials]).reshape(-1, 2)
        axes.errorbar(
            x,
            y,
            yerr=np.abs(ends.T - y),
            marker="o",
            ms=4,
            lw=1,
            color=INK,
            capsize=2,
            ls="none",
            mfc=INK if filled else "white",
            label=label,
        )

    able = [t for t in fit.trials if t.safest_recognition >= config.alpha - 1e-12]
    draw(able, True, "able without variation")
    draw([t for t in fit.trials if t not in able], False, "not able")
    axes.plot(
        [fit.best.states], [fit.best.chip_yield.value], "D", ms=8, mfc="none", color=ACCENT, label="chosen, confirmed"
    )
    _wanted(axes, config.yield_target)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="states per device", ylabel="chips")
    axes.set_title("(a) Chips that recognise " + ("all" if config.alpha == 1 else f"{100 * config.alpha:.4g} %"))
    axes.legend(**BELOW)


def _margins(axes: Axes, fit: Fit) -> None:
    found, mapping, conditions = fit.best.chip_yield, fit.best.mapping, fit.problem.config.conditions
    spread = np.ptp(found.chip_margin)
    axes.hist(found.chip_margin, bins=40 if spread > 0 else found.chip_margin[0] + [-0.01, 0.01], color=GREY)
    quiet = measured_chip(
        mapping, mapping.target_siemens, fit.problem.samples, alpha=found.alpha, input_volt=conditions.input_volt
    )
    axes.axvline(quiet.chip_margin[0], color=INK, lw=1.2, label="without variation")
    axes.axvline(0, color=ACCENT, ls="--", lw=1.2, label="fails to the left")
    axes.set(xlabel="margin of a chip, in currents of a full device", ylabel="chips", title="(b) Margin against spread")
    axes.legend(**BELOW)


def _samples(axes: Axes, fit: Fit) -> None:
    low, middle, high = np.quantile(fit.best.chip_yield.current_margin, (0.05, 0.5, 0.95), axis=0)
    samples = fit.problem.samples
    shown = np.arange(len(low)) if len(low) <= WORST_SAMPLES else np.argsort(low, kind="stable")[:WORST_SAMPLES]
    low, middle, high = low[shown], middle[shown], high[shown]
    axes.errorbar(
        range(len(shown)), middle, yerr=(middle - low, high - middle), fmt="o", ms=4, lw=1, capsize=2, color=INK
    )
    axes.axhline(0, color=ACCENT, ls="--", lw=1.2)
    names = [in_figure(samples.classes[samples.y[s]], NAME_LETTERS) for s in shown]
    axes.set_xticks(range(len(shown)), names)
    if sum(map(len, names)) > LETTERS_ACROSS:
        axes.tick_params(axis="x", labelrotation=90, labelsize=6.5)
    axes.set_xlabel("sample" if len(shown) == len(samples) else f"the {WORST_SAMPLES} worst of {len(samples)} samples")
    axes.set_ylabel("margin, full devices")
    axes.set_title("(c) Margins: median and 5 to 95 % of chips")


def _levels(axes: Axes, fit: Fit) -> None:
    """What the devices of each state hold, on chips drawn under the conditions asked."""
    problem, mapping = fit.problem, fit.best.mapping
    config = problem.config
    drawn = draw_chips(mapping, problem.device, range(DRAWN_CHIPS), config.conditions, seed=config.seed)
    layers = list(zip(drawn.conductance_siemens, mapping.target_siemens, strict=True))
    for state, level in enumerate(mapping.level_siemens):
        held = np.concatenate([g[:, target == level].ravel() for g, target in layers])
        held *= 1e6
        low, high = np.quantile(held, (0.00135, 0.99865), overwrite_input=True)
        axes.plot([low, high], [state, state], color=GREY, marker="|", lw=1.2)
    if any((g != target).any() for g, target in layers):
        axes.plot([], [], color=GREY, marker="|", lw=1.2, label="99.7 % of devices")
    axes.plot(1e6 * mapping.level_siemens, range(len(mapping.level_siemens)), "D", ms=4, color=ACCENT, label="target")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="conductance (µS)", ylabel="state", title="(d) The states and what devices hold")
    axes.legend(fontsize=7.5, loc="lower right")


def _against(axes: Axes, points: list[tuple[float, Yield]], wanted: float) -> None:
    x, y = [value for value, _ in points], np.array([found.value for _, found in points])
    ends = np.array([found.interval for _, found in points])
    axes.errorbar(x, y, yerr=np.abs(ends.T - y), color=INK, marker="o", ms=3, lw=1, capsize=2)
    _wanted(axes, wanted)


def _wanted(axes: Axes, target: float) -> None:
    axes.axhline(target, color=GREY, lw=0.8, zorder=0)
    axes.text(
        1, target - 0.02, "wanted", color=INK, fontsize=7.5, ha="right", va="top", transform=axes.get_yaxis_transform()
    )
    axes.set_ylim(-0.03, 1.05)
    in_percent(axes.yaxis)
