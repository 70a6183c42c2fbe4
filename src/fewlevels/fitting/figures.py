"""Figures of a fit: yield against states, margin against spread, yield against time or spread, the levels."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fewlevels.errors import DeviceError
from fewlevels.figures import ACCENT, GREY, INK, STYLE, WIDTH_INCHES
from fewlevels.fitting.fit import Fit
from fewlevels.samples import Samples
from fewlevels.yields import yield_against

SWEEP_CHIPS = 500
SIGMA_FACTORS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
STUCK_RATES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


def draw_fit(fit: Fit, samples: Samples) -> Figure:
    """One figure of six panels that says whether the network works on the device, and why."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 7.2), layout="constrained")
        (states, margin), (digits, levels), (spread, last) = figure.subplots(3, 2)
        _against_states(states, fit)
        _margins(margin, fit, samples)
        _digits(digits, fit, samples)
        _levels(levels, fit)
        _sweep(
            spread, fit, samples, "sigma_factor", SIGMA_FACTORS, "spread, times the device's", "(e) Yield and spread"
        )
        if fit.device.retention is not None:
            first, end = fit.device.retention.first_seconds, fit.device.retention.last_seconds
            times = tuple(float(t) for t in np.geomspace(first, end, 9)[1:-1])
            _sweep(last, fit, samples, "after_seconds", (first, *times, end), "seconds after programming",
                   "(f) Yield and time")  # fmt: skip
            last.set_xscale("log")
        else:
            _sweep(last, fit, samples, "stuck_rate", STUCK_RATES, "share of stuck devices", "(f) Yield and faults")
            last.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return figure


def _against_states(axes: Axes, fit: Fit) -> None:
    for placement, marker, color in zip(
        dict.fromkeys(t.placement for t in fit.trials), "os", (INK, ACCENT), strict=False
    ):
        trials = [t for t in fit.trials if t.placement == placement]
        x, y = [t.states for t in trials], np.array([t.found.value for t in trials])
        ends = np.array([t.found.interval for t in trials])
        axes.errorbar(x, y, yerr=np.abs(ends.T - y), marker=marker, ms=4, lw=1, color=color, capsize=2,
                      label=f"chips, {placement}")  # fmt: skip
        axes.plot(x, [t.recognition for t in trials], ls=":", lw=1.2, color=color, marker=marker, ms=3, mfc="none",
                  label="recognition without variation")  # fmt: skip
    axes.axhline(fit.config.yield_target, color=GREY, lw=0.8)
    axes.text(1, fit.config.yield_target, "wanted ", color=GREY, fontsize=7, ha="right", va="bottom",
              transform=axes.get_yaxis_transform())  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _percent(axes)
    axes.set_xlabel("states per device")
    axes.set_title(f"(a) Share of chips at {fit.config.alpha:.0%} recognition")
    axes.legend(fontsize=6.5, loc="lower right")


def _margins(axes: Axes, fit: Fit, samples: Samples) -> None:
    worst = fit.best.found.margin.min(axis=1)
    axes.hist(worst, bins=40, color=GREY)
    from fewlevels.circuit.network_circuit import margins

    circuit, volt = fit.best.mapping.circuit, fit.config.conditions.input_volt
    alone = circuit.run_chips(samples.x, volt, [t[None] for t in fit.best.mapping.target_siemens])
    quiet = margins(alone, samples.y, volt / circuit.window.r_min_ohm).min()
    axes.axvline(quiet, color=INK, lw=1.2, label="without variation")
    axes.axvline(0, color=ACCENT, ls="--", lw=1.2, label="not recognised below")
    axes.set_xlabel("smallest margin of a chip, in currents of one device")
    axes.set_ylabel("chips")
    axes.set_title("(b) Margin against spread")
    axes.legend(fontsize=6.5)


def _digits(axes: Axes, fit: Fit, samples: Samples) -> None:
    share = (fit.best.found.margin > 0).mean(axis=0)
    shown = range(len(share)) if len(share) <= 20 else np.argsort(share, kind="stable")[:20]
    axes.bar(range(len(shown)), [share[s] for s in shown], color=GREY)
    axes.set_xticks(range(len(shown)), [samples.classes[samples.y[s]] for s in shown])
    lowest = float(share.min())
    axes.set_ylim(max(0.0, lowest - 0.25 * (1 - lowest) - 0.01), 1.0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("sample" if len(share) <= 20 else f"the 20 worst of {len(share)} samples")
    axes.set_title("(c) Share of chips that recognise each sample")


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


def _sweep(
    axes: Axes, fit: Fit, samples: Samples, condition: str, values: tuple[float, ...], label: str, title: str
) -> None:
    if condition == "sigma_factor" and not fit.device.spread_is_known:
        axes.text(0.5, 0.5, "no spread is published", ha="center", transform=axes.transAxes, color=GREY)
        axes.set_axis_off()
        return
    found = list(yield_against(
        fit.best.mapping, fit.device, samples, condition, values, chips=SWEEP_CHIPS, alpha=fit.config.alpha,
        conditions=fit.config.conditions, seed=fit.config.seed,
    ))  # fmt: skip
    y = np.array([each.value for _, each in found])
    ends = np.array([each.interval for _, each in found])
    axes.errorbar([x for x, _ in found], y, yerr=np.abs(ends.T - y), color=INK, marker="o", ms=3, lw=1, capsize=2)
    axes.axhline(fit.config.yield_target, color=GREY, lw=0.8)
    _percent(axes)
    axes.set_xlabel(label)
    axes.set_title(title)


def _percent(axes: Axes) -> None:
    axes.set_ylim(-0.03, 1.05)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
