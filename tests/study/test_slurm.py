"""The job array of examples/, under SLURM itself where its daemons start on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.study.test_run import contents
from tests.support.slurm import NotStarted, missing, output, slurm

SCRIPT = Path(__file__).parents[2] / "examples" / "slurm_array.sh"


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_job_array_runs_under_slurm_and_its_study_has_the_bytes_of_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    try:
        with slurm(tmp_path / "slurm") as environment:
            own = {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"}
            array = ["sbatch", "--parsable", "--array=1-3", "--cpus-per-task=1", str(SCRIPT)]
            assert output(array, environment | own, tmp_path / "run").strip().isdecimal()
            until = time.monotonic() + 200
            while output(["squeue", "--noheader"], environment).strip():
                assert time.monotonic() < until
                time.sleep(0.5)
    except NotStarted as error:  # of the daemons alone; whatever fails under them fails here
        pytest.skip(f"SLURM does not start here: {str(error)[-300:]}")
    said = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "run").glob("slurm-*.out"))
    assert all(f"part {part}/3 is done" in said for part in (1, 2, 3)), said
    assert "12 of 12 groups are there, 1100 of 1100 models" in said
    command = [sys.executable, "-m", "fewlevels.cli", "study", "--preset", "quick", "--dataset", "digits5", "--quiet"]
    for name in ("study", "plain"):
        subprocess.run([*command, "--out", str(tmp_path / "run" / name)], check=True, timeout=300)
    ran, plain = (contents(tmp_path / "run" / name) for name in ("study", "plain"))
    assert {name for name in plain if ran[name] != plain[name]} <= {"report.html"}  # which tells the wall time
