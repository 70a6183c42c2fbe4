"""Options of the command line: how they are declared, where their defaults stand, and what is said of a value that is
no number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from typer.core import TyperCommand

from fewlevels.common import places
from fewlevels.errors import UsageError


class Command(TyperCommand):
    """A command whose help shows defaults from where they stand: '[{default}]', '[{fit.chips}]' (see `_Defaults`)."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for parameter in self.params:
            parameter.help = help_of(parameter)  # type: ignore[attr-defined]
        super().format_options(ctx, formatter)


def help_of(parameter: Any) -> str:
    """The help of an option or argument, with the defaults that it names."""
    return str(parameter.help).format_map(_Defaults(default=parameter.default))


class _Defaults(dict[str, object]):
    """Configurations as they are where nothing is given, and names that tables hold; each is imported when a help names
    it.
    """

    def __missing__(self, name: str) -> object:
        if name == "study":
            from fewlevels.study.config import StudyConfig

            return StudyConfig()
        if name == "fit":
            from fewlevels.fitting.problem import FitConfig

            return FitConfig()
        if name == "dense":
            from fewlevels.training.dense import DenseConfig

            return DenseConfig()
        if name == "circuit":
            from fewlevels.study.circuits import CircuitOptions

            return CircuitOptions()
        if name == "methods":
            from fewlevels.search.method import NAMES

            return ", ".join(NAMES)
        if name == "counts":
            from fewlevels.quantization.sharing import COUNTS

            return ", ".join(COUNTS)
        if name == "schemes":
            from fewlevels.chips.schemes import SCHEMES

            return ", ".join(SCHEMES)
        raise KeyError(name)


def given(ctx: typer.Context, configuration: type) -> dict[str, Any]:
    """The options that were given, of those that are named as the fields of a configuration. They have no defaults of
    their own, so that the fields keep theirs."""
    fields = configuration.__annotations__
    return {name: value for name, value in ctx.params.items() if name in fields and value is not None}


def option(name: str, help_text: str, metavar: str) -> Any:
    """A typer option; metavar N takes whole numbers, X numbers, DIR and FILE paths, anything else text."""
    parser = {"N": _whole, "X": _real, "DIR": place, "FILE": place}.get(metavar)
    return typer.Option(name, help=help_text, metavar=metavar, show_default=False, parser=parser)


def place(text: str) -> Path:
    """`places.place` for the command line."""
    try:
        return places.place(text)
    except UsageError as error:
        raise typer.BadParameter(str(error)) from None


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


NETWORKS = "The folder of a study, or a network: .onnx, .keras, .h5, .npz with W1, b1 …, .safetensors or .pt"
SAMPLES = "digits5, digits7, the training part of digits8 or mnist5000, or a glyph file or .npz with X and y"

Data = Annotated[
    Optional[str],
    option("--data", f"Samples to choose settings and fine-tune on: {SAMPLES}. [the study's own]", "NAME|FILE"),
]
CircuitData = Annotated[
    Optional[str], option("--data", f"Samples that drive the circuit: {SAMPLES}. [the study's own]", "NAME|FILE")
]
Test = Annotated[
    Optional[str],
    option(
        "--test", "Held-out samples that alone judge; of digits8 or mnist5000 the test part. [the data]", "NAME|FILE"
    ),
]
Model = Annotated[str, option("--model", "best, or the index of a model. [{default}]", "best|INDEX")]
Jobs = Annotated[Optional[int], option("--jobs", "Threads; does not change the result. [all cores]", "N")]
EngineName = Annotated[
    str,
    option(
        "--engine",
        "threads, or dask: workers on this machine, or those of a cluster by its address or file. [threads]",
        "threads|dask|dask:ADDRESS|dask:FILE.json",
    ),
]
PartName = Annotated[
    Optional[str],
    option("--part", "The K-th of N parts of the work; the same command without it finishes the work.", "K/N"),
]
PieceSeconds = Annotated[
    float, option("--piece-seconds", "Work of a core that is stored together, about. [{default:g}]", "X")
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Read all that is there and mend what is damaged, changed or not.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on the way.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]

OutFolder = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder of the results, or s3://BUCKET/FOLDER.",
        show_default=False,
        parser=place,
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.", show_default=False, parser=place)]

Activation = Annotated[
    Optional[str],
    option(
        "--activation",
        "Of a file of weights alone: one for each layer, or two: of the hidden layers and of the last. [the file's]",
        "NAME,...",
    ),
]
KeepDigital = Annotated[
    Optional[str], option("--keep-digital", "Layers or nodes that do not go on a crossbar. [none]", "NAME,...")
]
Bias = Annotated[
    str,
    option("--bias", "digital, or rows: biases are weights of word lines of their own. [{default}]", "digital|rows"),
]


Signed = Annotated[
    Optional[str],
    option(
        "--signed",
        "How values of both signs come in: two-reads of a layer, or two-lines a value. [{circuit.signed}]",
        "NAME",
    ),
]
Source = Annotated[Path, typer.Argument(metavar="DIR|MODEL", help=NETWORKS, show_default=False, parser=place)]
CircuitMethod = Annotated[
    Optional[str],
    option("--method", "Of a file: quantize it first, to the fewest levels of a method of 'search'. [as it is]", "M"),
]
CircuitLevels = Annotated[
    Optional[int], option("--levels", "Of a file: quantize it to so many levels. [the fewest, with --method]", "N")
]


def names(text: str | None) -> tuple[str, ...]:
    """The names in a list with commas between."""
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()
