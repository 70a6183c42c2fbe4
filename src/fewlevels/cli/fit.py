"""The command `fewlevels fit`: parse, call, print."""

from __future__ import annotations

import json
import shlex
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.interrupt import GOES_ON, on_interrupt
from fewlevels.cli.options import (
    NETWORKS,
    Activation,
    Bias,
    Data,
    EngineName,
    Jobs,
    Json,
    Model,
    OutFolder,
    PartName,
    PieceSeconds,
    Quiet,
    Signed,
    Test,
    Verify,
    given,
    names,
    option,
    place,
)
from fewlevels.cli.progress import say_damaged, shown_progress
from fewlevels.common.counts import counted

if TYPE_CHECKING:
    from fewlevels.devices.model import Device
    from fewlevels.fitting.fit import Fit
    from fewlevels.fitting.problem import FitConfig
    from fewlevels.fitting.trial import Trial
    from fewlevels.study.inputs import Inputs


def fit(
    ctx: typer.Context,
    network: Annotated[
        Path, typer.Option("--network", metavar="DIR|MODEL", help=NETWORKS, show_default=False, parser=place)
    ],
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="NAME|FILE",
            help="A published device, a TOML, or a table of levels.",
            show_default=False,
        ),
    ],
    out: OutFolder,
    model: Model = "best",
    data: Data = None,
    test: Test = None,
    alpha: Annotated[
        Optional[float], option("--alpha", "Recognition that a chip must reach. [{fit.alpha}]", "X")
    ] = None,
    yield_target: Annotated[
        Optional[float], option("--yield", "Share of chips that must reach it. [{fit.yield_target}]", "X")
    ] = None,
    chips: Annotated[Optional[int], option("--chips", "Virtual chips of each estimate. [{fit.chips}]", "N")] = None,
    after_seconds: Annotated[
        Optional[float], option("--after-seconds", "Time from programming to use. [at once]", "X")
    ] = None,
    most_states: Annotated[
        Optional[int], option("--most-states", "States per device tried, at most. [{fit.most_states}]", "N")
    ] = None,
    scheme: Annotated[
        Optional[str], option("--scheme", "How signed weights sit on devices: {schemes}. [{fit.scheme}]", "NAME")
    ] = None,
    input_volt: Annotated[
        Optional[float], option("--input-volt", "Voltage of a full input. [{fit.conditions.input_volt:g}]", "X")
    ] = None,
    wire_ohm: Annotated[
        Optional[float], option("--wire-ohm", "Resistance of every wire segment. [{fit.wire_ohm:g}]", "X")
    ] = None,
    stuck_rate: Annotated[
        Optional[float], option("--stuck-rate", "Share of stuck devices, half on, half off. [the device's]", "X")
    ] = None,
    tolerance_siemens: Annotated[
        Optional[float], option("--tolerance-siemens", "Program again until this close. [program once]", "X")
    ] = None,
    max_pulses: Annotated[
        Optional[int],
        option("--max-pulses", "Programming pulses of a device, at most. [{fit.conditions.max_pulses}]", "N"),
    ] = None,
    signed: Signed = None,
    activation: Activation = None,
    bias: Bias = "digital",
    seed: Annotated[Optional[int], option("--seed", "Root of all randomness. [{fit.seed}]", "N")] = None,
    part: PartName = None,
    piece_seconds: PieceSeconds = 60.0,
    verify: Verify = False,
    engine: EngineName = "threads",
    jobs: Jobs = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Does a network work on a device, and what limits it?

    With how many states per device, on which share of chips, and what would help.

    Stopped at any time, the same command goes on where it was.
    """
    on_interrupt(GOES_ON)
    from fewlevels.chips.variation import Conditions
    from fewlevels.devices import load_device
    from fewlevels.fitting.problem import FitConfig
    from fewlevels.reporting.fit import answer, write_fit_report
    from fewlevels.study.inputs import read_inputs
    from fewlevels.study.reading import Reading

    began = time.perf_counter()
    config = FitConfig(conditions=Conditions(**given(ctx, Conditions)), **given(ctx, FitConfig))
    known = load_device(device)
    reading = Reading(activations=names(activation), bias=bias, dense=True)
    inputs = read_inputs(network, data, test, model, reading=reading)
    found = _run(ctx, inputs, known, config)
    if isinstance(found, int):
        return print(f"part {part} is done; {counted(found, 'piece')} of chips are there")
    asked = _asked(found, f"{network}, model {inputs.index}", inputs)
    report = write_fit_report(found, out, asked, _command(ctx, config))
    if as_json:
        remarks = [*inputs.remarks, *found.best.mapping.circuit.remarks]
        told = {**found.as_dict(), "remarks": remarks, "wall_seconds": time.perf_counter() - began}
        print(json.dumps(told, indent=1))
        return
    print(*answer(found), *(f"- {remark}" for remark in inputs.remarks), sep="\n")
    if found.advice.finetuned is not None:
        print(f"fine-tuned network: {out / 'finetuned.npz'}")
    print(f"mapping: {out / 'mapping.csv'}\nreport: {report}")


def _run(ctx: typer.Context, inputs: Inputs, device: Device, config: FitConfig) -> Fit | int:
    """The fit or, of a part of it, how many pieces are there."""
    from fewlevels.engines.choose import engine_named
    from fewlevels.engines.parts import Part
    from fewlevels.fitting.store import fit_part, stored_fit

    asked, quiet = ctx.params, ctx.params["quiet"]
    say, tell = ((lambda _: None,) * 2) if quiet else (partial(print, file=sys.stderr), _say_trial)
    part = None if asked["part"] is None else Part.parse(asked["part"])
    run = partial(stored_fit, on_trial=tell) if part is None else partial(fit_part, part=part)
    with (
        engine_named(asked["engine"], asked["jobs"], say) as workers,
        shown_progress("fitting", "chips", quiet) as on_progress,
    ):
        return run(
            inputs.one,
            inputs.judge,
            device,
            config,
            asked["out"],
            workers,
            data=inputs.samples,
            piece_seconds=asked["piece_seconds"],
            on_progress=on_progress,
            on_damaged=say_damaged,
            verify=asked["verify"],
        )


def _say_trial(trial: Trial) -> None:
    low, high = trial.chip_yield.interval
    print(
        f"{counted(trial.states, 'state'):>10}, {trial.placement}: {trial.chip_yield.value:.1%} of chips "
        f"({low:.1%} to {high:.1%})",
        file=sys.stderr,
        flush=True,
    )


def _command(ctx: typer.Context, config: FitConfig) -> str:
    """The command that repeats this fit, with the values of all options that have one."""
    values = {**asdict(config), **asdict(config.conditions)}
    values |= {name: ctx.params[name] for name in ("network", "device", "model", "data", "test", "activation", "bias")}
    options = [
        f"{option.opts[0]}={values[option.name]}"
        for option in ctx.command.params
        if option.name is not None and values.get(option.name) is not None
    ]
    return shlex.join(["fewlevels", "fit", *options, "--out=FOLDER"])


def _asked(fit: Fit, network: str, inputs: Inputs) -> dict[str, str]:
    config = fit.problem.config
    conditions = config.conditions
    asked = {
        "network": network,
        "samples": f"{len(inputs.judge)} {inputs.judged_on}",
        "recognition that a chip must reach": f"{100 * config.alpha:.4g} %",
        "chips that must reach it": f"{100 * config.yield_target:.4g} %",
        "chips of each estimate": str(config.chips),
        "scheme": config.scheme,
        "voltage of a full input": f"{conditions.input_volt:g} V",
        "resistance of every wire segment": f"{config.wire_ohm:g} Ω",
        "seed": str(config.seed),
    }
    if inputs.remarks:
        asked["of the network"] = " ".join(inputs.remarks)
    if inputs.test is not None:
        asked["settings chosen on"] = f"{len(inputs.samples)} {inputs.chosen_on}"
    if conditions.after_seconds is not None:
        asked["time since programming"] = f"{conditions.after_seconds:g} s"
    if conditions.stuck_rate is not None:
        asked["share of stuck devices"] = f"{100 * conditions.stuck_rate:g} %"
    if conditions.tolerance_siemens is not None:
        asked["programmed again until"] = (
            f"within {1e6 * conditions.tolerance_siemens:g} µS, at most {counted(conditions.max_pulses, 'pulse')}"
        )
    return asked
