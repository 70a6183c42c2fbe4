"""A study's results never pass for another's: edited files, foreign shards, other instruction sets, damage."""

import json
import os
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewlevels import _kernels, load_digits, train
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.engines.threads import Threads
from fewlevels.errors import ConfigError, FewlevelsError, FewlevelsWarning, StoreError, TrainingError
from fewlevels.study import finish as finish_module, groups as groups_module
from fewlevels.study.analysis import summarise
from fewlevels.study.config import make_config, read_config
from fewlevels.study.groups import compute, groups_of, provenances
from fewlevels.study.result import load_study
from fewlevels.study.run import run_study
from tests.study.test_run import TINY, contents

SETS = [INSTRUCTION_SET, *(name for name in _kernels.instruction_sets() if name != INSTRUCTION_SET)]
"""The default first."""

needs_two_sets = pytest.mark.skipif(len(SETS) < 2, reason="this processor runs one instruction set only")


class Nothing(Threads):
    """An engine that must have nothing to do."""

    def run(self, function, tasks):
        assert not tasks
        yield from ()


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished study; not to be written to."""
    folder = tmp_path_factory.mktemp("finished") / "study"
    run_study(make_config(TINY, "test"), folder, Threads(1))
    return folder


@pytest.fixture
def study(finished, tmp_path) -> Path:
    """A finished study of one's own."""
    return Path(shutil.copytree(finished, tmp_path / "study"))


def edit(study: Path, key: str, value: str) -> None:
    path = study / "study.toml"
    text, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", path.read_text(encoding="utf-8"), flags=re.M)
    assert count
    path.write_text(text, encoding="utf-8")


EDITS = [
    ("alpha", "0.8", "alpha is 1.0 there and 0.8 here"),
    ("seed", "2", "seed is 1 there and 2 here"),
    ("q_max", "5", "q_max is 4 there and 5 here"),
    ("quantizer", '"midpoint-signed"', "quantizer is 'midpoint' there and 'midpoint-signed' here"),
    ("learning_rate", "0.5", "learning_rate is 1.0 there and 0.5 here"),
    ("epochs", "30", "epochs is 20 there and 30 here"),
    ("iterations", "50", "iterations is 100 there and 50 here"),
    ("repeats", "64", "repeats is 60 there and 64 here"),
    ("seeds", "4", "is 84 there and 96 here"),
    ("hidden", "11", "hidden is 10 there and 11 here"),
    ("init", '"uniform:0,2"', "init is 'uniform:0,1' there and 'uniform:0,2' here"),
    ("models", "4", "zones.models is 3 there and 4 here"),
    ("levels", "5", "zones.levels is 4 there and 5 here"),
    ("every_epochs", "10", r"zones.every_epochs is 5 there and 10 here"),
    ("dataset", '"digits7"', "dataset is 'digits5' there and 'digits7' here"),
    ("group_models", "64", "models is 96 there and 64 here"),
    ("keep_weights", "false", "keep_weights is unknown there and False here"),
    ("instruction_set", f'"{"v3" if SETS[0] == "v4" else "v4"}"', "instruction_set is '"),
]


@pytest.mark.parametrize(("key", "value", "said"), EDITS, ids=[key for key, _, _ in EDITS])
def test_an_edited_configuration_is_refused_by_what_differs_and_nothing_is_lost(study, key, value, said):
    edit(study, key, value)
    before = contents(study)
    config = make_config(read_config(study / "study.toml"), "test")
    with pytest.raises(ConfigError, match=rf"holds results of something else: .*{said}") as refused:
        load_study(study)
    assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError, match=r"holds results of something else|the content of digits7 has changed"):
        run_study(config, study, Nothing(1))
    assert contents(study) == before


def test_every_key_of_a_configuration_is_edited_here(finished):
    flat = read_config(finished / "study.toml")
    zones = flat.pop("zones")
    assert {*flat, *zones} - {"starts"} == {key for key, _, _ in EDITS}


