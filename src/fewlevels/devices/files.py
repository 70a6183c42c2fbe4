"""Devices from files: a TOML description with CSV tables beside it, and the library of published ones."""

from __future__ import annotations

import csv
import dataclasses
import math
import re
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from fewlevels.circuit.cell import Diode
from fewlevels.common.checks import shown
from fewlevels.common.files import read_text
from fewlevels.common.toml import parse_toml
from fewlevels.devices.iv import BENDS, fit_iv
from fewlevels.devices.laws import (
    MeasuredRetention,
    PolynomialSpread,
    PowerLawDrift,
    RetentionTable,
    SaturatingSpread,
    TableSpread,
)
from fewlevels.devices.model import Device
from fewlevels.errors import CircuitError, DeviceError, QuantizationError
from fewlevels.quantization import Table, device_levels

LIBRARY = Path(str(resources.files("fewlevels") / "devices" / "library"))
LAWS: dict[str, dict[str, type]] = {
    "spread": {"table": TableSpread, "polynomial": PolynomialSpread, "saturating": SaturatingSpread},
    "retention": {"power": PowerLawDrift, "measured": MeasuredRetention},
    "nonlinearity": {**BENDS},
}
PLAIN = ("name", "citation", "sources", "lowest_siemens", "highest_siemens", "states", "read_noise", "stuck_on_rate",
         "stuck_off_rate")  # fmt: skip
LEVEL_KEYS = {"level_siemens": "conductance_siemens", "level_sigma_siemens": "sigma_siemens"}
SECTIONS = ("levels", "spread", "retention", "nonlinearity", "selector")


