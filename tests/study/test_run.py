"""Running, storing and resuming a study."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from fewlevels import fewest_levels, load_digits, train
from fewlevels.common.progress import Progress
from fewlevels.engines.threads import Threads
from fewlevels.errors import ConfigError, StoreError, TrainingError
from fewlevels.networks.networks import Networks
from fewlevels.quantization import Midpoint
from fewlevels.study.config import make_config
from fewlevels.study.folder import Store
from fewlevels.study.groups import compute, groups_of
from fewlevels.study.result import load_study
from fewlevels.study.run import run_study
from fewlevels.training.config import TrainingConfig
from fewlevels.training.sgd import trajectory

TINY = {"seeds": 3, "repeats": 60, "epochs": 20, "q_max": 4, "zones": {"models": 3, "epochs": 10, "every_epochs": 5}}


def contents(folder: Path) -> dict[str, bytes]:
    """Every result file's bytes; run.json holds the wall time and is left out."""
    files = (
        path for path in folder.rglob("*") if path.is_file() and path.name not in ("run.json", "lock", "verified.json")
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_stored_results_are_what_train_and_search_give(small_study):
    folder, result = small_study
    samples = load_digits(5)
    keys = [(seed, repeat) for seed in range(5) for repeat in range(40)]
    networks = train(samples, result.config.training(), models=keys, seed=1)
    found = fewest_levels(networks, samples, q_max=24)
    for stored in (result, load_study(folder)):
        for one, other in zip(stored.search.networks.weights, networks.weights, strict=True):
            np.testing.assert_array_equal(one, other)
        for name in ("q", "stable_q", "occupied", "recognition", "recognition_trace"):
            np.testing.assert_array_equal(getattr(stored.search, name), getattr(found, name))


def test_zones_are_the_starts_quantized_while_they_train(small_study):
    _, result = small_study
    zones, samples = result.config.zones, load_digits(5)
    assert result.zone_recognition.shape == (5, 12, 3)
    config = TrainingConfig(init=zones.starts[2], steps=100 * 100)
    stages = trajectory(samples, config, at_steps=[0, 5000, 10000], models=[(5 + 2, n) for n in range(12)], seed=1)
    for epoch, stage in enumerate(stages):
        values = Midpoint().quantize(stage.joint(), 4).values
        quantized = Networks.from_joint(values, stage.shapes)
        np.testing.assert_array_equal(result.zone_recognition[2, :, epoch], quantized.recognition(samples))
        np.testing.assert_array_equal(result.zone_recognition_before[2, :, epoch], stage.recognition(samples))
    np.testing.assert_array_equal(result.zone_ranges[2], stages[-1].weight_range())


def test_every_value_of_the_configuration_acts_on_the_models_and_on_the_zones(tmp_path):
    config = make_config(
        {
            "dataset": "digits7",
            "seed": 9,
            "seeds": 2,
            "repeats": 60,
            "epochs": 30,
            "iterations": 70,
            "hidden": 6,
            "learning_rate": 0.4,
            "init": "normal:0.1,0.6",
            "alpha": 0.8,
            "q_max": 11,
            "quantizer": "midpoint-signed",
            "zones": {
                "starts": ["normal:0,1", "uniform:-2,1"],
                "models": 3,
                "epochs": 20,
                "every_epochs": 5,
                "levels": 9,
            },
        },
        "test",
    )
    result = run_study(config, tmp_path, Threads(1))
    samples, quantizer = load_digits(7), Midpoint(signed=True)
    training = TrainingConfig(hidden=6, learning_rate=0.4, init="normal:0.1,0.6", steps=30 * 70)
    keys = [(seed, repeat) for seed in range(2) for repeat in range(60)]
    networks = train(samples, training, models=keys, seed=9)
    found = fewest_levels(networks, samples, quantizer=quantizer, alpha=0.8, q_max=11)
    assert 0 < found.solved.mean() < 1
    assert (result.search.alpha, result.search.quantizer) == (0.8, quantizer)
    for one, other in zip(result.search.networks.weights, networks.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("q", "stable_q", "occupied", "recognition", "recognition_trace"):
        np.testing.assert_array_equal(getattr(result.search, name), getattr(found, name))
    for zone, start in enumerate(["normal:0,1", "uniform:-2,1"]):
        training = TrainingConfig(hidden=6, learning_rate=0.4, init=start, steps=20 * 70)
        keys = [(2 + zone, repeat) for repeat in range(3)]
        stages = trajectory(samples, training, at_steps=range(0, 1401, 350), models=keys, seed=9)
        values = [quantizer.quantize(stage.joint(), 9).values for stage in stages]
        recognition = [Networks.from_joint(each, networks.shapes).recognition(samples) for each in values]
        np.testing.assert_array_equal(result.zone_recognition[zone], np.transpose(recognition))
        np.testing.assert_array_equal(result.zone_ranges[zone], stages[-1].weight_range())


def test_the_result_does_not_depend_on_jobs(tmp_path):
    config = make_config(TINY, "test")
    run_study(config, tmp_path / "one", Threads(1))
    run_study(config, tmp_path / "two", Threads(2))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


class Stopping:
    """An engine that breaks off after a number of groups, as a killed process would."""

    def __init__(self, after: int) -> None:
        self.after = after

    def run(self, function, tasks):
        for task in tasks[: self.after]:
            yield task, function(task)
        raise InterruptedError


def test_a_study_broken_off_goes_on_and_ends_the_same(tmp_path):
    config = make_config(TINY, "test")
    run_study(config, tmp_path / "whole", Threads(1))
    for after in (1, 2):
        with pytest.raises(InterruptedError):
            run_study(config, tmp_path / "broken", Stopping(after))
    assert len(list((tmp_path / "broken" / "shards").iterdir())) == 3
    run_study(config, tmp_path / "broken", Threads(1))
    assert contents(tmp_path / "whole") == contents(tmp_path / "broken")


@pytest.mark.parametrize("damage", ["truncated", "altered", "emptied"])
def test_a_damaged_shard_is_named_and_computed_again(tmp_path, damage):
    config = make_config(TINY, "test")
    run_study(config, tmp_path, Threads(1))
    before = contents(tmp_path)
    victim = sorted((tmp_path / "shards").iterdir())[1]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes({"truncated": content[:-7], "altered": content, "emptied": b""}[damage])
    with pytest.raises(StoreError, match=f"{victim.name} is damaged"):
        load_study(tmp_path)
    named: list[Path] = []
    run_study(config, tmp_path, Threads(1), on_damaged=named.append)
    assert named == [victim]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b'{"wall_seconds": 1', b"{}", b"[]", b"\xff"])
