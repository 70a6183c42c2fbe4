"""Object stores: what a folder holds is the same there; conditional writes; what a store refuses is one sentence."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from fewlevels import Networks, TrainingConfig, finetune, load_device, load_digits, train
from fewlevels.common import extras
from fewlevels.common.places import place
from fewlevels.engines.parts import Part
from fewlevels.engines.threads import Threads
from fewlevels.errors import ConfigError, StoreError, UsageError
from fewlevels.fitting.problem import FitConfig
from fewlevels.fitting.store import fit_part, stored_fit
from fewlevels.search.contest import Contest
from fewlevels.search.method import parse_methods
from fewlevels.search.run import run_search, run_search_part, searches_in
from fewlevels.search.target import Target
from fewlevels.storage.folder import Folder
from fewlevels.study.config import make_config
from fewlevels.study.groups import groups_of
from fewlevels.study.result import StudyResult
from fewlevels.study.run import run_part, run_study
from tests.cli.test_cli import run
from tests.study.test_run import TINY, contents
from tests.support.object_store import object_store, objects, upload

STUDY_CONFIG = make_config(TINY, "test")
MADE_OF = {"seed": 1}
TABLE = pa.table({"q": [4, 5]})
STUDY = ("--seeds=2", "--repeats=60", "--epochs=20", "--q-max=4", "--quiet")
SAMPLES, STEPS, CONFIG = load_digits(5), TrainingConfig(steps=60_000), FitConfig(chips=4, most_states=2)
TIMED = "run.json", "report.html"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_store() as url:
        yield url


def local(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("lock", "verified.json")
    }


def untimed(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name not in TIMED}


def test_parts_of_a_study_end_with_the_bytes_of_a_folder(bucket: str, tmp_path: Path) -> None:
    folder = place(f"{bucket}/parts")
    with ThreadPoolExecutor(2) as pool:  # beside each other
        list(pool.map(lambda number: run_part(STUDY_CONFIG, folder, Threads(1), Part(number, 3)), (3, 1)))
    before = objects(f"{bucket}/parts")
    assert 0 < sum(name.startswith("shards/") for name in before) < len(groups_of(STUDY_CONFIG))
    run_study(STUDY_CONFIG, folder, Threads(2))
    run_study(STUDY_CONFIG, tmp_path, Threads(2))
    there = objects(f"{bucket}/parts")
    assert before.items() <= there.items()
    assert untimed(there) == untimed(contents(tmp_path))
    with pytest.raises(ConfigError, match="s3://lab/parts holds a different study: seed is 1 there and 5 here"):
        run_study(STUDY_CONFIG.model_copy(update={"seed": 5}), folder, Threads(2))


def test_one_of_many_writers_of_a_new_file_is_the_first(bucket: str) -> None:
    folder = Folder(place(f"{bucket}/new"))
    with ThreadPoolExecutor(8) as pool:
        contents_ = [str(writer).encode() for writer in range(8)]
        first = list(pool.map(lambda content: folder.write("one", content, only_new=True), contents_))
    assert sum(first) == 1
    assert objects(f"{bucket}/new") == {"one": contents_[first.index(True)]}


def test_a_damaged_shard_is_told_and_mended(bucket: str) -> None:
    told: list[Path] = []
    folder = place(f"{bucket}/damaged")
    with Folder(folder).locked():
        file = Folder(folder).write_shard("one", TABLE, MADE_OF)
    shard = folder / "shards" / file
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"s3://lab/damaged/shards/one-\w+.parquet is damaged"):
        Folder(folder).read_shard("one", MADE_OF)
    assert Folder(folder, told.append).find_shard("one", MADE_OF) is None
    assert told == [shard]
    assert objects(f"{bucket}/damaged") == {}


def test_what_was_verified_and_has_not_changed_is_not_read_again(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(place(f"{bucket}/verified"))
    with folder.locked():
        folder.write_shard("one", TABLE, MADE_OF)
        assert folder.has_shard("one", MADE_OF)
        folder.remember()
    again = Folder(folder.path)
    monkeypatch.setattr("fewlevels.storage.folder._opened", lambda path: pytest.fail(f"{path} is read"))
    assert again.read_shard("one", MADE_OF, ["q"]).equals(TABLE)


def test_a_fit_and_a_search_end_with_the_bytes_of_a_folder(bucket: str, tmp_path: Path) -> None:
    methods, device = parse_methods("paper"), load_device("cmo_hfox")
    network = Networks(finetune(train(SAMPLES, STEPS, models=1, seed=2), SAMPLES).quantized_weights)
    asked = {"q_max": 9, "share": "network", "minimise": "requested", "seed": 1}
    contest = Contest.of(network, SAMPLES, methods, test=None, target=Target(1.0), **asked)
    for number in (2, 1):
        run_search_part(contest, methods, place(f"{bucket}/search"), Threads(1), Part(number, 2), piece_seconds=1e-6)
        fit_part(network, SAMPLES, device, CONFIG, place(f"{bucket}/fit"), Threads(1), part=Part(number, 2))
    for url in (place(bucket), tmp_path):
        run_search(contest, methods, url / "search", Threads(1), piece_seconds=1e-6)
        stored_fit(network, SAMPLES, device, CONFIG, url / "fit")
    for name in ("search", "fit"):
        assert objects(f"{bucket}/{name}") == local(tmp_path / name)
    assert [(each.pieces, each.all_pieces) for each in searches_in(place(f"{bucket}/search"))] == [(9, 9)]


def test_a_study_in_a_bucket_is_what_other_commands_take(bucket: str, small_study: tuple[Path, StudyResult]) -> None:
    url, files = f"{bucket}/study", local(small_study[0])
    upload(files, url)
    for command in (
        ("report", url),
        ("simulate", url, "--model=3"),
        ("train", "digits8", "--epochs=1", "--out", f"{url}-net/net.npz"),
        ("search", f"{url}-net/net.npz", "--data=digits8", "--method=paper", "--q-max=2", "--quiet"),
    ):
        done = run(*command)
        assert done.returncode == 0, done.stderr
    there = objects(url)
    assert untimed(files).items() <= there.items()
    assert "circuit.json" in there
    assert list(objects(f"{url}-net")) == ["net.npz"]
    assert run("show", url, "--progress").stdout == "8 of 8 groups are there, 260 of 260 models\n"
    refused = run("fit", "--network", url, "--device=cmo_hfox", "--out", url)
    assert "s3://lab/study holds a study; give the fit a folder of its own" in refused.stderr


def test_a_study_that_is_killed_goes_on_on_a_dask_cluster(bucket: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fewlevels.cli", "study", "--out", f"{bucket}/killed", *STUDY[1:], "--seeds=4"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not any(name.startswith("shards/") for name in objects(f"{bucket}/killed")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = objects(f"{bucket}/killed")
    done = run(*command[3:], "--engine=dask", "--jobs=2")
    assert done.returncode == 0, done.stderr
    assert run(*command[3:5], tmp_path / "whole", *command[6:]).returncode == 0
    there = objects(f"{bucket}/killed")
    assert before.items() <= there.items()
    assert untimed(there) == untimed(local(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("out", "code", "said"),
    [
        ("s3://nobody/x", 1, "cannot write s3://nobody/x/samples.npz: the specified bucket does not exist"),
        ("foo://lab/x", 2, "foo://lab/x is in no store that can be used here: Unsupported filesystem: 'foo'"),
        ("s3://", 2, "s3:// names no bucket; s3://BUCKET/FOLDER is expected"),
    ],
)
def test_what_no_store_takes_is_one_sentence(bucket: str, out: str, code: int, said: str) -> None:
    done = run("study", "--out", out, *STUDY)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert said in done.stderr


def test_a_store_that_does_not_answer_is_one_sentence(bucket: str) -> None:
    done = run("show", f"{bucket}/x", env={**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "cannot read s3://lab/x/study.toml: could not connect to the endpoint url" in done.stderr


def test_without_its_library_a_store_s_name_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"s3://lab/x needs upath: pip install 'fewlevels\[cloud\]'"):
        place("s3://lab/x")


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    assert place(f"file://{tmp_path}/x") == tmp_path / "x"
