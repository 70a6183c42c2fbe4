"""The law of a cell against 40-digit arithmetic, and against itself where arithmetic is hard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fewlevels import Crossbar, _kernels
from fewlevels.circuit.cell import BENDS, OWN_LAWS, Cubic, Diode, Resistor, Selector, Sinh, check_law, law_numbers
from fewlevels.circuit.solve import solve
from fewlevels.errors import CircuitError
from tests.support.oracles import diode_cell

CELLS = json.loads((Path(__file__).parents[1] / "reference" / "cells.json").read_text())


@pytest.mark.parametrize("isa", _kernels.instruction_sets())
def test_currents_and_slopes_agree_with_40_digits_from_50_mv_to_100_v_and_in_reverse(isa: str) -> None:
    table = np.array(CELLS["rows"])
    volt, ohm = np.ascontiguousarray(table[:, 0]), table[:, 1]
    ampere, siemens = np.empty((2, len(table)))
    _kernels.cells(volt, 1 / ohm, law_numbers(Diode()), ampere, siemens, isa)
    np.testing.assert_allclose(ampere, table[:, 2], rtol=1e-14)
    np.testing.assert_allclose(siemens, table[:, 3], rtol=1e-14)


@pytest.mark.parametrize("isa", _kernels.instruction_sets())
def test_a_diode_is_exact_from_1e_15_volt_whatever_its_saturation_and_its_device(isa: str) -> None:
    rng = np.random.default_rng(6)
    size = 10 ** np.concatenate([rng.uniform(-15, 2, 24), rng.uniform(-2, 1, 24)])
    volt, ohm = size * rng.choice([1, -1], 48), 10 ** rng.uniform(0, 15, 48)
    for draw in range(25):
        diode = Diode(
            saturation_ampere=10 ** rng.uniform(-18, -3),
            ideality=rng.uniform(0.5, 10),
            gmin_siemens=(0.0, 1e-12)[draw % 2],
            series_ohm=(0.0, 20.0, 0.0)[draw % 3],
        )
        ampere, siemens = np.empty((2, 48))
        _kernels.cells(volt, 1 / ohm, law_numbers(diode), ampere, siemens, isa)
        exact = np.array([diode_cell(diode, *cell) for cell in zip(volt, 1 / ohm, strict=True)])
        np.testing.assert_allclose(ampere, exact[:, 0], rtol=1e-13, err_msg=str(diode))
        # In reverse the slope falls with exp(V / n Vt): a last digit of the voltage changes it by more.
        digits = 1e-13 + np.where(volt < 0, 1e-15 * np.abs(volt) / diode.slope_volt, 0)
        assert (np.abs(siemens - exact[:, 1]) <= digits * exact[:, 1] + 1e-290).all(), diode


@pytest.mark.parametrize("volt", [1e-9, 1e-12])
def test_a_tiny_voltage_loses_no_digit_in_a_large_saturation_current(volt: float) -> None:
    diode = Diode(saturation_ampere=4e-5, ideality=5)
    found = diode.current(np.array([volt]), np.array([1e-4]))[0][0]
    np.testing.assert_allclose(found, diode_cell(diode, volt, 1e-4)[0], rtol=1e-14)


def test_an_almost_open_cell_beside_a_large_saturation_current_is_exact() -> None:
    diode = Diode(saturation_ampere=1e-3)
    found = diode.current(np.array([1e-3, 1.0, -1.0]), np.full(3, 1e-15))[0]
    np.testing.assert_allclose(found, [diode_cell(diode, v, 1e-15)[0] for v in (1e-3, 1.0, -1.0)], rtol=1e-14)


LAWS = {
    "diode": Diode(),
    "diode without gmin": Diode(gmin_siemens=0),
    "diode with series resistance": Diode(series_ohm=5),
    "leaky diode": Diode(saturation_ampere=1e-6, ideality=2),
    "resistor": Resistor(),
    "sinh": Sinh(scale_volt=0.4),
    "cubic": Cubic(scale_volt=0.4),
}
"""One row a law; each is crossed with every check."""


def an_open_cell_carries_nothing_at_any_voltage(law: Selector) -> None:
    crossbar = Crossbar([[0.0, 1e-4, 0.0]], selector=law)
    for volt in (0.0, 1e-15, 0.3, 100.0, -100.0):
        ampere, siemens = crossbar.cell_current(np.full((1, 3), volt))
        assert ampere[0, ::2].tolist() == [0, 0] and siemens[0, ::2].tolist() == [0, 0]


def the_slope_is_the_derivative_of_the_current(law: Selector) -> None:
    volt, conductance = np.linspace(-3, 3, 241), np.full(241, 1e-4)
    step = 1e-5
    ampere = [law.current(volt + sign * step, conductance)[0] for sign in (1, -1)]
    slope = law.current(volt, conductance)[1]
    np.testing.assert_allclose((ampere[0] - ampere[1]) / (2 * step), slope, rtol=1e-6, atol=1e-9 * slope.max())


def the_current_rises_through_nothing_at_no_voltage(law: Selector) -> None:
    check_law(law, np.array([[1e-9, 1e-6], [1e-4, 1e-3]]))


def voltages_and_conductances_broadcast(law: Selector) -> None:
    volt, conductance = np.array([[0.2], [1.0]]), np.array([1e-5, 1e-4, 1e-3])
    ampere, siemens = law.current(volt, conductance)
    assert np.shape(ampere) == np.shape(siemens) == (2, 3)
    np.testing.assert_array_equal(ampere[1, 2], law.current(np.array(1.0), np.array(1e-3))[0])


def solvers_keep_ohms_and_kirchhoffs_laws_with_it(law: Selector) -> None:
    crossbar = Crossbar(1 / np.linspace(1e4, 1e5, 12).reshape(4, 3), word_wire_ohm=2, bit_wire_ohm=3, selector=law)
    point = solve(crossbar, [0.3, 1.0, 0.0, 0.7], nodes=True).require_converged()
    np.testing.assert_allclose(point.output_ampere, point.cell_ampere().sum(axis=1), rtol=1e-9)


CHECKS = (
    an_open_cell_carries_nothing_at_any_voltage,
    the_slope_is_the_derivative_of_the_current,
    the_current_rises_through_nothing_at_no_voltage,
    voltages_and_conductances_broadcast,
    solvers_keep_ohms_and_kirchhoffs_laws_with_it,
)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_law_of_a_cell_keeps_the_contract(law: str, check) -> None:
    check(LAWS[law])


def test_every_law_of_a_cell_has_a_row() -> None:
    assert {type(law) for law in LAWS.values()} == set(OWN_LAWS)


@pytest.mark.parametrize("law", BENDS.values(), ids=BENDS)
@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_law_without_a_scale_is_refused(law: type, scale: float) -> None:
    with pytest.raises(CircuitError, match=r"scale_volt of a (sinh|cubic) law must be positive, got"):
        law(scale_volt=scale)


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
