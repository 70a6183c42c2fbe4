"""Tables of laboratories: a corpus of small files as people export them, each with what it must give or say."""

from __future__ import annotations

import csv
import io
import math
import os
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest

from fewlevels import device_levels, load_device
from fewlevels.devices.measured import read_iv, read_levels, read_retention
from fewlevels.devices.sheets import MOST_BYTES
from fewlevels.errors import DeviceError
from tests.support.oracles import given

TWO = ((1e-6, 2e-6), None)
SPREAD = ((1.5e-6, 2.5e-6), (1e-7, 2e-7))
READS = ((1.5e-6, 2.5e-6), (0.02**0.5 * 1e-6, 0.08**0.5 * 1e-6))
"""Mean and standard deviation of 1.4 and 1.6, and of 2.3 and 2.7."""

HALVES = ((1.5e-6, 2.5e-6), None)


def cp1252(text: str) -> bytes:
    return text.encode("cp1252")


def utf16(text: str) -> bytes:
    return text.encode("utf-16")


UNDERSTOOD: list[tuple[str, str | bytes, tuple[tuple[float, ...], tuple[float, ...] | None]]] = [
    ("lines of title", "Batch 7, wafer 3\n\nmeasured by K.\nlevel,G (uS)\n1,1.5\n2,2.5\n", HALVES),
    ("a title with semicolons", "batch;wafer;chip\nlevel,G (uS)\n1,1.5\n2,2.5\n", HALVES),
    ("columns of an instrument", "Index,G (uS),Time (s),Status\n1,1.5,0.1,OK\n2,2.5,0.2,OK\n", HALVES),
    ("numbers of rows beside levels", "Index,Level,G (uS)\n1,a,1.5\n2,b,2.5\n", HALVES),
    ("currents at a voltage", "level;I [nA] @ 0.1 V\n1;150\n2;250\n", HALVES),
    ("currents at millivolts", "level;I (nA) at 100 mV\n1;150\n2;250\n", HALVES),
    ("currents of a negative read", "level;I (nA) @ -0,2V\n1;-300\n2;-500\n", HALVES),
    ("a column a level", "L1 (uS),L2 (uS)\n1.4,2.3\n1.6,2.7\n", READS),
    ("a column a level, units below", "Level 1;Level 2\nuS;uS\n1,4;2,3\n1,6;2,7\n", READS),
    ("a column a level, unit in the title", "Conductance (uS)\nstate_1\tstate_2\n1.4\t2.3\n1.6\t2.7\n", READS),
    ("columns of levels of unlike length", "L1/uS,L2/uS\n1.4,2.5\n1.6,2.5\n1.5,\n", ((1.5e-6, 2.5e-6), (1e-7, 0.0))),
    ("a row a level", "level,read 1 (uS),read 2 (uS)\na,1.4,1.6\nb,2.3,2.7\n", READS),
    ("a row a level in siemens", "state,cycle1,cycle2\na,1.4e-6,1.6e-6\nb,2.3e-6,2.7e-6\n", READS),
    ("bare numbers", "1e-6\n2e-6\n", TWO),
    ("no last line end", "1e-6\n2e-6", TWO),
    ("descending", "2e-6\n1e-6\n", TWO),
    ("an open device", "0\n2e-6\n", ((0.0, 2e-6), None)),
    ("BOM", b"\xef\xbb\xbf1e-6\n2e-6\n", TWO),
    ("CRLF", "conductance_siemens\r\n1e-6\r\n2e-6\r\n", TWO),
    ("CR of an old Macintosh", "conductance_siemens\r1e-6\r2e-6\r", TWO),
    ("UTF-16 of Excel's Unicode text", utf16("Level\tG [µS]\r\n1\t1,5\r\n2\t2,5\r\n"), HALVES),
    ("UTF-16 big endian", b"\xfe\xff" + "G (uS)\n1.5\n2.5\n".encode("utf-16-be"), HALVES),
    ("UTF-32", "G (uS)\n1.5\n2.5\n".encode("utf-32"), HALVES),
    ("Excel's micro", cp1252("G [µS]\n1.5\n2.5\n"), HALVES),
    ("Excel's lost omega", cp1252("R (k?)\n1000\n500\n"), TWO),
    ("Greek mu", "G [\N{GREEK SMALL LETTER MU}S]\n1.5\n2.5\n", HALVES),
    ("micro sign", "G [\N{MICRO SIGN}S]\n1.5\n2.5\n", HALVES),
    ("ohm sign", "R (k\N{OHM SIGN})\n1000\n500\n", TWO),
    ("trailing commas", "conductance_siemens,,\n1e-6,,\n2e-6,,\n", TWO),
    ("trailing commas below only", "conductance_siemens\n1e-6,\n2e-6,\n", TWO),
    ("trailing semicolons", "level;G (uS);\n1;1,5;\n2;2,5;\n", HALVES),
    ("blank last lines", "conductance_siemens\n1e-6\n2e-6\n\n\n  \n", TWO),
    ("empty rows of a spreadsheet", "level,conductance_siemens\n1,1e-6\n,\n2,2e-6\n,\n,\n", TWO),
    ("empty rows above", "\n,\nlevel,conductance_siemens\n1,1e-6\n2,2e-6\n", TWO),
    ("spaces around cells", " level , conductance_siemens \n 1 , 1e-6 \n 2 , 2e-6 \n", TWO),
    ("spaces and a name of one letter", " G \n1e-6\n2e-6\n", TWO),
    ("quotes", '"level","conductance_siemens"\n"1","1e-6"\n"2","2e-6"\n', TWO),
    ("quotes after spaces", '"level", "conductance_siemens"\n"1", "1e-6"\n"2", "2e-6"\n', TWO),
    ("quoted decimal commas", 'level,G (uS)\n1,"1,5"\n2,"2,5"\n', HALVES),
    ("a name over two lines", '"level","Conductance\n(uS)"\n1,1.5\n2,2.5\n', HALVES),
    ("semicolons", "level;conductance_siemens\n1;1e-6\n2;2e-6\n", TWO),
    (
        "semicolons and decimal commas",
        "level;conductance_siemens;sigma_siemens\n1;1,5e-6;1e-7\n2;2,5e-6;2e-7\n",
        SPREAD,
    ),
    ("tabs and decimal commas", "level\tG (uS)\tsigma (uS)\n1\t1,5\t0,1\n2\t2,5\t0,2\n", SPREAD),
    ("one decimal comma settles the others", "level;G (uS)\n1;1,250\n2;0,5\n", ((0.5e-6, 1.25e-6), None)),
    ("sep=;", "sep=;\nlevel;G (uS)\n1;1,5\n2;2,5\n", HALVES),
    ("sep=, in quotes", '"sep=,"\nlevel,G (uS)\n1,1.5\n2,2.5\n', HALVES),
    ("numpy.savetxt", "# conductance_siemens\n1.000000000000000000e-06\n2.000000000000000000e-06\n", TWO),
    ("numpy.savetxt of two columns", "# G_uS sigma_uS\n1.500000e+00 1.000000e-01\n2.500000e+00 2.000000e-01\n", SPREAD),
    ("numpy.savetxt with commas", "# G (uS),sigma (uS)\n1.5,0.1\n2.5,0.2\n", SPREAD),
    ("names in a comment above names of levels", "# level;G (uS)\nlow;1,5\nhigh;2,5\n", HALVES),
    ("aligned with spaces", "level   G (uS)\n  1       1.5\n  2       2.5\n", HALVES),
    ("comments of four tongues", "# lab 7\n% chip 3\n// die 2\n! row 1\nG (uS)\n1.5\n2.5\n", HALVES),
    ("comments in between and after", "G (uS)\n1.5\n# second wafer\n2.5\n# end\n", HALVES),
    ("a quoted comment", '"# made by ""us"", 2026",\nlevel,G (uS)\n1,1.5\n2,2.5\n', HALVES),
    ("a comment with a quote", '# 5" wafer\nlevel,G (uS)\n1,1.5\n2,2.5\n', HALVES),
    ("pandas' index", ",conductance_siemens\n0,1e-6\n1,2e-6\n", TWO),
    ("case", "LEVEL,CONDUCTANCE (US)\n1,1.5\n2,2.5\n", HALVES),
    ("Conductance (S)", "Conductance (S)\n1e-6\n2e-6\n", TWO),
    ("conductance (uS)", "conductance (uS)\n1.5\n2.5\n", HALVES),
    ("G_uS", "G_uS\n1.5\n2.5\n", HALVES),
    ("g_us", "g_us\n1.5\n2.5\n", HALVES),
    ("G/nS", "G/nS\n1500\n2500\n", HALVES),
    ("conductance in mS", "conductance in mS\n0.0015\n0.0025\n", HALVES),
    ("microsiemens", "conductance_microsiemens\n1.5\n2.5\n", HALVES),
    ("a unit alone", "uS\n1.5\n2.5\n", HALVES),
    ("a row of units", "level\tG\tstd\n\tuS\tnS\n1\t1.5\t100\n2\t2.5\t200\n", SPREAD),
    ("mean and standard deviation", "Level,Mean conductance (uS),Std (uS)\n1,1.5,0.1\n2,2.5,0.2\n", SPREAD),
    ("a sigma in the unit of its conductance", "G (uS),sigma\n1.5,0.1\n2.5,0.2\n", SPREAD),
    ("in quanta", "G/G0\n0.01\n0.02\n", ((7.748091729e-7, 1.5496183458e-6), None)),
    ("resistance_ohm", "resistance_ohm\n1e6\n5e5\n", TWO),
    ("R (kOhm)", "R (kOhm)\n1000\n500\n", TWO),
    ("R/MΩ", "R/MΩ\n1\n0.5\n", TWO),
    ("R/MΩ with decimal commas", "level;R/MΩ\n1;1\n2;0,5\n", TWO),
    ("kohm alone", "kohm\n1000\n500\n", TWO),
    ("reads of each level", "level,G (uS)\na,1\nb,4\na,3\nb,4\nb,7\n", ((2e-6, 5e-6), (2**0.5 * 1e-6, 3**0.5 * 1e-6))),
    ("the end of an old file", b"1e-6\r\n2e-6\r\n\x1a", TWO),
    ("a true minus", "1e\N{MINUS SIGN}6\n2e\N{MINUS SIGN}6\n", TWO),
]

