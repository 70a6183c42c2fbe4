"""Damaged files of every kind are refused in a sentence, or read as what they still are: within a second and 500 MB."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("h5py")
pytest.importorskip("safetensors")
if sys.platform != "linux":
    pytest.skip("memory is measured by Linux's /proc", allow_module_level=True)

from tests.networks.test_hostile_networks import MOST_MEGABYTES, MOST_SECONDS
from tests.support.limited import loaded_in_limits
from tests.support.mutations import assert_valid, mutated_files

FILES = 600
"""Ten thousand were tried with other seeds."""


def test_the_files_that_are_damaged_are_whole_before(tmp_path: Path) -> None:
    assert_valid(tmp_path)


@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_file_is_refused_in_a_sentence_or_read(seed: int, tmp_path: Path) -> None:
    files = list(mutated_files(tmp_path, FILES // 2, seed))
    results = loaded_in_limits(files)
    wrong = [each for each in results if each.kind not in ("", "FewlevelsError")]
    assert wrong == []
    assert len(results) == len(files)
    said = [each.said for each in results if each.kind]
    assert all(each.isprintable() and len(each) < 1500 for each in said)
    assert len(said) > len(files) / 2
    assert max(each.seconds for each in results) < MOST_SECONDS
    assert max(each.megabytes for each in results) < MOST_MEGABYTES
