"""The command `fewlevels devices`: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from fewlevels.cli.options import Json, option, place
from fewlevels.errors import DeviceError


def devices(
    name: Annotated[
        Optional[str],
        typer.Argument(
            metavar="[NAME|FILE]", help="One device: by name, a TOML, or a table of its levels.", show_default=False
        ),
    ] = None,
    needs: Annotated[Optional[int], option("--needs", "Levels that a network needs, to compare with.", "N")] = None,
    k_sigma: Annotated[
        float, option("--k-sigma", "Standard deviations from a level to its boundary. [{default:g}]", "X")
    ] = 3.0,
    after_seconds: Annotated[
        Optional[float], option("--after-seconds", "Time since programming. [telling ones]", "X")
    ] = None,
    out: Annotated[
        Optional[Path],
        typer.Option(
            "--out", "-o", metavar="FILE", help="Figure to write: .png, .svg or .pdf.", show_default=False, parser=place
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List published devices and the levels they offer, or show one."""
    from fewlevels.devices import device_names, load_device
    from fewlevels.devices.files import read_device
    from fewlevels.reporting.device import describe, offered_levels, page, table, write_figure

    if name is None:
        if needs is not None or after_seconds is not None or out is not None:
            raise DeviceError("--needs, --after-seconds and --out are for one device: name it")
        library = [load_device(each) for each in device_names()]
        if as_json:
            described = [describe(each, offered_levels(each, k_sigma, None), k_sigma) for each in library]
            return print(json.dumps(described, indent=1))
        return print(table(library, k_sigma))
    if needs is not None and needs < 1:
        raise DeviceError(f"--needs must be at least 1, got {needs}")
    device, understood = read_device(name)
    offered = offered_levels(device, k_sigma, after_seconds)
    if needs is not None and not offered:
        raise DeviceError(f"{device.name}: nothing to compare --needs with: neither spreads nor levels are known")
    if out is not None:
        write_figure(device, needs, k_sigma, after_seconds, out)
    if as_json:
        return print(json.dumps(describe(device, offered, k_sigma), indent=1))
    print(page(device, offered, needs))
    if understood:
        print("\nread:", *understood, sep="\n  ")
    if out is not None:
        print(f"\nfigure: {out}")
    return None