REFUSED: list[tuple[str, str | bytes, str]] = [
    ("ohms or microsiemens", "20000\n50000\n", "line 1: '20000' names no unit: it may be ohm or µS; name the unit"),
    ("microsiemens", "0.5\n0.9\n", "line 1: '0.5' names no unit: it may be ohm or µS"),
    ("a name without a unit", "level,G\n1,20\n2,50\n", "line 2: '20' names no unit: it may be ohm or µS"),
    ("a resistance without a unit", "R\n20\n50\n", "line 2: '20' names no unit: it may be ohm or kohm"),
    ("a decimal comma or two columns", "1,5e-6\n2,5e-6\n", "line 1: '1,5e-6' may be '1.5e-6' or 2 columns"),
    ("the same below a name", "G (uS)\n1,5\n2,5\n", "line 2: '1,5' may be '1.5' or 2 columns"),
    ("thousands or a decimal comma", "level;G (uS)\n1;1,234\n", "line 2: '1,234' may be '1.234' or '1234'"),
    ("the same in quotes", 'level,G (uS)\n1,"1,234"\n', "line 2: '1,234' may be '1.234' or '1234'"),
    ("thousands, a comma or two columns", "G (uS)\n1,234\n", "line 2: '1,234' may be '1.234' or '1234' or 2 columns"),
    ("a space of thousands", "G (nS)\n1 000\n2 000\n", "line 2: '1 000' may be '1000' or 2 columns"),
    ("the same in a cell", "level;G (nS)\n1;1 000\n", "line 2: '1 000' may be 1000 or several numbers"),
    ("comma and point", "level;G (uS)\n1;1.5\n2;2,5\n", "'2,5' has a decimal comma and '1.5' a decimal point"),
    ("decimal commas between commas", "level,G (uS)\n1,1,5\n2,2,5\n", "line 2: 2 values expected, got 3; with decimal"),
    ("a hole between spaces", "level G (uS) sigma\n1 1.5 0.1\n2     0.1\n", "line 3: 3 values expected, got 2"),
    ("columns without names", "1e-6;1e-7\n2e-6;1e-7\n", "2 columns of numbers without names may be level or sigma"),
    ("a conductance and a resistance", "G (uS),R (kohm)\n1,1000\n", "'G (uS)' and 'R (kohm)' both give"),
    ("a resistance in siemens", "R (uS)\n1\n2\n", "column 1 is 'R (uS)'"),
    ("a logarithm", "log10(G)\n-6\n-5\n", "column 1 is 'log10(G)'"),
    ("percent", "G (uS),sigma (%)\n1,5\n2,5\n", "column 2 is 'sigma (%)'"),
    ("a standard error", "G (uS),stderr\n1,5\n2,5\n", "column 2 is 'stderr'"),
    ("currents without a voltage", "level,I (nA)\n1,150\n2,250\n", "say at which voltage they were read"),
    ("currents at no voltage", "level,I (nA) @ 0 V\n1,150\n2,250\n", "column 2 is 'I (nA) @ 0 V'"),
    ("levels in two units", "L1 (uS),L2 (nS)\n1,2\n3,4\n", "columns are in nS and uS; one unit is expected"),
    ("levels without a unit", "L1,L2\n1,2\n3,4\n", "'1' names no unit: it may be ohm or µS"),
    ("names of columns below numbers", "1,2\nlevel,conductances\n", "no row stands below the columns"),
    ("a column too many", "G (uS),yield\n1,good\n", "column 2 is 'yield'"),
    ("a column without a name", "G (uS),,sigma (uS)\n1,7,0.1\n2,9,0.1\n", "column 2 has no name"),
    ("spreads of resistances", "R (kohm),sigma (kohm)\n1000,5\n", "a spread of resistances is no spread of conduct"),
    ("no conductance", "level,sigma (uS)\n1,1\n", "no column is conductance_siemens"),
    ("not a number", "G (uS)\n1\nlow\n", "line 3: conductance_siemens must be a finite number, got 'low'"),
    (
        "a value that is missing",
        "level,G (uS)\n1,1\n2,\n",
        "line 3: conductance_siemens must be a finite number, got ''",
    ),
    ("#N/A of a spreadsheet", "level,G (uS)\n1,1\n2,#N/A\n", "line 3: conductance_siemens must be a finite number"),
    ("nan", "level,G (uS)\n1,1\n2,nan\n", "line 3: conductance_siemens must be a finite number, got 'nan'"),
    ("an underscore that Python takes", "G (uS)\n1_0\n", "line 2: conductance_siemens must be a finite number"),
    ("a unit in a cell", "G\n20 uS\n", "line 2: conductance_siemens must be a finite number, got '20 uS'"),
    ("beyond float64", "G (uS)\n1e400\n", "line 2: conductance_siemens must be a finite number, got '1e400'"),
    ("400 digits", "G (uS)\n" + "7" * 400 + "\n", "must be a finite number, got '77777777777777777777…'"),
    ("below float64", "G (uS)\n1e-320\n", "line 2: conductance_siemens must be 0 or at least 1e-30 S, got '1e-320'"),
    ("below anything", "G (uS)\n1e-999999999999999999999\n", "must be 0 or at least 1e-30 S"),
    ("a subnormal spread", "G (S),sigma (S)\n1e-6,1e-320\n", "line 2: sigma_siemens must be 0 or at least 1e-30 S"),
    ("above a siemens", "G (S)\n1e-6\n20\n", "line 3: a conductance must be at least 0 and below 1 S, got 20 S"),
    ("megaohm in small letters", "R (mohm)\n5\n7\n", "line 2: a resistance must be above 1 ohm, got 0.005"),
    ("no resistance", "R (ohm)\n0\n", "line 2: a resistance must be positive, got '0'"),
    ("negative", "G (uS)\n-1\n", "line 2: a conductance must be at least 0"),
    ("twice", "level,G (uS)\n1,1\n2,5\n3,1\n", "line 4: the level of line 2 has the same conductance, 1e-06 S"),
    ("no level named", "level,G (uS)\n1,1\n,5\n", "line 3: this row names no level"),
    ("nothing", "", "holds no table"),
    ("comments alone", "# a\n# b\n", "holds no table"),
    ("names alone", "level,G (uS)\n", "no row stands below the columns"),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0", "has NUL bytes"),
    ("a workbook", b"PK\x03\x04\x14\0", "is no text but a spreadsheet or an archive; save the sheet as CSV"),
    ("UTF-16 without its mark", "G (uS)\n1\n".encode("utf-16-le"), "has NUL bytes: it is no text, or UTF-16 without"),
    ("UTF-16 cut off", utf16("G (uS)\n1\n")[:-1], "is no text in UTF-8, UTF-16 or Windows-1252"),
    ("control characters", "G (uS)\n1\x07\n", "is no text in UTF-8"),
    ("a quote that stays open", 'level,G (uS)\n"1,1\n2,2\n', "line 2: a quotation mark stands alone in this row"),
    ("a cell beyond the csv module", "level,G (uS)\n" + "1" * 140_000 + ",1\n", "line 2: a row of a table is at most"),
    ("a quoted text beyond the csv module", 'level,G (uS)\n"' + "x\n" * 140_000 + '",1\n', "line 2: a quotation mark"),
]


