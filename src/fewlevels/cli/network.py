"""The command `fewlevels network`: parse, call, print."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from fewlevels.cli.options import Activation, Json, KeepDigital, names, option, place


def network(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A network: .onnx, .keras, .h5, .npz, .safetensors or .pt.",
            show_default=False,
            parser=place,
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
    from fewlevels.networks.importers.load import read_held
    from fewlevels.reporting.network import describe, page
    from fewlevels.samples.datasets import data_of
    from fewlevels.study.hints import assumed_sigmoids, hint

    held = read_held(model)
    found = held.network(names(activation), names(keep_digital))
    assumed = held.layers is not None and held.layers.are_assumed(names(activation))
    remarks = [assumed_sigmoids(held.called)] if assumed else []
    given = None if data is None else data_of(data)
    if given is not None:
        x, moved = found.arranged(given.x)
        given = replace(given, x=x)
        remarks += [f"{given.remark}." if given.remark else "", moved]
        remarks.append("" if given.y is None else hint(found, x, given.y, len(given.classes)))
    described = describe(found, given, [remark for remark in remarks if remark])
    print(json.dumps(described, indent=1) if as_json else page(described, str(model)))
