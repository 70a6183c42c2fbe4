"""Loading: a command verifies each file of a study once, and none that it does not need or that has not changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fewlevels.study.result import StudyResult
from tests.support.opened import files_read

needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
FIT = ("fit", "--device=cmo_hfox", "--chips=2", "--most-states=2", "--quiet", "--network")
NAMED = {"study.toml", "samples.npz", "run.json"}


def shards(folder: Path, kind: str) -> set[str]:
    return {f"shards/{path.name}" for path in (folder / "shards").glob(f"{kind}-*")}


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        (("show",), ("models",)),
        (("report",), ("models", "zone")),
        (("simulate",), ("models",)),
        (("simulate", "--model=3"), ("models",)),
        (("netlist", "--out=/dev/null"), ("models",)),
        pytest.param(("verify",), ("models",), marks=needs_ngspice),
        (("search", "--method=paper", "--q-max=2"), ("models",)),
        (FIT, ("models",)),
        ((*FIT[:-1], "--model=3", FIT[-1]), ("models",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_reads_each_file_of_a_study_once_and_none_that_it_does_not_need(
    command: tuple[str, ...], kinds: tuple[str, ...], small_study: tuple[Path, StudyResult], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small_study[0], tmp_path / "study"))
    out = [f"--out={tmp_path / 'out'}"] if command[0] in ("fit", "search") else []
    known = folder / "verified.json"
    assert files_read(folder, *command, folder, *out) == dict.fromkeys({*NAMED, known.name}, 1)
    known.unlink()
    wanted = NAMED.union(*(shards(folder, kind) for kind in kinds))
    assert files_read(folder, *command, folder, *out) == dict.fromkeys(wanted, 1)


def test_a_study_that_goes_on_verifies_only_what_was_not_verified(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    command = ("study", "--out", folder, "--seeds=2", "--repeats=60", "--epochs=20", "--q-max=4", "--quiet")
    finished = {"study.toml", "samples.npz", "run.json", "weights.npz", "weights.mat", "verified.json"}
    files_read(folder, *command)
    assert files_read(folder, *command).keys() == finished
    next((folder / "shards").glob("zone-1-*")).unlink()
    assert files_read(folder, *command).keys() == {"study.toml", "samples.npz", "verified.json"}
    (changed,) = (folder / "shards").glob("zone-1-*")
    os.utime(changed)
    read = files_read(folder, *command)
    assert (read.keys(), read[f"shards/{changed.name}"]) == (finished | {f"shards/{changed.name}"}, 1)
    all_there = shards(folder, "models") | shards(folder, "zone")
    read = files_read(folder, *command, "--verify")
    assert (read.keys(), {read[name] for name in all_there}) == (finished | all_there, {1})
