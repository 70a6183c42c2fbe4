"""Units: what the first line of a laboratory's table calls a column, and what brings its numbers to SI."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, field, replace
from decimal import Decimal

ONE = Decimal(1)


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What a column of numbers measures.

    si: its unit. metric: names of that unit, which take prefixes. units: other units, with their value in SI.
    words: what it is called, where a name tells it from another quantity. bare_below: numbers that name no unit are in
    SI where their magnitudes are below; 0 where a unit must be named. readings: what larger ones may be.
    """

    si: str
    metric: tuple[str, ...] = ()
    units: dict[str, Decimal] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    bare_below: float = 0.0
    readings: str = ""


QUANTITIES = {
    "conductance": Quantity(
        si="S",
        metric=("S", "siemens", "mho"),
        units={"g0": Decimal("7.748091729e-5")},
        bare_below=0.01,
        words=frozenset({"g", "conductance", "conductances"}),
        readings="it may be ohm or µS; name the unit in the first line, as in 'conductance (uS)' or 'resistance (ohm)'",
    ),
    "resistance": Quantity(
        si="Ω",
        metric=("\N{GREEK CAPITAL LETTER OMEGA}", "ohm", "ohms", "?"),
        words=frozenset({"r", "resistance", "resistances"}),
        readings="it may be ohm or kohm; name the unit in the first line, as in 'resistance (kOhm)'",
    ),
    "voltage": Quantity(
        si="V",
        metric=("V", "volt", "volts"),
        bare_below=20.0,
        readings="it may be V or mV; name the unit in the first line, as in 'V (mV)'",
    ),
    "current": Quantity(
        si="A",
        metric=("A", "amp", "amps", "ampere", "amperes"),
        bare_below=1.0,
        words=frozenset({"i", "current", "currents"}),
        readings="it may be A or µA; name the unit in the first line, as in 'I (uA)'",
    ),
    "time": Quantity(
        si="s",
        metric=("s", "sec", "second", "seconds"),
        units={
            name: Decimal(seconds)
            for names, seconds in (
                ("min minute minutes", 60),
                ("h hr hour hours", 3600),
                ("d day days", 86400),
                ("year years", 31557600),
            )
            for name in names.split()
        },
        readings="it may be seconds or hours; name the unit in the first line, as in 'time (h)'",
    ),
    "number": Quantity(si="", bare_below=math.inf),
}

_POWERS = {
    "f femto": -15,
    "p pico": -12,
    "n nano": -9,
    "u micro \N{GREEK SMALL LETTER MU}": -6,
    "m milli": -3,
    "k kilo": 3,
    "M mega": 6,
    "G giga": 9,
}
PREFIXES = {prefix: Decimal(10) ** power for prefixes, power in _POWERS.items() for prefix in prefixes.split()}

LEFT_OUT = frozenset(
    {"index", "no", "nr", "number", "point", "row", "time", "t", "timestamp", "date", "clock", "status", "cycle"}
    | {"sweep", "temperature", "temp", "comment", "note", "remark", "range", "compliance", "limit", "channel"}
    | {"operator", "chip"}
)
"""First words of columns that instruments and people add, and that no table of this program needs."""

AT_VOLT = re.compile(r"(?:@|\bat\b)\s*([+-]?\d+(?:[.,]\d*)?)\s*(m?V)\b", re.IGNORECASE)
"""Of a current's name: the voltage at which it was read."""

FILLERS = frozenset({"in", "mean", "average", "measured", "read", "device", "channel", "cell", "as", "programmed"})
"""Words in a column's name that do not change what it is."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column that a table may have.

    name: its key in what is read. quantities: what its numbers may measure; none for text. words: what it is called, in
    lower case. others: words that may stand beside those. by_unit: whether a unit alone names it. needed: whether it
    must be there. like: where it names no unit it has the unit of this column.
    """

    name: str
    quantities: tuple[str, ...] = ()
    words: frozenset[str]
    others: frozenset[str] = FILLERS
    by_unit: bool = False
    needed: bool = True
    like: str = ""


OF_DEVICES = QUANTITIES["conductance"].words | QUANTITIES["resistance"].words
CONDUCTANCE = Column(
    name="conductance_siemens",
    quantities=("conductance", "resistance", "current"),
    words=OF_DEVICES | QUANTITIES["current"].words,
    by_unit=True,
)
"""Of devices: what the levels of a table are."""


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What a cell of the first line names. unit: as it was written, '' where none was; factor: its value in SI.
    read_volt: of a current that stands for a conductance, None where its name does not say it."""

    column: Column
    quantity: str = ""
    unit: str = ""
    factor: Decimal = ONE
    read_volt: Decimal | None = None


def heading(cell: str, columns: tuple[Column, ...]) -> Heading | None:
    """The first of the columns that a cell of the first line can name, as 'G', 'Conductance (uS)', 'R/kΩ', 'i_na' or
    'volt' do; None where it names none of them, or its name and its unit contradict each other. A current may say at
    which voltage it was read, as 'I [uA] @ 0.1 V' does."""
    at, found = AT_VOLT.search(cell), _heading(AT_VOLT.sub("", cell), columns)
    if at is None or found is None:
        return found
    volt = Decimal(at[1].replace(",", ".")) * (Decimal("0.001") if at[2].lower() == "mv" else ONE)
    return replace(found, read_volt=volt) if found.quantity == "current" and volt else None


def _heading(cell: str, columns: tuple[Column, ...]) -> Heading | None:
    parts = re.findall(r"[^\W_]*\?|[^\W_]+|[^\w\s()\[\]{}/.:,-]", unicodedata.normalize("NFKC", cell))
    words = [part.lower() for part in parts]
    for column in columns:
        for quantity in column.quantities:
            factor = unit_factor(parts[-1], quantity) if parts else None
            alone = len(parts) == 1 and column.by_unit and words[0] not in column.words
            alone = alone and (len(parts[0]) > 1 or parts[0] == QUANTITIES[quantity].si)
            if factor is not None and (alone or _called(words[:-1], column, quantity)):
                return Heading(column=column, quantity=quantity, unit=parts[-1], factor=factor)
        for quantity in column.quantities or ("",):
            if _called(words, column, quantity):
                return Heading(column=column, quantity=quantity)
    return None


def unit_factor(text: str, quantity: str) -> Decimal | None:
    """The value in SI of a unit as people write it: 1e-6 of 'uS', 'µS', 'us' or 'microsiemens'; None where it is no
    unit of this quantity. Prefixes are told by their case where that tells two apart (mS, MS), else any case does.
    """
    kind, text = QUANTITIES[quantity], unicodedata.normalize("NFKC", text)
    if text.lower() in kind.units:
        return kind.units[text.lower()]
    for name in sorted(kind.metric, key=len, reverse=True):
        if not text.lower().endswith(name.lower()):
            continue
        prefix = text[: len(text) - len(name)]
        if prefix == "M" and quantity == "time" and text.endswith("S"):
            return None  # a megasecond, or a millisecond in capitals
        found = [PREFIXES[each] for each in (prefix, prefix.lower(), prefix.upper()) if each in PREFIXES]
        if not prefix or found:
            return found[0] if prefix else ONE
    return None


def _called(words: list[str], column: Column, quantity: str) -> bool:
    """Whether these words name the column, and no other quantity."""
    others = set().union(*(kind.words for name, kind in QUANTITIES.items() if name != quantity and quantity))
    return bool(column.words & set(words)) and set(words) <= (column.words | column.others) - others
