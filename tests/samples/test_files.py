"""Samples from files of many kinds; what a file is, its content says."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from fewlevels import load_samples
from fewlevels.errors import SamplesError
from fewlevels.samples.files import load_data

PIXELS = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)


def idx(array: np.ndarray, code: int = 0x08) -> bytes:
    return bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.mark.parametrize("pack", [lambda content: content, gzip.compress], ids=["plain", "gzip"])
def test_an_idx_file_brings_the_labels_beside_it_and_pixels_from_0_to_1(tmp_path: Path, pack) -> None:
    ending = "" if pack(b"a") == b"a" else ".gz"
    (tmp_path / f"t-images-idx3-ubyte{ending}").write_bytes(pack(idx(PIXELS)))
    (tmp_path / f"t-labels-idx1-ubyte{ending}").write_bytes(pack(idx(np.array([1, 0], np.uint8))))
    found = load_data(tmp_path / f"t-images-idx3-ubyte{ending}")
    np.testing.assert_allclose(found.x, PIXELS / 255, rtol=1e-7)
    assert found.y is not None and found.y.tolist() == [1, 0] and found.remark == "pixels were divided by 255"
    assert found.samples("t").shape == (2, 3)


@pytest.mark.parametrize(
    "content", [idx(PIXELS)[:-1], idx(PIXELS) + b"0", idx(PIXELS)[:9]], ids=["cut", "more", "head"]
)
def test_a_damaged_idx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(SamplesError, match="is damaged"):
        load_data(tmp_path / "images")


def test_an_idx_file_that_promises_terabytes_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(bytes([0, 0, 0x0E, 3]) + np.array([60000, 60000, 60000], ">u4").tobytes())
    with pytest.raises(SamplesError, match="promises"):
        load_data(tmp_path / "images")


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_table_has_its_labels_in_a_column_of_that_name(tmp_path: Path, between: str) -> None:
    lines = [["a", "Label", "b"], ["1", "cat", "2"], ["3.5", "dog", "4"], ["", "", ""]]
    (tmp_path / "t.csv").write_text("\n".join(between.join(line) for line in lines), encoding="utf-8")
    found = load_data(tmp_path / "t.csv")
    assert found.x.tolist() == [[1, 2], [3.5, 4]] and found.classes == ("cat", "dog")
    assert found.y is not None and found.y.tolist() == [0, 1]


def test_a_table_of_numbers_alone_has_no_labels(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("1,2\n3,4\n", encoding="utf-8")
    assert load_data(tmp_path / "t.csv").y is None
    with pytest.raises(SamplesError, match="has no labels"):
        load_samples(tmp_path / "t.csv")


@pytest.mark.parametrize("text", ["1,2\n3\n", "a,b\n", "1,2\n3,x\n", "\n\n"])
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SamplesError):
        load_data(tmp_path / "t.csv")


def test_an_npy_holds_inputs_of_any_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((4, 3, 2, 5), np.float32))
    assert load_data(tmp_path / "x.npy").x.shape == (4, 3, 2, 5)
    np.save(tmp_path / "o.npy", np.array([[None]]), allow_pickle=True)
    with pytest.raises(SamplesError, match=r"no \.npy of plain numbers"):
        load_data(tmp_path / "o.npy")


def test_samples_of_an_npz_may_have_any_shape(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", X=np.arange(24.0).reshape(2, 3, 2, 2), y=np.array(["b", "a"]))
    found = load_samples(tmp_path / "s.npz")
    assert found.shape == (3, 2, 2) and found.inputs == 12
    assert found.classes == ("a", "b") and found.y.tolist() == [1, 0]


def test_a_folder_of_images_has_a_class_for_each_folder_within(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, value in (("yes/1.png", 255), ("no/1.png", 0), ("no/2.png", 51)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        image.fromarray(np.full((2, 3), value, np.uint8)).save(tmp_path / name)
    found = load_data(tmp_path)
    assert found.x.shape == (3, 2, 3) and found.classes == ("no", "yes")
    np.testing.assert_allclose(found.x[:, 0, 0], [0, 0.2, 1], rtol=1e-6)
    image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "no" / "3.png")
    with pytest.raises(SamplesError, match="of one size"):
        load_data(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image")
    with pytest.raises(SamplesError, match="holds no images"):
        load_data(tmp_path)
