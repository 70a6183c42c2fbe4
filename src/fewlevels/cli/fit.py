"""The command `fewlevels fit`: parse, call, print."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.interrupt import GOES_ON, on_interrupt
from fewlevels.cli.options import NETWORKS, Data, Model, Test, option
from fewlevels.cli.progress import shown_progress
from fewlevels.common.counts import counted
from fewlevels.common.words import printable
from fewlevels.errors import UsageError

if TYPE_CHECKING:
    from fewlevels.fitting.fit import Fit
    from fewlevels.fitting.trial import Trial
    from fewlevels.study.inputs import Inputs


def fit(
    network: Annotated[Path, typer.Option("--network", metavar="DIR|NET.npz", help=NETWORKS, show_default=False)],
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="NAME|FILE",
            help="A published device, a TOML, or a table of levels.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the results.", show_default=False)],
    model: Model = "best",
    data: Data = None,
    test: Test = None,
    alpha: Annotated[float, option("--alpha", "Recognition that a chip must reach. [1.0]", "X")] = 1.0,
    yield_target: Annotated[float, option("--yield", "Share of chips that must reach it. [0.95]", "X")] = 0.95,
    chips: Annotated[int, option("--chips", "Virtual chips of each estimate. [2000]", "N")] = 2000,
    after_seconds: Annotated[
        Optional[float], option("--after-seconds", "Time from programming to use. [at once]", "X")
    ] = None,
    most_states: Annotated[int, option("--most-states", "States per device tried, at most. [16]", "N")] = 16,
    scheme: Annotated[
        str,
        option("--scheme", "differential-pair, balanced-pair, offset-column, bias-column. [differential-pair]", "NAME"),
    ] = "differential-pair",
    input_volt: Annotated[float, option("--input-volt", "Voltage of a full input. [1]", "X")] = 1.0,
    wire_ohm: Annotated[float, option("--wire-ohm", "Resistance of every wire segment. [0]", "X")] = 0.0,
    stuck_rate: Annotated[
        Optional[float], option("--stuck-rate", "Share of stuck devices, half on, half off. [the device's]", "X")
    ] = None,
    tolerance_siemens: Annotated[
        Optional[float], option("--tolerance-siemens", "Program again until this close. [program once]", "X")
    ] = None,
    max_pulses: Annotated[int, option("--max-pulses", "Programming pulses of a device, at most. [100]", "N")] = 100,
    seed: Annotated[int, option("--seed", "Root of all randomness. [1]", "N")] = 1,
    jobs: Annotated[Optional[int], option("--jobs", "Threads; does not change the result. [all cores]", "N")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on the way.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Does a network work on a device, and what limits it?

    With how many states per device, on which share of chips, and what would help.

    Stopped at any time, the same command goes on where it was.
    """
    on_interrupt(GOES_ON)
    from fewlevels.chips.variation import Conditions
    from fewlevels.devices import load_device
    from fewlevels.fitting.problem import FitConfig
    from fewlevels.fitting.store import stored_fit
    from fewlevels.reporting.fit import remarks, sentence, write_fit_report
    from fewlevels.study.inputs import read_inputs

    began = time.perf_counter()
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs must be at least 1, got {jobs}")
    conditions = Conditions(
        after_seconds=after_seconds,
        input_volt=input_volt,
        stuck_rate=stuck_rate,
        tolerance_siemens=tolerance_siemens,
        max_pulses=max_pulses,
    )
    config = FitConfig(
        alpha=alpha,
        yield_target=yield_target,
        chips=chips,
        most_states=most_states,
        scheme=scheme,
        wire_ohm=wire_ohm,
        conditions=conditions,
        seed=seed,
    )
    known = load_device(device)
    inputs = read_inputs(network, data, test, model)

    def tell(trial: Trial) -> None:
        low, high = trial.found.interval
        if not quiet:
            print(
                f"{counted(trial.states, 'state'):>10}, {trial.placement}: {trial.found.value:.1%} of chips "
                f"({low:.1%} to {high:.1%})",
                file=sys.stderr,
                flush=True,
            )

    with shown_progress("fitting", "chips", quiet) as on_progress:
        found = stored_fit(
            inputs.one,
            inputs.judge,
            known,
            config,
            out,
            data=inputs.samples,
            jobs=jobs,
            on_trial=tell,
            on_progress=on_progress,
            on_damaged=lambda path: print(f"{printable(path)} was damaged and is computed again", file=sys.stderr),
        )
    asked = _asked(found, f"{network}, model {inputs.index}", inputs)
    options = {
        "model": model,
        "data": data,
        "test": test,
        "alpha": alpha,
        "yield": yield_target,
        "chips": chips,
        "after-seconds": after_seconds,
        "most-states": most_states,
        "scheme": scheme,
        "input-volt": input_volt,
        "wire-ohm": wire_ohm,
        "stuck-rate": stuck_rate,
        "tolerance-siemens": tolerance_siemens,
        "max-pulses": max_pulses,
        "seed": seed,
    }
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    command = ["fewlevels", "fit", f"--network={network}", f"--device={device}", *given, "--out=FOLDER"]
    report = write_fit_report(found, out, asked, shlex.join(command))
    if as_json:
        return print(json.dumps({**found.as_dict(), "seconds": time.perf_counter() - began}, indent=1))
    print(("fits" if found.feasible else "does not fit") + f": {sentence(found)}")
    print(f"limiting factor: {found.limiting_factor}")
    recognition, (low, high) = found.best.found.recognition.mean(), found.best.found.recognition_interval
    print(f"expected recognition of a chip: {recognition:.2%} ({low:.2%} to {high:.2%})")
    for line in (*remarks(found), *found.advice.sentences, *found.assumptions):
        print(f"- {line}")
    if found.advice.finetuned is not None:
        print(f"fine-tuned network: {out / 'finetuned.npz'}")
    print(f"mapping: {out / 'mapping.csv'}\nreport: {report}")
    return None


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
