"""Method figure: the share of networks that each method solves with at most q levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fewlevels.common.words import in_figure
from fewlevels.reporting.figures.style import ACCENT, GREY, INK, STYLE, in_percent, new_figure

MARKERS = "os^DvP*X<>pdh8Hx"
LINES = ("-", "--", ":", "-.")
COLORS = (INK, ACCENT, GREY)


def levels_by_method(levels: Mapping[str, Sequence[int]], q_max: int) -> Figure:
    """The share of trained networks that each method solves with at most q levels, for q = 1 .. q_max.

    levels: by method, the fewest levels of every trained network, 0 where unsolved (see MethodComparison.levels). The
    legend lists the methods as their curves lie, the highest first; sixteen markers tell them apart in greyscale.
    """
    numbers = np.arange(1, q_max + 1)
    solved = {
        name: [sum(0 < own <= number for own in q) / max(len(q), 1) for number in numbers.tolist()]
        for name, q in levels.items()
    }
    highest_first = sorted(solved.items(), key=lambda curve: sum(curve[1]), reverse=True)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(3.6)
        axes = figure.subplots()
        for index, (name, shares) in enumerate(highest_first):
            axes.plot(
                numbers,
                shares,
                label=_label(name),
                marker=MARKERS[index % len(MARKERS)],
                markersize=4,
                linewidth=1,
                linestyle=LINES[index % len(LINES)],
                color=COLORS[index % len(COLORS)],
            )
        axes.set(
            xlabel="number of levels q",
            ylabel="networks solved with q or fewer",
            xlim=(0.5, q_max + 0.5),
            ylim=(-0.02, 1.03),
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        in_percent(axes.yaxis)
        figure.legend(loc="outside right upper")
        return figure


def _label(method: str) -> str:
    """The method without the folders of its file."""
    before, device, path = method.rpartition("device:")
    return in_figure(before + device + PurePath(path).name)
