"""Words: what a user named (a class, a file, a device) is shown everywhere and means nothing anywhere."""

from __future__ import annotations

import unicodedata

LONGEST = 200
"""Characters of a name that are shown; the middle of a longer one is left out."""

JOINERS = "\u200c\u200d"
"""Zero-width characters that words of some scripts, and some pictures, are spelled with."""

IN_DECK = {ord(letter): f"<U+{ord(letter):04X}>" for letter in "\\${}`;"}
"""What a simulator may take for a continued line, a variable, an expression, a command or the end of a line."""

FORMULA = ("=", "+", "-", "@")
"""How a cell begins that a spreadsheet takes for a formula (OWASP, CSV Injection)."""


def printable(text: object, longest: int | None = LONGEST) -> str:
    r"""The text in one line without control characters: a line break is shown as \n, an escape as \x1b.

    So are separators of lines and paragraphs, marks that turn the direction of writing, invisible and unassigned
    characters and halves of surrogate pairs. longest: characters; of a longer text the middle is left out; None for all
    of it.
    """
    text = str(text)
    return shortened(text if text.isprintable() else "".join(map(_shown, text)), longest)


def printable_lines(text: object) -> str:
    """`printable` line by line: for a text of ours that has lines, however long."""
    return "\n".join(printable(line, None) for line in str(text).split("\n"))


def in_page(value: object) -> object:
    """The value of an expression in an HTML template: what is text, as `printable_lines`, escaped where it was."""
    return type(value)(printable_lines(value)) if isinstance(value, str) else value


def in_deck(text: object) -> str:
    """The text for a comment or a title of a netlist: one line of ASCII that no simulator takes for more.

    What is not ASCII, and what ngspice, LTspice or Spectre may interpret, is shown by its code: <U+00FC>.
    """
    shown = printable(text).translate(IN_DECK)
    return "".join(letter if letter.isascii() else f"<U+{ord(letter):04X}>" for letter in shown)


def in_figure(text: object, longest: int = 40) -> str:
    """The text for matplotlib, which takes $…$ for mathematics and hides a legend's label that begins with _."""
    shown = printable(text, longest).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def csv_safe(cell: object) -> object:
    """The cell of a table; a text that a spreadsheet would take for a formula gets a quote mark before it.

    Numbers stay numbers, and a sign alone stays a sign.
    """
    if not isinstance(cell, str):
        return cell
    shown = printable(cell, None)
    return f"'{shown}" if len(shown) > 1 and shown.lstrip().startswith(FORMULA) else shown


def shortened(text: str, longest: int | None = LONGEST) -> str:
    """The text, or both its ends around a mark where it is longer."""
    if longest is None or len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end - 1]}…{text[-end:]}"


def _shown(letter: str) -> str:
    if letter.isprintable() or letter in JOINERS or unicodedata.category(letter) == "Co":
        return letter
    if unicodedata.category(letter) == "Zs":  # other spaces
        return " "
    return letter.encode("unicode_escape").decode("ascii")
