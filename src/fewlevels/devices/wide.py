"""Wide: tables with a column or a row for each level, made long: a row for each read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from fewlevels.common.counts import counted
from fewlevels.common.files import name_of
from fewlevels.devices.sheets import Row, Sheet
from fewlevels.devices.units import CONDUCTANCE, heading
from fewlevels.errors import DeviceError

NAME = r"(?:{})[ _#.-]*\d+(?: *[(\[/] *(?P<unit>[^)\]]+?) *[)\]]?)?"
LEVEL_NAME = re.compile(NAME.format("level|lvl|state|l|s"), re.IGNORECASE)
"""'Level 3', 'L3', 'state_3 (uS)': a column of reads of one level."""

READ_NAME = re.compile(NAME.format("read|reading|r|rep|repeat|repetition|trial|cycle|sample|device|dev"), re.IGNORECASE)
"""'read 3', 'cycle_3 (uS)': a column of one read of every level."""

LEVEL_WORD = re.compile("level|lvl|state", re.IGNORECASE)


def as_long(sheet: Sheet) -> Sheet:
    """The sheet as a column of levels and one of conductances where it has a column a level ('L1', 'L2' …, a row a
    read) or a row a level ('level', 'read 1', 'read 2' …); else as it is.

    The unit stands in the names of the columns, in a row below them, or in a title above. Raises DeviceError where
    columns are in different units.
    """
    for at, row in enumerate(sheet.rows):
        first, others = row.cells[0], row.cells[1:]
        if others and all(map(LEVEL_NAME.fullmatch, row.cells)):
            return _long(sheet, at, names=row.cells, by_row=False)
        if len(others) > 1 and LEVEL_WORD.fullmatch(first) and all(map(READ_NAME.fullmatch, others)):
            return _long(sheet, at, names=others, by_row=True)
    return sheet


def _long(sheet: Sheet, at: int, names: Sequence[str], by_row: bool) -> Sheet:
    """The sheet whose row `at` names the columns. by_row: whether a row is a level, named in its first cell."""
    patterns = READ_NAME if by_row else LEVEL_NAME
    told = [match["unit"] or "" for match in map(patterns.fullmatch, names) if match]
    below = sheet.rows[at + 1 :]
    if not any(told) and below and not below[0].is_numbers and not by_row:
        told, below = [cell.strip("()[] ") for cell in below[0].cells], below[1:]
    if not any(told):
        told = [cell for row in reversed(sheet.rows[:at]) for cell in row.cells if heading(cell, (CONDUCTANCE,))][:1]
    if len(set(told)) > 1:
        raise DeviceError(
            f"{name_of(sheet.path)}, line {sheet.rows[at].line}: columns are in {' and '.join(sorted(set(told)))}; "
            "one unit is expected"
        )
    unit = told[0] if told else ""
    name = unit if heading(unit, (CONDUCTANCE,)) else f"conductance ({unit})" if unit else "conductance"
    rows = [Row(line=sheet.rows[at].line, cells=("level", name))]
    for row in below:
        reads = row.cells[1:] if by_row else row.cells
        levels = [row.cells[0]] * len(reads) if by_row else [*names, *[""] * len(reads)]
        rows += [Row(line=row.line, cells=pair) for pair in zip(levels, reads, strict=False) if pair[1]]
    how = f"{counted(len(names), 'column')} of {'reads' if by_row else 'levels'}"
    how += f", {counted(at, 'line')} of title left out" if at else ""
    return replace(sheet, rows=tuple(rows), remark=how)
