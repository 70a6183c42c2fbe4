"""Figures: the paper's Figures 1 to 5 from a stored study, each a function from a result to a matplotlib figure."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke

from fewlevels.common.counts import counted
from fewlevels.common.proportions import wilson
from fewlevels.common.words import in_figure
from fewlevels.reporting.figures.style import ACCENT, GREY, INK, POINT, STYLE, in_percent, new_figure
from fewlevels.samples.samples import Samples
from fewlevels.search.robustness import recognition_under_flips
from fewlevels.study.analysis import FEWEST_FOR_BAND, quantile_band, rank_correlation, solved_at
from fewlevels.study.claims import POINTS, RANGE_AT_FOUR, START_CLAIMS, START_LEVELS, WIDE_LEVELS, WIDE_RANGE, applies
from fewlevels.study.result import StudyResult

LAYER_SPACING = 7.0
MOST_NAMED_LEVELS = 8
"""Of Figure 3; the names of more would lie on each other."""
SHOWN_MODELS = 10
"""Of each start in Figure 5."""
RANDOM_FLIPS, MOST_FLIPS = 5000, 5
"""Flipped samples that are drawn where there are too many to try them all, and the most pixels flipped in each."""
NAME_LETTERS = 14
"""Of a class, below its sample."""


def draw(result: StudyResult) -> dict[str, Figure]:
    """All figures of a study by the name of their file."""
    figures = {
        "figure1_digits_and_network": digits_and_network,
        "figure2_quantization": quantization,
        "figure3_weights_and_levels": weights_and_levels,
        "figure4_levels_against_range": levels_against_range,
        "figure5_starts": starts,
        "solved_at_each_number_of_levels": solved_at_each,
        "recognition_under_flipped_pixels": under_flips,
    }
    with matplotlib.rc_context(STYLE):
        return {name: figure(result) for name, figure in figures.items()}


def digits_and_network(result: StudyResult) -> Figure:
    """Figure 1: the samples, the network, and one sample as its input."""
    samples = result.samples
    figure = new_figure(3.9)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 2.3), squeeze=False)[:, 0]
    shown = min(len(samples), 10)
    for index, axes in enumerate(top.subplots(1, shown, squeeze=False)[0]):
        _image(axes, samples.x[index].reshape(_shape(samples)), samples.classes[samples.y[index]])
    top.suptitle(
        "(a) Samples" if shown == len(samples) else f"(a) First {shown} of {len(samples)} samples",
        x=0.01,
        ha="left",
        fontsize=9,
    )
    network_axes, input_axes = bottom.subplots(1, 2, width_ratios=(1.7, 1))
    _network(network_axes, [samples.inputs, result.config.hidden, len(samples.classes)])
    chosen = min(2, len(samples) - 1)
    input_axes.barh(np.arange(samples.inputs), samples.x[chosen], color=INK, height=0.7)
    name = in_figure(samples.classes[samples.y[chosen]])
    input_axes.set(
        title=f"(c) '{name}' as input",
        xlabel="input value",
        ylabel="input",
        xlim=(min(0, samples.x.min()), samples.x.max() * 1.05),
        ylim=(samples.inputs, -1),
    )
    return figure


def quantization(result: StudyResult) -> Figure:
    """Figure 2: the search on the best model, and its weights at 1, 2 and the fewest levels."""
    figure = new_figure(4.6)
    best = result.best
    if best < 0:
        return _nothing(figure, "no model was solved")
    axes = figure.subplots(2, 2).ravel()
    found, config = result.search, result.config
    q, trace = int(found.q[best]), found.recognition_trace[best]
    axes[0].plot(np.arange(1, len(trace) + 1), trace, color=INK, marker="o", markersize=2.5, linewidth=0.8)
    axes[0].axhline(config.alpha, color=GREY, linestyle=":", linewidth=1)
    axes[0].plot([q], [trace[q - 1]], marker="o", markersize=8, markerfacecolor="none", color=ACCENT)
    axes[0].annotate(
        f"first q that reaches α: {q}",
        (q, trace[q - 1]),
        (0.35, 0.35),
        textcoords="axes fraction",
        color=ACCENT,
        arrowprops={"arrowstyle": "-", "color": ACCENT, "linewidth": 0.8},
    )
    axes[0].set(
        title=f"(a) Search: recognition of model {best}",
        xlabel="number of levels q",
        ylabel="recognition",
        ylim=(0, 1.08),
    )
    in_percent(axes[0].yaxis)
    weights = found.networks[best].joint()
    for letter, levels, panel in zip("bcd", (1, 2, q), axes[1:], strict=True):
        if levels > len(trace):  # a search of one level
            panel.set_axis_off()
            continue
        _sorted_weights(panel, result, weights, levels)
        panel.set_title(f"({letter}) q = {levels}: recognition {trace[levels - 1]:.0%}")
    axes[1].legend(loc="upper left")
    return figure


def weights_and_levels(result: StudyResult) -> Figure:
    """Figure 3: the best model's weights in ascending order, before and after quantizing."""
    figure = new_figure(3.4)
    best = result.best
    if best < 0:
        return _nothing(figure, "no model was solved")
    axes = figure.subplots()
    weights = result.search.networks[best].joint()
    quantized = result.search.quantization(best)
    _sorted_weights(axes, result, weights, quantized.requested)
    counts, levels = quantized.counts()[0], quantized.levels[0]
    ends = np.cumsum(counts)
    for count, level, end in zip(counts, levels, ends, strict=True):
        if len(levels) > MOST_NAMED_LEVELS:
            break
        axes.annotate(
            f"{counted(count, 'weight')} at {level:.2f}",
            (end - count / 2, level),
            (-6, 6),
            color=ACCENT,
            textcoords="offset points",
            ha="right" if end > weights.size / 2 else "center",
            va="bottom",
            annotation_clip=False,
        )
    what = "value" if (levels < 0).any() else "magnitude"
    axes.set_title(
        f"Model {best}: {weights.size} weights become {counted(quantized.occupied()[0], what)}, "
        f"recognition {result.search.recognition_trace[best, quantized.requested - 1]:.0%}"
    )
    axes.legend(loc="upper left")
    return figure


