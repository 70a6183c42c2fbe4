"""Measured: levels, I-V curves and retention as laboratories export them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.files import name_of
from fewlevels.devices.retention import MeasuredRetention, RetentionTable
from fewlevels.devices.tables import MeasuredTable, read_table
from fewlevels.devices.units import CONDUCTANCE, FILLERS, OF_DEVICES, QUANTITIES, Column
from fewlevels.devices.wide import as_long
from fewlevels.errors import DeviceError
from fewlevels.quantization.device_table import LARGEST_SIEMENS

LEVEL = Column(name="level", words=frozenset({"level", "levels", "state", "index"}), needed=False)
SIGMA = Column(
    name="sigma_siemens",
    quantities=("conductance", "resistance"),
    like="conductance_siemens",
    words=frozenset({"sigma", "std", "sd", "stdev", "deviation"}),
    needed=False,
    others=FILLERS | OF_DEVICES | {"standard", "of"},
)
MEAN = Column(
    name="mean_siemens",
    quantities=("conductance",),
    words=frozenset({"mean", "average"}),
    needed=False,
    others=FILLERS | QUANTITIES["conductance"].words,
    like="conductance_siemens",
)
TIME = Column(
    name="after_seconds", quantities=("time",), words=frozenset({"t", "time", "after", "delay"}), by_unit=True
)
VOLTAGE = Column(name="volt", quantities=("voltage",), words=frozenset({"v", "u", "voltage", "bias"}), by_unit=True)
CURRENT = Column(name="ampere", quantities=("current",), words=frozenset({"i", "current"}), by_unit=True)


FAR = 5.0
"""Robust standard deviations from which on a read is told as an outlier. It stays in: only a person knows why."""


@dataclass(frozen=True, kw_only=True)
class MeasuredLevels:
    """Levels of a device. level_siemens: ascending. level_sigma_siemens: their spreads, None where none are given.
    reads: how many of each level, 1 where its spread is given. far: lines of reads that lie far from the other reads of
    their level. understood: how the file was read."""

    level_siemens: tuple[float, ...]
    level_sigma_siemens: tuple[float, ...] | None
    reads: tuple[int, ...]
    far: tuple[int, ...]
    understood: str


def read_levels(path: Path, *, named: bool = True, unit: str = "", read_volt: float | None = None) -> MeasuredLevels:
    """Levels of a table of conductances or resistances, with or without `level` and `sigma`, or of conductances alone.

    One row a level, or many reads of each level without sigma, below each other or side by side (see `as_long`): then
    mean and standard deviation (n - 1) of the reads. A single read of each level gives levels without spreads. named,
    unit, read_volt: as in read_table. Raises DeviceError for another.
    """
    example = "level,conductance (uS),sigma (uS)"
    table = read_table(
        path,
        (LEVEL, SIGMA, CONDUCTANCE),
        example=example,
        named=named,
        unit=unit,
        read_volt=read_volt,
        arranged=as_long,
    )
    if table.quantities.get("sigma_siemens") == "resistance" or (
        "sigma_siemens" in table.numbers and table.quantities["conductance_siemens"] == "resistance"
    ):
        raise DeviceError(
            f"{name_of(path)}: a spread of resistances is no spread of conductances; give conductances, "
            "or many reads of each level"
        )
    reads: dict[str, list[int]] = {}
    for row, level in enumerate(table.texts.get("level", tuple(map(str, table.lines)))):
        if not level:
            raise table.error(row, "this row names no level")
        reads.setdefault(level, []).append(row)
    siemens = table.numbers["conductance_siemens"]
    sigma = table.numbers.get("sigma_siemens", np.full(len(siemens), np.nan))
    _check(table, reads, sigma)
    means = np.array([siemens[rows].mean() for rows in reads.values()])
    order = np.argsort(means, kind="stable")
    _check_different(table, list(reads.values()), means, order)
    sigmas = None
    if not np.isnan(sigma).all():
        sigmas = sigma[[rows[0] for rows in reads.values()]]
    elif len(reads) < len(siemens):
        sigmas = np.array([siemens[rows].std(ddof=1) for rows in reads.values()])
    return MeasuredLevels(
        level_siemens=tuple(means[order].tolist()),
        level_sigma_siemens=None if sigmas is None else tuple(sigmas[order].tolist()),
        reads=tuple(len(list(reads.values())[level]) for level in order),
        far=tuple(sorted(table.lines[row] for rows in reads.values() for row in _far(siemens, rows))),
        understood=table.understood,
    )


def _far(siemens: FloatArray, rows: list[int]) -> list[int]:
    """The rows whose reads lie more than FAR robust standard deviations from the median of their level: with many reads
    of a normal variable one in two million. A robust standard deviation is 1.4826 times the median absolute deviation
    (Iglewicz and Hoaglin 1993).
    """
    distance = np.abs(siemens[rows] - np.median(siemens[rows]))
    scale = 1.4826 * np.median(distance)
    return [row for row, each in zip(rows, distance, strict=True) if scale > 0 and each > FAR * scale]


def _check_different(
    table: MeasuredTable, rows: list[list[int]], means: FloatArray, order: npt.NDArray[np.intp]
) -> None:
    for one, other in itertools.pairwise(order):
        if means[one] == means[other]:
            line = table.lines[rows[one][0]]
            said = f"the level of line {line} has the same conductance, {means[one]:g} S; give each once"
            raise table.error(rows[other][0], said)


def _check(table: MeasuredTable, reads: dict[str, list[int]], sigma: FloatArray) -> None:
    """Raises DeviceError unless every level has a spread, or several reads, or none has either."""
    siemens, resistances = table.numbers["conductance_siemens"], table.quantities["conductance_siemens"] == "resistance"
    for row in np.flatnonzero(~((siemens >= 0) & (siemens < LARGEST_SIEMENS))):
        if resistances:
            raise table.error(row, f"a resistance must be above {1 / LARGEST_SIEMENS:g} ohm, got {1 / siemens[row]:g}")
        raise table.error(
            row, f"a conductance must be at least 0 and below {LARGEST_SIEMENS:g} S, got {siemens[row]:g} S"
        )
    for row in np.flatnonzero(sigma < 0):
        raise table.error(row, f"sigma_siemens must be at least 0, got {sigma[row]:g}")
    spread = ~np.isnan(sigma)
    several = [rows for rows in reads.values() if len(rows) > 1]
    if spread.any() and several:
        raise table.error(
            several[0][1], "the level of this row stands in several rows: leave sigma_siemens out, or give one row"
        )
    if (spread.any() and not spread.all()) or 0 < len(several) < len(reads):
        alone = next(rows[0] for rows in reads.values() if len(rows) == 1 and not spread[rows[0]])
        raise table.error(alone, "this level has neither sigma_siemens nor several reads, as other levels have")


def read_iv(path: Path, *, named: bool = True) -> tuple[FloatArray, FloatArray, str]:
    """Voltages and currents, (points,) each, of a table of both, and how it was read. Raises DeviceError for another
    file."""
    table = read_table(path, (VOLTAGE, CURRENT), example="V (V),I (uA)", named=named)
    for name, most, unit in (("volt", 1000.0, "V"), ("ampere", 10.0, "A")):
        for row in np.flatnonzero(np.abs(table.numbers[name]) > most):
            raise table.error(row, f"{name} must be at most {most:g} {unit}, got {table.numbers[name][row]:g}")
    return table.numbers["volt"], table.numbers["ampere"], table.understood


def read_retention(path: Path, *, named: bool = True) -> tuple[MeasuredRetention, str]:
    """Retention from a table with a row for each time and each conductance that was programmed, with its spread and, if
    the column is there, its mean at that time; and how it was read. Raises DeviceError for another file."""
    columns = (
        MEAN,
        replace(SIGMA, quantities=("conductance",), needed=True),
        TIME,
        replace(CONDUCTANCE, quantities=("conductance",)),
    )
    table = read_table(path, columns, example="time (h),conductance (uS),sigma (uS)", named=named)
    seconds, programmed = table.numbers["after_seconds"], table.numbers["conductance_siemens"]
    tables = []
    for time in np.unique(seconds):
        rows = np.flatnonzero(seconds == time)
        rows = rows[np.argsort(programmed[rows], kind="stable")]
        fields = {name: tuple(column[rows].tolist()) for name, column in table.numbers.items()}
        try:
            tables.append(RetentionTable(**{**fields, "after_seconds": float(time)}))  # type: ignore[arg-type]
        except DeviceError as error:
            raise table.error(int(rows[0]), f"at {time:g} s {error}") from None
    return MeasuredRetention(table=tuple(tables)), table.understood
