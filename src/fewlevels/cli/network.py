"""The command `fewlevels network`: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from fewlevels.cli.options import Json, option

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


def network(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A network: .onnx, .keras, .h5, .npz, .safetensors or .pt.", show_default=False
        ),
    ],
    data: Annotated[
        Optional[str], option("--data", "Samples: a name, a file, or a folder of images. [none]", "NAME|FILE")
    ] = None,
    activation: Activation = None,
    keep_digital: KeepDigital = None,
    as_json: Json = False,
) -> None:
    """Describe a trained network: its layers, what stays digital, what it recognises."""
    from fewlevels.networks.importers.load import load_network
    from fewlevels.reporting.network import describe, page
    from fewlevels.samples.datasets import NAMES, samples_of
    from fewlevels.samples.files import Data, load_data

    found = load_network(model, activations=_names(activation), keep_digital=_names(keep_digital))
    given = None
    if data is not None and data in NAMES:
        named = samples_of(data)
        given = Data(x=named.x, y=named.y.astype(int), classes=named.classes)
    elif data is not None:
        given = load_data(data)
    described = describe(found, given)
    print(json.dumps(described, indent=1) if as_json else page(described, str(model), given))


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []
