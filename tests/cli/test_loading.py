"""Loading: a command reads each file of a study once, and none that it does not need."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fewlevels.study.result import StudyResult
from tests.support.opened import files_read

needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
FIT = ("fit", "--device=cmo_hfox", "--chips=2", "--most-states=2", "--quiet", "--network")
NAMED = {"study.toml", "samples.npz"}
SEARCHED = {*NAMED, "run.json"}


def shards(folder: Path, kind: str) -> set[str]:
    return {f"shards/{path.name}" for path in (folder / "shards").glob(f"{kind}-*")}


@pytest.mark.parametrize(
    ("command", "named", "kinds"),
    [
        (("show",), SEARCHED, ("models",)),
        (("report",), SEARCHED, ("models", "zone")),
        (("simulate",), SEARCHED, ("models",)),
        (("simulate", "--model=3"), SEARCHED, ("models",)),
        (("netlist", "--out=/dev/null"), SEARCHED, ("models",)),
        pytest.param(("verify",), SEARCHED, ("models",), marks=needs_ngspice),
        (("search", "--method=paper", "--q-max=2"), NAMED, ("models",)),
        (FIT, SEARCHED, ("models",)),
        ((*FIT[:-1], "--model=3", FIT[-1]), NAMED, ("models",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_reads_each_file_of_a_study_once_and_none_that_it_does_not_need(
    command: tuple[str, ...],
    named: set[str],
    kinds: tuple[str, ...],
    small_study: tuple[Path, StudyResult],
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(small_study[0], tmp_path / "study"))
    out = [f"--out={tmp_path / 'fit'}"] if command[0] == "fit" else []
    wanted = named.union(*(shards(folder, kind) for kind in kinds))
    assert files_read(folder, *command, folder, *out) == dict.fromkeys(wanted, 1)


def test_a_study_that_runs_reads_nothing_of_its_own_and_one_that_goes_on_each_file_once(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    command = ("study", "--out", folder, "--seeds=2", "--repeats=60", "--epochs=20", "--q-max=4", "--quiet")
    assert files_read(folder, *command) == {}
    kept = {f"shards/{path.name}" for path in (folder / "shards").iterdir() if not path.name.startswith("zone-1")}
    next((folder / "shards").glob("zone-1-*")).unlink()
    assert files_read(folder, *command) == dict.fromkeys({"study.toml", "samples.npz", *kept}, 1)
    finished = {"study.toml", "samples.npz", "run.json", "weights.npz", "weights.mat"}
    assert files_read(folder, *command) == dict.fromkeys(
        finished | shards(folder, "models") | shards(folder, "zone"), 1
    )
