"""Description: a device as the TOML that `load_device` reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import tomlkit

from fewlevels.common.words import printable
from fewlevels.devices.files import LAWS, PLAIN
from fewlevels.devices.model import Device


def description(device: Device, remarks: Sequence[str] = ()) -> str:
    """The text of a TOML file that describes a device, with remarks as comments above.

    `load_device` reads the same device from it, but for `iv_fit`, which only a curve can tell.
    """
    document = tomlkit.document()
    for remark in remarks:
        document.add(tomlkit.comment(printable(remark, None)))
    defaults = {field.name: field.default for field in fields(Device)}
    ends = (device.level_siemens or (None,))[0], (device.level_siemens or (None,))[-1]
    for name in PLAIN:
        value = getattr(device, name)
        if value != defaults[name] and not (name in ("lowest_siemens", "highest_siemens") and value in ends):
            document.add(name, value)
    if device.level_siemens is not None:
        levels = {"conductance_siemens": device.level_siemens, "sigma_siemens": device.level_sigma_siemens}
        document.add("levels", _table(levels))
    for section, laws in LAWS.items():
        if (part := getattr(device, section)) is not None:
            law = next(name for name, kind in laws.items() if isinstance(part, kind))
            document.add(section, _table({"law": law, **asdict(part)}))
    if device.selector is not None:
        document.add("selector", _table(asdict(device.selector)))
    return tomlkit.dumps(document)


def _table(values: dict[str, Any]) -> tomlkit.items.Table:
    """A section of what is known; a tuple of sections becomes sections of its own."""
    table = tomlkit.table()
    for name, value in values.items():
        if isinstance(value, tuple) and value and isinstance(value[0], dict):
            several = tomlkit.aot()
            for each in value:
                several.append(_table(each))
            table.add(name, several)
        elif value is not None:
            table.add(name, list(value) if isinstance(value, tuple) else value)
    return table
