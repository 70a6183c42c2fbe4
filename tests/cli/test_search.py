"""The search command, in real subprocesses."""

import inspect
import json
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

import fewlevels
from fewlevels.cli.fit import fit as fit_command
from fewlevels.cli.search import search as search_command
from fewlevels.engines.work import PIECE_SECONDS
from fewlevels.errors import StoreError
from fewlevels.reporting.comparison import store_comparison
from fewlevels.reporting.study import write_report
from fewlevels.storage.folder import Folder
from fewlevels.storage.kinds import kind_of
from fewlevels.study.result import load_study
from tests.cli.test_cli import run

KEYS = {
    "method",
    "solved_fraction",
    "q_min",
    "q_median",
    "q_p95",
    "distinct_weights_median",
    "differential_pair_states_median",
    "recognition_before_quantizing_mean",
    "recognition_mean",
}


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
    assert (values["data"], values["test"], values["relative"], values["alpha"]) == ("digits5", None, False, 1)
    found = small_study[1].search
    solved = found.trained & found.solved
    assert rows["paper"]["q_median"] == np.median(found.q[solved])
    assert rows["clipped"]["q_median"] <= rows["paper"]["q_median"]
    assert rows["qat:ternary"]["differential_pair_states_median"] == 2
    assert rows["paper"]["recognition_mean"] == rows["paper"]["recognition_before_quantizing_mean"] == 1
    assert run("report", folder).returncode == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Fewer levels by other methods" in page
    assert "Recognition is of samples of digits5, on which settings are chosen and fine-tuning trains too." in page
    assert (folder / "figures" / "levels_by_method.png").is_file()


def test_what_is_stored_proves_what_is_said(folder, small_study):
    networks, digits = small_study[1].search.networks, fewlevels.load_digits(5)
    done = run("search", folder, "--method", "clipped,qat:ternary", "--q-max", 6, "--minimise", "distinct-weights")
    assert done.returncode == 0, done.stderr
    for said in ("fewest distinct signed weights", "shared by network", "at most 6", "search.npz"):
        assert said in done.stdout
    stored = np.load(folder / "search.npz")
    assert stored["methods"].tolist() == ["clipped", "qat:ternary"]
    searched = fewlevels.fewest_levels(
        networks, digits, quantizer=fewlevels.Clipped(), q_max=6, minimise="distinct-weights"
    )
    np.testing.assert_array_equal(stored["q"][0], searched.q)
    np.testing.assert_array_equal(stored["recognition_trace"][0], searched.recognition_trace)
    np.testing.assert_array_equal(stored["output_margin_trace"][0], searched.output_margin_trace)
    for method in range(2):
        solved = stored["q"][method] > 0
        quantized = fewlevels.Networks((stored["W1"][method, solved], stored["W2"][method, solved]))
        assert (quantized.recognition(digits) == 1).all()
        assert np.isnan(stored["W1"][method, ~solved]).all()
    trained = networks.recognition(digits) == 1
    values = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    assert values["q_of_trained"] == {
        name: q[trained].tolist() for name, q in zip(stored["methods"], stored["q"], strict=True)
    }
    for row in values["methods"]:
        (cells,) = (line.split() for line in done.stdout.splitlines() if line.startswith(f"{row['method']} "))
        assert cells[1:4] == [f"{row['solved_fraction']:.2%}", "100.00%", "100.00%"]
        assert cells[4:] == [
            f"{row[key]:g}"
            for key in (
                "q_min",
                "q_median",
                "q_p95",
                "occupied_median",
                "distinct_weights_median",
                "differential_pair_states_median",
                "offset_column_states_median",
            )
        ]


