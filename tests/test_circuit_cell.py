"""The law of a cell against 40-digit arithmetic, and against itself where arithmetic is hard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fewlevels import _kernels
from fewlevels.circuit.cell import Cubic, Diode, Selector, Sinh, law_numbers
from fewlevels.errors import CircuitError

CELLS = json.loads((Path(__file__).parent / "reference" / "cells.json").read_text())


@pytest.mark.parametrize("isa", _kernels.instruction_sets())
def test_currents_and_slopes_agree_with_40_digits_from_50_mv_to_100_v_and_in_reverse(isa: str) -> None:
    table = np.array(CELLS["rows"])
    volt, ohm = np.ascontiguousarray(table[:, 0]), table[:, 1]
    ampere, siemens = np.empty((2, len(table)))
    _kernels.cells(volt, 1 / ohm, law_numbers(Diode()), ampere, siemens, isa)
    far = np.abs(volt) >= 0.05
    np.testing.assert_allclose(ampere[far], table[far, 2], rtol=1e-14)
    np.testing.assert_allclose(ampere, table[:, 2], rtol=2e-11)
    np.testing.assert_allclose(siemens, table[:, 3], rtol=1e-14)


@pytest.mark.parametrize("selector", [Diode(), Diode(saturation_ampere=1e-6, ideality=2), Sinh(scale_volt=0.4),
                                      Cubic(scale_volt=0.4)])  # fmt: skip
def test_the_slope_is_the_derivative_of_the_current(selector: Selector) -> None:
    volt, conductance = np.linspace(-3, 3, 241), np.full(241, 1e-4)
    step = 1e-5
    ampere = [selector.current(volt + sign * step, conductance)[0] for sign in (1, -1)]
    slope = selector.current(volt, conductance)[1]
    np.testing.assert_allclose((ampere[0] - ampere[1]) / (2 * step), slope, rtol=1e-6, atol=1e-9 * slope.max())


def test_no_voltage_gives_no_current() -> None:
    assert Diode().current(np.zeros(3), np.array([1.0, 1e-4, 1e-9]))[0].tolist() == [0, 0, 0]


def test_a_diode_blocks_all_but_its_saturation_current_and_gmin() -> None:
    ampere, _ = Diode(gmin_siemens=0).current(np.array([-10.0]), np.array([1e-4]))
    np.testing.assert_allclose(ampere, -1e-14, rtol=1e-12)


def test_the_series_resistance_of_a_diode_adds_to_the_device() -> None:
    with_series = Diode(series_ohm=300).current(np.array([2.0]), np.array([1 / 700]))
    np.testing.assert_allclose(with_series, Diode().current(np.array([2.0]), np.array([1 / 1000])), rtol=1e-14)


@pytest.mark.parametrize(
    ("field", "value"),
    [("saturation_ampere", 0), ("ideality", -1), ("series_ohm", -1), ("temperature_kelvin", float("nan"))],
)
def test_a_diode_that_cannot_be_is_refused(field: str, value: float) -> None:
    with pytest.raises(CircuitError, match=field):
        Diode(**{field: value})
