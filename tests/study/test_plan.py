"""Plan: what a study will take, against one that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fewlevels.engines.threads import Threads
from fewlevels.study.config import make_config
from fewlevels.study.plan import Cost, measure, plan_of
from fewlevels.study.run import run_study
from tests.cli.test_cli import run
from tests.study.test_run import TINY

COST = Cost(step_seconds=1e-8, search_seconds=1e-4, model_bytes=1400.0)


def test_a_plan_is_its_cost_times_the_size_of_the_study() -> None:
    config = make_config({"seeds": 100, "repeats": 10_000}, "test")
    plan = plan_of(config, config.samples(), COST)
    assert (plan.models, plan.group_models, plan.groups) == (10**6, 3360, 303)
    assert plan.core_seconds == pytest.approx(10**6 * (500_000e-8 + 1e-4) + 500 * 100_000e-8)
    assert (plan.stored_bytes, plan.files) == (1.4e9, 303)  # its weights have more than 1 GB
    assert plan.parts == 2
    few = plan_of(config.model_copy(update={"repeats": 60}), config.samples(), COST)
    assert (few.group_models, few.groups, few.files, few.parts) == (96, 68, 70, 1)
    bare = plan_of(config.model_copy(update={"keep_weights": False, "repeats": 60}), config.samples(), COST)
    assert bare.files == bare.groups


def test_a_plan_counts_the_files_and_about_the_bytes_of_a_study_that_runs(tmp_path: Path) -> None:
    config = make_config(TINY | {"repeats": 96, "epochs": 60}, "test")
    samples = config.samples()
    plan = plan_of(config, samples, measure(config, samples, 0.1))
    run_study(config, tmp_path, Threads(1))
    stored = [*(tmp_path / "shards").iterdir(), *tmp_path.glob("weights.*")]
    assert plan.files == len(stored)
    assert plan.stored_bytes == pytest.approx(sum(path.stat().st_size for path in stored), rel=0.2)


def test_the_command_plans_a_file_a_folder_or_three_sizes(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("seeds = 3\nrepeats = 5\nepochs = 20\n", encoding="utf-8")
    for named in (tmp_path, tmp_path / "study.toml"):
        (plan,) = json.loads(run("plan", named, "--json").stdout)
        assert plan["models"] == 15
    assert {"12000", "1000000", "100000000"} <= set(run("plan").stdout.split())
    done = run("plan", tmp_path / "none.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.toml" in done.stderr
