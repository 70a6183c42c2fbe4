"""The command plan."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from fewlevels.cli.options import Json, place
from fewlevels.common.places import is_folder

if TYPE_CHECKING:
    from fewlevels.study.config import StudyConfig
    from fewlevels.study.plan import Plan

SIZES = 120, 10_000, 1_000_000
"""Repeats of each of a hundred seeds."""


def plan(
    file: Annotated[
        Optional[Path],
        typer.Argument(
            metavar="FILE|DIR",
            help="A study.toml, or the folder of a study; without it the paper's at 12 000, 1e6 and 1e8 models.",
            show_default=False,
            parser=place,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell what a study will take, from a second of its own work on this machine."""
    from fewlevels.reporting.text import aligned
    from fewlevels.study.plan import measure, plan_of

    configs = _configs(file)
    samples = configs[0].samples()
    cost = measure(configs[0], samples)
    plans = [plan_of(config, samples, cost) for config in configs]
    if as_json:
        print(json.dumps([asdict(each) for each in plans], indent=1))
        return
    rows = [_row(each) for each in plans]
    print(aligned([(name, *(row[name] for row in rows)) for name in rows[0]]))
    print("\nCore hours are of one core of this machine. A job array: sbatch --array=1-PARTS, --part K/PARTS in each.")


def _configs(file: Path | None) -> list[StudyConfig]:
    from fewlevels.study.config import PRESETS, found_beside, make_config, read_config

    if file is None:
        return [make_config(PRESETS["paper"] | {"seeds": 100, "repeats": repeats}, "plan") for repeats in SIZES]
    path = file / "study.toml" if is_folder(file) else file
    return [make_config(found_beside(read_config(path), path.parent), str(path))]


def _row(plan: Plan) -> dict[str, str]:
    return {
        "models": str(plan.models),
        "core hours": f"{plan.core_seconds / 3600:.3g}",
        "stored": _bytes(plan.stored_bytes),
        "files": str(plan.files),
        "groups": str(plan.groups),
        "models of a group": str(plan.group_models),
        "minutes of a group": f"{plan.core_seconds / plan.groups / 60:.2g}",
        "memory of a worker": _bytes(plan.worker_bytes),
        "memory of the summary": _bytes(plan.summary_bytes),
        "parts of an hour each": str(plan.parts),
    }


def _bytes(count: float) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
