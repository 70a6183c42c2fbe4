"""Circuit figures: the paper's Figure 6 from a simulated network, and what the wires do to it."""

from __future__ import annotations

from dataclasses import replace

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.network.simulation import Simulation, gap_by_cause
from fewlevels.common.words import in_figure
from fewlevels.reporting.figures.style import ACCENT, GREY, INK, STYLE, in_percent, new_figure
from fewlevels.study.circuits import CircuitOptions, simulate_model
from fewlevels.study.claims import applies
from fewlevels.study.result import SearchedStudy

READINGS = {"transimpedance": "to volts (0 V input)", "buffered": "R to ground, buffer", "unbuffered": "R to ground"}
"""What a design's reading is called in Figure 6a."""

LAYER_SPACING = 9.5
LINES = (("o", "-"), ("s", "--"), ("^", ":"), ("D", "-."))
MOST_SHOWN = 20
"""Samples that Figure 6b shows one by one."""
MOST_LETTERS = 60
"""Of all its names together, side by side."""
WIRE_OHM = 10.0
"""Of each wire segment in the heat maps of a circuit whose wires have none."""


def draw_circuit(
    result: SearchedStudy, model: int, simulation: Simulation, options: CircuitOptions
) -> dict[str, Figure]:
    """All circuit figures of one model, by the name of their file. simulation: of its circuit with these options."""
    with matplotlib.rc_context(STYLE):
        return {
            "figure6a_circuit": schematic(simulation),
            "figure6b_current_gap": gap_by_digit(simulation, result),
            "current_gap_by_cause": causes(simulation, result, model),
            "currents_and_voltages_with_wires": heat_maps(result, model, options),
        }


def schematic(simulation: Simulation) -> Figure:
    """Figure 6a: one column pair of each layer, with selector diodes and stages."""
    figure = new_figure(2.9)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_aspect("equal")
    design, crossbars = simulation.circuit.design, simulation.circuit.crossbars
    columns = 2 if design.columns.pairs else 1
    for layer, crossbar in enumerate(crossbars):
        left = LAYER_SPACING * layer
        _word_and_bit_lines(axes, left, crossbar, "in" if layer == 0 else "hidden", columns=columns)
        last = layer == len(crossbars) - 1
        _box(axes, left, "output current" if last else READINGS[design.reading])
        title = f"layer {layer + 1}: {crossbar.word_lines} word, {crossbar.bit_lines} bit lines"
        axes.text(left + 2.6, 4.9, title, ha="center", fontsize=8)
        if not last:
            _arrow_to_next(axes, left)
            stage = "" if design.is_passive else "sigmoid, "
            axes.text(left + 6.9, -2.2, f"{stage}+{simulation.circuit.threshold_volt:g} V", ha="center", fontsize=7.5)
    axes.set_title(f"Design '{design.name}': {design.summary}")
    axes.set(xlim=(-1.6, LAYER_SPACING * len(crossbars) - 3.4), ylim=(-2.9, 5.4))
    return figure


def gap_by_digit(simulation: Simulation, result: SearchedStudy) -> Figure:
    """Figure 6b: the current gap and the recognition of each sample at each input voltage; of many samples, the medians
    of each class.
    """
    figure = new_figure(3.2)
    axes = figure.subplots()
    y, names = result.samples.y, [result.samples.classes[y] for y in result.samples.y]
    each, what = len(y) <= MOST_SHOWN, "digit" if applies(result) else "sample"
    if not each:
        names = list(result.samples.classes)
    names = [in_figure(name) for name in names]
    places = np.arange(len(names))
    for (marker, line), color, at in zip(LINES, (ACCENT, INK, GREY, INK), simulation.voltages, strict=False):
        gaps = np.abs(at.current_gap)
        shown = gaps if each else np.array([np.median(gaps[y == label]) for label in places])
        axes.plot(
            places,
            shown,
            marker=marker,
            linestyle=line,
            color=color,
            markersize=4,
            label=f"{at.input_volt:g} V: recognition {at.recognition:.0%}",
        )
        if each:
            missed = ~at.recognised
            axes.plot(places[missed], gaps[missed], marker="x", markersize=10, color=color, linestyle="")
    note = f"× marks a {what} not recognised" if each else "median of each class"
    axes.set(
        xticks=places,
        xticklabels=names,
        xlabel=f"{what} shown" if each else "class of the samples shown",
        ylabel=f"|current gap| of the {what}'s own output",
        ylim=(0, None),
        title=f"Circuit current against (V − Vth)/R; {note}",
    )
    if sum(map(len, names)) > MOST_LETTERS:
        axes.tick_params(axis="x", rotation=45)
    in_percent(axes.yaxis)
    figure.legend(fontsize=8, ncols=3, loc="outside lower center")
    return figure


