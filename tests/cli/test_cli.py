"""The command line, in real subprocesses."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from fewlevels.cli import main as cli
from fewlevels.cli.interrupt import on_interrupt
from fewlevels.cli.progress import shown_progress
from fewlevels.common.progress import Progress
from fewlevels.study.config import ZonesConfig
from tests.study.test_run import contents
from tests.support.terminal import stderr_on_a_terminal

SMALL = ["--seeds", "2", "--repeats", "40", "--epochs", "40", "--q-max", "12", "--jobs", "2"]
KEYS = {
    "models",
    "trained_fraction",
    "solved_fraction",
    "q_min",
    "best_model_occupied",
    "occupied_min",
    "weight_range_at_q_min_median",
    "q_median",
    "occupied_median",
    "rank_correlation",
    "reduction_percent",
    "wall_seconds",
}


def run(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fewlevels.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "study"
    done = run("study", "--out", folder, *SMALL)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_study_says_its_summary_and_where_the_report_is(study):
    folder, done = study
    assert f"report: {folder / 'report.html'}" in done.stdout
    assert "fewest levels requested, q" in done.stdout
    assert (folder / "report.html").is_file()


def test_progress_is_plain_lines_where_there_is_no_terminal(study):
    _, done = study
    assert "580 of 580 models" in done.stderr
    assert "\x1b" not in done.stderr


def test_the_rate_and_the_time_left_count_what_this_run_did(capsys):
    with shown_progress("training", "models", quiet=False) as on_progress:
        on_progress(Progress(done=100, done_now=0, total=200, seconds=0.0))
        on_progress(Progress(done=120, done_now=20, total=200, seconds=5.0))
    lines = capsys.readouterr().err.splitlines()
    assert [re.findall(r"\d+", line) for line in lines] == [["100", "200"], ["120", "200", "4", "20"]]


def test_progress_is_a_live_bar_on_a_terminal(tmp_path):
    shown = stderr_on_a_terminal(
        [sys.executable, "-m", "fewlevels.cli", "study", "--out", str(tmp_path / "study"), *SMALL]
    )
    assert b"\x1b[" in shown
    assert b"580/580" in shown
    assert b"models/s" in shown


def test_a_warning_is_one_sentence_said_once(study, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(study[0], folder)
    shard = next((folder / "shards").glob("zone-0-*"))
    foreign = shutil.copy(shard, shard.with_name(shard.name.replace("zone-0", "zone-1")))
    done = run("report", folder)
    assert (done.returncode, done.stderr) == (0, f"fewlevels: {foreign} is left aside: it is of zone-0\n")


def test_an_edited_study_is_one_sentence_and_exit_code_2(study, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(study[0], folder)
    toml = folder / "study.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("alpha = 1.0", "alpha = 0.8"), encoding="utf-8")
    for done in (run("show", folder), run("study", "--config", toml, "--out", folder)):
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(
            f"fewlevels: {folder} holds results of something else: alpha is 1.0 there and 0.8"
        )
        assert done.stderr.count("\n") == 1


def test_a_folder_that_goes_away_while_a_study_runs_is_one_sentence_and_exit_code_1(tmp_path):
    folder = tmp_path / "study"
    command = [sys.executable, "-m", "fewlevels.cli", "study", "--out", str(folder), "--jobs", "1", "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list((folder / "shards").glob("*.parquet")):
        time.sleep(0.01)
    shutil.move(folder, tmp_path / "moved")
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.count("\n")) == (1, 1)
    assert said.startswith(f"fewlevels: {folder} was removed or made anew while this ran; run the same command again")
    assert not folder.exists()


def test_two_studies_at_once_on_a_file_system_without_locks_end_with_the_right_bytes(study, tmp_path):
    folder, unlocked = (
        tmp_path / "study",
        (
            "import errno, fcntl\n"
            "def refused(*_): raise OSError(errno.ENOLCK, 'No locks available')\n"
            "fcntl.flock = refused\n"
            "from fewlevels.cli.main import main\n"
            "main()\n"
        ),
    )
    command = [sys.executable, "-c", unlocked, "study", "--out", str(folder), "--quiet", *SMALL]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=300)
        assert (process.returncode, said.count("\n")) == (0, 1)
        assert said.startswith(
            f"fewlevels: the file system of {folder} has no locks (No locks available); results stay"
        )
    one, other = contents(folder), contents(study[0])
    one.pop("report.html"), other.pop("report.html")  # states the wall time
    assert one == other


def test_quiet_prints_nothing(tmp_path):
    done = run("study", "--out", tmp_path / "study", "--quiet", *SMALL)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_show_json_is_json_and_nothing_else(study):
    folder, _ = study
    done = run("show", folder, "--json")
    values = json.loads(done.stdout)
    assert set(values) >= KEYS
    assert values["models"] == 80
    assert done.stderr == ""


def test_show_prints_the_summary(study):
    assert "rank correlation of q and weight range" in run("show", study[0]).stdout


def test_the_written_configuration_gives_the_same_bytes_with_other_jobs(study, tmp_path):
    folder, _ = study
    done = run("study", "--config", folder / "study.toml", "--jobs", 1, "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    one, other = contents(folder), contents(tmp_path / "again")
    one.pop("report.html"), other.pop("report.html")  # states the wall time
    assert one == other


def test_report_is_rebuilt_from_the_stored_results_alone(study, tmp_path):
    folder, _ = study
    kept = tmp_path / "kept"
    (kept / "shards").mkdir(parents=True)
    for name in ("study.toml", "samples.npz", "run.json", *(f"shards/{p.name}" for p in (folder / "shards").iterdir())):
        (kept / name).write_bytes((folder / name).read_bytes())
    assert run("report", kept).returncode == 0
    assert (kept / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_a_study_killed_with_sigkill_goes_on_and_ends_with_the_same_bytes(tmp_path):
    size = ["--seeds", "6", "--repeats", "96", "--epochs", "400", "--q-max", "8", "--jobs", "2"]
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    command = [sys.executable, "-m", "fewlevels.cli", "study", "--out", str(broken), *size]
    kills = 0
    for shards in (1, 3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list((broken / "shards").glob("*.parquet"))) < shards:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills == 2
    assert 3 <= len(list((broken / "shards").glob("*.parquet"))) < 11
    done = run("study", "--out", broken, *size)
    assert done.returncode == 0, done.stderr
    assert run("study", "--out", whole, *size).returncode == 0
    one, other = contents(broken), contents(whole)
    one.pop("report.html"), other.pop("report.html")  # states the wall time
    assert one == other


def test_an_interrupt_is_one_sentence_and_exit_code_130(tmp_path):
    command = [sys.executable, "-m", "fewlevels.cli", "study", "--out", str(tmp_path / "study"), "--jobs", "1"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    while not list((tmp_path / "study" / "shards").glob("*.parquet")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.endswith("fewlevels: interrupted; the same command goes on where it was\n")
    assert "Traceback" not in said


@pytest.mark.parametrize("stored", [False, True])
def test_an_interrupted_search_leaves_soon_and_says_what_was_stored(tmp_path, stored):
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "net.npz", W1=rng.normal(size=(3000, 25, 40)), W2=rng.normal(size=(3000, 40, 10)))
    command = [sys.executable, "-m", "fewlevels.cli", "search", str(tmp_path / "net.npz"), "--data", "digits5"]
    command += ["--method", "zero,qat:ternary", *(["--out", str(tmp_path / "out")] if stored else [])]
    said = "the same command goes on where it was" if stored else "nothing was stored"
    assert_leaves_soon(command, said, after_seconds=4)  # of minutes
    assert not (tmp_path / "out" / "search.json").exists()


NATIVE = """
import sys
import numpy as np
from fewlevels import load_digits, _kernels
from fewlevels.cli import main as cli
def app(**_):
    x, y = load_digits(5).x.astype(np.float32), load_digits(5).y
    w1, w2 = np.zeros((16, 25, 10), np.float32), np.zeros((16, 10, 10), np.float32)
    steps = 10**9  # minutes in one native call, in the main thread
    print("begun", flush=True)
    _kernels.train(x, y, w1, w2, np.ones((16, 4), np.uint32), 1.0, steps, np.array([steps]), w1[None].copy(),
                   w2[None].copy(), "baseline")