def test_a_users_networks_are_searched_for_a_devices_levels(tmp_path, small_study):
    networks, digits = small_study[1].search.networks[:20], fewlevels.load_digits(5)
    np.savez(tmp_path / "net.npz", W1=networks.weights[0], W2=networks.weights[1])
    reads = [1e-6, 2e-6, 4e-6, 8e-6, 16e-6, 32e-6, 60e-6]
    lines = ["level,conductance_siemens", *(f"{level},{siemens}" for level, siemens in enumerate(reads))]
    (tmp_path / "levels.csv").write_text("\n".join(lines), encoding="utf-8")
    done = run(
        "search",
        tmp_path / "net.npz",
        "--data",
        "digits5",
        "--method",
        f"device:{tmp_path / 'levels.csv'}",
        "--q-max",
        7,
        "--alpha",
        0.9,
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["methods"]
    quantizer = fewlevels.device_levels(reads)
    found = fewlevels.fewest_levels(networks, digits, quantizer=quantizer, q_max=7, alpha=0.9)
    assert found.solved.any()
    assert row["q_median"] == np.median(found.q[found.trained & found.solved])
    stored = np.load(tmp_path / "out" / "search.npz")
    np.testing.assert_array_equal(stored["q"][0], found.q)
    differences = np.array(reads) - reads[0]
    for weights in stored["W1"][0, found.solved]:  # each magnitude is a difference of conductances, times one scale
        ratios = np.abs(weights).ravel() / np.abs(weights).max()
        largest = [one for one in differences[1:] if np.isclose(ratios[:, None], differences / one).any(axis=1).all()]
        assert largest
    assert (tmp_path / "out" / "figures" / "levels_by_method.svg").is_file()


def test_held_out_samples_judge_and_alpha_can_be_relative(tmp_path):
    pytest.importorskip("sklearn")
    training, test = fewlevels.load_dataset("digits8")
    config = fewlevels.TrainingConfig(hidden=16, learning_rate=0.3, init="normal:0,0.2", steps=40_000)
    networks = fewlevels.train(training, config, models=3)
    np.savez(tmp_path / "net.npz", W1=networks.weights[0], W2=networks.weights[1])
    done = run(
        "search",
        tmp_path / "net.npz",
        "--data",
        "digits8",
        "--test",
        "digits8",
        "--alpha",
        0.985,
        "--relative",
        "--method",
        "kmeans",
        "--q-max",
        8,
        "--out",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "each to keep 98.5 % of its own recognition before quantizing" in done.stdout
    assert "of the held-out test samples of digits8" in done.stdout
    assert "fine-tuning trains on training samples of digits8" in done.stdout
    found = fewlevels.fewest_levels(
        networks, training, quantizer=fewlevels.KMeans(), q_max=8, alpha=0.985, relative=True, test=test
    )
    stored = json.loads((tmp_path / "search.json").read_text(encoding="utf-8"))
    assert stored["q_of_trained"]["kmeans"] == found.q.tolist()
    assert (stored["data"], stored["test"], stored["relative"]) == ("digits8", "digits8", True)
    (row,) = stored["methods"]
    solved = found.solved
    assert row["recognition_before_quantizing_mean"] == pytest.approx(networks.recognition(test)[solved].mean())
    assert row["recognition_mean"] == pytest.approx(found.all_quantized().recognition(test).mean())


def test_data_replaces_a_studys_own_samples(folder, tmp_path, small_study):
    noisy = fewlevels.flip_pixels(fewlevels.load_digits(5), 1, 3, np.random.default_rng(1))
    np.savez(tmp_path / "noisy.npz", X=noisy.x, y=noisy.y)
    done = run(
        "search",
        folder,
        "--data",
        tmp_path / "noisy.npz",
        "--method",
        "clipped",
        "--alpha",
        0.8,
        "--json",
        "--out",
        tmp_path / "out",
    )
    found = fewlevels.fewest_levels(
        small_study[1].search.networks, noisy, quantizer=fewlevels.Clipped(), q_max=16, alpha=0.8
    )
    stored = json.loads(done.stdout)
    assert stored["models_trained"] == found.trained.sum()
    assert stored["methods"][0]["q_median"] == np.median(found.q[found.trained & found.solved])


def test_a_damaged_search_is_named_by_the_report(folder, tmp_path):
    copy = tmp_path / "study"
    shutil.copytree(folder, copy)
    assert run("search", copy, "--method", "paper", "--q-max", 2).returncode == 0
    file = copy / "search.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    for damaged in (
        *"{3",
        [],
        {},
        {**whole, "methods": 3},
        {**whole, "methods": [{}]},
        {**whole, "q_of_trained": {"paper": ["2"]}},
    ):
        file.write_text(damaged if isinstance(damaged, str) else json.dumps(damaged), encoding="utf-8")
        with pytest.raises(StoreError, match=r"search\.json is damaged; remove it, or run the command again"):
            write_report(copy, load_study(copy))


def test_help_names_every_method():
    from fewlevels.quantization import QUANTIZERS

    text = re.sub(r"(\w-) (?=\w)", r"\1", " ".join(run("search", "--help").stdout.split()))
    names = {name.replace("midpoint", "paper") for name in QUANTIZERS}
    assert all(re.search(rf"[ ,]{name}[ ,]", text) for name in (*names, "device:FILE.csv", "qat:METHOD"))


def test_a_path_that_there_is_not_is_said_so(tmp_path):
    done = run("search", tmp_path / "nothing")
    assert done.returncode == 2
    assert done.stderr.startswith(f"fewlevels: there is no {tmp_path / 'nothing'}; the folder of a study is expected")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "brings no samples; give them with --data"),
        (["--data", "digits5", "--method", "magic"], "got 'magic'"),
        (["--data", "digits5", "--share", "chip"], "share must be network, layer, column, got 'chip'"),
        (["--data", "digits5", "--minimise", "area"], "minimised must be requested, occupied, distinct-weights, diff"),
        (["--data", "digits7"], "networks of 25 inputs"),
        (["--data", "digits5", "--alpha", "0"], "alpha must be in (0, 1], got 0.0"),
        (["--data", "digits5", "--q-max", "0"], "q_max must be"),
        (["--data", "digits5", "--test", "digits7"], "networks of 25 inputs"),
        (["--data", "digits5", "--test", "digits9"], "no samples file at digits9"),
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


