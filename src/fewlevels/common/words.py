"""Words: names that a user chose (of a class, a file, a device), made so that they can be shown and do no harm."""

from __future__ import annotations

import unicodedata

LONGEST = 200
"""The most characters of a name that are shown. The middle of a longer name is left out."""

JOINERS = "\u200c\u200d"
"""Zero-width characters that are kept, because some scripts and some emoji need them."""

IN_DECK = {ord(letter): f"<U+{ord(letter):04X}>" for letter in "\\${}`;"}
"""Characters that a simulator may take for a continued line, a variable, an expression, a command or a line end."""

FORMULA = ("=", "+", "-", "@")
"""First characters of a cell that a spreadsheet takes for a formula (OWASP, CSV Injection)."""


def printable(text: object, longest: int | None = LONGEST) -> str:
    r"""The text in one line without control characters: a line break is shown as \n, an escape as \x1b.

    These are shown by their codes, too: separators of lines and paragraphs, marks that turn the direction of writing,
    invisible and unassigned characters, halves of surrogate pairs. longest: the most characters; the middle of a longer
    text is left out. None shows all of it.
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
