"""Report of a fit: the sentence, the figure and one self-contained HTML page."""

from __future__ import annotations

import base64
import io
from importlib import resources
from pathlib import Path

import matplotlib
import numpy as np

from fewlevels.devices.separability import compare, when
from fewlevels.figures import STYLE
from fewlevels.fitting.figures import draw_fit
from fewlevels.fitting.fit import Fit
from fewlevels.samples import Samples
from fewlevels.study.store import Store


def sentence(fit: Fit) -> str:
    """The answer, for a person."""
    found, (low, high) = fit.best.found, fit.best.found.interval
    share = f"{found.value:.1%} of chips ({low:.1%} to {high:.1%}) keep {fit.config.alpha:.0%} recognition"
    after = "" if fit.config.conditions.after_seconds is None else f" {when(fit.config.conditions.after_seconds)}"
    with_states = f"With {fit.best.states} states per device {share}{after}"
    if fit.needed_states is None:
        return f"{with_states}; no number of states tried is enough, even without variation."
    if fit.separable is None:
        return f"{with_states}; without variation it needs {fit.needed_states}."
    return f"{with_states}; it {compare(fit.needed_states, fit.separable)}."


def write_fit_report(fit: Fit, samples: Samples, folder: Path, jobs: int | None = None) -> Path:
    """Draw the figure (PNG and SVG) and write report.html into the fit's folder; returns the report's path."""
    import jinja2

    store, figure, images = Store(folder), draw_fit(fit, samples, jobs), {}
    for kind in ("png", "svg"):
        buffer = io.BytesIO()
        with matplotlib.rc_context(STYLE):
            figure.savefig(buffer, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else None)
        store.write(f"figures/fit.{kind}", buffer.getvalue())
        images[kind] = base64.b64encode(buffer.getvalue()).decode()
    mapping = fit.best.mapping
    programmed = [t[mask] for t, mask in zip(mapping.target_siemens, mapping.programmed, strict=True)]
    counts = (np.concatenate(programmed)[:, None] == mapping.level_siemens).sum(axis=0)
    template = (resources.files("fewlevels") / "templates" / "fit.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(template).render(
        fit=fit, sentence=sentence(fit), image=images["png"],
        margin=float(np.median(fit.best.found.margin.min(axis=1))),
        levels=list(zip(mapping.level_siemens.tolist(), counts.tolist(), strict=True)),
    )  # fmt: skip
    store.write("report.html", page.encode())
    return folder / "report.html"
