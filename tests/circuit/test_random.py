"""Random circuits of every kind against Newton's method in extended precision: no silent wrong answer."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.random_circuits import compare

pytestmark = [
    pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="long double is no longer than double"),
    pytest.mark.filterwarnings("error"),
]


@pytest.mark.parametrize("first", range(0, 150, 30))
def test_random_circuits_agree_with_extended_precision(first: int) -> None:
    for seed in range(first, first + 30):
        verdict, told = compare(seed, 5)
        assert verdict == "agrees", told
