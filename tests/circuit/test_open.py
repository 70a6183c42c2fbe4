"""Open cells, of 0 S: a legal cell for every solver, and nothing at all where a whole line is open."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import fewlevels as fl
from fewlevels import Crossbar, solve
from fewlevels.circuit.network.resistances import Window
from fewlevels.circuit.network.simulation import simulate
from fewlevels.circuit.solvers.transfer import transfer_matrix
from fewlevels.circuit.spice.crossbar_deck import crossbar_deck
from tests.circuit.test_contracts import fits
from tests.support.contracts import SELECTORS, SOLVERS, WIRES, example

TABLE = [
    (solver, wires, selector)
    for solver in SOLVERS
    for wires in WIRES
    for selector in SELECTORS
    if fits(solver, wires, selector)
]


def with_opens(wires: str, selector: str) -> Crossbar:
    """Single cells, word line 2 and bit line 3 are open."""
    crossbar = example(wires, selector, (7, 6))
    conductance = np.where(np.random.default_rng(3).random((7, 6)) < 0.3, 0.0, crossbar.conductance_siemens)
    conductance[2], conductance[:, 3] = 0.0, 0.0
    return replace(crossbar, conductance_siemens=conductance)


@pytest.mark.parametrize(("solver", "wires", "selector"), TABLE)
def test_open_cells_are_what_ever_smaller_conductances_tend_to(solver: str, wires: str, selector: str) -> None:
    crossbar = with_opens(wires, selector)
    volt = np.random.default_rng(2).uniform(0.8, 2.5, (2, 7))
    found = SOLVERS[solver](crossbar, volt)
    almost = Crossbar(
        np.maximum(crossbar.conductance_siemens, 1e-18),
        word_wire_ohm=crossbar.word_wire_ohm,
        bit_wire_ohm=crossbar.bit_wire_ohm,
        reference_ohm=crossbar.reference_ohm,
        selector=crossbar.selector,
    )
    np.testing.assert_allclose(
        found.output_ampere, SOLVERS["native"](almost, volt).output_ampere, rtol=1e-9, atol=1e-15
    )
    assert found.output_ampere[:, 3].tolist() == [0, 0] and not found.cell_ampere()[:, 2].any()
    empty = Crossbar(
        np.zeros((7, 6)),
        word_wire_ohm=crossbar.word_wire_ohm,
        bit_wire_ohm=crossbar.bit_wire_ohm,
        reference_ohm=crossbar.reference_ohm,
        selector=crossbar.selector,
    )
    assert not SOLVERS[solver](empty, volt).output_ampere.any()


@pytest.mark.parametrize("wires", WIRES)
def test_the_transfer_matrix_of_open_lines_is_zero_there(wires: str) -> None:
    crossbar = with_opens(wires, "resistor")
    transfer = transfer_matrix(crossbar)
    assert not transfer[2].any() and not transfer[:, 3].any()
    volt = np.random.default_rng(2).uniform(-1, 1, (2, 7))
    exact = solve(crossbar, volt).output_ampere
    np.testing.assert_allclose(volt @ transfer, exact, rtol=1e-9, atol=1e-12 * np.abs(exact).max())


@pytest.mark.parametrize("dialect", ["spice", "spectre"])
def test_a_deck_leaves_open_cells_out(dialect: str) -> None:
    crossbar = Crossbar([[0.0, 1e-4], [1e-5, 0.0]], selector=fl.Diode())
    deck = crossbar_deck(crossbar, [1.0, 1.0], dialect=dialect)  # type: ignore[arg-type]
    for name in ("0_0", "1_1"):
        assert f"R{name}" not in deck and f"D{name}" not in deck and f"m{name}" not in deck
    assert "D0_1" in deck and "D1_0" in deck and "inf" not in deck


def test_weights_of_zero_may_rest_at_open_devices() -> None:
    weights = np.array([[1.0, -4.0], [2.0, 0.0]])
    circuit = fl.NetworkCircuit.from_networks(
        fl.Networks.from_weights([weights]), window=Window(r_min_ohm=1000, r_max_ohm=math.inf), selector=None
    )
    assert circuit.crossbars[0].conductance_siemens[1].tolist() == [5e-4, 0, 0, 0]
    np.testing.assert_allclose(circuit.run(np.ones((1, 2)), 1.0).output_ampere, [[7.5e-4, -1e-3]], rtol=1e-14)
    table = circuit.resistances()
    assert table.resistance_ohm == (1000, 2000, 4000, math.inf) and str(table).count("open") == 2


def test_a_simulation_with_open_devices_becomes_json() -> None:
    samples = fl.load_digits(5)
    networks = fl.train(samples, fl.TrainingConfig(), models=16, seed=1)
    search = fl.fewest_levels(networks, samples, q_max=16)
    found = simulate(networks[0], search.quantization(0), samples, input_volts=[1.0])
    opened = replace(found, circuit=replace(found.circuit, window=Window(r_max_ohm=math.inf)))
    opened = replace(opened, resistances=opened.circuit.resistances())
    assert json.loads(json.dumps(opened.as_dict(), allow_nan=False))["resistances"]["rest_ohm"] is None
