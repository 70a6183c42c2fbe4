"""The command `fewlevels fit`: parse, call, print."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, cast

import typer

from fewlevels.cli_options import option
from fewlevels.cli_progress import shown_progress
from fewlevels.common.words import printable
from fewlevels.errors import UsageError

if TYPE_CHECKING:
    from fewlevels.devices.mapping import Scheme
    from fewlevels.fitting.fit import Fit
    from fewlevels.fitting.trial import Trial
    from fewlevels.networks import Networks
    from fewlevels.samples import Samples


def fit(
    network: Annotated[
        Path,
        typer.Option("--network", metavar="NET.npz|DIR", help="Networks W1, W2 …, or a study.", show_default=False),
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
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the results.", show_default=False)],
    model: Annotated[str, option("--model", "best, or the index of a model. [best]", "best|INDEX")] = "best",
    data: Annotated[
        Optional[str], option("--data", "digits5, digits7, a glyph file or .npz; a study brings its own.", "NAME|FILE")
    ] = None,
    test: Annotated[
        Optional[str], option("--test", "Other samples to judge chips on. [those of --data]", "NAME|FILE")
    ] = None,
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
    from fewlevels.devices import load_device
    from fewlevels.devices.variation import Conditions
    from fewlevels.fitting.problem import FitConfig
    from fewlevels.fitting.report import remarks, sentence, write_fit_report
    from fewlevels.fitting.store import stored_fit
    from fewlevels.study.config import StudyConfig

    began = time.perf_counter()
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs must be at least 1, got {jobs}")
    conditions = Conditions(after_seconds=after_seconds, input_volt=input_volt, stuck_rate=stuck_rate,
                            tolerance_siemens=tolerance_siemens, max_pulses=max_pulses)  # fmt: skip
    config = FitConfig(alpha=alpha, yield_target=yield_target, chips=chips, most_states=most_states,
                       scheme=cast("Scheme", scheme), wire_ohm=wire_ohm, conditions=conditions, seed=seed)  # fmt: skip
    known = load_device(device)
    one, samples, number = _one_network(network, model, data)
    judged = samples if test is None else StudyConfig(dataset=test).samples()

    def tell(trial: Trial) -> None:
        low, high = trial.found.interval
        if not quiet:
            print(f"{trial.states:>3} states, {trial.placement}: {trial.found.value:.1%} of chips "
                  f"({low:.1%} to {high:.1%})", file=sys.stderr, flush=True)  # fmt: skip

    with shown_progress("fitting", "chips", quiet) as on_progress:
        found = stored_fit(
            one, judged, known, config, out, data=samples, jobs=jobs, on_trial=tell, on_progress=on_progress,
            on_damaged=lambda path: print(f"{printable(path)} was damaged and is computed again", file=sys.stderr),
        )  # fmt: skip
    asked = _asked(found, f"{network}, model {number}", data or f"those of {network}", test)
    options = {"model": model, "data": data, "test": test, "alpha": alpha, "yield": yield_target, "chips": chips,
               "after-seconds": after_seconds, "most-states": most_states, "scheme": scheme, "input-volt": input_volt,
               "wire-ohm": wire_ohm, "stuck-rate": stuck_rate, "tolerance-siemens": tolerance_siemens,
               "max-pulses": max_pulses, "seed": seed}  # fmt: skip
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


def _asked(fit: Fit, network: str, data: str, test: str | None) -> dict[str, str]:
    config = fit.problem.config
    conditions = config.conditions
    asked = {
        "network": network, "samples": f"{test or data}: {len(fit.problem.samples)}",
        "recognition that a chip must reach": f"{100 * config.alpha:.4g} %",
        "chips that must reach it": f"{100 * config.yield_target:.4g} %", "chips of each estimate": str(config.chips),
        "scheme": config.scheme, "voltage of a full input": f"{conditions.input_volt:g} V",
        "resistance of every wire segment": f"{config.wire_ohm:g} Ω", "seed": str(config.seed),
    }  # fmt: skip
    if test is not None:
        asked["settings chosen on"] = f"{data}: {len(fit.problem.data)}"
    if conditions.after_seconds is not None:
        asked["time since programming"] = f"{conditions.after_seconds:g} s"
    if conditions.stuck_rate is not None:
        asked["share of stuck devices"] = f"{100 * conditions.stuck_rate:g} %"
    if conditions.tolerance_siemens is not None:
        asked["programmed again until"] = (f"within {1e6 * conditions.tolerance_siemens:g} µS, at most "
                                           f"{conditions.max_pulses} pulses")  # fmt: skip
    return asked


def _one_network(source: Path, model: str, data: str | None) -> tuple[Networks, Samples, int]:
    from fewlevels.comparison import networks_and_samples

    networks, samples = networks_and_samples(source, data)
    if model == "best" and source.is_dir():
        from fewlevels.hardware import CircuitOptions, choose_model
        from fewlevels.study.run import load_study

        index = choose_model(load_study(source), "best", CircuitOptions())
        return networks[index], samples, index
    if model == "best" and len(networks) > 1:
        raise UsageError(f"{source} holds {len(networks)} networks; choose one with --model INDEX")
    index = 0 if model == "best" else int(model) if model.isdecimal() else -1
    if not 0 <= index < len(networks):
        raise UsageError(f"--model must be best, or 0 to {len(networks) - 1}, got {model!r}")
    return networks[index], samples, index
