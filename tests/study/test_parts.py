"""Parts of a study: any order, again, killed, at the same time; the study ends with the same bytes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fewlevels import load_digits
from fewlevels.engines.parts import Part
from fewlevels.engines.threads import Threads
from fewlevels.errors import ConfigError, StoreError
from fewlevels.storage.files import write_whole
from fewlevels.study import work as work_module
from fewlevels.study.config import StudyConfig, make_config
from fewlevels.study.folder import Store
from fewlevels.study.groups import groups_of
from fewlevels.study.present import present
from fewlevels.study.run import run_part, run_study
from tests.study.test_run import TINY, contents

CONFIG = make_config(TINY, "test")
OPTIONS = ["--seeds", "3", "--repeats", "200", "--epochs", "40", "--q-max", "4"]


def command(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "fewlevels.cli", "study", "--out", str(out), *OPTIONS, *more]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("plain")
    run_study(CONFIG, folder, Threads(2))
    return contents(folder)


def test_every_group_is_in_exactly_one_part():
    groups = groups_of(CONFIG)
    for count in (1, 2, 5, 100):
        parts = [Part(number, count).of(groups) for number in range(1, count + 1)]
        assert sorted(group.name for part in parts for group in part) == sorted(group.name for group in groups)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_five_parts_in_a_shuffled_order_end_with_the_same_bytes(tmp_path, plain, monkeypatch):
    computed = []
    compute = work_module.compute
    monkeypatch.setattr(work_module, "compute", lambda *args: computed.append(args[-1].name) or compute(*args))
    for number in (4, 2, 5, 2, 1, 3):
        there = run_part(CONFIG, tmp_path, Threads(1), Part(number, 5))
    assert (there.groups, there.all_groups) == (len(groups_of(CONFIG)),) * 2
    assert (there.models, there.all_models) == (195, 195)
    run_study(CONFIG, tmp_path, Threads(1))
    assert sorted(computed) == sorted(group.name for group in groups_of(CONFIG))
    assert contents(tmp_path) == plain


def test_the_plain_command_computes_what_the_parts_have_not(tmp_path, plain):
    there = run_part(CONFIG, tmp_path, Threads(1), Part(2, 3))
    assert there == present(Store(tmp_path))
    assert 0 < there.groups < there.all_groups
    run_study(CONFIG, tmp_path, Threads(2))
    assert contents(tmp_path) == plain


def test_a_part_of_more_parts_than_groups_has_nothing_to_do(tmp_path):
    assert run_part(CONFIG, tmp_path, Threads(1), Part(99, 99)).groups == 0


def test_parts_of_another_study_are_refused(tmp_path):
    run_part(CONFIG, tmp_path, Threads(1), Part(99, 99))
    with pytest.raises(ConfigError, match="holds a different study: seed"):
        run_part(CONFIG.model_copy(update={"seed": 5}), tmp_path, Threads(1), Part(1, 99))


def test_parts_at_the_same_time_one_killed_end_with_the_same_bytes(tmp_path):
    expected, shared = tmp_path / "plain", tmp_path / "shared"
    subprocess.run(command(expected, "--quiet"), check=True)
    running = [
        subprocess.Popen(command(shared, "--part", f"{number}/3", "--jobs", "1"), stdout=subprocess.DEVNULL)
        for number in (1, 2, 3)
    ]
    while not list((shared / "shards").glob("models-*")) and any(one.poll() is None for one in running):
        time.sleep(0.01)
    os.kill(running[0].pid, signal.SIGKILL)
    assert [one.wait() for one in running][1:] == [0, 0]
    before = {path: path.stat().st_mtime_ns for path in (shared / "shards").glob("*.parquet")}
    subprocess.run(command(shared, "--quiet"), check=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert {name: content for name, content in contents(shared).items() if name != "report.html"} == {
        name: content for name, content in contents(expected).items() if name != "report.html"
    }


def test_the_command_says_what_is_there(tmp_path):
    done = subprocess.run(command(tmp_path, "--part", "1/9"), capture_output=True, text=True, check=True)
    assert done.stdout == "part 1/9 is done; 2 of 12 groups are there, 196 of 1100 models\n"
    shown = [sys.executable, "-m", "fewlevels.cli", "show", str(tmp_path), "--progress"]
    assert subprocess.run(shown, capture_output=True, text=True, check=True).stdout == done.stdout[18:]
    assert '"groups": 2' in subprocess.run([*shown, "--json"], capture_output=True, text=True, check=True).stdout


def test_the_job_array_runs_where_the_scheduler_names_its_tasks(tmp_path):
    script = Path(__file__).parents[2] / "examples" / "slurm_array.sh"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for task in ("3", "1", "2"):
        names = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_CPUS_PER_TASK": "2", "PATH": path}
        subprocess.run([script], cwd=tmp_path, env=os.environ | names, check=True)
    there = present(Store(tmp_path / "study"))
    assert there.groups == there.all_groups
    assert there.models == there.all_models


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/0", "a/b", "-1/3", "1/3/5", "1 / 3", "", "²/3"])
def test_what_is_no_part_is_refused(tmp_path, text):
    done = subprocess.run(command(tmp_path / "study", "--part", text), capture_output=True, text=True)
    assert done.returncode == 2
    assert "part" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "study").exists()


def test_of_two_commands_that_begin_at_the_same_time_the_first_says_the_instruction_set(tmp_path, monkeypatch):
    store, other = Store(tmp_path), StudyConfig(instruction_set="baseline")
    begin_new = Store._begin_new

    def slowly(self, config, samples):
        monkeypatch.undo()
        Store(tmp_path).begin(other, samples)  # between the look and the write of the other
        begin_new(self, config, samples)

    monkeypatch.setattr(Store, "_begin_new", slowly)
    with store.shared():
        assert store.begin(StudyConfig(), load_digits(5)).instruction_set == "baseline"
    assert store.config().instruction_set == "baseline"


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_leaves_one_that_is_there(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError("no hard links")))
    for content in (b"first", b"second"):
        write_whole(tmp_path / "file", content, only_new=True)
    assert (tmp_path / "file").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["file"]


def test_a_part_stops_where_its_folder_was_removed(tmp_path):
    store = Store(tmp_path / "study")
    with store.shared():
        os.rename(tmp_path / "study", tmp_path / "other")
        with pytest.raises(StoreError, match="was removed or made anew"):
            store.write("file", b"")
