"""`fewlevels fit`: a network file in, the answer out; bad input gets one sentence and exit code 2."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fewlevels import TrainingConfig, finetune, load_digits, train
from fewlevels.study.folder import Store
from tests.study.test_run import contents
from tests.support.terminal import stderr_on_a_terminal

FEWLEVELS = str(Path(sys.executable).with_name("fewlevels"))
KEYS = {"feasible", "states", "yield", "yield_interval", "separable_levels", "limiting_factor", "wall_seconds"}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FEWLEVELS, "fit", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ternary network in a file of its own, as a user would bring it."""
    samples = load_digits(5)
    w1, w2 = finetune(train(samples, TrainingConfig(steps=60_000), models=1), samples).quantized_weights
    path = tmp_path_factory.mktemp("network") / "net.npz"
    np.savez(path, W1=w1[0], W2=w2[0])
    return path


def test_a_network_of_the_user_s_own_gets_an_answer(network: Path, tmp_path: Path) -> None:
    options = ("--network", network, "--data", "digits5", "--device", "cmo_hfox", "--chips", 200, "--most-states", 3)
    done = run(*options, "--out", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) >= KEYS and answer["feasible"] is True and answer["states"] == 2
    assert answer["separable_levels"] > 30
    assert {p.name for p in tmp_path.iterdir()} >= {"fit.json", "mapping.csv", "network.npz", "report.html", "figures"}
    text = run(*options, "--out", tmp_path)
    assert text.stdout.startswith("fits: With 2 states") and "limiting factor: " in text.stdout


