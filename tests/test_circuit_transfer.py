"""The transfer matrix of a linear crossbar against solving each input, and against an exact elimination."""

from __future__ import annotations

import numpy as np
import pytest

from fewlevels import Crossbar, Diode, solve
from fewlevels.circuit.transfer import transfer_matrix
from fewlevels.errors import CircuitError
from tests.contracts import WIRES, example
from tests.oracles import transfer_by_star_mesh


@pytest.mark.parametrize("wires", WIRES)
@pytest.mark.parametrize("shape", [(1, 1), (20, 9), (9, 20)])
def test_a_product_with_the_transfer_matrix_is_the_solution(wires: str, shape: tuple[int, int]) -> None:
    crossbar = example(wires, "resistor", shape)
    volt = np.random.default_rng(1).uniform(-1, 1, (5, shape[0]))
    exact = solve(crossbar, volt).output_ampere
    np.testing.assert_allclose(volt @ transfer_matrix(crossbar), exact, rtol=1e-9, atol=1e-11 * np.abs(exact).max())


def test_at_128_it_agrees_with_the_native_solver_within_1e_10() -> None:
    rng = np.random.default_rng(2)
    crossbar = Crossbar(1 / rng.uniform(1e4, 1e6, (128, 128)), word_wire_ohm=1, bit_wire_ohm=1)
    volt = rng.uniform(0, 1, (3, 128))
    np.testing.assert_allclose(volt @ transfer_matrix(crossbar), solve(crossbar, volt).output_ampere, rtol=1e-10)


@pytest.mark.parametrize("wire_ohm", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("reference_ohm", [0.0, 1e5, 1e8])
def test_every_entry_is_exact_to_rounding_for_any_wires(wire_ohm: float, reference_ohm: float) -> None:
    conductance = 10 ** np.random.default_rng(3).uniform(-6, -3, (16, 11))
    crossbar = Crossbar(conductance, word_wire_ohm=wire_ohm, bit_wire_ohm=wire_ohm, reference_ohm=reference_ohm)
    np.testing.assert_allclose(transfer_matrix(crossbar), transfer_by_star_mesh(crossbar, conductance), rtol=1e-12)


def test_a_crossbar_with_selectors_has_none() -> None:
    with pytest.raises(CircuitError, match="solve each input"):
        transfer_matrix(Crossbar([[1e-4]], selector=Diode()))
