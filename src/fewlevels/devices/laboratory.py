"""Laboratory: a device from the files that a laboratory has, and what was understood of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fewlevels.circuit.cell import BENDS
from fewlevels.common.arrays import FloatArray
from fewlevels.common.counts import counted
from fewlevels.devices.iv import IvFit, fit_iv
from fewlevels.devices.limits import SMALLEST
from fewlevels.devices.measured import MeasuredLevels, read_iv, read_levels, read_retention
from fewlevels.devices.model import Device
from fewlevels.devices.retention import MeasuredRetention
from fewlevels.errors import DeviceError

STRAIGHT = 1e-3
"""Root mean square of a curve's distance from a straight line, of full scale, up to which cells obey Ohm's law."""


@dataclass(frozen=True, kw_only=True)
class LaboratoryFiles:
    """Files of one device, and what they do not say.

    levels: a table as `read_levels` takes it. iv, retention: as `read_iv` and `read_retention` take them. unit,
    read_volt: of levels, as in `read_table`. read_noise, stuck_on_rate, stuck_off_rate: as in `Device`.
    """

    levels: Path
    iv: Path | None = None
    retention: Path | None = None
    unit: str | None = None
    read_volt: float | None = None
    read_noise: float | None = None
    stuck_on_rate: float | None = None
    stuck_off_rate: float | None = None


MISSING = {
    "iv": "an I-V curve (--iv): cells obey Ohm's law",
    "retention": "what time does (--retention)",
    "read_noise": "read noise (--read-noise)",
    "stuck_on_rate": "devices stuck at the highest conductance (--stuck-on)",
    "stuck_off_rate": "devices stuck at the lowest one (--stuck-off)",
}
"""What nobody said of a device, in words."""


def device_of_files(files: LaboratoryFiles, name: str) -> tuple[Device, tuple[str, ...]]:
    """The device that files describe, and sentences on how each was understood and on what is missing.

    The law of the cell is the one of `BENDS` that fits an I-V curve best. A conductance of the retention is taken for a
    level where it lies within a quarter of the way to the next one, since what was meant to be programmed and the mean
    of what was read differ by noise. Raises DeviceError where a file cannot be read or they make no device.
    """
    levels = read_levels(files.levels, unit=files.unit or "", read_volt=files.read_volt)
    understood, fit, retention = list(_told(levels)), None, None
    if files.iv is not None:
        volt, ampere, said = read_iv(files.iv)
        fit, law = _best_law(volt, ampere)
        understood += [said, law]
    if files.retention is not None:
        measured, said = read_retention(files.retention)
        retention, taken = _at_levels(measured, np.array(levels.level_siemens))
        understood += [said, *taken]
    device = Device(
        name=name,
        sources=f"measured: {', '.join(path.name for path in (files.levels, files.iv, files.retention) if path)}",
        level_siemens=levels.level_siemens,
        level_sigma_siemens=levels.level_sigma_siemens,
        retention=retention,
        nonlinearity=None if fit is None else fit.law,
        iv_fit=fit,
        read_noise=files.read_noise or 0.0,
        stuck_on_rate=files.stuck_on_rate or 0.0,
        stuck_off_rate=files.stuck_off_rate or 0.0,
    )
    missing = [said for key, said in MISSING.items() if getattr(files, key) is None]
    if levels.level_sigma_siemens is None:
        missing.insert(0, "spreads of the levels (a column sigma, or several reads of each level)")
    return device, (*understood, *([f"not told: {'; '.join(missing)}"] if missing else []))


def _told(levels: MeasuredLevels) -> Iterator[str]:
    yield levels.understood
    least, most = min(levels.reads), max(levels.reads)
    if most > 1:
        each = f"{least}" if least == most else f"{least} to {most}"
        yield f"{counted(len(levels.reads), 'level')} of {each} reads; mean and standard deviation (n - 1) are taken"
    if levels.far:
        lines = ", ".join(map(str, levels.far[:10])) + (" …" if len(levels.far) > 10 else "")
        yield f"{counted(len(levels.far), 'read')} far from the others of the level (lines {lines}); they count, too"


def _best_law(volt: FloatArray, ampere: FloatArray) -> tuple[IvFit | None, str]:
    """The law that fits best, None for Ohm's, and a sentence."""
    full = float(np.abs(ampere).max())
    siemens = float(volt @ ampere) / max(float(volt @ volt), SMALLEST)
    off = float(np.sqrt(np.mean((siemens * volt - ampere) ** 2))) / max(full, SMALLEST)
    if off <= STRAIGHT and siemens > 0:
        return None, f"the curve is straight but for {off:.2%} of full scale: cells obey Ohm's law"
    fits = []
    for law in BENDS:
        try:
            fits.append(fit_iv(law, volt, ampere))
        except DeviceError as error:
            refused = error
    if not fits:
        raise refused
    fits.sort(key=lambda fit: fit.rms_of_full_scale)
    tried = [f"{fit.law.name} {fit.rms_of_full_scale:.2%}" for fit in fits]
    poor = "; poor: no law describes this curve" if fits[0].is_poor else ""
    return fits[0], f"rms error of full scale by law: {', '.join(tried)}; {fits[0].law.name} is taken{poor}"


def _at_levels(retention: MeasuredRetention, levels: FloatArray) -> tuple[MeasuredRetention, list[str]]:
    """The retention with levels in place of the conductances that stand for them, and a sentence on which."""
    reach = np.minimum(np.diff(levels, prepend=-np.inf), np.diff(levels, append=np.inf)) / 4
    tables, said = [], dict[str, None]()
    for table in retention.table:
        programmed = np.array(table.conductance_siemens)
        nearest = np.abs(programmed[:, None] - levels).argmin(axis=1)
        moved = np.where(np.abs(programmed - levels[nearest]) <= reach[nearest], levels[nearest], programmed)
        if (np.diff(moved) > 0).all():
            changed = np.flatnonzero(moved != programmed)
            said |= {f"{programmed[at] * 1e6:.4g} for {moved[at] * 1e6:.4g}": None for at in changed}
            table = replace(table, conductance_siemens=tuple(moved.tolist()))
        tables.append(table)
    told = [f"conductances of the retention are taken for levels (µS): {', '.join(said)}"] if said else []
    return MeasuredRetention(table=tuple(tables)), told
