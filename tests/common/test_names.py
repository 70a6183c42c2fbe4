"""What a user named is data: in decks, pages, tables, figures and on the terminal it is shown and means nothing."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fewlevels.circuit.spice.ngspice import run_deck
from fewlevels.cli import main as cli
from fewlevels.common.words import LONGEST, csv_safe, in_deck, in_figure, in_page, printable, printable_lines
from fewlevels.engines.threads import Threads
from fewlevels.reporting.study import write_report
from fewlevels.study.chosen import of_study
from fewlevels.study.circuits import CircuitOptions, netlist_of, store_simulation
from fewlevels.study.config import make_config
from fewlevels.study.result import StudyResult, load_study
from fewlevels.study.run import run_study

SHELL = "x\n.control\nshell touch CANARY\n.endc\n*"
NAMES = (
    SHELL,
    SHELL.replace("\n", "\r"),
    SHELL.replace("\n", "\u2028"),
    "*#shell touch CANARY",
    "`touch CANARY`",
    "ü 漢字 \\",
    "{7*7} {{7*7}}",
    r"$\frac{1$ and $x^$",
    "=HYPERLINK(1)",
    "@SUM(A1)",
    "\x1b[31mred\x1b]0;title\x07",
    "\u202egnp.exe",
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "_hidden",
    "a" * 5000,
    "--></svg>",
    "\ud800\ufffe\x00-",
)
UNSEEN = [*map(chr, range(32)), "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e", "\u2066", "\ud800", "\ufffe"]
needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyResult]:
    """A small study of samples with these names, from a file whose own name is as bad; not to be written to."""
    folder = tmp_path_factory.mktemp("names")
    names = [name.replace("CANARY", str(folder / "canary")) for name in NAMES]
    file = folder / "=a\n* \x1b[31m$x$<b>.npz"
    x = np.unique(np.random.default_rng(5).integers(0, 2, (60, 36)), axis=0)[: len(NAMES)]
    np.savez(file, X=x, y=np.array(names))
    values = {
        "dataset": str(file),
        "seeds": 1,
        "repeats": 4,
        "epochs": 300,
        "hidden": 12,
        "alpha": 0.5,
        "q_max": 24,
        "zones": {"starts": ["normal:0,1"], "models": 2, "epochs": 2, "every_epochs": 1},
    }
    run_study(make_config(values, "test"), folder / "study", Threads(2))
    write_report(folder / "study", load_study(folder / "study"))
    return folder / "study", load_study(folder / "study")


def test_names_are_kept_as_they_are_in_what_is_stored(study: tuple[Path, StudyResult]) -> None:
    assert sum(name in study[1].samples.classes for name in NAMES) == len(NAMES) - 5  # but those that hold a path
    assert run_study(study[1].config, study[0], Threads(1)).samples.classes == study[1].samples.classes


@pytest.mark.parametrize("dialect", ["spice", "spectre"])
def test_a_name_is_one_line_of_ascii_in_a_deck(study: tuple[Path, StudyResult], dialect: str) -> None:
    decks = []
    for sample in range(len(NAMES)):
        deck = netlist_of(of_study(study[1], study[1].best), CircuitOptions(), sample=sample, dialect=dialect)
        title = deck.splitlines()[0]
        assert deck.isascii() and title.startswith(("* fewlevels: model", "// fewlevels: model"))
        assert not set(title) & set("\\${}`") and len(title) < LONGEST + 100
        decks.append(deck.splitlines()[1:])
    assert len({len(lines) for lines in decks}) == 1  # no name brought a line with it


@needs_ngspice
def test_a_name_runs_no_command_in_ngspice(study: tuple[Path, StudyResult]) -> None:
    folder, result = study
    for sample in range(len(NAMES)):
        values = run_deck(netlist_of(of_study(result, result.best), CircuitOptions(), sample=sample, dialect="spice"))
        assert "i(vl1c0)" in values
    assert not (folder.parent / "canary").exists()


def test_the_report_has_the_elements_of_its_template_only(study: tuple[Path, StudyResult]) -> None:
    text = (study[0] / "report.html").read_text(encoding="utf-8")
    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append(tag)
            assert not [name for name, _ in attrs if name.startswith("on")]

    Reader().feed(text)
    assert "b" not in seen and "script" not in seen and "table" in seen
    assert not set(text) & (set(UNSEEN) - {"\n"})


def test_every_figure_is_drawn_and_its_svg_is_xml(study: tuple[Path, StudyResult]) -> None:
    figures = sorted((study[0] / "figures").glob("*.svg"))
    assert len(figures) == 11
    for figure in figures:
        ET.parse(figure)


def test_no_table_holds_a_formula(study: tuple[Path, StudyResult], tmp_path: Path) -> None:
    store_simulation(tmp_path, study[1].best, study[1].circuit(study[1].best))
    with (tmp_path / "resistances.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert cells and not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))]


def test_the_terminal_gets_text_and_line_breaks_only(
    study: tuple[Path, StudyResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = "\x1b]0;owned\x07\n\x9b31m\u202e"
    commands = [
        ["netlist", str(study[0]), "-o", str(tmp_path / f"{evil}.cir")],
        ["show", str(study[0])],
        ["study", "--help"],
        ["search", str(study[0]), "--method", "paper", "--q-max", "4", "-q" + evil],
        ["search", str(study[0]), "--method", "paper", "--q-max", "4", "--alpha", "0.5", "--out", str(tmp_path / evil)],
        ["show", str(tmp_path / evil)],
        ["fit", "--network", f"{evil}.npz", "--device", evil, "--out", str(tmp_path / "out")],
        ["study", "--out", str(tmp_path / "out"), "--dataset", evil, "--init", evil],
        [evil],
    ]
    for arguments in commands:
        out, error = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
        monkeypatch.setattr(sys, "argv", ["fewlevels", *arguments])
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", error)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        monkeypatch.undo()
        written = [(stream.flush(), stream.buffer.getvalue().decode("ascii"))[1] for stream in (out, error)]  # type: ignore[attr-defined]
        assert ended.value.code in (0, 2, None), written
        assert "Traceback" not in written[1] and any(written) and "b'" not in written[0]
        assert not set("".join(written)) & (set(UNSEEN) - {"\n"})
        if ended.value.code == 2:
            assert written[1].count("\n") == 1


@given(st.text(st.characters(), max_size=300))
@settings(max_examples=200)
def test_no_text_keeps_what_cannot_be_seen(text: str) -> None:
    shown = printable(text)
    assert len(shown) <= LONGEST and not set(shown) & set(UNSEEN)
    shown.encode()
    ET.fromstring(f"<svg><!-- {in_figure(text).replace('-', '')} --></svg>")
    deck = in_deck(text)
    assert deck.isascii() and deck.isprintable() and not set(deck) & set("\\${}`;")
    lines = printable_lines(text)
    assert lines.count("\n") == text.count("\n") and not set(lines) & (set(UNSEEN) - {"\n"})


def test_a_text_without_surprises_is_left_as_it_is() -> None:
    for text in ("left arrow", "ü 漢字 ✓", "a-b_c (2) 'd' 50%", "👨\u200d👩", "\ue000"):
        assert printable(text) == in_figure(text) == in_page(text) == text
    assert in_deck("showing '2' (R_min 10000 ohm)") == "showing '2' (R_min 10000 ohm)"
    assert in_deck("ü") == "<U+00FC>" and printable("a\n\x1b") == r"a\n\x1b" and printable("a\u00a0b") == "a b"
    assert printable("a" * 300) == "a" * 133 + "…" + "a" * 66 and printable("a" * 300, None) == "a" * 300


def test_formulas_are_quoted_and_numbers_stay_numbers() -> None:
    unsafe = ["=1+1", "+1", "-2+3", "@SUM(A1)", " =1"]
    assert [csv_safe(text) for text in unsafe] == [f"'{text}" for text in unsafe]
    assert [csv_safe(cell) for cell in (-1.5, 3, "+", "-", "at rest")] == [-1.5, 3, "+", "-", "at rest"]
    assert csv_safe("\t=1") == r"\t=1"