def test_a_device_of_the_user_s_own_gets_an_answer(network: Path, tmp_path: Path) -> None:
    (tmp_path / "levels.csv").write_text(
        "level,conductance_siemens,sigma_siemens\n0,1e-6,1e-7\n1,2e-5,5e-7\n2,8e-5,1e-6\n"
    )
    (tmp_path / "mine.toml").write_text('name = "mine"\n\n[levels]\ncsv = "levels.csv"\n')
    done = run(
        "--network",
        network,
        "--data",
        "digits5",
        "--device",
        tmp_path / "mine.toml",
        "--chips",
        100,
        "--json",
        "--out",
        tmp_path / "fit",
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["device"] == "mine" and set(answer["state_siemens"]) <= {1e-6, 2e-5, 8e-5}


def test_a_fit_killed_with_sigkill_goes_on_and_ends_with_the_same_bytes(network: Path, tmp_path: Path) -> None:
    options = ("--network", network, "--data", "digits5", "--device", "cmo_hfox", "--chips", 3000, "--most-states", 4)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(*options, "--out", whole, "--jobs", 1).returncode == 0
    process = subprocess.Popen([FEWLEVELS, "fit", *map(str, options), "--out", broken], stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list((broken / "shards").glob("*.parquet"))) < 4:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL and not (broken / "fit.json").exists()
    assert run(*options, "--out", broken).returncode == 0
    one, other = contents(broken), contents(whole)
    assert one == other and "fit.json" in one


def test_progress_is_a_live_bar_on_a_terminal_and_plain_lines_elsewhere(network: Path, tmp_path: Path) -> None:
    options = ("--network", network, "--data", "digits5", "--device", "cmo_hfox", "--chips", 200, "--most-states", 3)
    shown = stderr_on_a_terminal([FEWLEVELS, "fit", *map(str, options), "--out", str(tmp_path / "live")])
    assert all(each in shown for each in (b"\x1b[", b"what limits", b"5000/5000", b"chips/s", b"  2 states, "))
    plain = run(*options, "--out", tmp_path / "plain").stderr
    assert "trying states: 0 of 4000 chips\n" in plain and "what limits: 5000 of 5000 chips" in plain
    assert "  2 states, " in plain and "\x1b" not in plain
    assert all(done == all_of for done, all_of in re.findall(r"(\d+) of (\d+) chips.* 0 s left", plain))
    assert run(*options, "--out", tmp_path / "quiet", "--quiet").stderr == ""


def test_a_different_fit_in_the_same_folder_is_refused(network: Path, tmp_path: Path) -> None:
    options = ("--network", network, "--data", "digits5", "--device", "cmo_hfox", "--most-states", 2, "--out", tmp_path)
    assert run(*options, "--chips", 100).returncode == 0
    done = run(*options, "--chips", 200)
    assert done.returncode == 2 and "holds a different fit: chips is 100 there and 200 here" in done.stderr


def test_every_option_reaches_the_fit(network: Path, tmp_path: Path) -> None:
    with np.load(network) as arrays:
        weights = {name: np.stack([np.zeros_like(arrays[name]), arrays[name]]) for name in ("W1", "W2")}
    np.savez(tmp_path / "two.npz", **weights)
    given = {
        "model": 1,
        "alpha": 0.9,
        "yield": 0.8,
        "chips": 20,
        "most-states": 3,
        "scheme": "offset-column",
        "input-volt": 0.5,
        "wire-ohm": 2.0,
        "stuck-rate": 0.01,
        "tolerance-siemens": 1e-6,
        "max-pulses": 7,
        "seed": 5,
        "after-seconds": 3600.0,
        "test": "digits5",
    }
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    out = tmp_path / "fit"
    done = run(
        "--network", tmp_path / "two.npz", "--data", "digits5", "--device", "wan2022_rram", "--out", out, *options
    )
    assert done.returncode == 0, done.stderr
    request = json.loads((out / "request.json").read_text())
    names = {"yield": "yield_target"}
    for name, value in given.items():
        if name not in ("model", "test"):
            assert request[names.get(name, name.replace("-", "_"))] == value
    page = (out / "report.html").read_text()
    assert all(f"--{name}={value}" in page for name, value in given.items()) and "two.npz, model 1" in page
    assert "write-verify takes" in done.stdout and "expected recognition of a chip: " in done.stdout


def test_a_second_fit_in_one_folder_is_refused(network: Path, tmp_path: Path) -> None:
    with Store(tmp_path).locked():
        done = run("--network", network, "--data", "digits5", "--device", "cmo_hfox", "--out", tmp_path)
    assert done.returncode == 1 and "another process works in" in done.stderr


def test_held_out_samples_judge_what_others_chose(network: Path, tmp_path: Path) -> None:
    samples = load_digits(5)
    np.savez(tmp_path / "wrong.npz", X=samples.x, y=np.roll(samples.y, 1))
    done = run(
        "--network",
        network,
        "--data",
        "digits5",
        "--test",
        tmp_path / "wrong.npz",
        "--device",
        "cmo_hfox",
        "--chips",
        50,
        "--most-states",
        2,
        "--out",
        tmp_path / "fit",
        "--json",
    )
    answer = json.loads(done.stdout)
    assert answer["limiting_factor"] == "network" and answer["yield"] == 0.0
    assert answer["recognition_before_quantizing"] == 0.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("--device", "nosuch"), "nosuch"),
        (("--yield", "1.5"), "the yield must be in (0, 1], got 1.5; 95 % is 0.95"),
        (("--chips", "0"), "chips must be a whole number of at least 1, got 0"),
        (("--chips", "many"), "a whole number is expected, got 'many'"),
        (("--scheme", "triple"), "scheme must be one of"),
        (("--after-seconds", "0.5"), "it was measured after 1 to 3.15576e+08 s, got 0.5 s"),
        (("--model", "7"), "--model must be best, or 0 to 0, got '7'"),
        (("--data", "nosuch.npz"), "nosuch.npz"),
        (("--jobs", "0"), "--jobs must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_exit_code_2(
    change: tuple[str, str], says: str, network: Path, tmp_path: Path
) -> None:
    done = run("--network", network, "--data", "digits5", "--device", "cmo_hfox", "--out", tmp_path / "fit", *change)
    assert done.returncode == 2 and says in done.stderr and done.stdout == ""
    assert len([line for line in done.stderr.splitlines() if line.startswith("fewlevels: ")]) == 1
    assert "Traceback" not in done.stderr


def test_a_network_of_zeros_is_said_to_be_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "zeros.npz", W1=np.zeros((25, 3)), W2=np.zeros((3, 10)))
    done = run(
        "--network", tmp_path / "zeros.npz", "--data", "digits5", "--device", "cmo_hfox", "--out", tmp_path / "fit"
    )
    assert done.returncode == 2 and not (tmp_path / "fit").exists()
    assert (
        done.stderr
        == "fewlevels: the weights of the network are all zero: it recognises nothing and cannot be mapped\n"
    )