def levels_against_range(result: StudyResult) -> Figure:
    """Figure 4: the fewest levels against the weight range, and the weights of the models nearest the paper's points A
    and B or, where the paper says nothing of the data, of the models with the smallest and the largest range.
    """
    figure = new_figure(6.8)
    used = np.flatnonzero(result.counted)
    if used.size < 4:
        return _nothing(figure, "fewer than four models were solved")
    top, bottom = figure.subfigures(2, 1, height_ratios=(2.2, 1), squeeze=False)[:, 0]
    axes = top.subplots()
    ranges, q = result.search.networks.weight_range()[used], result.search.q[used]
    axes.scatter(ranges, q, s=7, color=POINT, linewidths=0, rasterized=True, label=counted(used.size, "model"))
    _quantiles(axes, ranges, q)
    shown = {"Smallest range": used[ranges.argmin()], "Largest range": used[ranges.argmax()]}
    axes.set(xlim=(0, ranges.max() * 1.02), ylim=(0, q.max() + 2))
    if applies(result):
        _papers_marks(axes)
        shown = {
            f"Nearest to {name}": used[np.hypot(ranges / weight_range - 1, q / levels - 1).argmin()]
            for name, (levels, weight_range) in POINTS.items()
        }
    rho, (rho_low, rho_high) = rank_correlation(ranges, q)
    correlation = (
        "(a) No rank correlation: every model has the same q"
        if math.isnan(rho)
        else f"(a) Spearman's rank correlation {rho:.2f} (95 % interval {rho_low:.2f} to {rho_high:.2f})"
    )
    axes.set(title=correlation, xlabel="weight range, max W − min W", ylabel="fewest levels q")
    top.legend(loc="outside lower center", fontsize=8, ncols=3)
    panels = bottom.subplots(1, 2, sharey=True)
    for panel, letter, (what, model) in zip(panels, "bc", shown.items(), strict=True):
        weights = result.search.networks[model].joint()[0]
        panel.hist(weights, bins=60, color=INK)
        panel.set(
            title=f"({letter}) {what}: model {model}, range {np.ptp(weights):.0f}, q = {result.search.q[model]}",
            xlabel="weight W",
            yscale="log",
        )
    panels[0].set_ylabel("number of weights")
    return figure


