"""Figures of a fit: yield against states, margin against spread, yield against time or spread, the levels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fewlevels.circuit.network_circuit import margins
from fewlevels.devices.laws import PolynomialSpread
from fewlevels.devices.model import Device
from fewlevels.errors import DeviceError
from fewlevels.figures import ACCENT, GREY, INK, STYLE, WIDTH_INCHES
from fewlevels.fitting.fit import Fit
from fewlevels.samples import Samples
from fewlevels.yields import yield_against

SWEEP_CHIPS = 500
PERCENTS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
SIGMA_FACTORS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
STUCK_RATES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


def draw_fit(fit: Fit, samples: Samples, jobs: int | None = None) -> Figure:
    """One figure of six panels, or seven with retention, that says whether the network works on the device, and why."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 7.2), layout="constrained")
        retention, known = fit.device.retention, fit.device.spread_is_known
        panels = figure.subplot_mosaic("aaabbb;cccddd;eeefff" if retention is None else "aaabbb;cccddd;eeffgg")
        _against_states(panels["a"], fit)
        _margins(panels["b"], fit, samples)
        _digits(panels["c"], fit, samples)
        _levels(panels["d"], fit)
        spread, faults = panels["e"], panels["f"]
        sweep = _Sweep(fit, samples, jobs)
        if known:
            sweep.draw(spread, "sigma_factor", SIGMA_FACTORS, fit.device)
            spread.set_xlabel("spread, times the device's")
        else:
            sweep.draw(spread, "sigma_factor", PERCENTS, _assumed_spread(fit.device))
            spread.set_xlabel("spread, were it so many % of the window")
        spread.set_title("(e) Yield and spread" if known else "(e) Yield and a spread that is not published")
        sweep.draw(faults, "stuck_rate", STUCK_RATES, fit.device)
        faults.set(title="(f) Yield and faults", xlabel="share of stuck devices")
        faults.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        if retention is not None:
            first, end = retention.first_seconds, retention.last_seconds
            times = tuple(float(t) for t in np.geomspace(first, end, 9)[1:-1])
            sweep.draw(panels["g"], "after_seconds", (first, *times, end), fit.device)
            panels["g"].set(title="(g) Yield and time", xlabel="seconds after programming", xscale="log")
    return figure


def _against_states(axes: Axes, fit: Fit) -> None:
    placements = dict.fromkeys(t.placement for t in fit.trials)
    for placement, marker, color in zip(placements, "os", (INK, ACCENT), strict=False):
        trials = [t for t in fit.trials if t.placement == placement]
        x, y = [t.states for t in trials], np.array([t.found.value for t in trials])
        ends = np.array([t.found.interval for t in trials])
        axes.errorbar(x, y, yerr=np.abs(ends.T - y), marker=marker, ms=4, lw=1, color=color, capsize=2,
                      label=f"{placement}: chips")  # fmt: skip
        axes.plot(x, [t.recognition for t in trials], ls=":", lw=1.2, color=color, marker=marker, ms=3, mfc="none",
                  label=f"{placement}: no variation")  # fmt: skip
    axes.axhline(fit.config.yield_target, color=GREY, lw=0.8)
    axes.text(0.01, fit.config.yield_target, "wanted", color=GREY, fontsize=7, va="top",
              transform=axes.get_yaxis_transform())  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _percent(axes)
    axes.set_xlabel("states per device")
    axes.set_title(f"(a) Chips that recognise {fit.config.alpha:.0%}")
    axes.legend(fontsize=6.5, loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=2)


