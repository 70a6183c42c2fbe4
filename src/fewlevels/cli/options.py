"""Options of the command line: how they are declared, and what is said of a value that is no number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    pass


def option(name: str, help_text: str, metavar: str) -> Any:
    """A typer option; metavar N takes whole numbers, X numbers, anything else text."""
    parser = {"N": _whole, "X": _real}.get(metavar)
    return typer.Option(name, help=help_text, metavar=metavar, show_default=False, parser=parser)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"a whole number is expected, got {text!r}.") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"a number is expected, got {text!r}.") from None


NETWORKS = "The folder of a study, or a .npz with W1, W2 …"
SAMPLES = "digits5, digits7, the training part of digits8 or mnist5000, or a glyph file or .npz with X and y"

Data = Annotated[
    Optional[str],
    option("--data", f"Samples to choose settings and fine-tune on: {SAMPLES}. [the study's own]", "NAME|FILE"),
]
Test = Annotated[
    Optional[str],
    option(
        "--test", "Held-out samples that alone judge; of digits8 or mnist5000 the test part. [the data]", "NAME|FILE"
    ),
]
Model = Annotated[str, option("--model", "best, or the index of a model. [best]", "best|INDEX")]


Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.", show_default=False)]
