"""Every solver of crossbars keeps the laws that any circuit keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fewlevels.circuit.crossbar import Crossbar
from tests.support.contracts import CHECKS, LINEAR_CHECKS, SELECTORS, SOLVERS, WIRES, example, inputs


def fits(solver: str, wires: str, selector: str, check: str = "") -> bool:
    if solver == "direct":
        return wires != "ideal"
    if solver == "ngspice":  # knows no cubic device, leaves 1e-30 A without input, reverses leaky diodes by a cubic law
        leaks = selector == "leaky diode" and wires == "heavy wires"
        return selector != "cubic" and check != "no_input_gives_no_output" and not leaks
    return True


TABLE = [
    (solver, wires, selector, check)
    for solver in SOLVERS
    for wires in WIRES
    for selector in SELECTORS
    for check in CHECKS
    if fits(solver, wires, selector, check)
]
LINEAR_TABLE = [
    (solver, wires, check)
    for solver in SOLVERS
    for wires in WIRES
    for check in LINEAR_CHECKS
    if fits(solver, wires, "resistor")
]


@pytest.mark.parametrize(("solver", "wires", "selector", "check"), TABLE)
def test_every_solver_keeps_the_laws_of_circuits(solver: str, wires: str, selector: str, check: str) -> None:
    CHECKS[check](SOLVERS[solver], example(wires, selector))


@pytest.mark.parametrize(("solver", "wires", "check"), LINEAR_TABLE)
def test_every_solver_keeps_the_laws_of_linear_circuits(solver: str, wires: str, check: str) -> None:
    LINEAR_CHECKS[check](SOLVERS[solver], example(wires, "resistor"))


@pytest.mark.parametrize("wires", WIRES)
@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("other", [name for name in SOLVERS if name != "native"])
def test_every_solver_finds_the_native_currents(other: str, selector: str, wires: str) -> None:
    if fits(other, wires, selector):
        crossbar = example(wires, selector, (17, 9))
        expected = SOLVERS["native"](crossbar, inputs(crossbar)).output_ampere
        np.testing.assert_allclose(SOLVERS[other](crossbar, inputs(crossbar)).output_ampere, expected, rtol=1e-9)


@st.composite
def crossbars(draw: st.DrawFn, linear: bool = False) -> Crossbar:
    """Of any shape and wires; conductances over up to three decades."""
    shape = draw(st.integers(11, 30)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    resistance = 10 ** rng.uniform(3, 3 + draw(st.floats(0, 3)), shape)
    wire = st.just(0.0) | st.floats(-2, 2).map(lambda exponent: 10**exponent)
    selector = None if linear else SELECTORS[draw(st.sampled_from(list(SELECTORS)))]
    return Crossbar(
        1 / resistance, word_wire_ohm=draw(wire), bit_wire_ohm=draw(wire), reference_ohm=draw(wire), selector=selector
    )


@pytest.mark.parametrize("check", CHECKS)
@given(crossbar=crossbars())
@settings(max_examples=40, deadline=None)
def test_the_laws_of_circuits_hold_for_any_crossbar(check: str, crossbar: Crossbar) -> None:
    CHECKS[check](SOLVERS["native"], crossbar)


@pytest.mark.parametrize("check", LINEAR_CHECKS)
@given(crossbar=crossbars(linear=True))
@settings(max_examples=40, deadline=None)
def test_the_laws_of_linear_circuits_hold_for_any_linear_crossbar(check: str, crossbar: Crossbar) -> None:
    LINEAR_CHECKS[check](SOLVERS["native"], crossbar)
