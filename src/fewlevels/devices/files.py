"""Devices from files: a TOML description with CSV tables beside it, and the library of published ones."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

from fewlevels.circuit.cell import BENDS, Diode
from fewlevels.common.checks import is_number, shown
from fewlevels.common.files import name_of, read_text
from fewlevels.common.toml import line_of, parse_toml
from fewlevels.devices.iv import fit_iv
from fewlevels.devices.laws import SPREADS, TableSpread
from fewlevels.devices.measured import read_iv, read_levels, read_retention
from fewlevels.devices.model import Device
from fewlevels.devices.retention import MeasuredRetention, PowerLawDrift, Relaxation, RetentionTable, TabulatedDrift
from fewlevels.errors import CircuitError, DeviceError, QuantizationError
from fewlevels.quantization import Table, device_levels

TEMPLATE = Path(str(resources.files("fewlevels") / "devices" / "template.toml"))
"""A description with every key, most of them as comments."""

LIBRARY = Path(str(resources.files("fewlevels") / "devices" / "library"))
LAWS: dict[str, Mapping[str, type]] = {
    "spread": SPREADS,
    "retention": {
        "power": PowerLawDrift,
        "power-table": TabulatedDrift,
        "relaxation": Relaxation,
        "measured": MeasuredRetention,
    },
    "nonlinearity": BENDS,
}
PLAIN = (
    "name",
    "citation",
    "sources",
    "lowest_siemens",
    "highest_siemens",
    "states",
    "read_noise",
    "stuck_on_rate",
    "stuck_off_rate",
)
LEVEL_KEYS = {"level_siemens": "conductance_siemens", "level_sigma_siemens": "sigma_siemens"}
SECTIONS = ("levels", "spread", "retention", "nonlinearity", "selector")


def device_names() -> tuple[str, ...]:
    """The published devices that come with the package."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.toml")))


def load_device(name_or_path: str | Path) -> Device:
    """A device: by its name in the library, from a TOML file, or from a table of its levels (see read_levels).

    Raises DeviceError, with file, line and key, where there is no such device or the description is wrong.
    """
    return read_device(name_or_path)[0]


def read_device(name_or_path: str | Path) -> tuple[Device, tuple[str, ...]]:
    """`load_device`, and sentences for a person on how each table was understood."""
    if not isinstance(name_or_path, str | Path):
        raise DeviceError(f"a device is named by text, got {shown(name_or_path)}")
    path = Path(name_or_path)
    if str(name_or_path) in device_names():
        path = LIBRARY / f"{name_or_path}.toml"
    elif path.suffix != ".toml" and (path.suffix or os.path.isfile(path)):
        return _device_of_levels(path)
    elif path.suffix != ".toml":
        raise DeviceError(
            f"a device is a .toml file, a table of its levels such as a .csv, or one of "
            f"{', '.join(device_names())}, got {shown(str(name_or_path))}"
        )
    text = read_text(path, DeviceError, "the TOML description of a device")
    description = _Description(path, text)
    return description.device(parse_toml(text, path, DeviceError)), tuple(description.understood)


def _device_of_levels(path: Path) -> tuple[Device, tuple[str, ...]]:
    read = read_levels(path)
    try:
        device = Device(
            name=path.stem,
            sources=f"levels of {path.name}",
            level_siemens=read.level_siemens,
            level_sigma_siemens=read.level_sigma_siemens,
        )
    except DeviceError as error:
        raise DeviceError(f"{name_of(path)}: {error}") from None
    return device, (read.understood,)


