"""The folder of a study: in which order it is written, and what it refuses."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewlevels import load_digits
from fewlevels.errors import ConfigError, StoreError
from fewlevels.study.config import StudyConfig
from fewlevels.study.store import Store


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_the_write_ends(tmp_path, monkeypatch):
    events: list[tuple[str, int, int]] = []
    fsync, rename = os.fsync, os.replace

    def recorded_fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        events.append(("sync", status.st_ino, status.st_size))
        fsync(descriptor)

    def recorded_rename(old: Path, new: Path) -> None:
        status = os.stat(old)
        events.append(("rename", status.st_ino, status.st_size))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_rename)
    Store(tmp_path).write("deeper/result", b"whole")
    file, folder = (tmp_path / "deeper" / "result").stat(), (tmp_path / "deeper").stat()
    assert events[:2] == [("sync", file.st_ino, 5), ("rename", file.st_ino, 5)]
    if hasattr(os, "O_DIRECTORY"):
        assert [event[:2] for event in events[2:]] == [("sync", folder.st_ino)]


def test_a_folder_says_what_it_studies_only_once_its_samples_are_there(tmp_path, monkeypatch):
    store, rename, renamed = Store(tmp_path), os.replace, list[Path]()

    def stopped_after_the_first_file(old: Path, new: Path) -> None:
        if renamed:
            raise OSError("the power fails")
        renamed.append(new)
        rename(old, new)

    with store.locked():
        monkeypatch.setattr(os, "replace", stopped_after_the_first_file)
        with pytest.raises(StoreError, match="the power fails"):
            store.begin(StudyConfig(), load_digits(5))
        monkeypatch.undo()
        store.begin(StudyConfig(seed=7), load_digits(5))
    assert store.config() == StudyConfig(seed=7)
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


def test_a_folder_of_results_that_does_not_say_of_what_is_refused(tmp_path):
    store = Store(tmp_path)
    with store.locked():
        (tmp_path / "shards" / "models-000000-0123456789abcdef.parquet").write_bytes(b"")
        with pytest.raises(StoreError, match=r"holds results but no study\.toml"):
            store.begin(StudyConfig(), load_digits(5))
    assert not (tmp_path / "study.toml").exists()


def test_unfinished_files_of_a_run_that_was_killed_are_removed(tmp_path):
    store = Store(tmp_path)
    with store.locked():
        store.begin(StudyConfig(), load_digits(5))
        for name in ("shards/zone-0-0123456789abcdef.parquet.partial", "weights.npz.partial"):
            (tmp_path / name).write_bytes(b"half")
        assert store.discard_damaged() == []
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"lock", "samples.npz", "study.toml"}