def device_names() -> tuple[str, ...]:
    """The published devices that come with the package."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.toml")))


def load_device(name_or_path: str | Path) -> Device:
    """A device of the library by its name, or the one that a TOML file describes.

    Raises DeviceError, with file, line and key, where there is no such device or the description is wrong.
    """
    if not isinstance(name_or_path, str | Path):
        raise DeviceError(f"a device is named by text, got {shown(name_or_path)}")
    if str(name_or_path) in device_names():
        path = LIBRARY / f"{name_or_path}.toml"
    elif Path(name_or_path).suffix == ".toml":
        path = Path(name_or_path)
    else:
        raise DeviceError(
            f"a device is a .toml file or one of {', '.join(device_names())}, got {shown(str(name_or_path))}"
        )
    text = read_text(path, DeviceError, "the TOML description of a device")
    return _Description(path, text).device(parse_toml(text, path, DeviceError))


class _Description:
    """A TOML file being turned into a device; knows its lines."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines = path, text.splitlines()

    def device(self, values: dict[str, Any]) -> Device:
        self._check_keys("", values, (*PLAIN, *SECTIONS))
        fields = self._typed("", Device, {key: values[key] for key in PLAIN if key in values})
        for section in SECTIONS:
            if section in values and not isinstance(values[section], dict):
                raise self._error("", section, f"{section} must be a section [{section}], got {values[section]!r}")
        if "levels" in values:
            fields |= self._levels(values["levels"])
        for section in ("spread", "retention", "nonlinearity"):
            if section in values:
                fields |= self._law(section, values[section])
        if "selector" in values:
            fields["selector"] = self._made("selector", Diode, values["selector"])
        if "name" not in fields:
            raise DeviceError(f"{self.path}: name is missing")
        return self._built("", Device, fields)

    def _levels(self, values: dict[str, Any]) -> dict[str, Any]:
        if "csv" in values:
            self._check_keys("levels", values, ("csv",))
            levels, sigmas = read_levels(self._beside("levels", values))
        else:
            table = self._typed("levels", TableSpread, values)
            if "conductance_siemens" not in table:
                raise self._error("levels", "", "conductance_siemens or csv is missing")
            levels, sigmas = table["conductance_siemens"], table.get("sigma_siemens")
        return {"level_siemens": levels, "level_sigma_siemens": sigmas}

    def _law(self, section: str, values: dict[str, Any]) -> dict[str, Any]:
        laws, law = LAWS[section], values.get("law")
        if not isinstance(law, str) or law not in laws:
            raise self._error(section, "law", f"law must be one of {', '.join(laws)}, got {law!r}")
        rest = {key: value for key, value in values.items() if key != "law"}
        if section == "nonlinearity" and "csv" in rest:
            self._check_keys(section, rest, ("csv",))
            try:
                fit = fit_iv(law, *read_iv(self._beside(section, rest)))
            except DeviceError as error:
                raise self._error(section, "csv", str(error)) from None
            return {"nonlinearity": fit.law, "iv_fit": fit}
        if law == "measured":
            self._check_keys(section, rest, ("table",))
            tables = rest.get("table", [])
            if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
                raise self._error(section, "table", "table must be [[retention.table]] sections")
            read = (self._made(f"retention.table.{i}", RetentionTable, table) for i, table in enumerate(tables))
            return {section: self._built(section, MeasuredRetention, {"table": tuple(read)})}
        return {section: self._made(section, laws[law], rest)}

    def _made(self, section: str, kind: type, values: dict[str, Any]) -> Any:
        fields = self._typed(section, kind, values)
        missing = [field.name for field in dataclasses.fields(kind)
                   if field.name not in fields and field.default is dataclasses.MISSING]  # fmt: skip
        if missing:
            raise self._error(section, "", f"{missing[0]} is missing")
        return self._built(section, kind, fields)

    def _built(self, section: str, kind: type, fields: dict[str, Any]) -> Any:
        try:
            return kind(**fields)
        except (DeviceError, CircuitError) as error:
            named = next((word for word in re.findall(r"\w+", str(error)) if word in fields), "")
            said = re.sub(r"\w+", lambda word: LEVEL_KEYS.get(word[0], word[0]), str(error))
            where = "levels" if named in LEVEL_KEYS else section
            raise self._error(where, LEVEL_KEYS.get(named, named), said) from None

    def _typed(self, section: str, kind: type, values: dict[str, Any]) -> dict[str, Any]:
        """The values as the fields of a dataclass want them."""
        wanted = get_type_hints(kind)
        self._check_keys(
            section, values, PLAIN if kind is Device else [field.name for field in dataclasses.fields(kind)]
        )
        typed: dict[str, Any] = {}
        for key, value in values.items():
            want = str(wanted[key])
            if "tuple" in want:
                if not (isinstance(value, list) and all(map(_is_number, value))):
                    raise self._error(section, key, f"{key} must be a list of numbers, got {value!r}")
                typed[key] = tuple(map(float, value))
            elif "str" in want and not isinstance(value, str):
                raise self._error(section, key, f"{key} must be a text, got {value!r}")
            elif "int" in want and not (isinstance(value, int) and not isinstance(value, bool)):
                raise self._error(section, key, f"{key} must be a whole number, got {value!r}")
            elif "float" in want and not _is_number(value):
                raise self._error(section, key, f"{key} must be a finite number, got {value!r}")
            else:
                typed[key] = float(value) if "float" in want else value
        return typed

    def _check_keys(self, section: str, values: dict[str, Any], known: Any) -> None:
        for key in values:
            if key not in known:
                where = f"[{section}]" if section else "a device"
                raise self._error(section, key, f"{key} is not a key of {where}; the keys are {', '.join(known)}")

    def _beside(self, section: str, values: dict[str, Any]) -> Path:
        if not isinstance(values["csv"], str):
            raise self._error(section, "csv", f"csv must be the name of a file, got {values['csv']!r}")
        return self.path.parent / values["csv"]

    def _error(self, section: str, key: str, message: str) -> DeviceError:
        line = self._line(section, key)
        return DeviceError(f"{self.path}, line {line}: {message}" if line else f"{self.path}: {message}")

    def _line(self, section: str, key: str) -> int:
        """The line of a key, or of its section; 0 where neither stands. Section 'a.b.2' is the third [[a.b]]."""
        numbered = re.fullmatch(r"(.*)\.(\d+)", section)
        name, index = (numbered[1], int(numbered[2])) if numbered else (section, 0)
        here, seen, section_line = "", {"": 0}, 0
        for number, line in enumerate(self.lines, start=1):
            if header := re.match(r"\s*\[+\s*([\w.-]+)\s*\]", line):
                here = header[1]
                seen[here] = seen.get(here, -1) + 1
                if here == name and seen[here] == index:
                    section_line = number
                if key and f"{here}.".startswith(f"{section}.{key}.".removeprefix(".")):
                    return number
            elif key and here == name and seen[here] == index and re.match(rf"\s*{re.escape(key)}\s*=", line):
                return number
        return section_line