def _quantiles(axes: Axes, ranges: np.ndarray, q: np.ndarray) -> None:
    """The band of q given the range and, where it varies, the least-squares line."""
    from scipy.stats import linregress

    band = quantile_band(ranges, q)
    if band is None:
        axes.plot([], [], linestyle="", label=f"no quantile band below {FEWEST_FOR_BAND} models")
    else:
        axes.fill_between(
            band.x,
            band.low,
            band.high,
            color=ACCENT,
            alpha=0.25,
            linewidth=0,
            label=f"5 to 95 % of the {band.neighbours} nearest in range",
        )
        axes.plot(band.x, band.median, color=ACCENT, linewidth=1.5, label="their median")
    if np.ptp(ranges) > 0 and np.ptp(q) > 0:
        line, ends = linregress(ranges, q), np.array([ranges.min(), ranges.max()])
        axes.plot(
            ends,
            line.intercept + line.slope * ends,
            color=ACCENT,
            linewidth=1,
            linestyle="--",
            label=f"least-squares line, Pearson {line.rvalue:.2f}",
        )


def _papers_marks(axes: Axes) -> None:
    """What the paper says of Figure 4a, within axes that it widens where they are too small."""
    low, high = WIDE_LEVELS
    right, top = max(axes.get_xlim()[1], 67.0), max(axes.get_ylim()[1], high + 2)
    axes.add_patch(
        Rectangle(
            (WIDE_RANGE, low),
            right - WIDE_RANGE,
            high - low,
            fill=False,
            edgecolor=INK,
            linestyle=":",
            label="paper: range > 60, q 10 to 40",
        )
    )
    axes.axvline(RANGE_AT_FOUR, color=INK, linestyle="-.", linewidth=0.8, label="paper: q = 4 at range ≈ 21")
    for (name, (levels, weight_range)), marker in zip(POINTS.items(), "Ds", strict=True):
        axes.plot(
            [weight_range],
            [levels],
            marker=marker,
            markersize=8,
            markerfacecolor="none",
            markeredgewidth=1.5,
            markeredgecolor=INK,
            linestyle="",
            path_effects=[withStroke(linewidth=3, foreground="white")],
            label=f"paper: point {name}, q = {levels} at range {weight_range:g}",
        )
    axes.set(xlim=(0, right), ylim=(0, top))


