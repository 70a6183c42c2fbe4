"""Tables: what people measured and exported, column by column in SI, and how it was understood."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import number
from fewlevels.common.files import name_of
from fewlevels.devices.limits import LARGEST_VOLT, SMALLEST
from fewlevels.devices.sheets import DELIMITERS, MOST_BYTES, NUMBER, Row, Sheet, read_sheet
from fewlevels.devices.units import LEFT_OUT, ONE, QUANTITIES, Column, Heading, heading, unit_factor
from fewlevels.errors import DeviceError

THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([ ,]\d{3})+", re.ASCII)
"""Text that can be one number with marks of thousands, or something else."""

PLAIN = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
"""The numbers that computers write."""

LONGEST_SHOWN = 20
"""The most characters of a cell that an error repeats."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredTable:
    """A table as it was read.

    numbers: (rows,) of each column of numbers, in SI, nan where an optional cell is empty. texts: (rows,) of each
    column of text. lines: (rows,), where each row stands in the file. quantities: what was measured, of each column of
    numbers: 'resistance' where conductances were computed from it. understood: what was taken for what, for a person.
    """

    path: Path
    numbers: dict[str, FloatArray]
    texts: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]
    quantities: dict[str, str]
    understood: str

    def error(self, row: int | np.integer[Any], message: str) -> DeviceError:
        """An error that says in which line."""
        return DeviceError(f"{name_of(self.path)}, line {self.lines[row]}: {message}")