def test_fewer_zones_leave_the_others_as_they_are_and_other_starts_are_refused(study):
    edit(study, "starts", '["normal:0,0.5", "normal:0,1"]')
    assert len(load_study(study).zone_ranges) == 2
    edit(study, "starts", '["normal:0,1", "normal:0,0.5"]')
    with pytest.raises(ConfigError, match=r"zones.start is 'normal:0,0.5' there and 'normal:0,1' here"):
        load_study(study)


def test_samples_of_another_study_are_refused(study):
    np.savez(study / "samples.npz", X=1 - load_digits(5).x, y=load_digits(5).y, classes=load_digits(5).classes)
    with pytest.raises(ConfigError, match="the content of the samples has changed"):
        load_study(study)


def test_a_file_of_samples_may_move(tmp_path):
    (tmp_path / "one.txt").write_text("class a\n10\n01\nclass b\n01\n10\n", encoding="utf-8")
    run_study(make_config(TINY | {"dataset": str(tmp_path / "one.txt")}, "test"), tmp_path / "study", Threads(1))
    (tmp_path / "one.txt").rename(tmp_path / "two.txt")
    edit(tmp_path / "study", "dataset", f'"{tmp_path / "two.txt"}"')
    run_study(make_config(TINY | {"dataset": str(tmp_path / "two.txt")}, "test"), tmp_path / "study", Nothing(1))


def test_a_shard_renamed_to_another_group_is_left_aside_and_both_are_computed_again(study):
    before = contents(study)
    one, other = (next((study / "shards").glob(f"{name}-*")) for name in ("models-000000", "models-000096"))
    other.unlink()
    renamed = one.rename(one.with_name(one.name.replace("000000", "000096")))
    with pytest.raises(StoreError, match="models-000000 is missing"):
        load_study(study)
    with pytest.warns(FewlevelsWarning, match=r"models-000096-.* is left aside: it is of models-000000"):
        run_study(make_config(TINY, "test"), study, Threads(1))
    assert renamed.exists()
    renamed.unlink()
    assert contents(study) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 2}, "seed is 2 there and 1 here"),
        pytest.param({"instruction_set": SETS[-1]}, "instruction_set is ", marks=needs_two_sets),
    ],
)
def test_a_second_shard_of_a_group_from_elsewhere_is_left_aside_and_alone_it_is_refused(study, tmp_path, change, said):
    run_study(make_config(TINY | change, "test"), tmp_path / "other", Threads(1))
    own, foreign = (next((folder / "shards").glob("models-000000-*")) for folder in (study, tmp_path / "other"))
    shutil.copy(foreign, study / "shards")
    weights = load_study(tmp_path / "other").search.networks.weights[0]
    with pytest.warns(FewlevelsWarning, match=f"{foreign.name} is left aside: {said}"):
        assert not np.array_equal(load_study(study).search.networks.weights[0], weights)
    with pytest.warns(FewlevelsWarning, match=f"{foreign.name} is left aside: {said}"):
        run_study(make_config(TINY, "test"), study, Nothing(1))
    own.unlink()
    for read in (lambda: load_study(study), lambda: run_study(make_config(TINY, "test"), study, Nothing(1))):
        with pytest.raises(ConfigError, match=rf"holds results of something else: {said}.*; put back what was changed"):
            read()


def test_results_of_another_format_are_refused(study, monkeypatch):
    monkeypatch.setattr(groups_module, "RESULTS_FORMAT", groups_module.RESULTS_FORMAT + 1)
    with pytest.raises(ConfigError, match="results_format is 2 there and 3 here"):
        load_study(study)


def test_the_results_of_a_study_whose_configuration_was_lost_are_taken_for_the_same_and_no_other(study):
    (study / "study.toml").unlink()
    before = contents(study)
    with pytest.raises(ConfigError, match="seed is 1 there and 2 here"):
        run_study(make_config(TINY | {"seed": 2}, "test"), study, Nothing(1))
    assert contents(study) == before
    run_study(make_config(TINY, "test"), study, Nothing(1))
    assert contents(study).keys() == before.keys() | {"study.toml"}


