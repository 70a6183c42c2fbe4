"""The folder of a study: in which order it is written, and what it refuses."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fewlevels import load_digits
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.errors import ConfigError, StoreError
from fewlevels.study.config import StudyConfig, ZonesConfig
from fewlevels.study.folder import Store
from fewlevels.study.groups import provenances


def test_a_folder_says_what_it_studies_only_once_its_samples_are_there(tmp_path, monkeypatch):
    store, rename, renamed = Store(tmp_path), os.replace, list[Path]()

    def stopped_after_the_first_file(old: Path, new: Path) -> None:
        if renamed:
            raise OSError("the power fails")
        renamed.append(new)
        rename(old, new)

    with store.locked():
        monkeypatch.setattr(os, "replace", stopped_after_the_first_file)
        monkeypatch.setattr(os, "link", stopped_after_the_first_file)
        with pytest.raises(StoreError, match="the power fails"):
            store.begin(StudyConfig(), load_digits(5))
        monkeypatch.undo()
        store.begin(StudyConfig(seed=7), load_digits(5))
    assert store.config() == StudyConfig(seed=7, instruction_set=INSTRUCTION_SET, group_models=96)
    np.testing.assert_array_equal(store.samples().x, load_digits(5).x)


@pytest.mark.parametrize("change", ["x", "y", "classes", "shape"])
def test_a_folder_refuses_samples_that_differ_in_anything(tmp_path, change):
    samples = load_digits(5)
    other = {"x": samples.x[:, ::-1], "y": samples.y[::-1], "classes": tuple("abcdefghij"), "shape": (1, 25)}
    store = Store(tmp_path)
    with store.locked():
        store.begin(StudyConfig(), samples)
        store.begin(StudyConfig(), load_digits(5))
        with pytest.raises(ConfigError, match="the content of digits5 has changed"):
            store.begin(StudyConfig(), replace(samples, **{change: other[change]}))


@pytest.mark.parametrize("name", ["chips-0123456789abcdef-0000000000-1000", "models-000096"])
def test_a_folder_of_results_that_does_not_say_of_what_is_refused(tmp_path, name):
    store, small, large = Store(tmp_path), StudyConfig(seeds=1), StudyConfig()
    with store.locked():
        store.write_shard(name, pa.table({"q": [4]}), provenances(large, load_digits(5)).get(name, {}) | {"seed": 2})
        not_of_it = rf"holds results that are not of this study, {name} …; use another folder"
        with pytest.raises(StoreError, match=not_of_it):
            store.begin(small.model_copy(update={"repeats": 96}), load_digits(5))
        if name == "models-000096":
            with pytest.raises(ConfigError, match=r"holds results of something else: .*seed is 2 there and 1 here"):
                store.begin(large, load_digits(5))
    assert not (tmp_path / "study.toml").exists()


def test_a_fit_s_folder_is_not_a_study_s(tmp_path):
    store = Store(tmp_path)
    store.write("request.json", b"{}")
    with pytest.raises(StoreError, match="holds a fit; give the study a folder of its own"):
        store.begin(StudyConfig(), load_digits(5))


def test_a_study_that_differs_in_its_zones_is_refused_by_what_differs(tmp_path):
    store = Store(tmp_path)
    store.begin(StudyConfig(), load_digits(5))
    other = StudyConfig(zones=ZonesConfig(levels=8))
    with pytest.raises(ConfigError, match=r"holds a different study: zones\.levels is 4 there and 8 here; use another"):
        store.begin(other, load_digits(5))
