"""simulate, netlist, verify and fit of a network's file, in real subprocesses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fewlevels.circuit.spice.ngspice import run_deck
from tests.cli.test_cli import run

needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
REMARKS = [
    "Its 5 biases stay digital.",
    "Inputs are scaled: one of 4 is at the whole input voltage.",
    "Inputs are of both signs: they take two reads each.",
    "The values of layer 2 are scaled: one of 6.5 is at the whole input voltage.",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """net.npz: two of three inputs each with a unit of its own, a ReLU; four samples, of both signs, and their classes.

    The values of hidden units go to 4 + 2.5.
    """
    folder = tmp_path_factory.mktemp("files")
    w1 = np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    w2 = np.array([[1.0, -0.5], [-0.5, 1.0], [0.25, 0.25]])
    biases = np.array([0.5, 0.5, 2.5]), np.array([0.1, -0.1])
    x = np.array([[4.0, 1.0, 0.0], [3.0, 4.0, 1.0], [-4.0, 0.0, 0.0], [-2.0, -1.0, 1.0]])
    np.savez(folder / "net.npz", W1=w1, b1=biases[0], W2=w2, b2=biases[1], activations=["relu", "softmax"])
    np.savez(folder / "data.npz", X=x, y=[0, 0, 1, 1])
    np.savez(folder / "bare.npz", W1=w1, W2=w2)
    return folder


def test_simulate_says_how_values_come_in(files: Path, tmp_path: Path) -> None:
    done = run("simulate", files / "net.npz", "--data", files / "data.npz", "--input-volt", "5", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "model 0: 5 levels, design pair-transimpedance, engine native"
    assert said[1:5] == REMARKS
    assert f"stored: {tmp_path / 'circuit.json'}, {tmp_path / 'resistances.csv'}" in done.stdout
    stored = json.loads((tmp_path / "circuit.json").read_text(encoding="utf-8"))
    assert stored["remarks"] == REMARKS
    assert [at["recognition"] for at in stored["voltages"]] == [1.0]
    told = run("simulate", files / "net.npz", "--data", files / "data.npz", "--input-volt", "5", "--json")
    assert json.loads(told.stdout) == stored


def test_a_file_is_quantized_where_that_is_asked_for(files: Path) -> None:
    asked = "simulate", files / "net.npz", "--data", files / "data.npz", "--json"
    for options, levels in (
        (["--levels", "3"], 3),
        (["--method", "kmeans"], 1),
        (["--method", "zero", "--levels", "4"], 4),
    ):
        done = run(*asked, *options)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["q"] == levels


def test_weights_alone_are_said_to_be_taken_for_sigmoids(files: Path, tmp_path: Path) -> None:
    sentence = f"{files / 'bare.npz'} names no activations: its units are taken for sigmoids."
    given = files / "bare.npz", "--data", files / "data.npz"
    assert json.loads(run("simulate", *given, "--json").stdout)["remarks"][0] == sentence
    assert sentence in run("simulate", *given).stdout
    assert run("netlist", *given, "-o", tmp_path / "deck.cir").returncode == 0
    assert sentence in (tmp_path / "deck.cir").read_text(encoding="utf-8")
    assert "relu" not in run("simulate", *given, "--activation", "relu,softmax").stdout


@needs_ngspice
@pytest.mark.parametrize("signed", ["two-reads", "two-lines"])
def test_netlist_and_verify_agree_with_ngspice(files: Path, tmp_path: Path, signed: str) -> None:
    given = files / "net.npz", "--data", files / "data.npz", "--signed", signed, "--bias", "rows"
    done = run("netlist", *given, "-o", tmp_path / "deck.cir", "--sample", "2")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "deck.cir").read_text(encoding="utf-8")
    found = run_deck(text)
    expected = dict(line.removeprefix("* expected ").split(" = ") for line in text.splitlines() if "expected" in line)
    assert len(expected) > 8
    for name, value in expected.items():
        assert found[name.lower()] == pytest.approx(float(value.split()[0]), rel=1e-7, abs=1e-13)
    done = run("verify", *given)
    assert done.returncode == 0, done.stderr
    assert "Biases are weights, too, on 4 rows." in done.stdout and "agreed" in done.stdout


def test_fit_takes_the_file_and_says_what_it_assumed(files: Path, tmp_path: Path) -> None:
    done = run(
        "fit",
        "--network",
        files / "net.npz",
        "--data",
        files / "data.npz",
        "--device",
        "cmo_hfox_fine",
        "--chips",
        50,
        "--out",
        tmp_path / "fit",
        "--signed",
        "two-lines",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["remarks"][0] == "Its 5 biases stay digital."
    assert told["remarks"][2] == "Inputs are of both signs: they take two lines each."
    assert told["feasible"]
    table = (tmp_path / "fit" / "mapping.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 1 + 2 * (6 * 3 + 3 * 2)
    page = (tmp_path / "fit" / "report.html").read_text(encoding="utf-8")
    assert "--signed=two-lines" in page and "Its 5 biases stay digital." in page


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--signed", "both"], "values of both signs take two-reads or two-lines, got 'both'"),
        (["--method", "kmeans,zero"], "--method must be one quantizer, got 'kmeans,zero'"),
        (["--method", "qat:ternary"], "--method must be one quantizer, got 'qat:ternary'"),
        (["--levels", "0"], "the number of levels of 'midpoint' must be a whole number of 1 to 65536, got 0"),
        (["--design", "paper-passive"], "design paper-passive has no activation block"),
    ],
)
def test_what_cannot_be_is_said(files: Path, arguments: list[str], sentence: str) -> None:
    done = run("simulate", files / "net.npz", "--data", files / "data.npz", *arguments)
    assert done.returncode in (1, 2) and sentence in done.stderr and done.stderr.count("\n") == 1


def test_a_study_says_itself_what_its_networks_are(small_study: tuple[Path, object], files: Path) -> None:
    done = run("simulate", small_study[0], "--levels", "3")
    assert done.returncode == 2 and "--levels is of the file of a network" in done.stderr
    done = run("simulate", files / "net.npz")
    assert done.returncode == 2 and "brings no samples; give them with --data" in done.stderr
    done = run("simulate", files / "nothing")
    assert done.returncode in (1, 2) and "nothing" in done.stderr
