"""The search command, in real subprocesses."""

import json
import shutil

import numpy as np
import pytest

import fewlevels
from tests.test_cli import run

KEYS = {"method", "solved", "q_min", "q_median", "q_p95", "distinct_weights_median", "states_per_device_median"}


@pytest.fixture(scope="module")
def folder(small_study, tmp_path_factory):
    copy = tmp_path_factory.mktemp("search") / "study"
    shutil.copytree(small_study[0], copy)
    return copy


def test_search_compares_methods_on_the_studys_networks_and_the_report_shows_them(folder, small_study):
    done = run("search", folder, "--method", "paper,clipped,qat:ternary", "--q-max", 24, "--json")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    rows = {row["method"]: row for row in values["methods"]}
    assert all(set(row) >= KEYS for row in rows.values())
    found = small_study[1].found
    solved = found.trained & found.solved
    assert rows["paper"]["q_median"] == np.median(found.q[solved])
    assert rows["clipped"]["q_median"] <= rows["paper"]["q_median"]
    assert rows["qat:ternary"]["states_per_device_median"] == 2
    assert run("report", folder).returncode == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Fewer levels by other methods" in page
    assert (folder / "figures" / "levels_by_method.png").is_file()


def test_a_users_networks_and_device_are_searched(tmp_path, small_study):
    networks = small_study[1].found.networks
    np.savez(tmp_path / "net.npz", W1=networks.weights[0][:20], W2=networks.weights[1][:20])
    reads = [(1, 1e-6), (2, 2e-6), (3, 4e-6), (4, 8e-6), (5, 16e-6), (6, 32e-6), (7, 60e-6)]
    levels = ["level,conductance_siemens", *(f"{level},{siemens}" for level, siemens in reads)]
    (tmp_path / "levels.csv").write_text("\n".join(levels), encoding="utf-8")
    method = f"device:{tmp_path / 'levels.csv'}"
    done = run("search", tmp_path / "net.npz", "--data", "digits5", "--method", method, "--q-max", 7, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"] == 20
    done = run("search", tmp_path / "net.npz", "--data", "digits5", "--method", "clipped", "--minimise", "occupied")
    assert done.returncode == 0 and "fewest occupied levels" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "brings no samples; give them with --data"),
        (["--data", "digits5", "--method", "magic"], "got 'magic'"),
        (["--data", "digits5", "--share", "chip"], "levels are shared by network, layer, column, got 'chip'"),
        (["--data", "digits5", "--minimise", "area"], "minimised is requested, occupied, distinct, differential-pair"),
        (["--data", "digits7"], "networks of 25 inputs"),
        (["--data", "digits5", "--alpha", "0"], "alpha must be in (0, 1], got 0.0"),
        (["--data", "digits5", "--q-max", "0"], "q_max must be"),
    ],
)
def test_wrong_search_options_are_one_sentence_and_exit_code_2(tmp_path, arguments, said):
    np.savez(tmp_path / "net.npz", W1=np.ones((25, 3)), W2=np.ones((3, 10)))
    done = run("search", tmp_path / "net.npz", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_networks_file_without_layers_is_refused(tmp_path):
    np.savez(tmp_path / "net.npz", weights=np.ones((2, 2)))
    with pytest.raises(fewlevels.FewlevelsError, match="must hold W1, W2 …, it holds weights"):
        fewlevels.load_networks(tmp_path / "net.npz")


def test_a_networks_file_that_skips_a_layer_is_refused(tmp_path):
    np.savez(tmp_path / "net.npz", W1=np.ones((25, 10)), W3=np.ones((10, 10)))
    with pytest.raises(fewlevels.FewlevelsError, match="holds W3 but no W2"):
        fewlevels.load_networks(tmp_path / "net.npz")
