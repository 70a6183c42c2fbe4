"""The command `fewlevels train`: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from fewlevels.cli.interrupt import on_interrupt
from fewlevels.cli.options import SAMPLES, Json, given, option, place
from fewlevels.common.counts import counted
from fewlevels.errors import UsageError


def train(
    ctx: typer.Context,
    data: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help=f"Samples with labels: {SAMPLES}.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="Network to write, .npz.", show_default=False, parser=place),
    ],
    test: Annotated[
        Optional[str],
        option("--test", "Held-out samples to judge by. [the test part of a set that has one]", "NAME|FILE"),
    ] = None,
    hidden: Annotated[
        Optional[str],
        option("--hidden", "Units of each hidden layer, with commas between. [{dense.hidden[0]}]", "N,..."),
    ] = None,
    activation: Annotated[
        Optional[str],
        option(
            "--activation", "Of hidden units: relu, tanh, sigmoid, leaky_relu, identity. [{dense.activation}]", "NAME"
        ),
    ] = None,
    epochs: Annotated[
        Optional[int], option("--epochs", "Times that every sample is taken. [20, or 500 steps]", "N")
    ] = None,
    batch: Annotated[Optional[int], option("--batch", "Samples of a step. [{dense.batch}]", "N")] = None,
    learning_rate: Annotated[
        Optional[float], option("--learning-rate", "Of Adam, at the start. [{dense.learning_rate}]", "X")
    ] = None,
    seed: Annotated[int, option("--seed", "Of the start and the batches. [{default}]", "N")] = 1,
    as_json: Json = False,
) -> None:
    """Train a dense network with biases and a softmax. The file is one that every other command takes."""
    on_interrupt("nothing was stored")
    from fewlevels.networks.files import as_arrays
    from fewlevels.samples.datasets import DATASETS, samples_of
    from fewlevels.search.target import check_classes
    from fewlevels.storage.files import write_file
    from fewlevels.storage.folder import npz
    from fewlevels.training.dense import DenseConfig, train_dense

    values: dict[str, Any] = given(ctx, DenseConfig)
    if hidden is not None:
        values["hidden"] = _units(hidden)
    if out.suffix != ".npz":
        raise UsageError(f"--out must end in .npz, got {out}")
    samples = samples_of(data)
    judge = samples_of(test or data, test=True) if test or data in DATASETS else None
    check_classes(samples, judge)
    networks = train_dense(samples, DenseConfig(**values), seed=seed)
    write_file(out, npz(as_arrays(networks)))
    recognition = float(networks.recognition(samples)[0])
    found: dict[str, Any] = {"network": str(out), "weights": networks.joint().shape[1], "recognition": recognition}
    if judge is not None:
        found["test_recognition"] = float(networks.recognition(judge)[0])
    if as_json:
        print(json.dumps(found, indent=1))
        return
    of_test = "" if judge is None else f", {found['test_recognition']:.2%} of {counted(len(judge), 'held-out sample')}"
    print(f"{networks!r}\nrecognises {recognition:.2%} of {counted(len(samples), 'sample')}{of_test}\nnetwork: {out}")


def _units(text: str) -> tuple[int, ...]:
    """The numbers in a list with commas between; of an empty one there is no hidden layer."""
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise UsageError(f"--hidden must be whole numbers with commas between, got {text!r}") from None