class _Description:
    """A TOML file being turned into a device; knows its lines."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines = path, text.splitlines()
        self.understood: list[str] = []

    def device(self, values: dict[str, Any]) -> Device:
        self._check_keys("", values, (*PLAIN, *SECTIONS))
        fields = self._typed("", Device, {key: values[key] for key in PLAIN if key in values})
        for section in SECTIONS:
            if section in values and not isinstance(values[section], dict):
                raise self._error("", section, f"{section} must be a section [{section}], got {shown(values[section])}")
        if "levels" in values:
            fields |= self._levels(values["levels"])
        for section in ("spread", "retention", "nonlinearity"):
            if section in values:
                fields |= self._law(section, values[section])
        if "selector" in values:
            fields["selector"] = self._made("selector", Diode, values["selector"])
        if "name" not in fields:
            raise DeviceError(f"{name_of(self.path)}: name is missing")
        return self._built("", Device, fields)

    def _levels(self, values: dict[str, Any]) -> dict[str, Any]:
        if "csv" in values:
            self._check_keys("levels", values, ("csv",))
            read = read_levels(self._beside("levels", values), named=False)
            levels, sigmas = read.level_siemens, read.level_sigma_siemens
            self.understood.append(read.understood)
        else:
            table = self._typed("levels", TableSpread, values)
            if "conductance_siemens" not in table:
                raise self._error("levels", "", "conductance_siemens or csv is missing")
            levels, sigmas = table["conductance_siemens"], table.get("sigma_siemens")
        return {"level_siemens": levels, "level_sigma_siemens": sigmas}

    def _law(self, section: str, values: dict[str, Any]) -> dict[str, Any]:
        laws, law = LAWS[section], values.get("law")
        if not isinstance(law, str) or law not in laws:
            raise self._error(section, "law", f"law must be one of {', '.join(laws)}, got {shown(law)}")
        rest = {key: value for key, value in values.items() if key != "law"}
        if section == "nonlinearity" and "csv" in rest:
            self._check_keys(section, rest, ("csv",))
            volt, ampere, understood = read_iv(self._beside(section, rest), named=False)
            self.understood.append(understood)
            try:
                fit = fit_iv(law, volt, ampere)
            except DeviceError as error:
                raise self._error(section, "csv", str(error)) from None
            return {"nonlinearity": fit.law, "iv_fit": fit}
        if law == "measured" and "csv" in rest:
            self._check_keys(section, rest, ("csv",))
            retention, understood = read_retention(self._beside(section, rest), named=False)
            self.understood.append(understood)
            return {section: retention}
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
        missing = [
            field.name
            for field in dataclasses.fields(kind)
            if field.name not in fields and field.default is dataclasses.MISSING
        ]
        if missing:
            raise self._error(section, "", f"{missing[0]} is missing")
        return self._built(section, kind, fields)

    def _built(self, section: str, kind: type, fields: dict[str, Any]) -> Any:
        try:
            return kind(**fields)
        except (DeviceError, CircuitError) as error:
            said = str(error)
            for field, key in LEVEL_KEYS.items():
                said = said.replace(field, key)
            named = error.field if error.field in fields else ""
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
                if not (isinstance(value, list) and all(map(is_number, value))):
                    raise self._error(section, key, f"{key} must be a list of finite numbers, got {shown(value)}")
                typed[key] = tuple(map(float, value))
            elif "str" in want and not isinstance(value, str):
                raise self._error(section, key, f"{key} must be a text, got {shown(value)}")
            elif "int" in want and not (isinstance(value, int) and not isinstance(value, bool)):
                raise self._error(section, key, f"{key} must be a whole number, got {shown(value)}")
            elif "float" in want and not is_number(value):
                raise self._error(section, key, f"{key} must be a finite number, got {shown(value)}")
            else:
                typed[key] = float(value) if "float" in want else value
        return typed

    def _check_keys(self, section: str, values: dict[str, Any], known: Any) -> None:
        for key in values:
            if key not in known:
                where = f"[{section}]" if section else "a device"
                raise self._error(section, key, f"{key} is not a key of {where}; the keys are {', '.join(known)}")

    def _beside(self, section: str, values: dict[str, Any]) -> Path:
        """The file that `csv` names. It must lie in the folder of the description, so that nothing else can be read."""
        name, folder = values["csv"], self.path.parent
        if not isinstance(name, str) or not name or not name.isprintable():
            raise self._error(section, "csv", f"csv must be the name of a file, got {shown(name)}")
        try:
            found = (folder / name).resolve()
            inside, there = found.is_relative_to(folder.resolve()), found.is_file()
        except (OSError, RuntimeError):  # links in a circle, a name that is too long
            inside = there = False
        if Path(name).is_absolute() or not inside:
            raise self._error(
                section, "csv", f"csv must name a file in the folder of this description or below it, got {shown(name)}"
            )
        if not there:
            raise self._error(section, "csv", f"csv must name a file that is there, got {shown(name)}")
        return folder / name

    def _error(self, section: str, key: str, message: str) -> DeviceError:
        line = line_of(self.lines, section, key)
        where = f"{name_of(self.path)}, line {line}" if line else name_of(self.path)
        return DeviceError(f"{where}: {message}", field=key)


def load_device_levels(source: str | Path) -> Table:
    """The quantizer for a device that holds a list of conductances only: `device_levels` of what load_device gives.

    Raises DeviceError as load_device does, and for a device without such a list.
    """
    device = load_device(source)
    if device.level_siemens is None:
        raise DeviceError(f"{device.name} gives no list of conductances; fit the network to its window instead")
    try:
        return device_levels(device.level_siemens)
    except QuantizationError as error:
        raise DeviceError(f"{name_of(source)}: {error}") from None