cli.app = app
cli.main()
"""


def test_an_interrupt_ends_even_a_native_call_of_the_main_thread():
    assert_leaves_soon([sys.executable, "-c", NATIVE], "", after_seconds=4)


def assert_leaves_soon(command, left, *, after_seconds):
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    with pytest.raises(subprocess.TimeoutExpired):  # it would go on
        process.wait(after_seconds)
    began = time.perf_counter()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert time.perf_counter() - began < 5  # a second, on a machine that does nothing else
    assert process.returncode == 130
    assert said.strip() == "fewlevels: interrupted" + f"; {left}" * bool(left)


def test_an_interrupt_that_becomes_another_error_is_one_all_the_same(monkeypatch, capsys):
    def interrupted(**_):
        try:
            signal.raise_signal(signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("Error calling __set_name__") from interrupt

    monkeypatch.setattr(cli, "app", interrupted)
    monkeypatch.setattr(os, "_exit", sys.exit)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit):
            cli.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert "fewlevels: interrupted\n" in capsys.readouterr().err


@pytest.mark.parametrize("left", ["", "nothing was stored"])
def test_an_interrupt_says_what_it_leaves(left, monkeypatch, capsys):
    def interrupted(**_):
        on_interrupt(left)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "fewlevels: interrupted" + f"; {left}" * bool(left) + "\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--preset", "fast"], "--preset must be one of paper, quick, got 'fast'"),
        (["--dataset", "nowhere.txt"], "no samples file at nowhere.txt"),
        (["--alpha", "1.5"], "alpha: input should be less than or equal to 1, got 1.5"),
        (["--q-max", "0"], "q_max: input should be greater than or equal to 1, got 0"),
        (["--q-max", "many"], "'--q-max': a whole number is expected, got 'many'"),
        (["--init", "beta:1,1"], "init must be 'uniform:LOW,HIGH'"),
        (["--learning-rate", "nan"], "learning_rate: "),
        (["--epochs", "99999999999999999999"], "epochs: input should be less than or equal to 2147483647, got 9999"),
        (["--iterations", "3000000000000000000"], "iterations: input should be less than or equal to 2147483647"),
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["--config", "none.toml"], "cannot read none.toml: no such file"),
        (["--colour"], "No such option: --colour"),
        (["--config", "none.toml", "--preset", "quick"], "either --preset or --config"),
        (["--instruction-set", "v5"], "instruction_set must be one of v4, v3, baseline, got 'v5'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(tmp_path, arguments, said):
    done = run("study", "--out", tmp_path / "study", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(("text", "said"), [("class a\n1x\n", "line 2"), ("", "holds no glyph")])
def test_a_bad_glyph_file_is_one_sentence(tmp_path, text, said):
    (tmp_path / "glyphs.txt").write_text(text, encoding="utf-8")
    done = run("study", "--out", tmp_path / "study", "--dataset", tmp_path / "glyphs.txt")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_nan_in_a_users_data_is_one_sentence(tmp_path):
    np.savez(tmp_path / "data.npz", X=np.array([[0.0, np.nan], [1, 1]]), y=[0, 1])
    done = run("study", "--out", tmp_path / "study", "--dataset", tmp_path / "data.npz")
    assert done.returncode == 2
    assert "x must be finite, got nan at sample 0, input 1" in done.stderr


def test_a_folder_that_cannot_be_written_is_exit_code_1(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    done = run("study", "--out", tmp_path / "file" / "study", *SMALL)
    assert done.returncode == 1
    assert done.stderr.startswith("fewlevels: cannot write in ")
    assert done.stderr.count("\n") == 1


def test_what_does_not_fit_in_memory_is_one_sentence_and_exit_code_1(tmp_path):
    done = run("study", "--out", tmp_path / "study", *SMALL, "--hidden", 2_000_000_000, "--quiet")
    assert done.returncode == 1
    assert done.stderr.startswith("fewlevels: not enough memory: Unable to allocate ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_output_that_cannot_be_written_is_one_sentence_and_exit_code_1(study, form):
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "fewlevels.cli", "show", str(study[0]), *form]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "fewlevels: the system refuses: [Errno 28] No space left on device\n"


def test_debug_shows_the_traceback(tmp_path):
    done = run("--debug", "show", tmp_path)
    assert done.returncode != 0
    assert "Traceback" in done.stderr


@pytest.fixture(scope="module")
def own_study(tmp_path_factory):
    """A study of a user's own data with every option given, and the options."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(3), 20)
    np.savez(folder / "own.npz", X=rng.normal(size=(60, 6)) * 0.3 + np.eye(3, 6)[y] * 3, y=y)
    options = {
        "dataset": str(folder / "own.npz"),
        "seed": 9,
        "seeds": 2,
        "repeats": 39,
        "epochs": 41,
        "iterations": 97,
        "hidden": 8,
        "learning_rate": 0.75,
        "init": "normal:0.5,0.6",
        "alpha": 0.95,
        "q_max": 13,
        "quantizer": "midpoint-signed",
        "instruction_set": "baseline",
    }
    given = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", value)]
    done = run("study", "--out", folder / "study", "--jobs", 2, *given)
    assert done.returncode == 0, done.stderr
    return folder / "study", options