def test_a_damaged_record_of_the_run_hides_no_result_and_is_written_again(tmp_path, content):
    config = make_config(TINY, "test")
    run_study(config, tmp_path, Threads(1))
    (tmp_path / "run.json").write_bytes(content)
    assert load_study(tmp_path).wall_seconds == 0
    assert run_study(config, tmp_path, Threads(1)).machine["fewlevels"]


@pytest.mark.parametrize("size", [0, 10, 300])
def test_damaged_samples_are_named(tmp_path, size):
    config = make_config(TINY, "test")
    run_study(config, tmp_path, Threads(1))
    os.truncate(tmp_path / "samples.npz", size)
    for read in (lambda: load_study(tmp_path), lambda: run_study(config, tmp_path, Threads(1))):
        with pytest.raises(StoreError, match=r"samples\.npz cannot be read: "):
            read()


def test_a_finished_study_computes_nothing_again(tmp_path):
    config = make_config(TINY, "test")
    run_study(config, tmp_path, Threads(1))
    seen: list[object] = []

    class Recording(Threads):
        def run(self, function, tasks):
            seen.extend(tasks)
            return super().run(function, tasks)

    run_study(config, tmp_path, Recording(1))
    assert seen == []


def test_a_study_is_finished_once_and_is_finished_where_only_that_is_missing(tmp_path):
    config = make_config(TINY, "test")
    run_study(config, tmp_path, Threads(1))
    (tmp_path / "run.json").write_text(
        '{"wall_seconds": 4321.5, "machine": {"processor": "another"}}', encoding="utf-8"
    )
    again = run_study(config, tmp_path, Threads(1))
    assert (again.wall_seconds, again.machine) == (4321.5, {"processor": "another"})
    finish = [tmp_path / name for name in ("weights.npz", "weights.mat", "run.json")]
    for path in finish:
        path.unlink()
    finished = run_study(config, tmp_path, Threads(1))
    assert all(path.is_file() for path in finish)
    assert finished.wall_seconds < 4321
    assert set(finished.machine) > {"processor", "numpy"}


