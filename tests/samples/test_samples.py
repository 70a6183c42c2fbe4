"""Samples: the digits, a user's own files, what is refused, and flipped pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fewlevels import Samples, flip_pixels, load_digits, load_samples
from fewlevels.errors import SamplesError

X = np.eye(3, 4)
Y = np.array([0, 1, 1])


def text_file(folder: Path, text: str) -> Path:
    path = folder / "glyphs.txt"
    path.write_text(text, encoding="utf-8")
    return path


def npz_file(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "samples.npz"
    np.savez_compressed(path, **arrays)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(SamplesError) as caught:
        load_samples(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_two_of_the_paper_is_exact() -> None:
    rows = ["11111", "00001", "11111", "10000", "11111"]
    assert load_digits(5).x[2].tolist() == [float(pixel) for row in rows for pixel in row]


@pytest.mark.parametrize("size", [5, 7])
def test_digits_are_ten_distinct_binary_glyphs_in_order(size: int) -> None:
    digits = load_digits(size)
    assert digits.x.shape == (10, size * size) and digits.shape == (size, size)
    assert digits.inputs == size * size and len(digits) == 10
    assert digits.classes == tuple("0123456789") and digits.y.tolist() == list(range(10))
    assert set(np.unique(digits.x)) == {0.0, 1.0}
    assert len(np.unique(digits.x, axis=0)) == 10


@pytest.mark.parametrize("size", [5, 7])
def test_the_digits_are_those_of_a_seven_segment_display_with_the_one_in_the_middle(size: int) -> None:
    middle, end = size // 2, size - 1
    lit = {
        0: "abcdef",
        1: "",
        2: "abged",
        3: "abgcd",
        4: "fgbc",
        5: "afgcd",
        6: "afgedc",
        7: "abc",
        8: "abcdefg",
        9: "abcdfg",
    }
    places = {
        "a": np.s_[0, :],
        "g": np.s_[middle, :],
        "d": np.s_[end, :],
        "f": np.s_[: middle + 1, 0],
        "b": np.s_[: middle + 1, end],
        "e": np.s_[middle:, 0],
        "c": np.s_[middle:, end],
    }
    for digit, segments in lit.items():
        glyph = np.zeros((size, size))
        for segment in segments:
            glyph[places[segment]] = 1
        if digit == 1:
            glyph[:, middle] = 1
        np.testing.assert_array_equal(load_digits(size).x[digit].reshape(size, size), glyph, f"digit {digit}")


@pytest.mark.parametrize("size", [6, 0, -5, "5", None, 5.0])
def test_other_digit_sizes_are_refused_by_name(size: object) -> None:
    with pytest.raises(SamplesError, match=f"sizes 5 and 7, got {size!r}"):
        load_digits(size)  # type: ignore[arg-type]


def test_a_glyph_file_of_any_size_and_classes_works(tmp_path: Path) -> None:
    text = "# mine\n\nclass left arrow\n010\n110\n\nclass B\n  111\n001  \nclass left arrow\n011\n 110\n"
    samples = load_samples(text_file(tmp_path, text))
    assert samples.classes == ("left arrow", "B") and samples.y.tolist() == [0, 1, 0] and samples.shape == (2, 3)
    assert samples.x.tolist() == [[0, 1, 0, 1, 1, 0], [1, 1, 1, 0, 0, 1], [0, 1, 1, 1, 1, 0]]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("010\nclass A\n", ["line 1", "'010'", "class NAME"]),
        ("class A\n010\n\n012\n", ["line 4", "'012'", "0 and 1"]),
        ("class A\n010\n0101\n", ["line 3", "'0101'", "3", "4"]),
        ("class A\n010\nclass\n", ["line 3", "'class'"]),
        ("class A\n01\n10\nclass B\n11\n", ["2 x 2", "'B'", "1 x 2"]),
        ("class A\n01\nclass B\n", ["1 x 2", "'B'"]),
        ("# nothing\n", ["no glyph", "class NAME"]),
        ("class A\n01\nclass A\n10\n", ["two classes", "1"]),
    ],
)
def test_a_malformed_glyph_file_is_refused_naming_what_is_wrong(tmp_path: Path, text: str, named: list[str]) -> None:
    path = text_file(tmp_path, text)
    message = refusal(path)
    assert [word for word in named if word not in message] == []


def test_a_first_glyph_without_rows_is_not_taken_as_the_right_size(tmp_path: Path) -> None:
    message = refusal(text_file(tmp_path, "class A\nclass B\n01\n"))
    assert "'A'" in message and "must be 0 x 0" not in message


def test_a_missing_file_a_folder_and_a_binary_file_are_refused_by_path(tmp_path: Path) -> None:
    binary = tmp_path / "picture.png"
    binary.write_bytes(b"\x89PNG\xff\xfe\x00")
    for path in (tmp_path / "missing.txt", tmp_path / "missing.npz", tmp_path, binary):
        assert str(path) in refusal(path)


def test_a_file_whose_samples_do_not_fit_together_is_named(tmp_path: Path) -> None:
    wrong = {
        "got nan at sample 0, input 1": np.array([[0.0, np.nan]] * 3),
        "for each of the 2 samples": np.ones((2, 3)),
    }
    for says, x in wrong.items():
        path = npz_file(tmp_path, X=x, y=Y)
        message = refusal(path)
        assert message.startswith(f"{path}: ") and says in message
    path = text_file(tmp_path, "class A\n01\n")
    assert refusal(path) == f"{path}: samples need at least two classes, got 1"


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, np.uint16, np.bool_])
def test_an_npz_of_any_real_type_works(tmp_path: Path, dtype: type) -> None:
    samples = load_samples(npz_file(tmp_path, X=X.astype(dtype), y=Y))
    assert samples.x.dtype == np.float64 and np.array_equal(samples.x, X)
    assert samples.y.tolist() == [0, 1, 1] and samples.classes == ("0", "1") and samples.shape is None


def test_an_npz_keeps_real_values_and_the_shape_of_images(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(6, 3, 5))
    samples = load_samples(npz_file(tmp_path, X=images, y=np.array([3, 0, 0, 1, 2, 3], np.uint8)))
    assert samples.shape == (3, 5) and np.array_equal(samples.x, images.reshape(6, 15))
    assert samples.classes == ("0", "1", "2", "3") and samples.y.tolist() == [3, 0, 0, 1, 2, 3]


def test_an_npz_may_name_its_classes(tmp_path: Path) -> None:
    samples = load_samples(npz_file(tmp_path, X=X, y=np.array(["dog", "cat", "dog"])))
    assert samples.classes == ("cat", "dog")
    assert [samples.classes[label] for label in samples.y] == ["dog", "cat", "dog"]


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"X": X}, ["X and y", "no labels"]),
        ({"x": X, "labels": Y}, ["X and y", "labels, x"]),
        ({}, ["X and y", "nothing"]),
        ({"X": X * 1j, "y": Y}, ["complex128"]),
        ({"X": X.astype(str), "y": Y}, ["<U"]),
        ({"X": X[0], "y": Y}, ["(4,)"]),
        ({"X": X[:, :0], "y": Y}, ["(3, 0)"]),
        ({"X": X[:0], "y": Y}, ["(0, 4)"]),
        ({"X": X, "y": Y[:2]}, ["3", "(2,)"]),
        ({"X": X, "y": Y[:, None]}, ["(3, 1)"]),
        ({"X": X, "y": Y[:0]}, ["(0,)"]),
        ({"X": X, "y": np.array([0.0, 1.0, 0.5])}, ["float64"]),
        ({"X": X, "y": np.array([0, -1, 1])}, ["-1"]),
        ({"X": X, "y": np.array([0, 0, 0])}, ["two classes", "1"]),
        ({"X": np.where(X == 1, np.nan, X), "y": Y}, ["nan", "sample 0", "input 0"]),
        ({"X": np.where(X == 1, -np.inf, X), "y": Y}, ["-inf"]),
        ({"X": np.array([[1, None]], dtype=object), "y": Y}, ["Object arrays"]),
    ],
)
def test_a_malformed_npz_is_refused_naming_what_is_wrong(
    tmp_path: Path, arrays: dict[str, np.ndarray], named: list[str]
) -> None:
    message = refusal(npz_file(tmp_path, **arrays))
    assert [word for word in named if word not in message] == []


@pytest.mark.parametrize(
    ("x", "y"), [([[0, np.nan], [1, 1]], [0, 1]), ([[0], [1]], [0, 0]), ([[0], [1]], [-1, 1]), ([[0], [1]], [0])]
)
def test_an_npz_whose_content_does_not_fit_is_refused_by_path(tmp_path: Path, x: list, y: list) -> None:
    path = npz_file(tmp_path, X=np.array(x, dtype=float), y=np.array(y))
    assert refusal(path).startswith(f"{path}: ")


def test_glyphs_of_a_single_class_are_refused_by_path(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("class L\n10\nclass L\n11\n", encoding="utf-8")
    assert refusal(path) == f"{path}: samples need at least two classes, got 1"


@pytest.mark.parametrize("content", ["empty", "text", "one array", "cut short", "altered"])
def test_an_npz_that_is_not_one_is_refused_by_path(tmp_path: Path, content: str) -> None:
    path = npz_file(tmp_path, X=np.random.default_rng(0).normal(size=(50, 50)), y=np.arange(50))
    whole = path.read_bytes()
    if content == "one array":
        with path.open("wb") as file:
            np.save(file, X)
    else:
        altered = whole[:60] + bytes([whole[60] ^ 0x5A]) + whole[61:]  # inside the compressed X
        path.write_bytes({"empty": b"", "text": b"class A\n", "cut short": whole[:500], "altered": altered}[content])
    assert str(path) in refusal(path)


@pytest.mark.parametrize(
    ("x", "y", "classes", "shape", "named"),
    [
        (X, [0.0, 1.0, 0.5], "ab", None, "float64"),  # would be cut to class 0
        (X, [0, 1, 2**32 + 1], "ab", None, str(2**32 + 1)),  # would wrap around to class 1
        (X, [0, 1, 2], "ab", None, "0 to 2"),
        (X, [0, 1], "ab", None, "(2,)"),
        ([[1.0, 2.0], [3.0]], [0, 1], "ab", None, "x must be"),
        ([["a", "b"]], [0], "ab", None, "x must be"),
        (np.where(X == 1, np.inf, X), [0, 1, 1], "ab", None, "inf"),
        (X, [0, 0, 0], "a", None, "two classes"),
        (X, [0, 1, 1], "ab", (3, 3), "(3, 3)"),
    ],
)
def test_samples_that_do_not_fit_together_are_refused(
    x: object, y: object, classes: str, shape: tuple[int, int] | None, named: str
) -> None:
    with pytest.raises(SamplesError) as caught:
        Samples(x, y, tuple(classes), shape)  # type: ignore[arg-type]
    assert named in str(caught.value)


@pytest.mark.parametrize("pixels", [0, 1, 3, 24, 25])
def test_exactly_that_many_pixels_flip_in_each_copy(pixels: int) -> None:
    digits = load_digits(5)
    noisy = flip_pixels(digits, pixels, 40, np.random.default_rng(1))
    assert noisy.x.shape == (400, 25) and (noisy.classes, noisy.shape) == (digits.classes, digits.shape)
    assert noisy.y.tolist() == [digit for digit in range(10) for _ in range(40)]
    assert set(np.unique(noisy.x)) == {0.0, 1.0}
    assert ((noisy.x != np.repeat(digits.x, 40, axis=0)).sum(axis=1) == pixels).all()


def test_every_pixel_flips_equally_often() -> None:
    digits = load_digits(5)
    copies, pixels = 2000, 3
    noisy = flip_pixels(digits, pixels, copies, np.random.default_rng(2))
    often = (noisy.x != np.repeat(digits.x, copies, axis=0)).mean(axis=0)
    share = pixels / 25
    assert abs(often - share).max() < 5 * np.sqrt(share * (1 - share) / (10 * copies))  # 5 standard errors


def test_flips_follow_the_generator_alone_and_leave_the_samples_as_they_were() -> None:
    digits = load_digits(5)
    before = digits.x.copy()
    one, same, other = (flip_pixels(digits, 2, 3, np.random.default_rng(seed)).x for seed in (5, 5, 6))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert np.array_equal(digits.x, before)


def test_real_valued_samples_have_no_pixels_to_flip() -> None:
    with pytest.raises(SamplesError, match="only binary"):
        flip_pixels(Samples(X * 0.5, Y, ("a", "b")), 1, 1, np.random.default_rng(0))


@pytest.mark.parametrize(("pixels", "copies", "named"), [(26, 1, "26"), (-1, 1, "-1"), (1, -1, "-1"), (1, 0, "0")])
def test_more_flips_than_pixels_or_no_copies_are_refused(pixels: int, copies: int, named: str) -> None:
    with pytest.raises(SamplesError, match=f"got .*{named}"):
        flip_pixels(load_digits(5), pixels, copies, np.random.default_rng(0))