@pytest.mark.parametrize(("text", "gives"), [row[1:] for row in UNDERSTOOD], ids=[row[0] for row in UNDERSTOOD])
def test_what_can_be_read_in_one_way_is_read(tmp_path: Path, text: str | bytes, gives: tuple) -> None:
    path = tmp_path / "levels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    levels, sigmas = gives
    read = read_levels(path)
    assert read.level_siemens == pytest.approx(levels, rel=1e-15)
    assert read.level_sigma_siemens == (sigmas and pytest.approx(sigmas, rel=1e-12))
    assert read.understood.startswith("levels.csv: ") and "\n" not in read.understood
    assert load_device(path).level_siemens == read.level_siemens


@pytest.mark.parametrize(("text", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_is_refused_in_a_sentence(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "levels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DeviceError) as raised:
        read_levels(path)
    message = str(raised.value)
    assert said in message and str(path) in message and "\n" not in message and len(message) < 400 + len(str(path))


def test_it_says_what_it_understood(tmp_path: Path) -> None:
    path = tmp_path / "levels.csv"
    path.write_text("# ours\nlevel;R (kOhm)\n1;20,5\n2;5\n", encoding="utf-8")
    assert read_levels(path).understood == (
        "levels.csv: 2 rows, ';' between columns, decimal commas, 1 comment line; level is 'level'; "
        "conductance_siemens is 'R (kOhm)', resistances in kOhm"
    )


DELIMITERS, UNITS = [",", ";", "\t"], {"S": 0, "mS": -3, "uS": -6, "µS": -6, "nS": -9, "siemens": 0}


@given(
    levels=st.lists(st.integers(1, 10**12), min_size=2, max_size=9, unique=True),
    unit=st.sampled_from(sorted(UNITS)),
    delimiter=st.sampled_from(DELIMITERS),
    comma=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    empty=st.integers(0, 3),
    comments=st.integers(0, 2),
    heading=st.sampled_from(["conductance ({})", "G_{}", "G [{}]", "Conductance/{}", " g ({}) "]),
)
def test_any_dialect_gives_the_same_numbers(
    tmp_path_factory, levels, unit, delimiter, comma, encoding, end, quoting, empty, comments, heading
):
    """Levels in attosiemens, written in their unit without rounding."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    text.write(end.join(["# ours, of 2026"] * comments + [""]) if comments else "")
    writer.writerow(["level", heading.format(unit), *[""] * empty])
    for number, level in enumerate(levels):
        digits = f"{level:019d}"
        shift = 19 - 18 - UNITS[unit] + len(digits) - 19
        cell = f"{digits[:shift]}.{digits[shift:]}" if 0 < shift < len(digits) else f"{level}e{-18 - UNITS[unit]}"
        writer.writerow([number, cell.replace(".", ",") if comma else cell, *[""] * empty])
    text.write(end * empty)
    path = tmp_path_factory.mktemp("dialect") / "levels.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    if all(float(f"{level}e-18") >= 1e-30 for level in levels):
        assert read_levels(path).level_siemens == tuple(float(f"{level}e-18") for level in sorted(levels))


IV = [
    "volt,ampere\n0,0\n0.5,1e-6\n1,3e-6\n",
    "V,I\n0,0\n0.5,1e-6\n1,3e-6\n",
    "I (uA);V (mV)\n0;0\n1;500\n3;1000\n",
    "Voltage [V]\tCurrent [nA]\n0\t0\n0,5\t1000\n1\t3000\n",
    "# V_volt I_ampere\n0.0 0.0\n0.5 1.0e-06\n1.0 3.0e-06\n",
    "Bias,Current\nmV,uA\n0,0\n500,1\n1000,3\n",
]


@pytest.mark.parametrize("text", IV)
def test_an_iv_curve_comes_in_as_many_forms(tmp_path: Path, text: str) -> None:
    (tmp_path / "iv.csv").write_text(text, encoding="utf-8")
    volt, ampere, understood = read_iv(tmp_path / "iv.csv")
    np.testing.assert_array_equal(volt, [0, 0.5, 1])
    np.testing.assert_array_equal(ampere, [0, 1e-6, 3e-6])
    assert understood.startswith("iv.csv: 3 rows")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,0\n1,1e-6\n", "line 1: '0,0' may be '0.0' or 2 columns"),
        ("0;0\n1;1e-6\n", "2 columns of numbers without names may be volt or ampere in any order"),
        ("V,I\n0,0\n200,1e-6\n", "line 3: '200' names no unit: it may be V or mV"),
        ("V,I\n0,0\n1,30\n", "line 3: '30' names no unit: it may be A or µA"),
        ("V (kV),I (A)\n0,0\n2,1e-6\n", "line 3: volt must be at most 1000 V, got 2000"),
        ("V,|I|\n0,0\n1,1e-6\n", "column 2 is '|I|'"),
    ],
)
def test_a_curve_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "iv.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DeviceError) as raised:
        read_iv(tmp_path / "iv.csv")
    assert said in str(raised.value)


def described(folder: Path, csv_name: str, section: str = "[levels]") -> Path:
    path = folder / "mine.toml"
    path.write_text(f'name = "mine"\n{section}\ncsv = {csv_name}\n', encoding="utf-8")
    return path


WINDOW = "lowest_siemens = 1e-6\nhighest_siemens = 9e-6\n"


@pytest.mark.parametrize("rows", ["1,1e-6\n" * 5, "1,1e-6\n-1,-1e-6\n0,0\n1,2e-6\n", "0,0\n" * 4])
def test_a_curve_of_one_voltage_is_a_sentence(tmp_path: Path, rows: str) -> None:
    (tmp_path / "iv.csv").write_text(f"volt,ampere\n{rows}", encoding="utf-8")
    with pytest.raises(DeviceError, match=r"at least two different voltages other than 0, got (only 1 V|none)"):
        load_device(described(tmp_path, '"iv.csv"', f'{WINDOW}[nonlinearity]\nlaw = "sinh"'))


def test_retention_comes_from_one_table_of_all_times(tmp_path: Path) -> None:
    rows = ["1;9;0,2;8,5", "24;1;0,2;1,5", "1;1;0,1;1", "24;9;0,4;8"]
    (tmp_path / "kept.csv").write_text("time (h);G (uS);sigma;mean\n" + "\n".join(rows), encoding="utf-8")
    device = load_device(described(tmp_path, '"kept.csv"', f'{WINDOW}[retention]\nlaw = "measured"'))
    assert device.retention is not None and device.retention.first_seconds == 3600 and device.last_seconds == 86400
    assert device.sigma_siemens(np.array([1e-6, 9e-6]), 86400.0) == pytest.approx([2e-7, 4e-7], rel=1e-12)
    assert device.mean_siemens(np.array([1e-6, 9e-6]), 3600.0) == pytest.approx([1e-6, 8.5e-6], rel=1e-12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,G (uS),sigma\n1,1,0.1\n", "line 2: '1' names no unit: it may be seconds or hours"),
        ("time (MS),G (uS),sigma\n1,1,0.1\n", "column 1 is 'time (MS)'"),
        ("time (h),G (uS)\n1,1\n", "no column is sigma_siemens"),
        ("time (h),G (uS),sigma\n1,1,0.1\n1,1,0.2\n", "line 2: at 3600 s conductance_siemens must ascend"),
    ],
)
def test_a_wrong_table_of_retention_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "kept.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DeviceError) as raised:
        read_retention(tmp_path / "kept.csv")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../outside.csv", "link.csv", "linked/outside.csv", "down/../../outside.csv"]
)
def test_a_description_reads_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inside"
    (folder / "down").mkdir(parents=True)
    (tmp_path / "outside.csv").write_text("1e-6\n2e-6\n", encoding="utf-8")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "linked").symlink_to(tmp_path)
    with pytest.raises(DeviceError, match=r"mine.toml, line 3: csv must name a file in the folder of this description"):
        load_device(described(folder, f'"{name}"'))


def test_a_description_reads_below_its_folder_and_through_links_that_stay_there(tmp_path: Path) -> None:
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "levels.csv").write_text("1e-6\n2e-6\n", encoding="utf-8")
    (tmp_path / "link.csv").symlink_to("down/levels.csv")
    for name in ("down/levels.csv", "link.csv", "./down/../link.csv"):
        assert load_device(described(tmp_path, f'"{name}"')).level_siemens == (1e-6, 2e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (r'"a\u0000b"', "csv must be the name of a file"),
        ('""', "csv must be the name of a file, got ''"),
        ('"none.csv"', "csv must name a file that is there, got 'none.csv'"),
        ('"."', "csv must name a file that is there"),
        (f'"{"x" * 5000}"', "csv must name a file"),
        ('"circle"', "csv must name a file"),
        ('"pipe"', "csv must name a file that is there, got 'pipe'"),
    ],
    ids=["null", "empty", "missing", "folder", "long", "circle", "pipe"],
)
def test_what_is_no_file_is_a_sentence(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DeviceError) as raised:
        load_device(described(tmp_path, name))
    assert said in str(raised.value) and len(str(raised.value)) < 300 + len(str(tmp_path))


SECRET = "swordfish"


@pytest.mark.parametrize(
    "text",
    [
        f"{SECRET}\n1e-6\n",
        f"level,G (uS)\n1,{SECRET}\n",
        f"{SECRET}:x:0:0\n",
        f"{SECRET},{SECRET}\n1,2\n",
        f"level,G (uS)\n{SECRET},1\n{SECRET},1,1\n",
        f'level,G (uS)\n"{SECRET},1\n',
        f"level,G (uS)\n{SECRET},1\nb,1\n",
        f"level,G (uS),sigma\n{SECRET},1,1\n{SECRET},2,1\n",
        f"# {SECRET}\n# {SECRET}\n",
        f"level,G (uS)\n{SECRET},-1\n",
        f"level,G (uS)\n{SECRET},1\n{SECRET},2\nb,7\n",
    ],
)
def test_an_error_repeats_nothing_of_a_file_that_a_description_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "levels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DeviceError) as raised:
        load_device(described(tmp_path, '"levels.csv"'))
    assert SECRET not in str(raised.value) and "levels.csv" in str(raised.value)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "levels.csv").open("wb") as file:
        file.truncate(2 * 10**9)  # takes no room on the disk
    with pytest.raises(DeviceError, match=f"levels.csv is larger than {MOST_BYTES >> 20} MiB"):
        read_levels(tmp_path / "levels.csv")


def test_converted_numbers_are_those_that_were_meant(tmp_path: Path) -> None:
    """20 µS is the float64 nearest to 2e-5, which 20 * 1e-6 is not."""
    (tmp_path / "levels.csv").write_text("G (uS)\n" + "\n".join(map(str, range(1, 1000))), encoding="utf-8")
    read = read_levels(tmp_path / "levels.csv").level_siemens
    assert read == tuple(float(f"{number}e-6") for number in range(1, 1000))
    assert any(number * 1e-6 != float(f"{number}e-6") for number in range(1, 1000))
    assert all(math.isfinite(level) for level in device_levels(read).table)
