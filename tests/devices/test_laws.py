"""One row a law of the spread, and what each must keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from fewlevels import Device, load_device
from fewlevels.devices import PolynomialSpread, SaturatingSpread, Spread, TableSpread, equal_error_levels
from fewlevels.devices.laws import SPREADS

LOWEST, HIGHEST = 1e-6, 20e-6
SPREAD_LAWS = {
    "table": TableSpread(conductance_siemens=(1e-6, 7e-6, 20e-6), sigma_siemens=(0.5e-6, 2e-6, 1e-6)),
    "constant": PolynomialSpread(constant_siemens=1e-6),
    "polynomial": PolynomialSpread(
        constant_siemens=1e-7, slope=0.1, curvature_per_siemens=-1e3, cubic_per_siemens2=1e7
    ),
    "saturating": SaturatingSpread(amplitude_siemens=2e-6, scale_siemens=5e-6),
}
GRID = np.linspace(LOWEST, HIGHEST, 77)


def device(law: Spread) -> Device:
    return Device(name="any", lowest_siemens=LOWEST, highest_siemens=HIGHEST, spread=law)


def it_is_positive_and_shaped_like_what_it_is_asked_for(law: Spread) -> None:
    assert law.sigma(GRID.reshape(7, 11)).shape == (7, 11) and (law.sigma(GRID) > 0).all()


def a_device_has_the_spread_that_it_is_given(law: Spread) -> None:
    np.testing.assert_array_equal(device(law).sigma_siemens(GRID), law.sigma(GRID))


def it_is_smooth_but_where_it_was_measured(law: Spread) -> None:
    inside = np.array([g for g in GRID[1:-1] if np.abs(np.array(law.measured_siemens) - g).min(initial=1.0) > 1e-8])
    left, right = ((law.sigma(inside + step) - law.sigma(inside)) / step for step in (-1e-9, 1e-9))
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-3)


def levels_of_equal_error_fit_its_window(law: Spread) -> None:
    levels = equal_error_levels(device(law), 3)
    mean_gap = np.diff(levels) / (law.sigma(levels)[:-1] + law.sigma(levels)[1:])
    assert levels[0] == LOWEST and levels[-1] <= HIGHEST * (1 + 1e-9)
    np.testing.assert_allclose(mean_gap, mean_gap[0], rtol=1e-4)


CHECKS = (
    it_is_positive_and_shaped_like_what_it_is_asked_for,
    a_device_has_the_spread_that_it_is_given,
    it_is_smooth_but_where_it_was_measured,
    levels_of_equal_error_fit_its_window,
)


@pytest.mark.parametrize("law", SPREAD_LAWS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_law_of_the_spread_keeps_the_contract(law: str, check: Callable[[Spread], None]) -> None:
    check(SPREAD_LAWS[law])


@pytest.mark.parametrize("law", SPREAD_LAWS.values(), ids=SPREAD_LAWS)
def test_a_device_file_gives_every_law_by_its_name(law: Spread, tmp_path: Path) -> None:
    keys = [f"{key} = {list(value) if isinstance(value, tuple) else value!r}" for key, value in asdict(law).items()]
    lines = ['name = "any"', f"lowest_siemens = {LOWEST!r}", f"highest_siemens = {HIGHEST!r}", "[spread]"]
    (tmp_path / "any.toml").write_text("\n".join([*lines, f'law = "{law.name}"', *keys]))
    assert load_device(tmp_path / "any.toml").spread == law


def test_every_law_of_the_spread_has_a_row() -> None:
    assert {type(law) for law in SPREAD_LAWS.values()} == set(SPREADS.values())