def test_progress_counts_what_an_earlier_run_did_as_done_but_not_as_done_now(tmp_path):
    config, seen = make_config(TINY, "test"), list[Progress]()
    with pytest.raises(InterruptedError):
        run_study(config, tmp_path, Stopping(1))
    run_study(config, tmp_path, Threads(1), on_progress=seen.append)
    # 180 models in groups of 96 and 84, the first of which is there, and five zones of three models.
    assert [(each.done, each.done_now) for each in (seen[0], seen[-1])] == [(96, 0), (195, 99)]
    assert {each.done - each.done_now for each in seen} == {96}
    assert {each.total for each in seen} == {195}


def test_a_different_study_in_the_same_folder_is_refused_by_what_differs(tmp_path):
    run_study(make_config(TINY, "test"), tmp_path, Threads(1))
    before = contents(tmp_path)
    other = make_config(TINY | {"seed": 2, "alpha": 0.9}, "test")
    with pytest.raises(ConfigError, match=r"seed is 1 there and 2 here; alpha is 1.0 there and 0.9 here"):
        run_study(other, tmp_path, Threads(1))
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learning_rate": 1e300}, "within float32"),
        ({"x": 1e300}, "x goes to 1e\\+300"),
        ({"y": 2}, "'1' has no sample"),
    ],
)
def test_a_study_that_cannot_be_trained_leaves_no_folder(tmp_path, change, said):
    np.savez(tmp_path / "own.npz", X=[[0.0], [change.get("x", 1.0)]], y=[0, change.get("y", 1)])
    config = make_config(
        TINY | {"dataset": str(tmp_path / "own.npz"), "learning_rate": change.get("learning_rate", 1.0)}, "test"
    )
    with pytest.raises(TrainingError, match=said):
        run_study(config, tmp_path / "study", Threads(1))
    assert not (tmp_path / "study").exists()


def test_a_changed_glyph_file_is_a_different_study(tmp_path):
    glyphs = tmp_path / "glyphs.txt"
    glyphs.write_text("class a\n10\n01\nclass b\n01\n10\n", encoding="utf-8")
    config = make_config(TINY | {"dataset": str(glyphs)}, "test")
    result = run_study(config, tmp_path / "study", Threads(1))
    assert result.search.networks.shapes == [(4, 10), (10, 2)]
    glyphs.write_text("class a\n11\n01\nclass b\n01\n10\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"the content of .*glyphs.txt has changed"):
        run_study(config, tmp_path / "study", Threads(1))


def test_a_second_process_on_the_folder_is_refused(tmp_path):
    with Store(tmp_path).locked(), pytest.raises(StoreError, match="another process works in"):
        run_study(make_config(TINY, "test"), tmp_path, Threads(1))


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path, monkeypatch):
    config = make_config(TINY, "test")
    real, written = os.fsync, []

    def full_after_eight(descriptor):
        written.append(descriptor)
        if len(written) > 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full_after_eight)
    with pytest.raises(StoreError, match=r"cannot write .*: no space left on device; free some space"):
        run_study(config, tmp_path, Threads(1))
    stored = contents(tmp_path)
    monkeypatch.undo()
    run_study(config, tmp_path, Threads(1))
    assert stored
    assert not [name for name in stored if name.endswith(".partial")]
    assert stored.items() <= contents(tmp_path).items()


def test_a_group_is_a_pure_function_of_the_configuration():
    config = make_config(TINY, "test")
    group = groups_of(config)[1]
    assert compute(config, load_digits(5), group).equals(compute(config, load_digits(5), group))


def test_weights_open_in_numpy_and_matlab_form(small_study):
    from scipy.io import loadmat

    folder, result = small_study
    matlab = loadmat(folder / "weights.mat")
    with np.load(folder / "weights.npz") as numpy:
        for layer, w in enumerate(result.search.networks.weights, start=1):
            np.testing.assert_array_equal(numpy[f"W{layer}"], w)
            np.testing.assert_array_equal(matlab[f"W{layer}"], w)
        np.testing.assert_array_equal(numpy["q"], result.search.q)


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"is not a study: it holds no study.toml"):
        load_study(tmp_path)
