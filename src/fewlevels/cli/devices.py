"""The command `fewlevels devices`: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.options import Json, option, place
from fewlevels.errors import DeviceError

if TYPE_CHECKING:
    from fewlevels.devices.model import Device

OF_ONE = "needs", "after_seconds", "out"
OF_FILES = "iv", "retention", "unit", "read_volt", "read_noise", "stuck_on", "stuck_off"


def devices(
    ctx: typer.Context,
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
    levels: Annotated[
        Optional[Path],
        option("--from", "Make a device: of a table of its levels, as instruments and people write it.", "FILE"),
    ] = None,
    iv: Annotated[Optional[Path], option("--iv", "With --from: a table of voltages and currents.", "FILE")] = None,
    retention: Annotated[
        Optional[Path], option("--retention", "With --from: a table of times, conductances and spreads.", "FILE")
    ] = None,
    unit: Annotated[
        Optional[str], option("--unit", "With --from: of levels whose column names none, as uS, ohm or nA.", "UNIT")
    ] = None,
    read_volt: Annotated[
        Optional[float], option("--read-volt", "With --from: at which voltage currents were read.", "X")
    ] = None,
    read_noise: Annotated[
        Optional[float], option("--read-noise", "With --from: relative standard deviation of one read.", "X")
    ] = None,
    stuck_on: Annotated[
        Optional[float], option("--stuck-on", "With --from: share of devices stuck at the highest conductance.", "X")
    ] = None,
    stuck_off: Annotated[
        Optional[float], option("--stuck-off", "With --from: share of devices stuck at the lowest one.", "X")
    ] = None,
    template: Annotated[bool, typer.Option("--template", help="Print a description with every key, and stop.")] = False,
    out: Annotated[
        Optional[Path],
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Figure to write: .png, .svg or .pdf. With --from the description, .toml, and its figure.",
            show_default=False,
            parser=place,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List published devices and the levels they offer, show one, or make one of a laboratory's files."""
    from fewlevels.devices.files import TEMPLATE, read_device
    from fewlevels.reporting.device import describe, offered_levels, page

    if template:
        return print(TEMPLATE.read_text(encoding="utf-8"), end="")
    if name is None and levels is None:
        if given := [option for option in (*OF_ONE, *OF_FILES) if ctx.params[option] is not None]:
            raise DeviceError(f"--{given[0].replace('_', '-')} is for one device: name it, or its levels by --from")
        return _list(k_sigma, as_json)
    if needs is not None and needs < 1:
        raise DeviceError(f"--needs must be at least 1, got {needs}")
    device, understood = _made(ctx, name, out) if levels is not None else read_device(name or "")
    offered = offered_levels(device, k_sigma, after_seconds)
    if needs is not None and not offered:
        raise DeviceError(f"{device.name}: nothing to compare --needs with: neither spreads nor levels are known")
    written = _write(ctx, device, understood) if out is not None else []
    if as_json:
        return print(json.dumps(describe(device, offered, k_sigma), indent=1))
    print(page(device, offered, needs))
    if understood:
        print("\nread:", *understood, sep="\n  ")
    print(*([""] if written else []), *written, sep="\n", end="\n" if written else "")
    return None


def _list(k_sigma: float, as_json: bool) -> None:
    from fewlevels.devices import device_names, load_device
    from fewlevels.reporting.device import describe, offered_levels, table

    library = [load_device(each) for each in device_names()]
    if as_json:
        print(json.dumps([describe(each, offered_levels(each, k_sigma, None), k_sigma) for each in library], indent=1))
    else:
        print(table(library, k_sigma))


def _made(ctx: typer.Context, name: str | None, out: Path | None) -> tuple[Device, tuple[str, ...]]:
    """The device that --from and the options beside it describe. It is called as the file that it goes to."""
    from fewlevels.devices.laboratory import LaboratoryFiles, device_of_files

    asked = ctx.params
    if name is not None:
        raise DeviceError(f"{name!r} and --from both name a device; give one of them")
    if out is not None and out.suffix != ".toml":
        raise DeviceError(f"with --from, --out must end in .toml, got {out}")
    files = LaboratoryFiles(
        levels=asked["levels"],
        stuck_on_rate=asked["stuck_on"],
        stuck_off_rate=asked["stuck_off"],
        **{option: asked[option] for option in ("iv", "retention", "unit", "read_volt", "read_noise")},
    )
    return device_of_files(files, (out or files.levels).stem)


def _write(ctx: typer.Context, device: Device, understood: tuple[str, ...]) -> list[str]:
    """Write the figure of a device, or the description of one that was made and its figure beside. Returns what was
    written, in words."""
    from fewlevels.devices.description import description
    from fewlevels.reporting.device import write_figure
    from fewlevels.storage.files import write_file

    asked, figure, said = ctx.params, ctx.params["out"], []
    if asked["levels"] is not None:
        write_file(asked["out"], description(device, understood).encode())
        figure, said = figure.with_suffix(".png"), [f"description: {asked['out']}"]
    write_figure(device, asked["needs"], asked["k_sigma"], asked["after_seconds"], figure)
    return [*said, f"figure: {figure}"]