def test_a_network_that_recognises_nothing_is_unsolved_and_said_to_be(tmp_path):
    digits = fewlevels.load_digits(5)
    seeing = fewlevels.train(digits, fewlevels.TrainingConfig(hidden=3, steps=60_000), models=1)
    w1, w2 = (np.concatenate([w, np.ones_like(w)]) for w in seeing.weights)
    np.savez(tmp_path / "net.npz", W1=w1, W2=w2)
    options = ("search", tmp_path / "net.npz", "--data", "digits5", "--method", "paper", "--q-max", 3, "--relative")
    done = run(*options, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (
        "Before quantizing 1 of them recognises nothing: there is nothing to keep, and no method solves them.\n"
        in done.stdout
    )
    stored = json.loads((tmp_path / "out" / "search.json").read_text(encoding="utf-8"))
    assert (stored["models"], stored["models_trained"], stored["models_recognising_nothing"]) == (2, 1, 1)
    assert len(stored["q_of_trained"]["paper"]) == 1
    np.savez(tmp_path / "net.npz", W1=w1[1], W2=w2[1])
    blind = run(*options, "--out", tmp_path / "blind")
    assert blind.returncode == 0, blind.stderr
    (row,) = json.loads((tmp_path / "blind" / "search.json").read_text(encoding="utf-8"))["methods"]
    told = {"method": "paper", "solved_fraction": 0.0, "recognition_trace": [0.0] * len(row["recognition_trace"])}
    assert row == {**dict.fromkeys(row), **told}


@pytest.fixture
def searched(folder, tmp_path):
    """A study that holds a search, and the files of another search of the same study."""
    copy, other = tmp_path / "study", tmp_path / "other"
    shutil.copytree(folder, copy)
    for out, q_max in ((copy, 2), (other, 3)):
        done = run("search", copy, "--method", "paper", "--q-max", q_max, "--out", out)
        assert done.returncode == 0, done.stderr
    return copy, {name: (other / name).read_bytes() for name in ("search.json", "search.npz")}


def test_files_of_two_searches_do_not_pass_for_one(searched):
    copy, others = searched
    write_report(copy, load_study(copy))
    for name, content in others.items():
        own = (copy / name).read_bytes()
        (copy / name).write_bytes(content)
        with pytest.raises(StoreError, match=r"search\.npz is missing, damaged or of another search than search\.json"):
            write_report(copy, load_study(copy))
        (copy / name).write_bytes(own)
    (copy / "search.npz").unlink()
    assert run("report", copy).returncode == 1
    assert run("search", copy, "--method", "paper", "--q-max", 2).returncode == 0
    assert run("report", copy).returncode == 0


def test_a_search_that_ends_between_its_files_is_not_taken_for_whole(searched, small_study, monkeypatch):
    copy, _ = searched
    write = Folder.write

    def killed_before_json(self, name, content):
        if name == "search.json":
            raise KeyboardInterrupt
        write(self, name, content)

    comparison = fewlevels.compare_methods(
        small_study[1].search.networks, fewlevels.load_digits(5), "kmeans", q_max=2, alpha=0.5
    )
    monkeypatch.setattr(Folder, "write", killed_before_json)
    with pytest.raises(KeyboardInterrupt):
        store_comparison(copy, comparison, "digits5", None)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="of another search than"):
        write_report(copy, load_study(copy))