def test_a_study_that_ran_to_its_end_names_its_instruction_set(finished):
    assert read_config(finished / "study.toml")["instruction_set"] == SETS[0]
    assert load_study(finished).machine["instruction_set"] == SETS[0]


@needs_two_sets
def test_the_instruction_set_is_the_one_asked_for_and_each_has_bits_of_its_own(tmp_path):
    samples, found = load_digits(5), []
    for name in SETS:
        config = make_config(TINY | {"instruction_set": name}, "test")
        stored = run_study(config, tmp_path / name, Threads(1)).search.networks.weights[0]
        keys = [(seed, repeat) for seed in range(3) for repeat in range(60)]
        for _ in range(2):  # the same bits every time
            trained = train(samples, config.training(), models=keys, seed=1, instruction_set=name).weights[0]
            np.testing.assert_array_equal(stored, trained)
        found.append(stored)
    assert not np.array_equal(found[0], found[1])


def test_the_size_of_groups_changes_names_alone_and_is_the_folders_own(finished, tmp_path):
    config = make_config(TINY | {"group_models": 50}, "test")
    run_study(config, tmp_path, Threads(1))
    names = {path.name.rsplit("-", 1)[0] for path in (tmp_path / "shards").iterdir()}
    assert {name for name in names if name[0] == "m"} == {f"models-{begin:06d}" for begin in (0, 50, 100, 150)}
    for name in ("weights.npz", "weights.mat"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()
    np.testing.assert_array_equal(
        load_study(tmp_path).search.recognition_trace, load_study(finished).search.recognition_trace
    )
    assert run_study(make_config(TINY, "test"), tmp_path, Nothing(1)).config.group_models == 50
    with pytest.raises(ConfigError, match="different study: group_models is 50 there and 96 here"):
        run_study(make_config(TINY | {"group_models": 96}, "test"), tmp_path, Nothing(1))


def test_a_study_that_does_not_say_the_size_of_its_groups_has_groups_of_96(study):
    text = (study / "study.toml").read_text(encoding="utf-8")
    (study / "study.toml").write_text(text.replace("group_models = 96\n", ""), encoding="utf-8")
    assert "group_models" not in read_config(study / "study.toml")
    assert run_study(make_config(TINY, "test"), study, Nothing(1)).config.group_models == 96


@needs_two_sets
def test_a_study_goes_on_with_its_own_instruction_set_unless_another_is_asked_for(tmp_path):
    other = SETS[-1]
    run_study(make_config(TINY | {"instruction_set": other}, "test"), tmp_path / "whole", Threads(1))
    shutil.copytree(tmp_path / "whole", tmp_path / "broken")
    next((tmp_path / "broken" / "shards").glob("zone-0*")).unlink()
    with pytest.raises(ConfigError, match=rf"different study: instruction_set is '{other}' there and '{SETS[0]}' here"):
        run_study(make_config(TINY | {"instruction_set": SETS[0]}, "test"), tmp_path / "broken", Nothing(1))
    assert run_study(make_config(TINY, "test"), tmp_path / "broken", Threads(1)).config.instruction_set == other
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_an_instruction_set_that_this_processor_does_not_run_is_one_sentence(finished, tmp_path, monkeypatch):
    said = r"instruction_set must be one that this processor runs, none or other, got '{}'"
    with pytest.raises(ConfigError, match=r"instruction_set must be one of v4, v3, baseline, got 'v5'"):
        make_config(TINY | {"instruction_set": "v5"}, "test")
    study = Path(shutil.copytree(finished, tmp_path / "study"))
    monkeypatch.setattr(_kernels, "instruction_sets", lambda: ["none", "other"])
    for instruction_set in ("v3", SETS[0]):
        config = make_config(TINY | {"instruction_set": instruction_set}, "test")
        with pytest.raises(TrainingError, match=said.format(instruction_set)):
            run_study(config, tmp_path / "new", Threads(1))
        with pytest.raises(TrainingError, match=said.format(instruction_set)):
            train(load_digits(5), config.training(), models=1, instruction_set=instruction_set)
    assert not (tmp_path / "new").exists()
    # What is finished can be read, and run again where nothing is missing.
    assert load_study(study).config.instruction_set == SETS[0]
    run_study(make_config(TINY, "test"), study, Nothing(1))
    next((study / "shards").glob("zone-0*")).unlink()
    with pytest.raises(TrainingError, match=said.format(SETS[0])):
        run_study(make_config(TINY, "test"), study, Threads(1))


def damage(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        os.truncate(path, path.stat().st_size - 7)
    elif how == "emptied":
        path.write_bytes(b"")
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


@pytest.mark.parametrize("how", ["missing", "truncated", "emptied", "altered"])
@pytest.mark.parametrize("name", ["weights.npz", "weights.mat", "run.json"])
def test_damage_to_what_a_study_leaves_is_mended_by_the_same_command(study, name, how):
    before, wall_seconds = contents(study), load_study(study).wall_seconds
    damage(study / name, how)
    again = run_study(make_config(TINY, "test"), study, Nothing(1))
    assert contents(study) == before
    assert json.loads((study / "run.json").read_bytes())["file_checksums"].keys() == {"weights.npz", "weights.mat"}
    assert name == "run.json" or again.wall_seconds == wall_seconds


def test_weights_too_large_for_one_file_are_left_out_and_that_is_said_once(study, monkeypatch, recwarn):
    large = 4 * 180 * 350
    for name in ("weights.npz", "weights.mat"):
        (study / name).unlink()
    before = contents(study)
    monkeypatch.setattr(finish_module, "WEIGHTS_BYTES", large - 1)
    said = r"weights\.npz and weights\.mat are left out of .*: the weights have 0\.0 GB; shards/ holds them"
    (study / "run.json").unlink()
    with pytest.warns(FewlevelsWarning, match=said):
        run_study(make_config(TINY, "test"), study, Nothing(1))
    run_study(make_config(TINY, "test"), study, Nothing(1))
    assert not recwarn.list
    assert contents(study) == before
    monkeypatch.setattr(finish_module, "WEIGHTS_BYTES", large)
    run_study(make_config(TINY, "test"), study, Nothing(1))
    assert (study / "weights.mat").exists()


def test_a_study_without_weights_trains_a_network_again_when_it_is_asked_for(study, tmp_path):
    bare, whole = tmp_path / "bare", load_study(study)
    result = run_study(make_config(TINY | {"keep_weights": False}, "test"), bare, Threads(1))
    assert not (bare / "weights.npz").exists()
    assert sum(path.stat().st_size for path in (bare / "shards").iterdir()) < 0.1 * sum(
        path.stat().st_size for path in (study / "shards").iterdir()
    )
    assert run_study(result.config, bare, Nothing(1)).wall_seconds == result.wall_seconds
    one, other = (asdict(summarise(replace(each, wall_seconds=0.0))) for each in (result, whole))
    np.testing.assert_equal(one, other)
    some = np.array([179, 3, 95, 96])
    for one, other in zip(result.networks[some].weights, whole.networks[some].weights, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(result.networks.weights, whole.networks.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ConfigError, match="different study: keep_weights is False there and True here"):
        run_study(make_config(TINY, "test"), bare, Nothing(1))


def test_networks_of_a_study_are_read_by_their_index(study):
    networks, weights = load_study(study).networks, np.load(study / "weights.npz")
    for models in (-1, 97, slice(90, 100), slice(0), np.array([100, 2, 2, 179]), np.arange(180) % 7 == 3):
        some = networks[models]
        for layer, w in enumerate(some.weights, start=1):
            assert w.dtype == np.float64
            np.testing.assert_array_equal(w, np.atleast_3d(weights[f"W{layer}"][models]).reshape(w.shape))
    with pytest.raises(IndexError, match="model must be -180 to 179, got 180"):
        networks[180]
    assert "weights" not in load_study(study).networks.__dict__
    assert len(networks.with_joint(networks.joint())) == len(networks) == 180
    np.testing.assert_array_equal(np.ptp(networks.joint(), axis=1), networks.weight_range())
    assert repr(networks) == "<Networks: 180 of 25-10-10>"


@pytest.mark.parametrize("lost", ["removed", "made anew"])
def test_a_folder_that_goes_away_while_a_study_runs_ends_it_and_leaves_no_half_study(tmp_path, lost):
    config, folder = make_config(TINY, "test"), tmp_path / "study"

    class Losing(Threads):
        def run(self, function, tasks):
            for number, task in enumerate(tasks):
                if number == 1:
                    shutil.rmtree(folder)
                    if lost == "made anew":
                        folder.mkdir()
                yield task, function(task)

    with pytest.raises(StoreError, match="was removed or made anew while this ran"):
        run_study(config, folder, Losing(1))
    assert not folder.exists() if lost == "removed" else list(folder.iterdir()) == []
    run_study(config, folder, Threads(1))


def test_a_removal_that_a_running_study_comes_between_leaves_what_the_same_command_mends(study):
    for path in [path for path in study.rglob("*") if path.is_file() and path.parent.name != "shards"]:
        path.unlink()  # as `rm -r` does, until it meets a shard that was just written
    before = contents(study)
    run_study(make_config(TINY, "test"), study, Nothing(1))
    assert before.items() <= contents(study).items()
    assert load_study(study).machine


def test_a_study_is_listed_once_for_all_its_shards(tmp_path, monkeypatch):
    config = make_config(TINY | {"seeds": 160, "epochs": 1}, "test")  # 100 groups
    run_study(config, tmp_path, Threads(2))
    listed, listdir, scanned = list[str](), os.listdir, os.scandir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(str(path)) or listdir(path))
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(str(path)) or scanned(path))
    load_study(tmp_path)
    assert listed == [str(tmp_path / "shards")]
    listed.clear()
    run_study(config, tmp_path, Nothing(1))
    assert len(listed) <= 4  # once for unfinished files in each of three folders, once for the shards


CHANGES: list[dict[str, Any]] = [
    {"alpha": 0.3},
    {"seed": 2},
    {"q_max": 5},
    {"quantizer": "midpoint-signed"},
    {"learning_rate": 0.5},
    {"epochs": 30},
    {"iterations": 50},
    {"repeats": 30},
    {"seeds": 4},
    {"hidden": 11},
    {"init": "uniform:0,2"},
    {"dataset": "digits7"},
    {"instruction_set": SETS[-1]},
    {"zones": TINY["zones"] | {"models": 4}},
    {"zones": TINY["zones"] | {"epochs": 15}},
    {"zones": TINY["zones"] | {"every_epochs": 10}},
    {"zones": TINY["zones"] | {"levels": 2}},
    {"zones": TINY["zones"] | {"starts": ["normal:0,1"]}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_a_group_is_made_of_changes_wherever_its_numbers_do(change):
    one, other = (make_config(values, "test") for values in (TINY | {"instruction_set": SETS[0]}, TINY | change))
    if "instruction_set" not in change:
        other = other.model_copy(update={"instruction_set": SETS[0]})
    changed = []
    for name in ("models-000000", "models-000096", "zone-0"):
        tables, made_of = [], []
        for config in (one, other):
            samples = config.samples()
            group = next((group for group in groups_of(config) if group.name == name), None)
            tables.append(None if group is None else compute(config, samples, group))
            made_of.append(provenances(config, samples).get(name))
        if tables[0] != tables[1]:
            assert made_of[0] != made_of[1], name
            changed.append(name)
    assert changed or one == other


def test_other_seeds_change_the_zones_and_leave_whole_groups_of_models(tmp_path):
    few, many = (make_config(TINY | {"repeats": 96, "seeds": seeds}, "test") for seeds in (1, 2))
    few, many = (provenances(config, load_digits(5)) for config in (few, many))
    assert few["models-000000"] == many["models-000000"]
    assert few["zone-0"] != many["zone-0"]


def test_every_refusal_is_one_of_the_package_s_own(study):
    for path in sorted((study / "shards").iterdir())[:2]:
        path.write_bytes(b"PAR1")
    with pytest.raises(FewlevelsError):
        load_study(study)
    run_study(make_config(TINY, "test"), study, Threads(1))
    load_study(study)
