"""The command `fewlevels devices`: parse, call, print."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from fewlevels.cli.options import option
from fewlevels.common.words import printable
from fewlevels.errors import DeviceError

if TYPE_CHECKING:
    from fewlevels.common.arrays import FloatArray
    from fewlevels.devices import Device
    from fewlevels.devices.separability import SeparableLevels

PICTURES = (".png", ".svg", ".pdf")


def devices(
    name: Annotated[
        Optional[str],
        typer.Argument(
            metavar="[NAME|FILE]", help="One device: by name, a TOML, or a table of its levels.", show_default=False
        ),
    ] = None,
    needs: Annotated[Optional[int], option("--needs", "Levels that a network needs, to compare with.", "N")] = None,
    k_sigma: Annotated[float, option("--k-sigma", "Standard deviations from a level to its boundary. [3]", "X")] = 3.0,
    after_seconds: Annotated[
        Optional[float], option("--after-seconds", "Time since programming. [telling ones]", "X")
    ] = None,
    out: Annotated[
        Optional[Path],
        typer.Option("--out", "-o", metavar="FILE", help="Figure to write: .png, .svg or .pdf.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """List published devices and the levels they offer, or show one."""
    from fewlevels.devices import device_names, load_device
    from fewlevels.devices.files import read_device

    if name is None:
        if needs is not None or after_seconds is not None or out is not None:
            raise DeviceError("--needs, --after-seconds and --out are for one device: name it")
        library = [load_device(each) for each in device_names()]
        if as_json:
            return print(
                json.dumps([_plain(device, _offered(device, k_sigma, None), k_sigma) for device in library], indent=1)
            )
        return print(_table(library, k_sigma))
    if needs is not None and needs < 1:
        raise DeviceError(f"--needs must be at least 1, got {needs}")
    device, understood = read_device(name)
    offered = _offered(device, k_sigma, after_seconds)
    if needs is not None and not offered:
        raise DeviceError(f"{device.name}: nothing to compare --needs with: neither spreads nor levels are known")
    if out is not None:
        _write_figure(device, needs, k_sigma, after_seconds, out)
    if as_json:
        return print(json.dumps(_plain(device, offered, k_sigma), indent=1))
    print(_page(device, offered, needs))
    if understood:
        print("\nread:", *understood, sep="\n  ")
    if out is not None:
        print(f"\nfigure: {out}")
    return None


def _offered(device: Device, k_sigma: float, after_seconds: float | None) -> list[SeparableLevels]:
    """As programmed and at the time asked for, else at all telling times; none where too little is known."""
    from fewlevels.devices.separability import separable_levels, telling_times

    if not device.spread_is_known and device.level_siemens is None and device.states is None:
        return []
    times = telling_times(device) if after_seconds is None else [None, after_seconds]
    return [separable_levels(device, k_sigma, time) for time in times]


def _table(library: list[Device], k_sigma: float) -> str:
    from fewlevels.devices.separability import when

    rows = [["name", "window", f"at {k_sigma:g} sigma", "later", "source"]]
    for device in library:
        first, *later = _offered(device, k_sigma, None)
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


def _page(device: Device, offered: list[SeparableLevels], needs: int | None) -> str:
    import numpy as np

    from fewlevels.devices.separability import compare, when

    rows = [["window", device.window]]
    if device.states:
        rows.append(["states", f"{device.states}, without their conductances"])
    if device.level_siemens is not None and not device.spread_is_known:
        rows.append(["levels", f"{_micro(np.array(device.level_siemens))}, without their spreads"])
    if device.spread_is_known:
        shown = device.available_siemens()
        if shown is None:
            assert device.lowest_siemens is not None and device.highest_siemens is not None
            shown = np.linspace(device.lowest_siemens, device.highest_siemens, 5)
        rows.append(["conductance", _micro(shown)])
        rows += [
            [f"spread {when(found.after_seconds)}", _micro(device.sigma_siemens(shown, found.after_seconds))]
            for found in offered
        ]
    rows += [
        [name.replace("_", " "), f"{getattr(device, name):.3g}"]
        for name in ("read_noise", "stuck_on_rate", "stuck_off_rate")
        if getattr(device, name)
    ]
    if device.cell is not None:
        rows.append(["cell", str(device.cell)])
    if fit := device.iv_fit:
        rows.append(
            [
                "fit of the cell",
                f"R² {fit.r_squared:.6f}, rms relative error {fit.rms_relative_error:.2%}, "
                f"{1e6 * fit.conductance_siemens:.4g} µS at 0 V, measured to {fit.largest_volt:g} V",
            ]
        )
        if fit.is_poor:
            rows.append(["", "poor: this law does not describe the measured curve"])
    for found in offered:
        if found.basis != "stated":
            rows.append([f"told apart {when(found.after_seconds)}", f"{found} at {found.k_sigma:g} sigma"])
            if found.level_siemens is not None:
                rows.append(["  to program", _micro(found.level_siemens)])
    texts = (" ".join(text.split()) for text in (device.name, device.citation, device.sources))
    lines = [*(printable(text, None) for text in texts if text), "", _columns(rows)]
    if needs is not None and offered:
        lines += ["", compare(needs, offered[-1])]
    return "\n".join(lines)


def _plain(device: Device, offered: list[SeparableLevels], k_sigma: float) -> dict[str, Any]:
    from fewlevels.devices.files import LAWS

    plain = dataclasses.asdict(device)
    for section, laws in LAWS.items():
        if (part := getattr(device, section)) is not None:
            plain[section] = {"law": next(law for law in laws if isinstance(part, laws[law])), **plain[section]}
    return {**plain, "k_sigma": k_sigma, "separable_levels": [found.to_json() for found in offered]}


def _write_figure(device: Device, needs: int | None, k_sigma: float, after_seconds: float | None, out: Path) -> None:
    if out.suffix not in PICTURES:
        raise DeviceError(f"--out must end in {', '.join(PICTURES)}, got {out}")
    import io

    import matplotlib

    from fewlevels.reporting.figures.devices import separability_figure
    from fewlevels.reporting.figures.style import STYLE
    from fewlevels.storage.files import write_file

    picture = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = separability_figure(device, needs, k_sigma=k_sigma, after_seconds=after_seconds)
        figure.savefig(picture, format=out.suffix[1:], dpi=200)
    write_file(out, picture.getvalue())


def _micro(siemens: FloatArray) -> str:
    """Conductances in microsiemens, at most ten of them."""
    shown = [f"{value * 1e6:.4g}" for value in siemens]
    return ", ".join(shown if len(shown) <= 10 else [*shown[:8], "…", shown[-1]]) + " µS"


def _columns(rows: list[list[str]]) -> str:
    rows = [[printable(cell, None) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
