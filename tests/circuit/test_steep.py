"""Laws so steep that their currents leave the range of float64, laws that are none, and what is said then."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest

import fewlevels as fl
from fewlevels import Crossbar, Diode, solve
from fewlevels.circuit.cell import Cubic, Selector, Sinh
from fewlevels.circuit.network.network_circuit import NetworkCircuit
from fewlevels.circuit.solvers import ideal
from fewlevels.errors import CircuitError, NotConvergedError, UnitWarning
from tests.support.random_circuits import Own


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def series_current(ohm: float, conductance: float, scale: float, volt: float) -> float:
    """Of a sinh device in series with a resistance: ohm I + scale asinh(I / (G scale)) = volt, in 40 digits."""
    with mpmath.workdps(40):
        g, v0 = mpmath.mpf(conductance), mpmath.mpf(scale)
        return float(mpmath.findroot(lambda i: ohm * i + v0 * mpmath.asinh(i / (g * v0)) - volt, volt / (2 * ohm)))


@pytest.mark.parametrize("wires", [(5, 5, 0), (10, 0, 0), (0, 10, 0), (0, 4, 6), (3, 0, 7), (0, 0, 10), (2, 3, 5)])
@pytest.mark.parametrize("scale", [0.5, 0.005, 5e-4])
def test_a_sinh_device_behind_wires_is_a_series_circuit(wires: tuple[float, ...], scale: float) -> None:
    word, bit, reference = map(float, wires)
    crossbar = Crossbar(
        [[1e-5]], word_wire_ohm=word, bit_wire_ohm=bit, reference_ohm=reference, selector=Sinh(scale_volt=scale)
    )
    point = solve(crossbar, [[5.0], [-5.0]]).require_converged()
    exact = series_current(10.0, 1e-5, scale, 5.0)
    np.testing.assert_allclose(point.output_ampere, [[exact], [-exact]], rtol=1e-11)
    if scale == 0.005:
        np.testing.assert_allclose(exact, 0.4916, atol=5e-5)


@pytest.mark.parametrize("law", [Cubic(scale_volt=1e-3), Own("power", 1e-3), Own("rectifier", 1e-3), Own("kink", 1e-3)])
def test_any_law_behind_wires_ends_where_its_own_current_is_that_of_the_wires(law: Selector) -> None:
    crossbar = Crossbar([[1e-5, 1e-6], [0.0, 1e-4]], word_wire_ohm=3, bit_wire_ohm=2, reference_ohm=50, selector=law)
    point = solve(crossbar, [[1.0, 0.3], [-1.0, 1.0]], nodes=True).require_converged()
    np.testing.assert_allclose(point.cell_ampere().sum(axis=1), point.output_ampere, rtol=1e-9)
    np.testing.assert_allclose(point.input_ampere().sum(axis=1), point.output_ampere.sum(axis=1), rtol=1e-8)


@pytest.mark.parametrize("law", [Sinh(scale_volt=1e-3), Own("rectifier", 1e-3)])
def test_a_current_beyond_float64_did_not_converge(law: Selector) -> None:
    point = solve(Crossbar([[1e-5], [1e-5]], selector=law), [[5.0, 0.0], [1e-9, 0.0]])
    assert point.converged.tolist() == [False, True] and np.isnan(point.output_ampere[0]).all()
    assert "1 of 2 samples did not converge: a current is beyond float64" in point.status
    with pytest.raises(NotConvergedError, match="lower the voltages"):
        point.require_converged()


@pytest.mark.parametrize("selector", [None, Diode()])
@pytest.mark.parametrize("wire_ohm", [0.0, 5.0])
def test_a_conductance_beyond_all_measure_is_right_or_did_not_converge(wire_ohm: float, selector: Diode | None) -> None:
    crossbar = Crossbar([[1e306, 1e-3]], word_wire_ohm=wire_ohm, bit_wire_ohm=wire_ohm, selector=selector)
    point = solve(crossbar, [5000.0])
    assert not point.converged[0] and np.isnan(point.output_ampere).all() and "did not converge" in point.status


@dataclass(frozen=True)
class Law:
    function: Callable[[np.ndarray, np.ndarray], object]

    def current(self, volt: np.ndarray, conductance_siemens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.function(volt, conductance_siemens)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda v, g: g * v, "must return currents and their derivatives"),
        (lambda v, g: (g * v * 1j, g), "must return real numbers"),
        (lambda v, g: ((g * v).sum(), g), r"arrays of the shape that it is given, \(2, 1\)"),
        (lambda v, g: (g * v + 1e-9, g), "gives 1e-09 A at 0 V"),
        (lambda v, g: (np.full_like(v, np.nan), g), "not finite at -1e-09 V"),
        (lambda v, g: (g * v, g * np.inf), "not finite at -1e-09 V"),
        (lambda v, g: (-g * v, g), "gives a current that falls"),
        (lambda v, g: (g * v, -g), "gives a derivative below 0"),
        (lambda v, g: (g * v * (1 - v**2) + (v > 0.5) * 0, g), "gives a current that falls towards"),
    ],
)
def test_a_law_that_is_none_is_refused_in_a_sentence(function: Callable[..., object], message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        Crossbar([[1e-5], [1e-4]], selector=Law(function))


def test_a_law_that_makes_up_for_a_diode_by_inheriting_from_it_is_asked() -> None:
    class Doubled(Diode):
        def current(self, volt: np.ndarray, conductance_siemens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            ampere, siemens = super().current(volt, conductance_siemens)
            return 2 * ampere, 2 * siemens

    one, two = (solve(Crossbar([[1e-4]], selector=law), [2.0]).output_ampere for law in (Diode(), Doubled()))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-15)


@pytest.mark.parametrize("tolerance", [np.inf, np.nan, -1.0, 1.0])
def test_a_tolerance_that_everything_meets_is_refused(tolerance: float) -> None:
    with pytest.raises(CircuitError, match=r"tolerance must be in \[0, 1\)"):
        solve(Crossbar([[1e-4]], word_wire_ohm=1), [1.0], tolerance=tolerance)


def test_an_array_that_its_owner_changes_does_not_change_the_crossbar() -> None:
    conductance, volt = np.full((2, 2), 1e-4), np.ones((1, 2))
    crossbar = Crossbar(conductance)
    point = solve(crossbar, volt, nodes=True)
    conductance[:] = -1.0
    volt[:] = 99.0
    np.testing.assert_array_equal(solve(crossbar, [1.0, 1.0]).output_ampere, point.output_ampere)
    np.testing.assert_array_equal(point.cell_volt(), np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match="read-only"):
        crossbar.conductance_siemens[0, 0] = 1.0


@pytest.mark.parametrize("bad", [[["1e-4"]], [[1e-4 + 0j]], [[1e-4], [1e-4, 1e-4]], [[object()]]])
def test_conductances_that_are_no_real_numbers_are_refused(bad: list[list[object]]) -> None:
    with pytest.raises(CircuitError, match="conductances must be an array of numbers"):
        Crossbar(bad)  # type: ignore[arg-type]
    with pytest.raises(CircuitError, match="input_volt must be an array of numbers"):
        solve(Crossbar([[1e-4]]), bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["5", None, [1.0, 2.0], 1j])
def test_a_wire_that_is_no_number_is_refused(bad: object) -> None:
    with pytest.raises(CircuitError, match="word_wire_ohm must be"):
        Crossbar([[1e-4]], word_wire_ohm=bad)  # type: ignore[arg-type]


def network(scale_volt: float, design: str) -> NetworkCircuit:
    weights = np.random.default_rng(3).normal(size=(4, 3)), np.random.default_rng(4).normal(size=(3, 2))
    return NetworkCircuit.from_networks(
        fl.Networks.from_weights(weights), design=design, selector=Sinh(scale_volt=scale_volt)
    )


@pytest.mark.parametrize("design", ["pair-transimpedance", "reference-buffered", "paper-passive"])
def test_drawn_circuits_beyond_float64_are_an_error_and_not_a_number(design: str) -> None:
    x = np.eye(4)[:1]
    assert np.isfinite(
        network(0.5, design).run_draws(x, 1.0, draws=2, log_spread=0.1, rng=np.random.default_rng(1))
    ).all()
    with pytest.raises(NotConvergedError):
        network(1e-4, design).run_draws(x, 1.0, draws=1, log_spread=0.1, rng=np.random.default_rng(1))


@pytest.mark.parametrize("law", [None, Diode(), Sinh(scale_volt=1.0), Own("power", 0.1)])
def test_a_reference_resistor_that_takes_all_of_the_voltage_reads_it(law: Selector | None) -> None:
    crossbar = Crossbar([[0.5], [0.0]], reference_ohm=1e8, selector=law)
    point = solve(crossbar, [[1.0, 0.0], [-3.0, 2.0]]).require_converged()
    if not isinstance(law, Diode):
        np.testing.assert_allclose(point.output_volt, [[1.0], [-3.0]], rtol=1e-7)


def test_drawn_circuits_that_stop_early_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ideal, "MAX_STEPS", 2)
    with pytest.raises(NotConvergedError, match="a drawn circuit did not converge"):
        network(0.05, "reference-buffered").run_draws(
            np.eye(4), 1.0, draws=1, log_spread=0, rng=np.random.default_rng(1)
        )


def test_devices_that_cannot_be_are_refused_in_drawn_circuits_too() -> None:
    circuit = network(0.5, "pair-transimpedance")
    chips = [np.tile(crossbar.conductance_siemens, (2, 1, 1)) for crossbar in circuit.crossbars]
    chips[1][1, 2, 3] = np.nan
    with pytest.raises(CircuitError, match=r"got nan S at cell \(1, 2, 3\)"):
        circuit.run_chips(np.eye(4), 1.0, chips)


@pytest.mark.parametrize("scale", [0.5, 0.05])
def test_layers_that_drive_each_other_through_steep_cells_balance_at_every_node(scale: float) -> None:
    circuit = network(scale, "paper-passive")
    first, last = (stage.point for stage in circuit.run(np.eye(4), 1.0).stages)
    ampere, foot = first.cell_ampere().sum(axis=1), first.bit_volt
    assert foot is not None
    rest = ampere - foot[:, 0] / circuit.reference_ohm
    np.testing.assert_allclose(rest[:, :3], last.cell_ampere().sum(axis=2), rtol=1e-9)
    assert (np.abs(rest[:, 3]) < 1e-9 * ampere[:, 3]).all()


def test_siemens_that_look_like_microsiemens_are_warned_of_once() -> None:
    with pytest.warns(UnitWarning, match="the least 50 S; conductances are in siemens: 50 µS is 5e-5"):
        Crossbar(np.full((2, 2), 50.0))
    Crossbar([[50.0, 1e-5]])


def test_a_point_a_crossbar_and_a_diode_print_one_line() -> None:
    crossbar = Crossbar(np.full((25, 10), 1e-4), word_wire_ohm=1, selector=Diode())
    point = solve(crossbar, np.ones((10, 25)))
    assert repr(point).startswith("<OperatingPoint: 10 samples of 25 x 10, converged, residual up to ")
    circuit = network(0.5, "pair-transimpedance")
    for thing in (point, crossbar, Diode(), circuit, circuit.run(np.eye(4), 1.0)):
        assert len(repr(thing)) < 200 and "\n" not in repr(thing)
    failed = solve(Crossbar([[1e-4]], selector=Sinh(scale_volt=1e-3)), [[1.0], [1e-6]])
    assert repr(failed) == "<OperatingPoint: 2 samples of 1 x 1, 1 of 2 not converged, residual up to 0>"
