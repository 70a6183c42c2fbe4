"""Style: what all figures share, and how they are stored."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fewlevels.storage.folder import Folder

INK = "#1a1a1a"
ACCENT = "#c1272d"
GREY = "#8a8a8a"
"""What is drawn in these three is told apart in greyscale, too: by line style and marker."""

POINT = "#5a6b7b"
"""Of one model among thousands: dark enough to be seen alone."""

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "savefig.bbox": "tight",
    "svg.hashsalt": "fewlevels",
}

WIDTH_INCHES = 7.2


def new_figure(height_inches: float) -> Figure:
    """An empty figure as wide as a page."""
    return Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")


def in_percent(axis: Axis) -> None:
    """Show the shares on an axis of a panel in percent."""
    axis.set_major_formatter(PercentFormatter(1))


def store_figure(store: Folder, name: str, figure: Figure) -> bytes:
    """Write figures/NAME.png and .svg, the same bytes for the same figure, into a folder; returns the PNG."""
    content = b""
    for kind in ("svg", "png"):
        buffer = io.BytesIO()
        with matplotlib.rc_context(STYLE):
            figure.savefig(buffer, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else None)
        content = buffer.getvalue()
        store.write(f"figures/{name}.{kind}", content)
    return content