def load_device_levels(source: str | Path) -> Table:
    """The quantizer for a device that holds a list of conductances only: `device_levels` of a library device, of a
    device's .toml, or of a CSV as read_levels takes it, which must ascend.

    Raises DeviceError for a file that cannot be read or a device without such a list, and where conductances of a
    file are not positive, do not ascend or stand twice.
    """
    path = Path(source)
    if str(source) in device_names() or path.suffix == ".toml":
        device = load_device(source)
        if device.level_siemens is None:
            raise DeviceError(f"{device.name} gives no list of conductances; fit the network to its window instead")
        levels = device.level_siemens
    elif path.suffix or path.is_file():
        levels, _ = _read_levels(path)
    else:
        raise DeviceError(f"levels stand in a .csv, or in a device's .toml, got {str(source)!r}")
    try:
        return device_levels(levels)
    except QuantizationError as error:
        raise DeviceError(f"{source}: {error}") from None


def read_levels(path: Path) -> tuple[tuple[float, ...], tuple[float, ...] | None]:
    """Levels and spreads, ascending, of a CSV `level,conductance_siemens[,sigma_siemens]`, or of conductances alone.

    One row a level, or many reads of each level without sigma_siemens: then mean and standard deviation (n - 1) of
    the reads. A single read of each level gives levels without spreads. Raises DeviceError for another file.
    """
    levels, sigmas = _read_levels(path)
    order = np.argsort(levels, kind="stable")
    return tuple(levels[i] for i in order), sigmas and tuple(sigmas[i] for i in order)


def _read_levels(path: Path) -> tuple[tuple[float, ...], tuple[float, ...] | None]:
    """`read_levels` in the order of the file."""
    rows = _read_csv(path, ("conductance_siemens",), ("level", "sigma_siemens"))
    reads: dict[str, list[float]] = {}
    sigmas: dict[str, float] = {}
    for line, row in rows:
        level = row.get("level", f"of line {line}")
        reads.setdefault(level, []).append(_number(path, line, row, "conductance_siemens"))
        if row.get("sigma_siemens"):
            sigmas[level] = _number(path, line, row, "sigma_siemens")
            if sigmas[level] < 0:
                raise DeviceError(f"{path}, line {line}: sigma_siemens must be at least 0, got {sigmas[level]:g}")
    several = [level for level in reads if len(reads[level]) > 1]
    if sigmas and several:
        raise DeviceError(
            f"{path}: level {several[0]} stands in several rows: leave sigma_siemens out, or give one row"
        )
    if (sigmas and len(sigmas) < len(reads)) or 0 < len(several) < len(reads):
        alone = next(level for level in reads if level not in sigmas and len(reads[level]) == 1)
        raise DeviceError(f"{path}: level {alone} has neither sigma_siemens nor several reads, as other levels have")
    means = tuple(float(np.mean(each)) for each in reads.values())
    if several:
        return means, tuple(float(np.std(each, ddof=1)) for each in reads.values())
    return means, tuple(sigmas[level] for level in reads) if sigmas else None


def read_iv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voltages and currents of a CSV `volt,ampere`. Raises DeviceError for another file."""
    rows = _read_csv(path, ("volt", "ampere"), ())
    points = np.array([[_number(path, line, row, name) for name in ("volt", "ampere")] for line, row in rows])
    return points[:, 0], points[:, 1]


def _read_csv(path: Path, needed: tuple[str, ...], optional: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    rows = [(line, [cell.strip() for cell in row])
            for line, row in enumerate(csv.reader(_read(path).splitlines()), start=1) if any(row)]  # fmt: skip
    if rows and len(needed) == len(rows[0][1]) == 1 and _is_text_of_number(rows[0][1][0]):
        rows.insert(0, (0, list(needed)))  # a bare list of numbers
    header = rows[0][1] if rows else []
    if not set(needed) <= set(header) <= {*needed, *optional} or len(set(header)) < len(header):
        columns = ", ".join([*needed, *(f"[{name}]" for name in optional)])
        raise DeviceError(
            f"{path}: the first line must name the columns {columns}, with commas between, got {','.join(header)!r}"
        )
    if len(rows) < 2:
        raise DeviceError(f"{path}: no row stands below the columns")
    for line, row in rows:
        if len(row) != len(header):
            raise DeviceError(f"{path}, line {line}: {len(header)} values are expected, got {len(row)}")
    return [(line, dict(zip(header, row, strict=True))) for line, row in rows[1:]]


def _number(path: Path, line: int, row: dict[str, str], name: str) -> float:
    try:
        value = float(row[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DeviceError(f"{path}, line {line}: {name} must be a finite number, got {row[name]!r}")
    return value


def _is_text_of_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise DeviceError(f"cannot read {path}: {reason}") from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