def _margins(axes: Axes, fit: Fit, samples: Samples) -> None:
    worst = fit.best.found.margin.min(axis=1)
    axes.hist(worst, bins=40, color=GREY)
    circuit, volt = fit.best.mapping.circuit, fit.config.conditions.input_volt
    alone = circuit.run_chips(samples.x, volt, [t[None] for t in fit.best.mapping.target_siemens])
    quiet = margins(alone, samples.y, volt / circuit.window.r_min_ohm).min()
    axes.axvline(quiet, color=INK, lw=1.2, label="without variation")
    axes.axvline(0, color=ACCENT, ls="--", lw=1.2, label="not recognised below")
    axes.set_xlabel("smallest margin of a chip, in device currents")
    axes.set_ylabel("chips")
    axes.set_title("(b) Margin against spread")
    axes.legend(fontsize=6.5)


def _digits(axes: Axes, fit: Fit, samples: Samples) -> None:
    low, middle, high = np.quantile(fit.best.found.margin, (0.05, 0.5, 0.95), axis=0)
    shown = np.arange(len(low)) if len(low) <= 20 else np.argsort(low, kind="stable")[:20]
    low, middle, high = low[shown], middle[shown], high[shown]
    axes.errorbar(
        range(len(shown)), middle, yerr=(middle - low, high - middle), fmt="o", ms=4, lw=1, capsize=2, color=INK
    )
    axes.axhline(0, color=ACCENT, ls="--", lw=1.2)
    axes.set_xticks(range(len(shown)), [samples.classes[samples.y[s]] for s in shown])
    axes.set_xlabel("sample" if len(shown) == len(samples) else f"the 20 worst of {len(samples)} samples")
    axes.set_ylabel("margin, in device currents")
    axes.set_title("(c) Margin of each sample, 5 to 95 % of chips")


def _levels(axes: Axes, fit: Fit) -> None:
    device, levels = fit.device, fit.best.mapping.level_siemens
    after = fit.config.conditions.after_seconds
    micro = 1e6 * levels
    try:
        mean, sigma = (1e6 * f(levels, after) for f in (device.mean_siemens, device.sigma_siemens))
        axes.errorbar(mean, range(len(levels)), xerr=3 * sigma, fmt="none", ecolor=GREY, capsize=2, lw=1.2,
                      label="mean and 3 sigma" + ("" if after is None else " after the time asked"))  # fmt: skip
    except DeviceError:
        pass  # the spread is not published; the levels are all there is to show
    axes.plot(micro, range(len(levels)), "D", ms=4, color=ACCENT, ls="none", label="target")
    axes.set_yticks(range(len(levels)))
    axes.set_ylabel("state")
    axes.set_xlabel("conductance (µS)")
    axes.set_title("(d) The states, as they are told apart")
    axes.legend(fontsize=6.5, loc="lower right")


@dataclass(frozen=True)
class _Sweep:
    """The yield of the best trial's mapping over values of one condition."""

    fit: Fit
    samples: Samples
    jobs: int | None

    def draw(self, axes: Axes, condition: str, values: tuple[float, ...], device: Device) -> None:
        config = self.fit.config
        found = list(yield_against(
            self.fit.best.mapping, device, self.samples, condition, values, chips=SWEEP_CHIPS, alpha=config.alpha,
            conditions=config.conditions, seed=config.seed, jobs=self.jobs,
        ))  # fmt: skip
        y = np.array([each.value for _, each in found])
        ends = np.array([each.interval for _, each in found])
        axes.errorbar([x for x, _ in found], y, yerr=np.abs(ends.T - y), color=INK, marker="o", ms=3, lw=1, capsize=2)
        axes.axhline(config.yield_target, color=GREY, lw=0.8)
        _percent(axes)


def _assumed_spread(device: Device) -> Device:
    """The device with a standard deviation of 1 % of its window."""
    assert device.lowest_siemens is not None and device.highest_siemens is not None
    sigma = 0.01 * (device.highest_siemens - device.lowest_siemens)
    if device.level_siemens is not None:
        return replace(device, level_sigma_siemens=(sigma,) * len(device.level_siemens))
    return replace(device, spread=PolynomialSpread(constant_siemens=sigma))


def _percent(axes: Axes) -> None:
    axes.set_ylim(-0.03, 1.05)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
