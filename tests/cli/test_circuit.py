"""The circuit commands, in real subprocesses; and the choice of the model."""

import csv
import json
import os
import shutil
import subprocess

import numpy as np
import pytest

from fewlevels.circuit.spice.ngspice import run_deck
from fewlevels.errors import SearchError
from fewlevels.study.circuits import CircuitOptions, choose_model, simulate_model
from tests.cli.test_cli import run

KEYS = {"model", "q", "resistances", "engine", "voltages"}
VOLTAGE_KEYS = {"input_volt", "recognition", "current_gap", "current_margin", "residual"}
needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")


@pytest.fixture(scope="module")
def folder(small_study, tmp_path_factory):
    copy = tmp_path_factory.mktemp("circuit") / "study"
    shutil.copytree(small_study[0], copy)
    return copy


def test_best_is_the_largest_margin_among_the_fewest_levels(small_study):
    _, result = small_study
    options = CircuitOptions()
    best = choose_model(result, "best", options)
    found = result.search
    used = found.trained & found.solved
    rivals = np.flatnonzero(used & (found.q == found.q[used].min()))
    assert best in rivals
    margins = [
        min(at.current_margin for at in simulate_model(result, int(rival), options).voltages) for rival in rivals
    ]
    assert min(at.current_margin for at in simulate_model(result, best, options).voltages) == max(margins)


def test_a_model_that_is_not_there_is_refused(small_study):
    _, result = small_study
    with pytest.raises(SearchError, match="--model must be best, or 0 to 199, got '200'"):
        choose_model(result, "200", CircuitOptions())
    with pytest.raises(SearchError, match="--model must be best, or 0 to 199, got 'worst'"):
        choose_model(result, "worst", CircuitOptions())


def test_simulate_prints_json_with_its_keys_and_stores_the_resistors(folder):
    done = run("simulate", folder, "--json", "--input-volt", "1,5", "--draws", 20)
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert set(values) >= KEYS
    assert [at["input_volt"] for at in values["voltages"]] == [1, 5]
    assert all(set(at) >= VOLTAGE_KEYS and len(at["current_gap"]) == 10 for at in values["voltages"])
    assert all(len(at["draw_recognition"]) == 20 for at in values["voltages"])
    assert json.loads((folder / "circuit.json").read_text(encoding="utf-8")) == values
    with open(folder / "resistances.csv", encoding="utf-8", newline="") as file:
        stored = list(csv.DictReader(file))
    written = [row["resistance_ohm"] for row in stored[:-1]]
    assert [float(ohm) for ohm in written] == pytest.approx(values["resistances"]["resistance_ohm"], rel=1e-11)
    assert written[0] == "10000"  # not 9999.999999999998
    assert min(values["resistances"]["resistance_ohm"]) == pytest.approx(10e3, rel=1e-12)


def test_the_same_seed_draws_the_same_circuits(folder):
    one, other = (run("simulate", folder, "--json", "--draws", 10).stdout for _ in range(2))
    assert one == other


@needs_ngspice
def test_ngspice_sees_what_we_see(folder):
    native, other = (
        json.loads(run("simulate", folder, "--json", "--input-volt", "1", "--engine", engine).stdout)["voltages"][0]
        for engine in ("native", "ngspice")
    )
    np.testing.assert_allclose(native["current_gap"], other["current_gap"], rtol=1e-9)
    assert native["recognition"] == other["recognition"]


@needs_ngspice
def test_verify_agrees_and_says_so_in_the_report(folder):
    done = run("verify", folder, "--input-volt", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("agreed\n")
    assert run("report", folder).returncode == 0
    assert "Against ngspice" in (folder / "report.html").read_text(encoding="utf-8")


@needs_ngspice
def test_verify_fails_above_the_tolerance(folder):
    done = run("verify", folder, "--input-volt", "1", "--tolerance", "1e-30")
    assert done.returncode == 1
    assert "differs by more than 1e-30" in done.stdout


@needs_ngspice
def test_the_netlist_gives_in_ngspice_what_its_header_expects(folder, tmp_path):
    deck = tmp_path / "net.cir"
    assert run("netlist", folder, "-o", deck, "--sample", 3, "--input-volt", "5").returncode == 0
    text = deck.read_text(encoding="utf-8")
    found = run_deck(text)
    expected = [line.split() for line in text.splitlines() if line.startswith("* expected i(")]
    assert len(expected) == 40
    for _, _, name, _, value, _ in expected:
        assert found[name.lower()] == pytest.approx(float(value), rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--design", "best"], "design must be one of pair-transimpedance"),
        (["--engine", "spice"], "engine must be one of native, ngspice, got 'spice'"),
        (["--input-volt", "one"], "--input-volt must be numbers with commas between, got 'one'"),
        (["--input-volt", "nan"], "the input voltage must be positive, got nan"),
        (["--r-min-ohm", "0"], "1 < r_min_ohm < r_max_ohm"),
        (["--wire-ohm", "-1"], "wire"),
        (["--model", "1000"], "--model must be best, or 0 to 199, got '1000'"),
        (["--draws", "-1"], "draws"),
        (["--off-pixels", "one"], "off pixels are held at zero or threshold, got 'one'"),
    ],
)
def test_wrong_circuit_options_are_one_sentence_and_exit_code_2(folder, arguments, said):
    done = run("simulate", folder, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_netlist_goes_through_a_link_and_into_a_pipe_and_replaces_neither(folder, tmp_path):
    link, target, pipe = (tmp_path / name for name in ("link", "deck.cir", "pipe"))
    link.symlink_to(target)
    assert run("netlist", folder, "-o", link).stdout == f"netlist: {link}\n"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        assert run("netlist", folder, "-o", pipe).returncode == 0
        assert reader.communicate()[0] == target.read_bytes()
    assert link.is_symlink() and pipe.is_fifo()
    shown = run("netlist", folder, "-o", "/dev/stdout")
    assert (shown.stdout, shown.stderr) == (target.read_text(encoding="utf-8"), "netlist: /dev/stdout\n")
    refused = run("netlist", folder, "-o", tmp_path)
    assert (refused.returncode, refused.stderr) == (2, f"fewlevels: {tmp_path} is a folder; name a file to write\n")
