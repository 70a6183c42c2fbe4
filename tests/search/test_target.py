"""The recognition that a quantized network must keep."""

from __future__ import annotations

import numpy as np
import pytest

from fewlevels.errors import SearchError
from fewlevels.search.target import Target

BEFORE = np.array([0.0, 0.4, 1.0])


def test_a_target_is_the_same_for_all_networks_or_a_fraction_of_their_own_recognition() -> None:
    assert Target(0.5).least(BEFORE).tolist() == [0.5, 0.5, 0.5]
    np.testing.assert_array_equal(Target(0.5, relative=True).least(BEFORE), [np.nan, 0.2, 0.5])


@pytest.mark.parametrize(("relative", "reached"), [(False, [False, False, True]), (True, [False, True, True])])
def test_a_target_is_reached_but_for_rounding(relative: bool, reached: list[bool]) -> None:
    recognition = np.array([0.3, 0.2 - 1e-15, 0.5 - 1e-15])
    assert Target(0.5, relative).reached(recognition, BEFORE).tolist() == reached
    assert not Target(0.5, relative).reached(recognition - 1e-9, BEFORE)[1:].all()


def test_a_network_is_trained_to_a_target_that_it_reaches_itself() -> None:
    assert Target(0.5).reached(BEFORE).tolist() == [False, False, True]
    assert Target(0.5, relative=True).reached(BEFORE).tolist() == [False, True, True]


def test_a_target_in_words() -> None:
    assert str(Target(0.995)) == "99.5%"
    assert str(Target(1, relative=True)) == "100% of its unquantized recognition"


@pytest.mark.parametrize("alpha", [0, 1.01, float("nan"), True, "1"])
def test_an_alpha_that_is_none_is_refused(alpha: object) -> None:
    with pytest.raises(SearchError, match=r"alpha must be in \(0, 1\], got"):
        Target(alpha)  # type: ignore[arg-type]