def causes(simulation: Simulation, result: SearchedStudy, model: int) -> Figure:
    """The current gap at each voltage, whole and with one cause of those that the circuit has switched off at a time:
    mean over the samples.
    """
    figure = new_figure(2.8)
    axes = figure.subplots()
    unquantized = None if simulation.circuit.design.is_passive else result.search.networks[model]
    volts = [at.input_volt for at in simulation.voltages]
    gaps = [gap_by_cause(simulation.circuit, result.samples, volt, unquantized=unquantized) for volt in volts]
    own = [name for name in gaps[0] if name != "all"]
    labels = {"all": f"whole ({', '.join(own)})"} | {name: f"without {name}" for name in own}
    for index, ((name, label), hatch) in enumerate(
        zip(labels.items(), ("", "///", "...", "xxx", "\\\\"), strict=False)
    ):
        heights = [np.abs(gap[name][np.isfinite(gap[name])]).mean() for gap in gaps]
        axes.bar(
            np.arange(len(volts)) + (index - (len(labels) - 1) / 2) * 0.16,
            heights,
            0.15,
            hatch=hatch,
            edgecolor=INK,
            facecolor=ACCENT if name == "all" else "white",
            linewidth=0.8,
            label=label,
        )
    against = "computed" if unquantized is None else "unquantized network's"
    axes.set(
        xticks=np.arange(len(volts)),
        xticklabels=[f"{volt:g} V" for volt in volts],
        xlabel="input voltage",
        ylabel="mean |current gap|",
        title=f"Against the {against} currents, with one cause switched off at a time",
    )
    in_percent(axes.yaxis)
    figure.legend(fontsize=8, ncols=3, loc="outside lower center")
    return figure


def heat_maps(result: SearchedStudy, model: int, options: CircuitOptions) -> Figure:
    """Cell currents and word-line voltages of the first layer with resistive wires, for the third sample; of a circuit
    without them, what WIRE_OHM in every segment would do to it.
    """
    wired = replace(options, wire_ohm=options.wire_ohm or WIRE_OHM)
    circuit = simulate_model(result, model, wired).circuit
    shown = min(2, len(result.samples) - 1)
    volt = options.input_volts[-1]
    point = circuit.run(result.samples.x[shown : shown + 1], volt, nodes=True).stages[0].point
    figure = new_figure(3.6)
    left, right = figure.subplots(1, 2)
    name = in_figure(result.samples.classes[result.samples.y[shown]])
    for axes, values, title, unit in (
        (left, 1e6 * point.cell_ampere()[0], "Cell currents", "current (µA)"),
        (
            right,
            1e3 * (point.word_volt() - point.input_volt[:, :, None])[0],
            "Word-line node minus source",
            "voltage (mV)",
        ),
    ):
        image = axes.imshow(values, aspect="auto", cmap="viridis", interpolation="nearest")
        axes.set(title=f"{title}, '{name}' at {volt:g} V", xlabel="bit line", ylabel="word line")
        figure.colorbar(image, ax=axes, label=unit)
    figure.suptitle(
        f"Layer 1 with {wired.wire_ohm:g} Ω in every wire segment"
        if options.wire_ohm
        else f"What if: layer 1 with {wired.wire_ohm:g} Ω in every wire segment, of which the circuit above has none",
        x=0.01,
        ha="left",
        fontsize=9,
    )
    return figure


def _word_and_bit_lines(axes: Axes, left: float, crossbar: Crossbar, inputs: str, *, columns: int) -> None:
    """The first two and the last word line of a layer, with the cells of one output's columns."""
    for number, y in ((1, 4.2), (2, 2.4), (crossbar.word_lines, 0.6)):
        axes.plot([left, left + 5.2], [y, y], color=INK, linewidth=1)
        axes.text(left - 0.15, y, f"{inputs} {number}", ha="right", va="center", fontsize=7)
        for column in range(columns):
            _cell(axes, left + 1.2 + 2.2 * column, y)
    axes.text(left + 0.3, 1.5, "⋮", ha="center", va="center")
    for column in range(columns):
        x = left + 2.1 + 2.2 * column
        axes.plot([x, x], [3.5, -1.2], color=INK, linewidth=1)
        if columns == 2:
            axes.text(x + 0.12, -0.75, ("+", "\N{MINUS SIGN}")[column], fontsize=10)


def _box(axes: Axes, left: float, label: str) -> None:
    """What reads a layer's columns."""
    axes.add_patch(Rectangle((left + 1.3, -2.4), 4.0, 1.2, facecolor="white", edgecolor=INK, linewidth=1))
    axes.text(left + 3.3, -1.8, label, ha="center", va="center", fontsize=7.5)


def _arrow_to_next(axes: Axes, left: float) -> None:
    axes.annotate(
        "",
        (left + 7.6, 0.6),
        (left + 5.3, -1.8),
        arrowprops={"arrowstyle": "->", "connectionstyle": "angle,angleA=0,angleB=90"},
    )


def _cell(axes: Axes, x: float, y: float) -> None:
    """A resistor and a selector diode from the word line at y down to the bit line at x + 0.9."""
    axes.plot([x, x], [y, y - 0.18], color=INK, linewidth=0.8)
    axes.add_patch(Rectangle((x - 0.14, y - 0.55), 0.28, 0.37, facecolor="white", edgecolor=ACCENT, linewidth=1))
    axes.plot([x, x, x + 0.2], [y - 0.55, y - 0.75, y - 0.75], color=INK, linewidth=0.8)
    tip = x + 0.55
    axes.add_patch(Polygon([(x + 0.2, y - 0.58), (x + 0.2, y - 0.92), (tip, y - 0.75)], facecolor=INK))
    axes.plot([tip, tip], [y - 0.58, y - 0.92], color=INK, linewidth=1)
    axes.plot([tip, x + 0.9], [y - 0.75, y - 0.75], color=INK, linewidth=0.8)
    axes.plot([x + 0.9], [y - 0.75], marker=".", color=INK, markersize=4)
