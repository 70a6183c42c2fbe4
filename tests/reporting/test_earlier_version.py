"""What version 0.1.0 stored: it is read, or it is left out in one sentence that says how it is made again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fewlevels.errors import FewlevelsWarning
from fewlevels.reporting.study import write_report
from fewlevels.study.result import StudyResult, load_study
from fewlevels.study.run import run_study
from tests.study.test_provenance import Nothing

SEARCH = {
    "data": "digits5",
    "test": None,
    "models": 200,
    "trained": 3,
    "recognise_nothing": 0,
    "alpha": 1.0,
    "relative": False,
    "q_max": 2,
    "share": "network",
    "minimises": "requested levels",
    "methods": [
        {
            "method": "paper",
            "solved": 0.0,
            "recognition_before": None,
            "recognition_after": None,
            "q_min": None,
            "q_median": None,
            "q_p95": None,
            "occupied_median": None,
            "distinct_weights_median": None,
            "states_per_device_median": None,
            "states_per_device_offset_column_median": None,
        }
    ],
    "q": {"paper": [0, 0, 0]},
    "npz_checksum": "0123456789abcdef",
}
AGREEMENT = {
    "model": 7,
    "input_volts": [1.0],
    "design": "differential-pair",
    "r_min_ohm": 1e4,
    "wire_ohm": 0.0,
    "off_pixels": "zero",
    "ngspice": "39",
    "tolerance": 1e-9,
    "rows": [{"input_volt": 1.0, "layer": 1, "difference": 3.21e-11}],
}


@pytest.fixture
def earlier(small_study: tuple[Path, StudyResult], tmp_path: Path) -> Path:
    """A finished study whose samples.npz and run.json are those of version 0.1.0."""
    folder = tmp_path / "study"
    shutil.copytree(small_study[0], folder)
    with np.load(folder / "samples.npz") as held:
        arrays = dict(held)
    np.savez(folder / "samples.npz", x=arrays.pop("X"), **arrays)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    old = {"seconds": 4321.5, "machine": run["machine"], "files": run["file_checksums"]}
    (folder / "run.json").write_text(json.dumps(old), encoding="utf-8")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_finished_study_opens_and_goes_on_without_a_file_being_made_again(
    earlier: Path, small_study: tuple[Path, StudyResult]
) -> None:
    before, result = files(earlier), load_study(earlier)
    assert result.wall_seconds == 4321.5 and result.machine == small_study[1].machine
    np.testing.assert_array_equal(result.samples.x, small_study[1].samples.x)
    again = run_study(result.config, earlier, Nothing(1))
    assert again.wall_seconds == 4321.5 and files(earlier) == before
    assert "4321.5 s" in write_report(earlier, again).read_text(encoding="utf-8")


def test_every_command_of_a_finished_study_works_and_says_once_what_is_left_out(earlier: Path) -> None:
    (earlier / "search.json").write_text(json.dumps(SEARCH), encoding="utf-8")
    said = (
        f"fewlevels: {earlier / 'search.json'} is of an earlier version and left out of the report; run 'fewlevels "
        f"search {earlier}' again\n"
    )
    goes_on = ("study", "--config", earlier / "study.toml", "--out", earlier, "--quiet")
    again = ("search", earlier, "--method", "paper", "--q-max", 2)
    for command, error in (
        (("show", earlier), ""),
        (("report", earlier), said),
        (goes_on, said),
        (again, ""),
        (("report", earlier), ""),
    ):
        line = [sys.executable, "-m", "fewlevels.cli", *map(str, command)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
        assert (done.returncode, done.stderr) == (0, error)


def test_damaged_weights_of_a_finished_study_are_written_again_and_its_time_is_kept(earlier: Path) -> None:
    weights = (earlier / "weights.npz").read_bytes()
    (earlier / "weights.npz").write_bytes(weights[:-7])
    run_study(load_study(earlier).config, earlier, Nothing(1))
    assert (earlier / "weights.npz").read_bytes() == weights
    run = json.loads((earlier / "run.json").read_text(encoding="utf-8"))
    assert run["wall_seconds"] == 4321.5 and set(run["file_checksums"]) == {"weights.npz", "weights.mat"}


@pytest.mark.parametrize(
    ("name", "stored", "command", "heading"),
    [
        ("search.json", SEARCH, "search", "Fewer levels by other methods"),
        ("agreement.json", AGREEMENT, "verify", "Against ngspice"),
    ],
)
def test_a_search_and_an_agreement_are_left_out_of_the_report_and_that_is_said(
    name: str, stored: dict[str, object], command: str, heading: str, earlier: Path
) -> None:
    content = json.dumps(stored).encode()
    (earlier / name).write_bytes(content)
    said = rf"{name} is of an earlier version and left out of the report; run 'fewlevels {command} .*' again$"
    with pytest.warns(FewlevelsWarning, match=said):
        page = write_report(earlier, load_study(earlier)).read_text(encoding="utf-8")
    assert f"<h2>{heading}" not in page and (earlier / name).read_bytes() == content
