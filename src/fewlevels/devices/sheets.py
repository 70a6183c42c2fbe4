"""Sheets: a text file that a person exported, as rows of cells, whatever its encoding, line ends and delimiter."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fewlevels.common.files import name_of, open_regular
from fewlevels.errors import DeviceError

MOST_BYTES = 64 * 2**20
"""The largest file that is read, in bytes: a million rows fit."""

LONGEST_LINE = 100_000
"""The most characters of a row. The csv module takes more than these in one cell."""

COMMENTS = ("#", "%", "//", "!")
DELIMITERS = {"\t": "tabs", ";": "';'", ",": "commas", " ": "spaces"}
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks; those of UTF-32 first, since one of them begins like one of UTF-16."""

TYPED = {ord("\N{MINUS SIGN}"): "-", 0xA0: " ", 0x2009: " ", 0x202F: " "}
"""Characters of typesetting, a minus and spaces, and those of a keyboard in their place."""

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
"""A number with a decimal point or a decimal comma."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cells of one row, without the spaces around them, and the number of its (first) line."""

    line: int
    cells: tuple[str, ...]

    @property
    def is_numbers(self) -> bool:
        """Whether every cell that holds anything holds a number."""
        return all(NUMBER.fullmatch(cell) for cell in self.cells if cell)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A file as rows. comments: the comment lines above the first row, each split as rows are; delimiter: what stands
    between cells, '' where there is one cell a row; left_out: how many comment lines there are in all; remark: how it
    was rearranged."""

    path: Path
    rows: tuple[Row, ...]
    comments: tuple[Row, ...]
    delimiter: str
    left_out: int
    remark: str = ""


def read_sheet(path: str | Path, most_bytes: int = MOST_BYTES) -> Sheet:
    """Blank rows, comment lines and a first line 'sep=;' are left out; a row that ends in empty cells ends before them.

    Raises DeviceError, which never quotes the file, for one that cannot be read, is no text, is larger than most_bytes
    or has a row that cannot be taken apart.
    """
    lines = re.split(r"\r\n|\r|\n", _text(path, most_bytes).rstrip("\x1a"))
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_LINE:
            raise DeviceError(
                f"{name_of(path)}, line {number}: a row of a table is at most {LONGEST_LINE} characters "
                f"long, got {len(line)}"
            )
    asked = re.fullmatch(r'"?sep=([;,|\t ])"?', lines[0], re.IGNORECASE)
    if asked:
        lines[0] = ""
    comments = {number: line.strip() for number, line in enumerate(lines) if line.lstrip().startswith(COMMENTS)}
    kept = ["" if number in comments else line for number, line in enumerate(lines)]
    delimiter = asked[1] if asked else _delimiter(kept)
    rows = tuple(_rows(path, kept, delimiter))
    while rows and rows[0].cells[0].startswith(COMMENTS) and not rows[0].is_numbers:
        rows = rows[1:]  # a comment that a spreadsheet has put in quotes
    first = rows[0].line if rows else 0
    above = {number: re.sub(r"^(#|%|/|!)+", "", text) for number, text in comments.items() if number + 1 < first}
    split = [Row(line=number + 1, cells=tuple(_split(text, delimiter))) for number, text in above.items()]
    return Sheet(path=Path(path), rows=rows, comments=tuple(split), delimiter=delimiter, left_out=len(comments))


def _text(path: str | Path, most_bytes: int) -> str:
    """The file's text, from UTF-8, UTF-16 or UTF-32 with a byte order mark, or Windows-1252 as Excel writes it."""
    with open_regular(path, DeviceError, "a table as text, such as CSV") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise DeviceError(
            f"{name_of(path)} is larger than {most_bytes / 2**20:g} MiB, which no table of a laboratory is"
        )
    if data.startswith(b"PK\x03\x04"):
        raise DeviceError(f"{name_of(path)} is no text but a spreadsheet or an archive; save the sheet as CSV")
    marked = next((encoding for mark, encoding in MARKS.items() if data.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
        if "\0" in text and not marked:
            raise DeviceError(
                f"{name_of(path)} has NUL bytes: it is no text, or UTF-16 without a byte order mark; save it as UTF-8"
            )
        if not re.search(r"[\0-\x08\x0e-\x1f\x7f]", text.rstrip("\x1a")):
            return text if text.isascii() else text.translate(TYPED)
    raise DeviceError(f"{name_of(path)} is no text in UTF-8, UTF-16 or Windows-1252; save the table as CSV UTF-8")


def _delimiter(lines: list[str]) -> str:
    """What stands between the cells: the first of tabs, semicolons and commas that half of the lines have outside of
    quotes, or that any has; else spaces where they part numbers; '' where there is one cell a row."""
    bare = [re.sub(r'"[^"]*"', "", line.rstrip()) for line in lines]
    half = sum(map(bool, bare)) / 2
    for least in (half, 1):
        for delimiter in DELIMITERS:
            if delimiter != " " and sum(delimiter in line for line in bare) >= least > 0:
                return delimiter
    full = [line.split() for line in bare if line.strip()]
    numbers = [words for words in full if all(NUMBER.fullmatch(word) for word in words)]
    return " " if numbers and min(map(len, numbers)) > 1 and len(numbers) >= len(full) - 1 else ""


def _rows(path: str | Path, lines: list[str], delimiter: str) -> Iterator[Row]:
    if delimiter in ("", " "):
        for number, line in enumerate(lines, start=1):
            if cells := _split(line, delimiter):
                yield Row(line=number, cells=tuple(cells))
        return
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True, skipinitialspace=True)
    begin = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            raise DeviceError(f"{name_of(path)}, line {begin}: a quotation mark stands alone in this row") from None
        if row is None:
            return
        if cells := _trimmed(row):
            yield Row(line=begin, cells=tuple(cells))
        begin = reader.line_num + 1


def _split(line: str, delimiter: str) -> list[str]:
    """The cells of a line without quotes. Spaces before a bracket do not part a unit from its name."""
    if delimiter == " ":
        return re.sub(r"\s+([(\[])", r"\1", line.strip()).split()
    return _trimmed(line.split(delimiter) if delimiter else [line.strip().strip('"')])


def _trimmed(cells: list[str]) -> list[str]:
    cells = [cell.strip() for cell in cells]
    while cells and not cells[-1]:
        cells.pop()
    return cells