@pytest.mark.parametrize(("mark", "kind"), [("request.json", "fit"), ("fit.json", "fit"), ("study.toml", "study")])
def test_a_search_keeps_out_of_other_folders(mark, kind, tmp_path):
    np.savez(tmp_path / "net.npz", W1=np.ones((25, 3)), W2=np.ones((3, 10)))
    out = tmp_path / "out"
    out.mkdir()
    (out / mark).write_text("")
    done = run("search", tmp_path / "net.npz", "--data", "digits5", "--out", out)
    said = f"fewlevels: {out} holds a {kind}; give the search a folder of its own\n"
    assert (done.returncode, done.stderr) == (1, said)
    assert [path.name for path in out.iterdir()] == [mark]


def test_a_search_is_refused_a_file_for_a_folder_before_it_works(tmp_path):
    np.savez(tmp_path / "net.npz", W1=np.ones((25, 3)), W2=np.ones((3, 10)))
    done = run("search", tmp_path / "net.npz", "--data", "digits5", "--out", tmp_path / "net.npz")
    assert done.returncode == 1 and "net.npz is a file; name a folder for the search" in done.stderr


@pytest.mark.parametrize("mark", ["search.json", "search/0123456789abcdef/request.json"])
def test_a_study_and_a_fit_keep_out_of_a_search_s_folder(mark, tmp_path):
    (tmp_path / mark).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mark).write_text("{}")
    np.savez(tmp_path / "net.npz", W1=np.ones((25, 3)), W2=np.ones((3, 10)))
    fit = ("fit", "--network", tmp_path / "net.npz", "--data", "digits5", "--device", "cmo_hfox")
    for kind, command in (("study", ("study", "--seeds", 1, "--repeats", 1)), ("fit", fit)):
        done = run(*command, "--out", tmp_path)
        assert done.returncode == 1 and f"holds a search; give the {kind} a folder of its own" in done.stderr


def test_a_folder_of_the_user_s_that_is_called_search_is_none(tmp_path):
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "request.json").write_text("{}")
    assert kind_of(tmp_path) is None


def test_pieces_are_as_long_by_command_as_in_python():
    for command in (search_command, fit_command):
        assert inspect.signature(command).parameters["piece_seconds"].default == PIECE_SECONDS


def test_a_search_in_parts_or_killed_ends_with_the_same_files(folder, tmp_path):
    search = (
        "search",
        folder,
        "--method",
        "paper,kmeans,qat:ternary",
        "--q-max",
        5,
        "--piece-seconds",
        0.01,
        "--quiet",
    )
    files = ("search.json", "search.npz", "figures/levels_by_method.png")
    assert run(*search, "--out", tmp_path / "whole").returncode == 0
    expected = [(tmp_path / "whole" / name).read_bytes() for name in files]
    command = [sys.executable, "-m", "fewlevels.cli", *map(str, search), "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("killed/search/*/shards/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not (tmp_path / "killed" / "search.npz").exists()
    for number in (3, 1):
        done = run(*search, "--out", tmp_path / "parts", "--part", f"{number}/3")
        assert done.returncode == 0 and done.stdout.startswith(f"part {number}/3 is done; ")
    shown = run("show", tmp_path / "parts", "--progress")
    assert re.fullmatch(r"(\d+) of (\d+) pieces of a search by paper, kmeans, qat:ternary are there\n", shown.stdout)
    assert done.stdout.endswith(shown.stdout)
    for name in ("killed", "parts"):
        done = run(*search, "--out", tmp_path / name, "--jobs", 2)
        assert done.returncode == 0, done.stderr
        assert [(tmp_path / name / file).read_bytes() for file in files] == expected


def test_a_search_that_is_not_stored_takes_no_engine(tmp_path):
    np.savez(tmp_path / "net.npz", W1=np.eye(25, 10))
    search = ("search", tmp_path / "net.npz", "--data", "digits5")
    for option in (("--part", "1/2"), ("--engine", "dask"), ("--verify",)):
        done = run(*search, *option)
        assert done.returncode == 2 and "of searches that are stored; say where by --out" in done.stderr
    done = run(*search, "--out", tmp_path / "out", "--part", "3/2")
    assert done.returncode == 2 and "a part is one of 1/2 to 2/2, got 3/2" in done.stderr
