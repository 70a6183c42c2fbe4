"""Dask: the same bytes as threads, and one sentence where workers, a task or the scheduler die."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewlevels import Networks, Samples, load_device
from fewlevels.engines.choose import engine_named
from fewlevels.engines.parts import Part
from fewlevels.engines.threads import Threads
from fewlevels.errors import ClusterError, FewlevelsError, StoreError, UsageError
from fewlevels.fitting.problem import FitConfig
from fewlevels.fitting.store import stored_fit
from fewlevels.search.method import checked_methods
from fewlevels.search.run import run_search
from fewlevels.study.config import make_config
from fewlevels.study.folder import Store
from fewlevels.study.groups import groups_of
from fewlevels.study.run import run_part, run_study
from fewlevels.study.work import StudyWork, known_of
from tests.search.test_run import DIGITS, contest, same
from tests.study.test_run import TINY, contents

pytest.importorskip("distributed")

from fewlevels.engines.dask import WINDOW, Dask, dask_at

CONFIG = make_config(TINY, "test")


@pytest.fixture(scope="module")
def two() -> Iterator[Dask]:
    """Two workers on this machine."""
    with dask_at("", 2, lambda _: None) as engine:
        yield engine


def square(number: int) -> int:
    return number * number


def deadly(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refused(number: int) -> int:
    if number == 2:
        raise StoreError("the disk is full")
    time.sleep(0.05)
    return number


def broken(number: int) -> float:
    return 1 / (number - 1)


def logged(task: tuple[str, int]) -> int:
    folder, number = task
    (Path(folder) / str(number)).touch()
    time.sleep(0.05)
    return number


def test_every_task_comes_back_once_with_its_result(two: Dask) -> None:
    assert dict(two.run(square, range(50))) == {number: number**2 for number in range(50)}
    assert dict(two.run(square, [])) == {}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_on_workers_has_the_bytes_of_one_on_threads(workers: int, two: Dask, tmp_path: Path) -> None:
    run_study(CONFIG, tmp_path / "threads", Threads(2))
    if workers == 2:
        run_study(CONFIG, tmp_path / "dask", two)
    else:
        with engine_named("dask", 1) as one:
            run_part(CONFIG, tmp_path / "dask", one, Part(2, 2))
            run_study(CONFIG, tmp_path / "dask", one)
    assert contents(tmp_path / "dask") == contents(tmp_path / "threads")


def test_a_search_on_workers_finds_what_one_on_threads_finds(two: Dask, tmp_path: Path) -> None:
    methods = checked_methods("paper,clipped,qat:ternary")
    for asked in (contest(), contest(test=DIGITS, minimise="occupied")):
        found = run_search(asked, methods, tmp_path / "dask", two, piece_seconds=1e-3)
        assert same(found, run_search(asked, methods, tmp_path / "threads", Threads(2), piece_seconds=1e-3))


def test_a_fit_on_workers_has_the_bytes_of_one_on_threads(two: Dask, tmp_path: Path) -> None:
    network, device, config = Networks.from_weights([4 * np.eye(3)]), load_device("cmo_hfox"), FitConfig(chips=40)
    judge = Samples(np.eye(3), np.arange(3), ("a", "b", "c"))
    asked = network, judge, device, replace(config, most_states=3)
    data = Samples(np.eye(3)[::-1], np.arange(3)[::-1], ("a", "b", "c"))
    stored_fit(*asked, tmp_path / "dask", two, data=data, piece_seconds=1e-5)
    stored_fit(*asked, tmp_path / "threads", Threads(2), data=data, piece_seconds=1e-5)
    there = contents(tmp_path / "dask")
    assert there.pop("judge.npz") != there.pop("data.npz")
    assert there == contents(tmp_path / "threads")


def test_a_task_that_kills_its_workers_fails_alone_and_is_named(two: Dask) -> None:
    done = set()
    with pytest.raises(
        ClusterError, match=r"^3 ended 4 workers one after the other; the last, at tcp://.*, said: "
    ) as said:
        done.update(task for task, _ in two.run(deadly, range(12)))
    assert done == set(range(12)) - {3}
    assert "was killed by signal 9; all others are done" in str(said.value)


def killing_once(task: tuple[str, int]) -> int:
    folder, number = task
    mark = Path(folder) / "killed"
    if number == 4 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_worker_that_dies_costs_no_task(two: Dask, tmp_path: Path) -> None:
    tasks = [(str(tmp_path), number) for number in range(12)]
    assert dict(two.run(killing_once, tasks)) == {task: task[1] for task in tasks}
    assert (tmp_path / "killed").exists()


def test_an_error_of_a_task_is_raised_as_it_is_and_the_rest_is_dropped(two: Dask) -> None:
    with pytest.raises(StoreError, match=r"^the disk is full$"):
        dict(two.run(refused, range(200)))


def test_an_error_that_is_not_ours_names_the_task_and_the_worker(two: Dask) -> None:
    with pytest.raises(ClusterError, match=r"^1 failed on a worker, .*: ZeroDivisionError: division by zero$"):
        dict(two.run(broken, [3, 1]))


def test_one_who_stops_early_leaves_no_more_than_the_window_to_be_done(two: Dask, tmp_path: Path) -> None:
    tasks = [(str(tmp_path), number) for number in range(500)]
    with closing(two.run(logged, tasks)) as results:
        next(results)
    time.sleep(1)
    assert len(list(tmp_path.iterdir())) <= 2 * WINDOW + 2


def test_work_that_is_sent_is_small_and_sees_its_study_or_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    run_study(CONFIG, tmp_path / "study", Threads(2))
    store = Store(tmp_path / "study")
    config, samples = store.config(), store.samples()
    sent = pickle.dumps(StudyWork.of(store, known_of(config, samples)))
    assert len(sent) < 500
    with monkeypatch.context() as other:
        other.setattr("fewlevels.engines.work.__version__", "9.9")
        with pytest.raises(ClusterError, match=r"^a worker has fewlevels 9\.9, this command .*: use one version$"):
            pickle.loads(sent)(groups_of(config)[1])
    before = contents(store.path)
    next(store.shards.glob("models-000096-*")).unlink()
    file = pickle.loads(sent)(groups_of(config)[1])
    assert contents(store.path) == before
    assert file.startswith("models-000096-")
    for lost in (lambda: (store.path / "study.toml").write_text("seed = 2\n"), (store.path / "study.toml").unlink):
        lost()
        with pytest.raises(
            StoreError, match="was removed or made anew while this ran; run the same command again, with workers"
        ):
            pickle.loads(sent)(groups_of(config)[1])


@pytest.mark.parametrize("name", ["dusk", "dask:", "", "threads:2", "Dask"])
def test_another_engine_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError, match=r"--engine must be threads, dask, dask:ADDRESS or dask:FILE\.json, got "):
        engine_named(name, None).__enter__()


def test_a_scheduler_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    for where in ("nonsense://here", "tcp://\x1b[31m"):
        with pytest.raises(ClusterError, match=r"^no Dask scheduler answers at "):
            engine_named(f"dask:{where}", None).__enter__()
    with pytest.raises(UsageError, match=r"there is no .*none\.json; a file that dask-scheduler --scheduler-file has"):
        engine_named(f"dask:{tmp_path / 'none.json'}", None).__enter__()
    with pytest.raises(UsageError, match="--jobs is of this machine"):
        engine_named("dask:127.0.0.1:1", 2).__enter__()


OPTIONS = ["--seeds=4", "--repeats=96", "--epochs=6000", "--q-max=4", "--quiet"]


def command(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "fewlevels.cli", "study", f"--out={out}", *OPTIONS, *more]


def test_a_lost_scheduler_is_one_sentence_and_the_same_command_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    start = [sys.executable, "-m", "dask"]
    scheduler = [*start, "scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={file}"]
    worker = [*start, "worker", f"--scheduler-file={file}", "--nthreads=1", "--no-nanny", "--no-dashboard"]
    with open(os.devnull, "wb") as silent:
        running = [subprocess.Popen(each, stdout=silent, stderr=silent) for each in (scheduler, worker)]
        try:
            while not file.exists():
                time.sleep(0.1)
            study = command(tmp_path / "study", f"--engine=dask:{file}")
            client = subprocess.Popen(study, stderr=subprocess.PIPE, text=True)
            while not list(tmp_path.glob("study/shards/*.parquet")):
                assert client.poll() is None, client.communicate()
                time.sleep(0.02)
            running[0].kill()
            said = client.communicate(timeout=60)[1]
        finally:
            for process in running:
                process.kill()
                process.wait()
    assert client.returncode == 1
    assert said.startswith("fewlevels: the scheduler at tcp://127.0.0.1:")
    assert said.endswith("was lost; what is stored stays, and the same command goes on where it was\n")
    assert said.count("\n") == 1
    subprocess.run(command(tmp_path / "study"), check=True, timeout=300)


def test_an_interrupt_leaves_no_worker_behind(tmp_path: Path) -> None:
    client = subprocess.Popen(
        command(tmp_path / "study", "--engine=dask", "--jobs=2"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(tmp_path.glob("study/shards/*.parquet")):
        assert client.poll() is None, client.communicate()
        time.sleep(0.02)
    os.killpg(client.pid, signal.SIGINT)  # as a terminal does
    said = client.communicate(timeout=30)[1]  # which its workers hold open, too
    assert (client.returncode, said) == (130, "fewlevels: interrupted; the same command goes on where it was\n")


def test_a_study_whose_processes_are_killed_ends_with_the_same_bytes() -> None:
    tool = Path(__file__).parents[2] / "tools" / "kills_dask.py"
    done = subprocess.run([sys.executable, tool, "2", "study"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.match(r"2 kills \(.*\) in \d+ runs of \d+ pieces in all: the same bytes each time\n", done.stdout)


def test_a_folder_of_any_name_does(tmp_path: Path) -> None:
    out = tmp_path / "a b\x1b[31m {}%s"
    subprocess.run(command(out, "--engine=dask", "--jobs=1", "--part=1/5"), check=True, timeout=300, cwd=tmp_path)
    assert list((out / "shards").iterdir())


def test_dask_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        FewlevelsError, match=r"--engine dask needs dask and distributed: pip install 'fewlevels\[dask\]'"
    ):
        engine_named("dask", None).__enter__()