def starts(result: StudyResult) -> Figure:
    """Figure 5: weight range after training from each start, and recognition while three of them train, before
    quantizing and at a fixed number of levels.
    """
    figure = new_figure(5.2)
    axes = figure.subplots(2, 2).ravel()
    config, named = result.config.zones, applies(result)
    letters = [chr(ord("A") + start) for start in range(len(config.starts))]
    labels = [f"{letter}\n{start.replace(':', chr(10))}" for letter, start in zip(letters, config.starts, strict=True)]
    axes[0].boxplot(
        list(result.zone_ranges),
        tick_labels=labels,
        widths=0.6,
        medianprops={"color": ACCENT},
        flierprops={"markersize": 3, "markeredgecolor": GREY},
    )
    axes[0].tick_params(axis="x", labelsize=6.5, rotation=0 if len(letters) <= 5 else 60)
    axes[0].set(title=f"(a) {counted(config.models, 'model')} of each start", ylabel="weight range after training")
    chosen = sorted({0, len(letters) // 2, len(letters) - 1})
    for panel, label, start in zip(axes[1:], "bcd", chosen, strict=False):
        _one_start(panel, result, start)
        claim = START_CLAIMS.get(start) if named and config.levels == START_LEVELS else None
        own = f"Start {letters[start]}"
        if claim is not None:
            own += f" (paper: Seed {claim.letter})"
            since = min(claim.since_epoch, config.epochs * 0.9)
            panel.hlines(claim.recognition, since, config.epochs, color=INK, linestyle=":", linewidth=2)
        panel.set_title(f"({label}) {own}, {in_figure(config.starts[start])}")
    for panel in axes[1 + len(chosen) :]:
        panel.set_axis_off()
    marks = [
        Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label="before quantizing, mean"),
        Line2D([], [], color=ACCENT, linewidth=2, label=f"q = {config.levels}, mean"),
        Line2D([], [], color=GREY, linewidth=0.5, label=f"q = {config.levels}, single models"),
        *([Line2D([], [], color=INK, linestyle=":", linewidth=2, label="paper says")] if named else []),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _one_start(panel: Axes, result: StudyResult, start: int) -> None:
    """Recognition while the models of one start train."""
    quantized, before = result.zone_recognition[start], result.zone_recognition_before[start]
    epochs = result.config.zones.at_epochs
    for model in quantized[:SHOWN_MODELS]:
        panel.plot(epochs, model, color=GREY, linewidth=0.5)
    panel.plot(epochs, before.mean(axis=0), color=INK, linestyle="--", linewidth=1.2)
    panel.plot(epochs, quantized.mean(axis=0), color=ACCENT, linewidth=2)
    panel.set(xlabel="epoch", ylabel="recognition", ylim=(0, 1.05))
    in_percent(panel.yaxis)


def solved_at_each(result: StudyResult) -> Figure:
    """The fraction of trained models that keep their recognition at each number of levels, and up to it."""
    figure = new_figure(3.0)
    trained = int(result.search.trained.sum())
    if trained == 0:
        return _nothing(figure, "no model trained to alpha")
    axes = figure.subplots()
    q = np.arange(1, result.config.q_max + 1)
    solved = solved_at(result)
    low, high = wilson(solved, trained)
    axes.fill_between(q, low, high, color=GREY, alpha=0.4, linewidth=0, label="95 % Wilson interval")
    axes.plot(q, solved / trained, color=INK, marker="o", markersize=2.5, linewidth=1, label="with exactly q levels")
    first = result.search.q[result.search.trained]
    axes.plot(
        q,
        [np.mean((first > 0) & (first <= n)) for n in q],
        color=ACCENT,
        linestyle="--",
        label="with q levels or fewer",
    )
    axes.set(
        xlabel="number of levels q",
        ylabel=f"models at α = {result.config.alpha:.0%}",
        ylim=(0, 1.03),
        xlim=(0, q[-1] + 1),
        title=f"{counted(trained, 'model')} reached α before quantizing; left out: "
        f"{len(result.search.trained) - trained}",
    )
    in_percent(axes.yaxis)
    axes.legend(loc="lower right")
    return figure


def under_flips(result: StudyResult) -> Figure:
    """The best model's recognition of flipped pixels, before and after quantizing, exact or with its 95 % interval."""
    figure = new_figure(2.8)
    best, samples = result.best, result.samples
    if best < 0:
        return _nothing(figure, "no model was solved")
    if not np.isin(samples.x, (0.0, 1.0)).all():
        return _nothing(figure, "only binary samples have pixels to flip")
    copies = max(1, RANDOM_FLIPS // len(samples))
    flips = range(min(MOST_FLIPS, samples.inputs) + 1)
    seen = recognition_under_flips(
        result.search.networks[best], result.search.quantized(best), samples, flips=flips, copies=copies
    )
    axes, tried = figure.subplots(), np.array(seen.tried)
    for label, recognition, color, line, lift in (
        ("before quantizing", seen.before[0], INK, "--", 6),
        (f"q = {result.search.q[best]}", seen.after[0], ACCENT, "-", -13),
    ):
        axes.plot(seen.flips, recognition, color=color, linestyle=line, marker="o", markersize=3, label=label)
        for k, value, of, exact in zip(seen.flips, recognition, tried, seen.exact, strict=True):
            axes.annotate(
                f"{value:.1%}" if exact else f"{value:.0%}",
                (k, value),
                (0, lift),
                color=color,
                fontsize=8,
                textcoords="offset points",
                ha="center",
            )
            if not exact:
                low, high = wilson(np.rint(value * of), of)
                axes.vlines(k, low, high, color=color, linewidth=3, alpha=0.4)
    every, whole = sum(seen.exact) - 1, all(seen.exact)
    how = "every choice of pixels" if whole else f"every choice of up to {counted(every, 'pixel')}" if every else ""
    random = "" if whole else f"{counted(copies, 'random choice')} for each sample{' beyond' if every else ''}"
    axes.set(
        title=f"Model {best}: {', '.join(filter(None, (how, random)))}",
        ylim=(0, 1.12),
        xlabel=f"flipped pixels, of {samples.inputs}",
        ylabel="recognition",
        xticks=seen.flips,
    )
    if not whole:
        axes.vlines([], 0, 0, color=GREY, linewidth=3, alpha=0.6, label="95 % interval of random choices")
    in_percent(axes.yaxis)
    axes.legend(loc="lower left")
    return figure


def _sorted_weights(axes: Axes, result: StudyResult, weights: np.ndarray, levels: int) -> None:
    quantized = result.search.quantizer.quantize(weights, levels)
    signed = bool((quantized.levels < 0).any())
    before = weights[0] if signed else np.abs(weights[0])
    order = np.argsort(before, kind="stable")
    axes.plot(before[order], color=INK, linestyle="--", linewidth=1, label="before")
    after = np.take_along_axis(quantized.levels, quantized.assignment, axis=1)[0]
    axes.step(np.arange(len(order)), after[order], color=ACCENT, linewidth=1.5, where="mid", label=f"q = {levels}")
    axes.set(xlabel="weights in ascending order", ylabel="weight W" if signed else "magnitude |W|")


def _shape(samples: Samples) -> tuple[int, int]:
    """Rows and columns to show a sample in: its image's, else a square where the inputs fill one, else a line."""
    if samples.shape is not None and len(samples.shape) == 2:
        return samples.shape[0], samples.shape[1]
    side = math.isqrt(samples.inputs)
    return (side, side) if side**2 == samples.inputs else (1, samples.inputs)


def _image(axes: Axes, pixels: np.ndarray, name: str) -> None:
    axes.imshow(pixels, cmap="binary", vmin=min(0.0, pixels.min()), interpolation="nearest")
    axes.set(xticks=np.arange(pixels.shape[1] + 1) - 0.5, yticks=np.arange(pixels.shape[0] + 1) - 0.5)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    axes.grid(color=GREY, linewidth=0.4)
    axes.spines[:].set_visible(True)
    axes.spines[:].set(color=GREY, linewidth=0.8)
    axes.set_xlabel(in_figure(name, NAME_LETTERS))


def _network(axes: Axes, sizes: list[int]) -> None:
    """Layers of circles; of a layer with more than eleven units the middle ones are left out."""
    axes.set_axis_off()
    columns = [[*range(5), None, *range(size - 5, size)] if size > 11 else list(range(size)) for size in sizes]
    places = [
        [(LAYER_SPACING * layer, (len(units) - 1) / 2 - i) for i in range(len(units))]
        for layer, units in enumerate(columns)
    ]
    for layer in range(len(sizes) - 1):
        for (x0, y0), before in zip(places[layer], columns[layer], strict=True):
            for (x1, y1), after in zip(places[layer + 1], columns[layer + 1], strict=True):
                if before is not None and after is not None:
                    axes.plot([x0, x1], [y0, y1], color=GREY, linewidth=0.25, zorder=0)
    for layer, (units, column) in enumerate(zip(columns, places, strict=True)):
        for unit, (x, y) in zip(units, column, strict=True):
            if unit is None:
                axes.text(x, y, "⋮", ha="center", va="center")
            else:
                axes.add_patch(Circle((x, y), 0.36, facecolor="white", edgecolor=INK, linewidth=0.8))
        role = ("inputs", "hidden", "outputs")[layer]
        axes.text(column[0][0], max(map(len, columns)) / 2 + 0.3, f"{sizes[layer]} {role}", ha="center")
        if layer:
            axes.text(
                LAYER_SPACING * (layer - 0.5),
                -max(map(len, columns)) / 2 - 0.6,
                f"$W_{layer}$: {sizes[layer - 1]} × {sizes[layer]}",
                ha="center",
            )
    axes.set(title="(b) Network: sigmoid units, no biases\n", xlim=(-2, LAYER_SPACING * (len(sizes) - 1) + 2))
    axes.set_aspect("equal")


def _nothing(figure: Figure, why: str) -> Figure:
    figure.text(0.5, 0.5, f"Nothing to draw: {why}.", ha="center")
    return figure
