"""One table of circuit solvers and one of checks; test_circuit_contracts.py crosses them."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np

from fewlevels.circuit.cell import Cubic, Diode, Selector
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.point import CONVERGED, OperatingPoint
from fewlevels.circuit.solve import solve
from fewlevels.circuit.solvers.direct import solve_directly

Solver = Callable[[Crossbar, np.ndarray], OperatingPoint]


def native(crossbar: Crossbar, volt: np.ndarray) -> OperatingPoint:
    return solve(crossbar, volt, nodes=True)


def direct(crossbar: Crossbar, volt: np.ndarray) -> OperatingPoint:
    found = [solve_directly(crossbar, row, tolerance=1e-12, max_steps=50) for row in volt]
    assert all(one.converged for one in found)
    return OperatingPoint(
        crossbar=crossbar,
        input_volt=volt,
        output_ampere=np.array([one.output_ampere for one in found]),
        drop_volt=np.array([one.drop_volt for one in found]),
        bit_volt=np.array([one.bit_volt for one in found]),
        iterations=np.array([one.steps for one in found]),
        residual=np.array([one.residual for one in found]),
        converged=np.ones(len(found), bool),
        status=CONVERGED,
        method="direct",
    )


def ngspice(crossbar: Crossbar, volt: np.ndarray) -> OperatingPoint:
    return solve(crossbar, volt, engine="ngspice", nodes=True)


SOLVERS: dict[str, Solver] = {"native": native, "direct": direct}
if shutil.which("ngspice"):
    SOLVERS["ngspice"] = ngspice

WIRES = {
    "ideal": (0.0, 0.0, 0.0),
    "ideal on references": (0.0, 0.0, 900.0),
    "wires": (3.0, 2.0, 0.0),
    "wires on references": (3.0, 2.0, 900.0),
    "word wires": (30.0, 0.0, 0.0),
    "bit wires": (0.0, 20.0, 50.0),
    "word wires on references": (3.0, 0.0, 900.0),
    "heavy wires": (2000.0, 3000.0, 0.0),
}
SELECTORS: dict[str, Selector | None] = {
    "resistor": None,
    "diode": Diode(),
    "leaky diode": Diode(saturation_ampere=1e-9, ideality=1.6, series_ohm=20.0, temperature_kelvin=340.0),
    "cubic": Cubic(scale_volt=0.7),
}


def example(wires: str, selector: str, shape: tuple[int, int] = (13, 6), seed: int = 1) -> Crossbar:
    rng = np.random.default_rng(seed)
    word, bit, reference = WIRES[wires]
    return Crossbar(
        1 / 10 ** rng.uniform(3, 5, shape),
        word_wire_ohm=word,
        bit_wire_ohm=bit,
        reference_ohm=reference,
        selector=SELECTORS[selector],
    )


def inputs(crossbar: Crossbar, samples: int = 3, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.8, 2.5, (samples, crossbar.word_lines))


def kirchhoff_holds_at_every_node(solver: Solver, crossbar: Crossbar) -> None:
    point = solver(crossbar, inputs(crossbar))
    cell, drop, bit = point.cell_ampere(), point.drop_volt, point.bit_volt
    assert drop is not None and bit is not None
    total = cell.sum(axis=(1, 2))[:, None, None]
    if crossbar.word_wire_ohm > 0:
        along = np.diff(drop, axis=2, prepend=0) / crossbar.word_wire_ohm  # current through each segment
        np.testing.assert_allclose(
            along[:, :, :-1] - along[:, :, 1:] - cell[:, :, :-1] + 0 * total, 0, atol=1e-11 * total.min()
        )
    if crossbar.bit_wire_ohm > 0:
        down = -np.diff(bit, axis=1) / crossbar.bit_wire_ohm
        down = np.concatenate([down, point.output_ampere[:, None]], axis=1)
        np.testing.assert_allclose(np.diff(down, axis=1, prepend=0) - cell, 0, atol=1e-11 * total.min())
    np.testing.assert_allclose(point.output_ampere, cell.sum(axis=1), rtol=1e-9)


def power_in_is_power_dissipated(solver: Solver, crossbar: Crossbar) -> None:
    point = solver(crossbar, inputs(crossbar))
    delivered = (point.input_volt * point.input_ampere()).sum(axis=1)
    np.testing.assert_allclose(point.cell_watt().sum(axis=(1, 2)) + point.wire_watt(), delivered, rtol=1e-9)


def outputs_rise_with_every_input(solver: Solver, crossbar: Crossbar) -> None:
    volt = np.repeat(inputs(crossbar, 1), 5, axis=0)
    for sample in range(1, 5):
        volt[sample, 3 * sample - 2] += 0.3
    output = solver(crossbar, volt).output_ampere
    assert (output[1:] > output[0]).all()


def the_sum_of_outputs_is_the_sum_of_inputs(solver: Solver, crossbar: Crossbar) -> None:
    point = solver(crossbar, inputs(crossbar))
    np.testing.assert_allclose(point.output_ampere.sum(axis=1), point.input_ampere().sum(axis=1), rtol=1e-10)


def no_input_gives_no_output(solver: Solver, crossbar: Crossbar) -> None:
    assert not solver(crossbar, np.zeros((1, crossbar.word_lines))).output_ampere.any()


def one_sample_does_not_depend_on_another(solver: Solver, crossbar: Crossbar) -> None:
    volt = inputs(crossbar)
    together, alone = solver(crossbar, volt).output_ampere, solver(crossbar, volt[2:]).output_ampere
    np.testing.assert_allclose(together[2:], alone, rtol=1e-9)


def superposition(solver: Solver, crossbar: Crossbar) -> None:
    a, b = inputs(crossbar, 2)
    output = solver(crossbar, np.array([a, b, 2 * a - b])).output_ampere
    np.testing.assert_allclose(output[2], 2 * output[0] - output[1], rtol=1e-9)


def resistances_scaled_together_scale_the_currents(solver: Solver, crossbar: Crossbar) -> None:
    scaled = Crossbar(
        crossbar.conductance_siemens / 7,
        word_wire_ohm=crossbar.word_wire_ohm * 7,
        bit_wire_ohm=crossbar.bit_wire_ohm * 7,
        reference_ohm=crossbar.reference_ohm * 7,
    )
    volt = inputs(crossbar)
    np.testing.assert_allclose(solver(scaled, volt).output_ampere, solver(crossbar, volt).output_ampere / 7, rtol=1e-9)


def reciprocity(solver: Solver, crossbar: Crossbar) -> None:
    """Current out of foot j by 1 V at word line i equals that out of word line i by 1 V at foot j: the array turned
    round its diagonal, with source and foot wires of equal kind, has the transposed transfer matrix."""
    if crossbar.reference_ohm > 0:
        return
    turned = Crossbar(
        crossbar.conductance_siemens[::-1, ::-1].T,
        word_wire_ohm=crossbar.bit_wire_ohm,
        bit_wire_ohm=crossbar.word_wire_ohm,
    )
    there = solver(crossbar, np.eye(crossbar.word_lines)).output_ampere
    back = solver(turned, np.eye(crossbar.bit_lines)).output_ampere
    np.testing.assert_allclose(back[::-1, ::-1].T, there, rtol=1e-9)


CHECKS = {
    check.__name__: check
    for check in (
        kirchhoff_holds_at_every_node,
        power_in_is_power_dissipated,
        outputs_rise_with_every_input,
        the_sum_of_outputs_is_the_sum_of_inputs,
        no_input_gives_no_output,
        one_sample_does_not_depend_on_another,
    )
}
LINEAR_CHECKS = {
    check.__name__: check for check in (superposition, resistances_scaled_together_scale_the_currents, reciprocity)
}
