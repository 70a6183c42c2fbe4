"""Report of a fit: the sentence, the figure and one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fewlevels.circuit.network.resistances import engineering
from fewlevels.common.counts import counted
from fewlevels.common.proportions import percent
from fewlevels.devices.separability import compare, when
from fewlevels.fitting.fit import Fit
from fewlevels.reporting.figures.fit import draw_fit
from fewlevels.reporting.figures.style import store_figure
from fewlevels.reporting.page import image_data, render
from fewlevels.storage.folder import Folder


def sentence(fit: Fit) -> str:
    """The answer, for a person."""
    config, found = fit.problem.config, fit.best.chip_yield
    after = config.conditions.after_seconds
    low, high = found.interval
    told = "," if fit.problem.device.spread_is_known else ", if every device hits its target,"
    answer = (
        f"With {counted(fit.best.states, 'state')} per device{told} {percent(found.value, 1)} of chips "
        f"({percent(low, 1)} to {percent(high, 1)}) keep {100 * config.alpha:.4g} % recognition"
        f"{'' if after is None else ' ' + when(after)}"
    )
    if fit.needed_states is None:
        return f"{answer}; no number of states tried is enough, even without variation."
    if fit.separable is None:
        return f"{answer}; without variation the network needs {fit.needed_states}."
    needs, _, offers = compare(fit.needed_states, fit.separable).partition(", ")
    return f"{answer}; without variation the network {needs}, and the device {offers}."


def remarks(fit: Fit) -> list[str]:
    """What else a person should know: how its values are driven, how sure the answer is, what it would bear, what
    write-verify took. Each is a sentence without its full stop.
    """
    config, found = fit.problem.config, fit.best.chip_yield
    said = [remark.removesuffix(".") for remark in fit.best.mapping.circuit.remarks]
    if not fit.certain:
        said.append(f"not certain: the interval of the yield holds {config.yield_target:.4g}; more chips narrow it")
    if points := fit.against.get("spread_window_percent"):
        borne = [percent for percent, each in points if each.value >= config.yield_target]
        said.append(
            f"it would bear a spread of {max(borne, default=0):g} % of the window"
            if borne
            else "it would bear no spread that was tried"
        )
    if config.conditions.tolerance_siemens is not None:
        devices = sum(int(mask.sum()) for mask in fit.best.mapping.programmed)
        said.append(
            f"write-verify takes {found.pulses.mean() / devices:.3g} pulses a device and gives up on "
            f"{percent(found.missed.mean() / devices)} of them"
        )
    return said


def answer(fit: Fit) -> list[str]:
    """All that is said of a fit on a terminal, line by line."""
    recognition, (low, high) = fit.best.chip_yield.recognition_mean, fit.best.chip_yield.recognition_interval
    limiting = fit.limiting_factor.replace("_", " ")
    return [
        f"{'fits' if fit.feasible else 'does not fit'}: {sentence(fit)}",
        f"limiting factor: {limiting}",
        f"expected recognition of a chip: {recognition:.2%} ({low:.2%} to {high:.2%})",
        *(f"- {line}" for line in (*remarks(fit), *fit.advice.sentences, *fit.assumptions)),
    ]


def write_fit_report(fit: Fit, folder: Path, asked: dict[str, str], command: str) -> Path:
    """Draw the figure (PNG and SVG) and write report.html into the fit's folder; returns the report's path.

    asked: what the fit was asked, in words. command: what repeats it.
    """
    store, words = Folder(folder), {"sentence": sentence(fit), "remarks": remarks(fit)}
    image = image_data(store_figure(store, "fit", draw_fit(fit)))
    mapping = fit.best.mapping
    programmed = [t[mask] for t, mask in zip(mapping.target_siemens, mapping.programmed, strict=True)]
    counts = (np.concatenate(programmed)[:, None] == mapping.level_siemens).sum(axis=0)
    page = render(
        "fit.html",
        fit=fit,
        device=fit.problem.device,
        found=fit.best.chip_yield,
        **words,
        image=image,
        asked=asked,
        command=command,
        levels=[
            (g, engineering(1 / g).replace("ohm", "Ω"), devices)
            for g, devices in zip(mapping.level_siemens, counts, strict=True)
        ],
    )
    store.write("report.html", page)
    return folder / "report.html"
