"""Inputs: a name means the same to every command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewlevels import Networks, TrainingConfig, flip_pixels, load_dataset, load_digits, train
from fewlevels.errors import FewlevelsError, SamplesError, SearchError, UsageError
from fewlevels.study.inputs import part_of, read_inputs
from fewlevels.study.result import StudyResult
from fewlevels.study.which_model import best_of, model_index
from tests.cli.test_cli import run


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small networks for the real digits, in a file."""
    pytest.importorskip("sklearn")
    training, _ = load_dataset("digits8")
    networks = train(training, TrainingConfig(hidden=8, init="normal:0,0.2", steps=4000), models=2)
    path = tmp_path_factory.mktemp("inputs") / "two.npz"
    np.savez(path, W1=networks.weights[0], W2=networks.weights[1])
    return path


def test_a_split_data_set_trains_under_data_and_judges_under_test(two: Path) -> None:
    training, test = load_dataset("digits8")
    inputs = read_inputs(two, "digits8", "digits8")
    np.testing.assert_array_equal(inputs.samples.x, training.x)
    np.testing.assert_array_equal(inputs.judge.x, test.x)
    assert (inputs.chosen_on, inputs.judged_on) == ("training samples of digits8", "test samples of digits8")
    alone = read_inputs(two, "digits8")
    assert alone.test is None and alone.judge is alone.samples and alone.judged_on == alone.chosen_on
    assert part_of("own.npz", "test") == "samples of own.npz"


def test_a_fit_judges_chips_on_the_test_part(two: Path, tmp_path: Path) -> None:
    done = run(
        "fit",
        "--network",
        two,
        "--model",
        1,
        "--data",
        "digits8",
        "--test",
        "digits8",
        "--device",
        "cmo_hfox",
        "--alpha",
        0.3,
        "--chips",
        5,
        "--most-states",
        2,
        "--out",
        tmp_path,
        "--json",
    )
    assert done.returncode == 0, done.stderr
    training, test = load_dataset("digits8")
    with np.load(two) as arrays:
        network = Networks.from_weights([arrays["W1"][1], arrays["W2"][1]])
    own = network.recognition(test)[0]
    assert own != network.recognition(training)[0]
    assert json.loads(done.stdout)["recognition_before_quantizing"] == own
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(
        f"{len(part)} {name} samples of digits8" in page for part, name in ((test, "test"), (training, "training"))
    )


def test_a_study_brings_its_samples_and_its_best_model(small_study: tuple[Path, StudyResult]) -> None:
    folder, study = small_study
    for model, index in ((None, None), ("best", study.best), ("3", 3)):
        inputs = read_inputs(folder, model=model)
        assert (inputs.data_name, inputs.test, inputs.index) == ("digits5", None, index)
        np.testing.assert_array_equal(inputs.networks.joint(), study.search.networks.joint())
        np.testing.assert_array_equal(inputs.samples.x, study.samples.x)
    np.testing.assert_array_equal(inputs.one.joint(), study.search.networks[3].joint())
    noisy = flip_pixels(load_digits(5), 1, 3, np.random.default_rng(1))
    np.savez(folder.parent / "noisy.npz", X=noisy.x, y=noisy.y)
    other = read_inputs(folder, str(folder.parent / "noisy.npz"))
    np.testing.assert_array_equal(other.samples.x, noisy.x)
    assert other.chosen_on == f"samples of {folder.parent / 'noisy.npz'}"


@pytest.mark.parametrize("command", ["search", "fit"])
def test_samples_that_name_their_classes_otherwise_are_refused_everywhere(
    command: str, small_study: tuple[Path, StudyResult], tmp_path: Path
) -> None:
    digits = load_digits(5)
    np.savez(tmp_path / "turned.npz", X=digits.x, y=np.array(list("ABCDEFGHIJ")))
    options = ("--network", small_study[0], "--device", "cmo_hfox") if command == "fit" else (small_study[0],)
    for option in ("--data", "--test"):
        done = run(command, *options, option, tmp_path / "turned.npz", "--out", tmp_path / "out")
        assert done.returncode == 2 and "same classes in the same order, got '0' and 'A'" in done.stderr


def test_what_a_name_cannot_mean_is_one_sentence(two: Path, tmp_path: Path) -> None:
    for arguments, error, said in (
        ((tmp_path / "none",), UsageError, "there is no .*none; the folder of a study is expected, or a network"),
        ((two,), UsageError, "two.npz brings no samples; give them with --data"),
        ((two, "digits9"), SamplesError, "no samples file at digits9"),
        ((two, "digits8", "digits9"), SamplesError, "no samples file at digits9"),
        ((tmp_path,), FewlevelsError, "is not a study"),
    ):
        with pytest.raises(error, match=said):
            read_inputs(*arguments)
    with pytest.raises(UsageError, match=r"two\.npz holds 2 networks; choose one with --model INDEX"):
        read_inputs(two, "digits8", model="best")


def test_a_file_s_only_network_is_its_best(two: Path, tmp_path: Path) -> None:
    with np.load(two) as arrays:
        np.savez(tmp_path / "one.npz", W1=arrays["W1"][0], W2=arrays["W2"][0])
    assert read_inputs(tmp_path / "one.npz", "digits8", model="best").index == 0


@pytest.mark.parametrize("name", ["4", "-1", "+1", " 1", "1_0", "1.0", "٣", "worst", "", "9" * 5000])
def test_a_model_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(SearchError, match="--model must be best, or 0 to 3, got"):
        model_index(name, 4)


def test_models_are_named_by_their_index() -> None:
    assert [model_index(name, 4) for name in ("best", "0", "3", "03")] == [None, 0, 3, 3]


def test_a_study_without_a_solved_model_has_no_best(small_study: tuple[Path, StudyResult]) -> None:

    found = small_study[1].search
    unsolved = replace(small_study[1], search=replace(found, q=np.zeros_like(found.q)))
    with pytest.raises(SearchError, match="no model of this study was solved, so there is no best one"):
        best_of(unsolved)


def test_every_command_says_the_same_of_the_same_option() -> None:
    helps = {command: " ".join(run(command, "--help").stdout.split()) for command in ("search", "fit", "simulate")}
    for said in (
        "--data NAME|FILE Samples to choose settings and fine-tune on: digits5, digits7, the training part of digits8",
        "--test NAME|FILE Held-out samples that alone judge; of digits8 or mnist5000 the test part.",
        "The folder of a study, or a network: .onnx, .keras, .h5, .npz with W1, b1 …, .safetensors or .pt",
    ):
        assert said in helps["search"] and said in helps["fit"]
    assert all("--model best|INDEX best, or the index of a model." in helps[command] for command in ("fit", "simulate"))