def test_a_users_own_npz_is_studied(own_study):
    values = json.loads(run("show", own_study[0], "--json").stdout)
    assert values["weights"] == 6 * 8 + 8 * 3
    assert values["solved_fraction"] > 0.5


def test_every_option_reaches_the_studys_configuration(own_study):
    folder, options = own_study
    stored = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))
    assert stored.pop("zones") == ZonesConfig().model_dump()
    assert (stored.pop("group_models"), stored.pop("keep_weights")) == (96, True)  # no option says these
    assert stored == options


def test_help_names_every_command():
    assert all(command in run("--help").stdout for command in ("study", "report", "show"))


def test_the_version_is_the_packages():
    from importlib.metadata import version

    assert run("--version").stdout.strip() == f"fewlevels {version('fewlevels')}"


def test_help_imports_nothing_heavy():
    code = "import sys; sys.argv = ['fewlevels', '--help']\nfrom fewlevels.cli.main import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print([m for m in ('numpy', 'scipy', 'matplotlib', 'pyarrow', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("[]\n")


def test_the_folder_listing_holds_no_unfinished_files(study):
    assert not list(Path(study[0]).rglob("*.partial"))


def test_a_study_of_own_data_is_repeated_from_any_folder_and_a_written_file_s_path_starts_beside_it(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data" / "two.txt").write_text("class a\n10\nclass b\n01\n", encoding="utf-8")
    (tmp_path / "data" / "own.toml").write_text("dataset = 'two.txt'\n", encoding="utf-8")
    small = ["--seeds", "1", "--repeats", "2", "--epochs", "5", "--quiet"]
    for cwd, arguments in (
        (tmp_path / "data", ["--dataset", "two.txt", "--out", "../one"]),
        (tmp_path / "elsewhere", ["--config", "../one/study.toml", "--out", "../again"]),
        (tmp_path, ["--config", "data/own.toml", "--out", "written"]),
    ):
        done = run("study", *arguments, *small, cwd=cwd)
        assert done.returncode == 0, done.stderr
    one, again, written = (contents(tmp_path / name) for name in ("one", "again", "written"))
    assert one["study.toml"] == again["study.toml"] == written["study.toml"]
    assert one["weights.npz"] == again["weights.npz"]
    assert "<title>fewlevels: two.txt</title>" in (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
