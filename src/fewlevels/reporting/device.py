"""Device: a published or a measured device in words, as JSON and as a figure; and the list of many."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.words import printable
from fewlevels.devices.files import LAWS
from fewlevels.devices.model import Device
from fewlevels.devices.separability import SeparableLevels, compare, separable_levels, telling_times, when
from fewlevels.errors import DeviceError
from fewlevels.reporting.text import aligned

PICTURES = (".png", ".svg", ".pdf")
"""Endings of the files that a figure is written to."""

MOST_SHOWN = 10
"""Conductances that are listed one by one."""

Row = tuple[str, str]
"""What is said of a device: its name, and the value in words."""


def offered_levels(device: Device, k_sigma: float, after_seconds: float | None) -> list[SeparableLevels]:
    """As programmed and at the time asked for, else at all telling times; none where too little is known."""
    if not device.spread_is_known and device.level_siemens is None and device.states is None:
        return []
    times = telling_times(device) if after_seconds is None else [None, after_seconds]
    return [separable_levels(device, k_sigma, time) for time in times]


def describe(device: Device, offered: list[SeparableLevels], k_sigma: float) -> dict[str, Any]:
    """The device and its levels, ready for `json.dumps`."""
    plain = dataclasses.asdict(device)
    for section, laws in LAWS.items():
        if (part := getattr(device, section)) is not None:
            plain[section] = {"law": next(law for law in laws if isinstance(part, laws[law])), **plain[section]}
    if (fit := plain["iv_fit"]) is not None:
        plain["iv_fit"] = {"nonlinearity": fit.pop("law"), **fit}
    return {**plain, "k_sigma": k_sigma, "separability": [found.to_json() for found in offered]}


def table(library: list[Device], k_sigma: float) -> str:
    """Devices as aligned text, one row each."""
    rows = [["name", "window", f"at {k_sigma:g} sigma", "later", "source"]]
    for device in library:
        first, *later = offered_levels(device, k_sigma, None)
        told = ", ".join(f"{found} ({when(found.after_seconds).removeprefix('after ')})" for found in later)
        author, year = re.split(r" et al\.|,", device.citation)[0], re.findall(r"\b20\d\d\b", device.citation)[-1]
        rows.append(
            [
                device.name,
                device.window,
                f"{first} stated" if first.basis == "stated" else str(first),
                told or "-",
                f"{author} {year}",
            ]
        )
    return f"{_columns(rows)}\n\nat {k_sigma:g} sigma: told apart as programmed; stated: by a source without spreads"


def page(device: Device, offered: list[SeparableLevels], needs: int | None) -> str:
    """All that is known of one device. needs: levels of a network, to compare with what the device offers."""
    texts = (" ".join(text.split()) for text in (device.name, device.citation, device.sources))
    rows = [*_conductances(device, offered), *_imperfections(device), *_cell(device), *_told_apart(offered)]
    lines = [*(printable(text, None) for text in texts if text), "", _columns(rows)]
    if needs is not None and offered:
        lines += ["", compare(needs, offered[-1])]
    return "\n".join(lines)


def write_figure(device: Device, needs: int | None, k_sigma: float, after_seconds: float | None, out: Path) -> None:
    """Draw spread and levels into a file that a user named. Raises DeviceError for another ending than PICTURES."""
    if out.suffix not in PICTURES:
        raise DeviceError(f"--out must end in {', '.join(PICTURES)}, got {out}")
    import matplotlib

    from fewlevels.reporting.figures.devices import separability_figure
    from fewlevels.reporting.figures.style import STYLE
    from fewlevels.storage.files import write_file

    picture = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = separability_figure(device, needs, k_sigma=k_sigma, after_seconds=after_seconds)
        figure.savefig(picture, format=out.suffix[1:], dpi=200)
    write_file(out, picture.getvalue())


def _conductances(device: Device, offered: list[SeparableLevels]) -> Iterator[Row]:
    yield "window", device.window
    if device.states:
        yield "states", f"{device.states}, without their conductances"
    if device.level_siemens is not None and not device.spread_is_known:
        yield "levels", f"{_micro(np.array(device.level_siemens))}, without their spreads"
    if device.spread_is_known:
        shown = device.available_siemens()
        if shown is None:
            assert device.lowest_siemens is not None and device.highest_siemens is not None
            shown = np.linspace(device.lowest_siemens, device.highest_siemens, 5)
        yield "conductance", _micro(shown)
        for found in offered:
            yield f"spread {when(found.after_seconds)}", _micro(device.sigma_siemens(shown, found.after_seconds))


def _imperfections(device: Device) -> Iterator[Row]:
    for name in ("read_noise", "stuck_on_rate", "stuck_off_rate"):
        if value := getattr(device, name):
            yield name.replace("_", " "), f"{value:.3g}"


def _cell(device: Device) -> Iterator[Row]:
    if device.cell is not None:
        yield "cell", str(device.cell)
    if fit := device.iv_fit:
        quality = f"R² {fit.r_squared:.6f}, rms error {fit.rms_of_full_scale:.2%} of full scale"
        quality += f", {fit.rms_relative_error:.2%} of each current"
        measured = f"{1e6 * fit.conductance_siemens:.4g} µS at 0 V, measured to {fit.largest_volt:g} V"
        yield "fit of the cell", f"{quality}, {measured}"
        if fit.is_poor:
            yield "", "poor: this law does not describe the measured curve"


def _told_apart(offered: list[SeparableLevels]) -> Iterator[Row]:
    for found in offered:
        if found.basis != "stated":
            yield f"told apart {when(found.after_seconds)}", f"{found} at {found.k_sigma:g} sigma"
            if found.level_siemens is not None:
                yield "  to program", _micro(found.level_siemens)


def _micro(siemens: FloatArray) -> str:
    """Conductances in microsiemens, the middle ones left out where there are many."""
    shown = [f"{value * 1e6:.4g}" for value in siemens]
    return ", ".join(shown if len(shown) <= MOST_SHOWN else [*shown[: MOST_SHOWN - 2], "…", shown[-1]]) + " µS"


def _columns(rows: Sequence[Sequence[str]]) -> str:
    return aligned([[printable(cell, None) for cell in row] for row in rows])
