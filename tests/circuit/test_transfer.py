"""The transfer matrix of a linear crossbar against solving each input, closed forms and an exact elimination."""

from __future__ import annotations

import numpy as np
import pytest

from fewlevels import Crossbar, Diode, _kernels, solve
from fewlevels.circuit.solvers.transfer import transfer_matrix
from fewlevels.errors import CircuitError
from tests.support.contracts import WIRES, example
from tests.support.oracles import ISAS, transfer_by_star_mesh


def found(crossbar: Crossbar, conductance: np.ndarray, isa: str = ISAS[0], threads: int = 1) -> np.ndarray:
    """The kernel alone, with the wires of the crossbar."""
    transfer = np.empty_like(conductance)
    _kernels.transfer(
        conductance,
        1 / crossbar.word_wire_ohm,
        1 / crossbar.bit_wire_ohm,
        1 / crossbar.foot_ohm,
        transfer,
        threads,
        isa,
    )
    return transfer


@pytest.mark.parametrize("wires", WIRES)
@pytest.mark.parametrize("shape", [(1, 1), (20, 9), (9, 20), (1, 17), (17, 1)])
def test_a_product_with_the_transfer_matrix_is_the_solution(wires: str, shape: tuple[int, int]) -> None:
    crossbar = example(wires, "resistor", shape)
    volt = np.random.default_rng(1).uniform(-1, 1, (5, shape[0]))
    exact = solve(crossbar, volt).output_ampere
    np.testing.assert_allclose(volt @ transfer_matrix(crossbar), exact, rtol=1e-9, atol=1e-11 * np.abs(exact).max())


@pytest.mark.parametrize("wire_ohm", [1.0, 100.0])
@pytest.mark.parametrize("shape", [(128, 128), (75, 132)])
def test_of_a_tile_it_agrees_with_the_native_solver_within_1e_10(shape: tuple[int, int], wire_ohm: float) -> None:
    rng = np.random.default_rng(2)
    crossbar = Crossbar(1 / rng.uniform(1e4, 1e6, shape), word_wire_ohm=wire_ohm, bit_wire_ohm=wire_ohm)
    volt = rng.uniform(0, 1, (3, shape[0]))
    np.testing.assert_allclose(volt @ transfer_matrix(crossbar), solve(crossbar, volt).output_ampere, rtol=1e-10)


@pytest.mark.parametrize("wire_ohm", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("reference_ohm", [0.0, 1e5, 1e8])
def test_every_entry_is_exact_to_rounding_for_any_wires(wire_ohm: float, reference_ohm: float) -> None:
    conductance = 10 ** np.random.default_rng(3).uniform(-6, -3, (16, 11))
    crossbar = Crossbar(conductance, word_wire_ohm=wire_ohm, bit_wire_ohm=wire_ohm, reference_ohm=reference_ohm)
    np.testing.assert_allclose(transfer_matrix(crossbar), transfer_by_star_mesh(crossbar, conductance), rtol=3e-14)


@pytest.mark.parametrize("seed", range(10))
def test_every_entry_is_exact_to_rounding_with_open_and_shorted_cells(seed: int) -> None:
    rng = np.random.default_rng([4, seed])
    shape = rng.integers(1, 18, 2)
    conductance = 10 ** rng.uniform(-9, -3, shape)
    conductance[rng.random(shape) < 0.2] = 0.0
    conductance[rng.random(shape) < 0.1] = 1e3
    crossbar = Crossbar(
        np.ones(shape),
        word_wire_ohm=10 ** rng.uniform(-6, 4),
        bit_wire_ohm=10 ** rng.uniform(-6, 4),
        reference_ohm=rng.choice([0.0, 1e8]),
    )
    exact = transfer_by_star_mesh(crossbar, conductance)
    for isa in ISAS:
        np.testing.assert_allclose(found(crossbar, conductance, isa), exact, rtol=3e-14, atol=0)


def test_a_crossbar_mirrored_at_its_diagonal_has_the_transposed_matrix() -> None:
    conductance = 10 ** np.random.default_rng(5).uniform(-6, -3, (61, 150))
    own, mirrored = (Crossbar(g, word_wire_ohm=7, bit_wire_ohm=7) for g in (conductance, conductance[::-1, ::-1].T))
    np.testing.assert_allclose(transfer_matrix(mirrored)[::-1, ::-1].T, transfer_matrix(own), rtol=1e-13)


def test_ideal_wires_leave_a_divider_with_the_reference_resistor() -> None:
    conductance = 10 ** np.random.default_rng(6).uniform(-9, -3, (20, 30))
    for reference_ohm in (0.0, 1.0, 1e8):
        exact = conductance / (1 + reference_ohm * conductance.sum(axis=0))
        crossbar = Crossbar(conductance, reference_ohm=reference_ohm)
        np.testing.assert_allclose(transfer_matrix(crossbar), exact, rtol=1e-14)


@pytest.mark.parametrize("wires", WIRES)
def test_an_open_cell_passes_nothing_but_what_goes_round_by_its_lines(wires: str) -> None:
    word, bit, reference = WIRES[wires]
    conductance = 10 ** np.random.default_rng(9).uniform(-6, -3, (12, 9))
    conductance[3, 4] = conductance[:, 6] = 0.0
    almost = np.where(conductance == 0, 1e-60, conductance)
    transfer, exact = (
        transfer_matrix(Crossbar(g, word_wire_ohm=word, bit_wire_ohm=bit, reference_ohm=reference))
        for g in (conductance, almost)
    )
    held = word == 0 or bit + reference == 0  # ideally, at one end of the cell
    assert (transfer[3, 4] == 0) == held and not transfer[:, 6].any() and np.count_nonzero(transfer) == 96 - held
    np.testing.assert_allclose(transfer, exact, rtol=1e-14, atol=1e-50)


@pytest.mark.filterwarnings("ignore")  # of conductances that look like another unit
def test_the_unit_of_conductance_does_not_matter() -> None:
    conductance = 10 ** np.random.default_rng(7).uniform(-6, -3, (12, 9))
    usual = transfer_matrix(Crossbar(conductance, word_wire_ohm=3, bit_wire_ohm=4, reference_ohm=5))
    for unit in (2.0**-1000, 2.0**490):  # up to where wires are at least 1e-150 ohm
        scaled = Crossbar(conductance * unit, word_wire_ohm=3 / unit, bit_wire_ohm=4 / unit, reference_ohm=5 / unit)
        assert np.array_equal(transfer_matrix(scaled), usual * unit)


def test_it_does_not_depend_on_the_number_of_threads() -> None:
    conductance = 10 ** np.random.default_rng(8).uniform(-6, -3, (120, 300))
    crossbar = Crossbar(conductance, word_wire_ohm=2, bit_wire_ohm=3)
    for isa in ISAS:
        one = found(crossbar, conductance, isa)
        assert all(np.array_equal(found(crossbar, conductance, isa, threads), one) for threads in (2, 3))


def test_a_crossbar_with_selectors_has_none() -> None:
    with pytest.raises(CircuitError, match="solve each input"):
        transfer_matrix(Crossbar([[1e-4]], selector=Diode()))


def test_wires_that_leave_the_range_of_numbers_are_refused() -> None:
    with pytest.raises(CircuitError, match=r"beside a cell of 1 S must be below 2\.58\d*e\+120 ohm, got 1e\+300"):
        transfer_matrix(Crossbar([[1.0]], word_wire_ohm=1e300))
