"""Currents that ngspice computed: stored with its version, and live where it is installed."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fewlevels import solve
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.solvers.direct import solve_directly
from fewlevels.circuit.spice.crossbar_deck import crossbar_deck
from tests.reference.circuits import reference_circuits

FOLDER = Path(__file__).parents[1] / "reference"
STORED = json.loads((FOLDER / "results.json").read_text())
CIRCUITS = {name: (crossbar, volt) for name, crossbar, volt in reference_circuits()}


@pytest.mark.parametrize("name", CIRCUITS)
def test_native_currents_are_those_that_ngspice_computed_within_1e_9(name: str) -> None:
    crossbar, volt = CIRCUITS[name]
    point = solve(crossbar, volt).require_converged()
    np.testing.assert_allclose(point.output_ampere[0], STORED["output_ampere"][name], rtol=1e-9)


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_stored_deck_is_the_circuit(name: str) -> None:
    crossbar, volt = CIRCUITS[name]
    deck = crossbar_deck(crossbar, volt, title=f"fewlevels reference {name}")
    stored = gzip.decompress((FOLDER / f"{name}.cir.gz").read_bytes()).decode("ascii")
    assert deck.splitlines()[:50] == stored.splitlines()[:50]
    assert len(deck.splitlines()) == len(stored.splitlines())


@pytest.mark.skipif(not shutil.which("ngspice"), reason="ngspice is not installed")
@pytest.mark.parametrize("name", CIRCUITS)
def test_ngspice_as_installed_here_computes_the_native_currents(name: str) -> None:
    crossbar, volt = CIRCUITS[name]
    live = solve(crossbar, volt, engine="ngspice").output_ampere
    np.testing.assert_allclose(solve(crossbar, volt).output_ampere, live, rtol=1e-9)


@pytest.mark.parametrize("size", [25, 64, 128, 256])
@pytest.mark.parametrize("wire_ohm", [0.1, 10.0])
def test_linear_arrays_agree_with_sparse_lu_within_1e_10(size: int, wire_ohm: float) -> None:
    rng = np.random.default_rng(size)
    crossbar = Crossbar(10 ** rng.uniform(-6, -4, (size, size)), word_wire_ohm=wire_ohm, bit_wire_ohm=wire_ohm)
    volt = rng.uniform(0, 1, size)
    exact = solve_directly(crossbar, volt, tolerance=1e-14, max_steps=3)
    point = solve(crossbar, volt)
    assert "conjugate gradients" in point.method
    np.testing.assert_allclose(point.output_ampere[0], exact.output_ampere, rtol=1e-10)