def read_table(
    path: str | Path,
    columns: tuple[Column, ...],
    *,
    example: str,
    named: bool = True,
    others: bool = False,
    unit: str = "",
    read_volt: float | None = None,
    arranged: Callable[[Sheet], Sheet] = lambda sheet: sheet,
    most_bytes: int = MOST_BYTES,
) -> MeasuredTable:
    """Read a table of these columns, in UTF-8, UTF-16 or Windows-1252, with commas, semicolons, tabs or spaces between
    cells, and with decimal points or, where they can be nothing else, decimal commas.

    The first row, or the comment line above it, names the columns; one column of numbers needs no name. Lines of title
    may stand above, a row of units below. example: such a first row, for errors. named: whether the user named this
    file; an error then repeats a short cell, else no more than a number. others: whether all other columns are left
    out, not only those that instruments add. unit: of conductances, resistances or currents whose name says none.
    read_volt: at which voltage currents were read that stand for conductances, where their name does not say it.
    arranged: called with the sheet as it is in the file, returns it as it is to be read.
    Raises DeviceError, with the line, where the file is no such table or can be read in two ways.
    """
    reader = _Reader(
        sheet=arranged(read_sheet(path, most_bytes)),
        columns=columns,
        example=example,
        named=named,
        unit=unit,
        read_volt=read_volt,
    )
    return reader.table(others)


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """One sheet on its way to a table."""

    sheet: Sheet
    columns: tuple[Column, ...]
    example: str
    named: bool
    unit: str
    read_volt: float | None

    def table(self, others: bool) -> MeasuredTable:
        names, rows = self._names()
        if names is None:
            found = {0: Heading(column=next(column for column in self.columns if column.needed))}
            found[0] = replace(found[0], quantity=found[0].column.quantities[0])
        else:
            for row in rows:
                if len(row.cells) > len(names.cells):
                    raise self._wider(row, len(names.cells))
                if len(row.cells) < len(names.cells) and self.sheet.delimiter == " ":  # which one is missing?
                    raise self._error(row.line, f"{_counted(len(names.cells), 'value')} expected, got {len(row.cells)}")
            found = self._headings(names, rows, others)
            found, rows = self._with_units(found, rows)
        found = {at: self._asked(each) for at, each in found.items()}
        if not rows:
            raise DeviceError(f"{name_of(self.sheet.path)}: no row stands below the columns")
        cells = {at: _column(rows, at) for at in found}
        comma = any("," in cell for at in found for cell in cells[at]) and self._decimal_comma(rows, found)
        by_name = {each.column.name: each for each in found.values()}
        numbers: dict[str, FloatArray] = {}
        texts: dict[str, tuple[str, ...]] = {}
        for at, each in found.items():
            name, like = each.column.name, by_name.get(each.column.like)
            if not each.quantity:
                texts[name] = tuple(cells[at])
            elif each.column.needed or any(cells[at]):
                if like is not None and not each.unit and each.quantity in (like.quantity, "conductance"):
                    each = replace(like, column=each.column)
                numbers[name] = self._numbers(each, [row.line for row in rows], cells[at], comma)
        return MeasuredTable(
            path=self.sheet.path,
            numbers=numbers,
            texts=texts,
            lines=tuple(row.line for row in rows),
            quantities={name: by_name[name].quantity for name in numbers},
            understood=self._understood(names, len(rows), found, comma),
        )

    def _names(self) -> tuple[Row | None, tuple[Row, ...]]:
        """The row that names the columns, None where one column of numbers needs no name, and the rows below."""
        rows = self.sheet.rows
        if not rows:
            raise DeviceError(f"{name_of(self.sheet.path)} holds no table: it is empty but for comments")
        width = max(len(row.cells) for row in rows)
        for comment in () if self._are_names(rows[0]) else reversed(self.sheet.comments):
            if len(comment.cells) == width and self._are_names(comment):
                return comment, rows
        for at, row in enumerate(rows):
            if self._names_all(row):
                return row, rows[at + 1 :]
        if not rows[0].is_numbers:
            return rows[0], rows[1:]
        if width == sum(column.needed for column in self.columns) == 1:
            return None, rows
        if width > 1 and self._one_number(rows[0]):
            raise self._wider(rows[0], 1)
        names = " or ".join(column.name for column in self.columns)
        raise self._error(
            rows[0].line,
            f"{width} columns of numbers without names may be {names} in any order; name "
            f"them in the first line, as in {self.example!r}",
        )

    def _are_names(self, row: Row) -> bool:
        return all(heading(cell, self.columns) for cell in row.cells if cell)

    def _names_all(self, row: Row) -> bool:
        """Whether a row names every column that is needed."""
        found = [heading(cell, self.columns) for cell in row.cells if cell]
        return {column.name for column in self.columns if column.needed} <= {each.column.name for each in found if each}

    def _asked(self, each: Heading) -> Heading:
        """A heading with what was asked for it where it says no unit and no voltage itself."""
        if each.column.name != "conductance_siemens":
            return each
        if self.unit and not each.unit:
            factors = {quantity: unit_factor(self.unit, quantity) for quantity in each.column.quantities}
            fitting = [(quantity, factor) for quantity, factor in factors.items() if factor is not None]
            if not fitting:
                raise DeviceError(f"--unit must be one of a conductance, a resistance or a current, got {self.unit!r}")
            each = replace(each, quantity=fitting[0][0], unit=self.unit, factor=fitting[0][1])
        if each.quantity == "current" and each.read_volt is None:
            if self.read_volt is None:
                raise DeviceError(
                    f"{name_of(self.sheet.path)}: currents are no conductances; say at which voltage they were read, "
                    "in the column's name, as in 'I (uA) @ 0.1 V', or by --read-volt"
                )
            volt = number("--read-volt", self.read_volt, DeviceError)
            if not 0 < abs(volt) <= LARGEST_VOLT:
                raise DeviceError(f"--read-volt must not be 0 and at most {LARGEST_VOLT:g} V, got {volt:g}")
            each = replace(each, read_volt=Decimal(str(volt)))
        return each

    def _headings(self, names: Row, rows: tuple[Row, ...], others: bool) -> dict[int, Heading]:
        """What each column is, by its place; without empty ones and the numbers of the rows."""
        found: dict[int, Heading] = {}
        for at, cell in enumerate(names.cells):
            below = _column(rows, at)
            each = heading(cell, self.columns)
            if each is None and (others or self._is_added(cell) or (not cell and (not any(below) or _is_index(below)))):
                continue
            if each is None:
                what = f"column {at + 1} is {self._shown(cell)}" if cell else f"column {at + 1} has no name"
                raise self._misnamed(names.line, what)
            twice = [other for other in found if found[other].column is each.column]
            if twice and not each.quantity and _is_index(below):
                continue
            if twice and not each.quantity and _is_index(_column(rows, twice[0])):
                del found[twice.pop()]
            if twice:
                both = f"{self._shown(names.cells[twice[0]])} and {self._shown(cell)}"
                raise self._error(names.line, f"{both} both give {each.column.name}; keep one of them")
            found[at] = each
        there = {each.column.name for each in found.values()}
        if missing := [column.name for column in self.columns if column.needed and column.name not in there]:
            raise self._misnamed(names.line, f"no column is {missing[0]}")
        return found

    def _is_added(self, cell: str) -> bool:
        """Whether a column's name says that it is one that instruments and people add, and none of these columns."""
        words = re.findall(r"[^\W_]+", cell.lower())
        own = set().union(*(column.words for column in self.columns))
        return bool(words) and words[0] in LEFT_OUT and not own & set(words)

    def _with_units(
        self, found: dict[int, Heading], rows: tuple[Row, ...]
    ) -> tuple[dict[int, Heading], tuple[Row, ...]]:
        """The same columns, with units from the first row where that row holds units only."""
        units = [cell.strip("()[]") for cell in rows[0].cells] if rows else []
        if not any(units) or any(unit and (at not in found or found[at].unit) for at, unit in enumerate(units)):
            return found, rows
        said = dict(found)
        for at, unit in enumerate(units):
            factor = unit_factor(unit, found[at].quantity) if unit and found[at].quantity else None
            if unit and factor is None:
                return found, rows
            if factor is not None:
                said[at] = replace(found[at], unit=unit, factor=factor)
        return said, rows[1:]

    def _decimal_comma(self, rows: tuple[Row, ...], found: dict[int, Heading]) -> bool:
        """Whether numbers have decimal commas. Raises DeviceError where they may be something else."""
        cells = [
            (row.line, row.cells[at])
            for row in rows
            for at, each in found.items()
            if each.quantity and at < len(row.cells)
        ]
        cells = [(line, cell) for line, cell in cells if NUMBER.fullmatch(cell.replace(",", ""))]
        commas = [(line, cell) for line, cell in cells if "," in cell]
        clear = [cell for _, cell in commas if NUMBER.fullmatch(cell) and not THOUSANDS.fullmatch(cell)]
        points = [cell for _, cell in cells if "." in cell]
        if clear and points:
            raise DeviceError(
                f"{name_of(self.sheet.path)}: {self._shown(clear[0])} has a decimal comma and "
                f"{self._shown(points[0])} a decimal point, so one of them may mean thousands; write one "
                "or the other"
            )
        if commas and not clear:
            line, cell = commas[0]
            raise self._error(
                line,
                f"{self._shown(cell)} may be {self._shown(cell.replace(',', '.'))} or "
                f"{self._shown(cell.replace(',', ''))}; write numbers without commas",
            )
        return bool(clear)

    def _numbers(self, each: Heading, lines: list[int], cells: list[str], comma: bool) -> FloatArray:
        if (
            each.factor == ONE
            and each.quantity != "resistance"
            and each.read_volt is None
            and all(map(PLAIN.fullmatch, cells))
        ):
            values = np.array(list(map(float, cells)))  # quick, for the tables of whole chips
            limit = math.inf if each.unit else QUANTITIES[each.quantity].bare_below
            zeros = "".join(cell for cell, value in zip(cells, values, strict=True) if value == 0)
            size = np.abs(values)
            if (((size >= SMALLEST) | (size == 0)) & (size < limit)).all() and not re.search("[1-9]", zeros):
                return values
        return np.array([self._number(each, line, cell, comma) for line, cell in zip(lines, cells, strict=True)])

    def _number(self, each: Heading, line: int, cell: str, comma: bool) -> float:
        if not cell and not each.column.needed:
            return math.nan
        if THOUSANDS.fullmatch(cell) and " " in cell:
            raise self._error(
                line,
                f"{self._shown(cell)} may be {cell.replace(' ', '')} or several numbers; write numbers without spaces",
            )
        text = cell.replace(",", ".") if comma else cell
        value = float(text) if NUMBER.fullmatch(text) and "," not in text else math.nan
        if math.isfinite(value) and value != 0 and each.factor != ONE:
            value = float(Decimal(text) * each.factor)  # so that 20 µS is 2e-5 S to the last digit
        if not math.isfinite(value):
            raise self._error(line, f"{each.column.name} must be a finite number, got {self._shown(cell)}")
        kind = QUANTITIES[each.quantity]
        if not each.unit and abs(value) >= kind.bare_below:
            raise self._error(line, f"{self._shown(cell)} names no unit: {kind.readings}")
        if abs(value) < SMALLEST and re.search("[1-9]", re.split("[eE]", text)[0]):
            raise self._error(
                line, f"{each.column.name} must be 0 or at least {SMALLEST:g} {kind.si}, got {self._shown(cell)}"
            )
        if each.read_volt is not None:
            return value / float(each.read_volt)
        if each.quantity != "resistance":
            return value
        if value <= 0:
            raise self._error(
                line, f"a resistance must be positive, got {self._shown(cell)}; an open device is a conductance of 0"
            )
        return 1 / value

    def _understood(self, names: Row | None, rows: int, found: dict[int, Heading], comma: bool) -> str:
        between = DELIMITERS.get(self.sheet.delimiter, repr(self.sheet.delimiter))
        said = [_counted(rows, "read" if self.sheet.remark else "row")]
        said += [self.sheet.remark] if self.sheet.remark else []
        said += [f"{between} between columns"] if len(found) > 1 else []
        said += ["decimal commas"] if comma else []
        said += [_counted(self.sheet.left_out, "comment line")] if self.sheet.left_out else []
        above = 0 if names is None else sum(row.line < names.line for row in self.sheet.rows)
        said += [f"{_counted(above, 'line')} of title left out"] if above else []
        left = [cell for at, cell in enumerate(() if names is None else names.cells) if cell and at not in found]
        said += [f"{' and '.join(map(repr, left))} left out"] if left else []
        columns = []
        for at, each in found.items():
            called = "has no name" if names is None else f"is {names.cells[at]!r}"
            plural = " resistances" if each.quantity == "resistance" else ""
            unit = (
                ""
                if not each.quantity
                else each.unit.replace("?", "Ω")
                or (f"the unit of {each.column.like}" if each.column.like else QUANTITIES[each.quantity].si)
            )
            volt = "" if each.read_volt is None else f", currents at {each.read_volt} V"
            columns.append(f"{each.column.name} {called}" + (f",{plural} in {unit}" if unit else "") + volt)
        return f"{name_of(self.sheet.path.name)}: {', '.join(said)}; {'; '.join(columns)}"

    def _one_number(self, row: Row) -> bool:
        """Whether a row of several cells may be one number that a comma or a space has cut."""
        whole = self.sheet.delimiter.join(row.cells)
        return bool(THOUSANDS.fullmatch(whole) or (self.sheet.delimiter == "," and NUMBER.fullmatch(whole)))

    def _wider(self, row: Row, width: int) -> DeviceError:
        """The error of a row that has more cells than columns."""
        whole = self.sheet.delimiter.join(row.cells)
        if self._one_number(row):
            readings = [whole.replace(",", ".")] if self.sheet.delimiter == "," else []
            readings += [whole.replace(self.sheet.delimiter, "")] if THOUSANDS.fullmatch(whole) else []
            return self._error(
                row.line,
                f"{self._shown(whole)} may be {' or '.join(map(self._shown, readings))} or "
                f"{len(row.cells)} columns; write numbers without commas and spaces, or name each column",
            )
        hint = "; with decimal commas put ';' between columns" if self.sheet.delimiter == "," else ""
        return self._error(row.line, f"{_counted(width, 'value')} expected, got {len(row.cells)}{hint}")

    def _misnamed(self, line: int, what: str) -> DeviceError:
        columns = ", ".join(column.name if column.needed else f"[{column.name}]" for column in self.columns)
        return self._error(line, f"the first line must name the columns {columns}, as in {self.example!r}, but {what}")

    def _shown(self, cell: str) -> str:
        """As much of a cell as an error may repeat."""
        if re.fullmatch(r"[\d.,+\-eE ]*", cell, re.ASCII) or self.named:
            return repr(cell if len(cell) <= LONGEST_SHOWN else f"{cell[:LONGEST_SHOWN]}…")
        return f"a text of {len(cell)} characters"

    def _error(self, line: int, message: str) -> DeviceError:
        return DeviceError(f"{name_of(self.sheet.path)}, line {line}: {message}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _column(rows: tuple[Row, ...], at: int) -> list[str]:
    return [row.cells[at] if at < len(row.cells) else "" for row in rows]


def _is_index(cells: list[str]) -> bool:
    """Whether a column without a name holds the numbers of the rows."""
    return any(cells == [str(begin + row) for row in range(len(cells))] for begin in (0, 1))
