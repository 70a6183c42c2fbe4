"""Circuits whose nodes agree in all but their last digits, against an elimination that subtracts nothing."""

from __future__ import annotations

import numpy as np
import pytest

from fewlevels import Crossbar, Diode, solve
from fewlevels.circuit.cell import Cubic, Selector
from fewlevels.errors import NotConvergedError
from tests.support.contracts import SOLVERS
from tests.support.oracles import transfer_by_star_mesh


@pytest.mark.parametrize("selector", [None, Diode(), Cubic(scale_volt=0.7)])
@pytest.mark.parametrize("name", ["native", "direct"])
def test_short_wires_on_a_large_reference_resistor_do_not_drown_in_its_voltage(
    name: str, selector: Selector | None
) -> None:
    for seed in range(20):
        rng = np.random.default_rng([77, seed])
        crossbar = Crossbar(
            10 ** rng.uniform(-6, -3, rng.integers(2, 13, 2)),
            selector=selector,
            word_wire_ohm=10 ** rng.uniform(-6, 1),
            bit_wire_ohm=10 ** rng.uniform(-7, -4),
            reference_ohm=10 ** rng.uniform(3, 6),
        )
        point = SOLVERS[name](crossbar, rng.uniform(0.5, 3, (1, crossbar.word_lines)))
        assert point.residual[0] <= 1e-11, seed
        ampere, volt = point.cell_ampere()[0], point.cell_volt()[0]
        exact = point.input_volt @ transfer_by_star_mesh(crossbar, ampere / volt)
        np.testing.assert_allclose(point.output_ampere, exact, rtol=1e-10, err_msg=str(seed))


def test_what_rounding_leaves_is_no_solution_where_it_is_more_than_1e_8() -> None:
    crossbar = Crossbar(
        [[100.0, 30.0, 80.0], [60.0, 50.0, 200.0]], word_wire_ohm=5e8, bit_wire_ohm=3e5, reference_ohm=9e7
    )
    point = solve(crossbar, [1.0, 2.0])
    assert point.residual[0] > 1e-8 and np.isnan(point.output_ampere).all()
    with pytest.raises(NotConvergedError, match="raise the tolerance"):
        point.require_converged()
    exact = [1.0, 2.0] @ transfer_by_star_mesh(crossbar, crossbar.conductance_siemens)
    found = solve(crossbar, [1.0, 2.0], tolerance=1e-3).require_converged().output_ampere[0]
    np.testing.assert_allclose(found, exact, atol=1e-3 * exact.sum())
