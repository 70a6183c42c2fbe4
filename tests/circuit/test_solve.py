"""Crossbars by hand, their limits, extreme ones, and input that cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fewlevels import Crossbar, Diode, _kernels, solve
from fewlevels.circuit.solvers import wired
from fewlevels.errors import CircuitError, NotConvergedError


def random_crossbar(rng: np.random.Generator, **circuit: object) -> Crossbar:
    return Crossbar(10 ** rng.uniform(-6, -3, rng.integers(1, 20, 2)), **circuit)


def test_one_cell_with_wires_is_a_series_circuit() -> None:
    point = solve(Crossbar([[1e-3]], word_wire_ohm=30, bit_wire_ohm=70, reference_ohm=900), [4.0], nodes=True)
    np.testing.assert_allclose(point.output_ampere, [[2e-3]], rtol=1e-14)
    np.testing.assert_allclose(point.word_volt()[0, 0, 0], 4 - 30 * 2e-3, rtol=1e-14)
    np.testing.assert_allclose(point.output_volt, [[1.8]], rtol=1e-14)


def test_ideal_wires_multiply_conductances_and_voltages() -> None:
    conductance, volt = np.array([[1e-4, 2e-4], [3e-4, 4e-4]]), np.array([[1.0, 2.0], [0.0, -1.0]])
    np.testing.assert_allclose(solve(Crossbar(conductance), volt).output_ampere, volt @ conductance, rtol=1e-15)


def test_two_cells_on_one_word_line_divide_as_worked_by_hand() -> None:
    # 1 V, 1 ohm, then 1 ohm to ground (cell + foot 0.5 + 0.5) beside 1 ohm of wire and 1 ohm to ground: 2/3 parallel
    point = solve(Crossbar([[2.0, 2.0]], word_wire_ohm=1, bit_wire_ohm=0.5), [1.0])
    np.testing.assert_allclose(point.output_ampere, [[0.4, 0.2]], rtol=1e-14)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([None, Diode()]), st.sampled_from([0.0, 500.0]))
def test_vanishing_wires_leave_the_ideal_currents(seed: int, selector: Diode | None, reference_ohm: float) -> None:
    rng = np.random.default_rng(seed)
    ideal = random_crossbar(rng, selector=selector, reference_ohm=reference_ohm)
    wired = Crossbar(
        ideal.conductance_siemens, word_wire_ohm=1e-7, bit_wire_ohm=1e-7, selector=selector, reference_ohm=reference_ohm
    )
    volt = rng.uniform(0.8, 3, (2, ideal.word_lines))
    np.testing.assert_allclose(solve(wired, volt).output_ampere, solve(ideal, volt).output_ampere, rtol=1e-7)


def test_off_inputs_stay_off_after_a_driven_sample() -> None:
    crossbar = Crossbar(np.full((9, 4), 1e-4), word_wire_ohm=5, bit_wire_ohm=5, selector=Diode())
    volt = np.zeros((2, 9))
    volt[0] = 2.0
    point = solve(crossbar, volt, nodes=True)
    assert not point.output_ampere[1].any() and not point.cell_ampere()[1].any()


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(3)
    crossbar = Crossbar(10 ** rng.uniform(-5, -4, (61, 45)), word_wire_ohm=3, bit_wire_ohm=3, selector=Diode())
    volt = rng.uniform(1, 2, (1, 61))
    outputs = []
    for threads in (1, 2, 3, 5):
        output, residual, converged = np.empty((1, 45)), np.empty(1), np.empty(1, bool)
        _kernels.wired(
            *wired.kernel_arguments(crossbar),
            1e-12,
            50,
            500,
            volt,
            None,
            None,
            output,
            np.empty((2, 1), np.int64),
            residual,
            converged,
            threads,
            _kernels.instruction_sets()[0],
        )
        assert converged.all()
        outputs.append(output)
    assert all(np.array_equal(output, outputs[0]) for output in outputs)


@pytest.mark.parametrize("isa", _kernels.instruction_sets())
def test_every_instruction_set_finds_the_same_currents(isa: str) -> None:
    rng = np.random.default_rng(4)
    crossbar = Crossbar(10 ** rng.uniform(-5, -4, (21, 13)), word_wire_ohm=30, bit_wire_ohm=3, selector=Diode())
    volt = rng.uniform(1, 2, (2, 21))
    output, converged = np.empty((2, 13)), np.empty(2, bool)
    _kernels.wired(
        *wired.kernel_arguments(crossbar),
        1e-12,
        50,
        500,
        volt,
        None,
        None,
        output,
        np.empty((2, 2), np.int64),
        np.empty(2),
        converged,
        1,
        isa,
    )
    assert converged.all()
    np.testing.assert_allclose(output, solve(crossbar, volt).output_ampere, rtol=1e-10)


def test_many_samples_are_solved_as_one_by_one() -> None:
    rng = np.random.default_rng(5)
    crossbar = Crossbar(10 ** rng.uniform(-5, -4, (12, 7)), word_wire_ohm=30, bit_wire_ohm=3, selector=Diode())
    volt = rng.uniform(0, 2, (40, 12))
    one_by_one = np.concatenate([solve(crossbar, row).output_ampere for row in volt])
    np.testing.assert_allclose(solve(crossbar, volt).output_ampere, one_by_one, rtol=1e-9)


def extreme(seed: int) -> tuple[Crossbar, np.ndarray]:
    """Ratios up to 1e9, opens, shorts, wires from 1e-6 to 1e4 ohm or none, all kinds of inputs, all off among them."""
    rng = np.random.default_rng([9, seed])
    shape = rng.integers(1, 33, 2)
    conductance = 10 ** (rng.uniform(-9, 0, shape) if seed % 2 else rng.uniform(-7, -3, shape))
    if seed % 3 == 0:
        conductance[rng.random(shape) < 0.05] = 1e-15
        conductance[rng.random(shape) < 0.05] = 1.0
    word, bit = 10 ** rng.uniform(-6, 4, 2)
    rows = shape[0]
    volt = (
        np.zeros(rows),
        rng.choice([0.0, 10.0], rows),
        rng.uniform(-10, 10, rows),
        np.full(rows, -10.0),
        rng.uniform(0, 10, rows),
    )[seed % 5]
    selector = (None, Diode(), Diode(series_ohm=5, ideality=1.7), Diode(saturation_ampere=1e-9))[seed % 4]
    return Crossbar(
        conductance,
        word_wire_ohm=0 if seed % 7 == 0 else word,
        bit_wire_ohm=0 if seed % 11 == 0 else bit,
        reference_ohm=0 if seed % 2 else 10 ** rng.uniform(0, 6),
        selector=selector,
    ), volt


def test_500_extreme_circuits_all_converge_within_25_newton_steps() -> None:
    for seed in range(500):
        crossbar, volt = extreme(seed)
        point = solve(crossbar, volt, nodes=True).require_converged()
        assert point.iterations.max() <= 25, seed
        delivered = point.input_ampere().sum()
        scale = np.abs(point.cell_ampere()).sum()
        assert abs(point.output_ampere.sum() - delivered) <= 1e-6 * scale, seed


def test_where_conjugate_gradients_give_up_the_system_is_factorised_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(7)
    crossbar = Crossbar(np.where(rng.random((40, 30)) < 0.02, 1.0, 1e-6), word_wire_ohm=10, bit_wire_ohm=10)
    expected = solve(crossbar, np.ones(40))
    monkeypatch.setattr(wired, "MAX_ITERATIONS", 2)
    point = solve(crossbar, np.ones(40)).require_converged()
    assert "factorisation" in point.method and "factorisation" not in expected.method
    np.testing.assert_allclose(point.output_ampere, expected.output_ampere, rtol=1e-10)


def test_an_unconverged_result_is_nan_and_refuses_to_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    crossbar = Crossbar(np.full((5, 5), 1e-4), word_wire_ohm=5, bit_wire_ohm=5, selector=Diode())
    monkeypatch.setattr(wired, "MAX_STEPS", 1)
    point = solve(crossbar, np.ones(5), nodes=True)
    assert point.drop_volt is not None and point.bit_volt is not None and not point.converged.any()
    assert all(np.isnan(found).all() for found in (point.output_ampere, point.drop_volt, point.bit_volt))
    with pytest.raises(NotConvergedError, match="raise the tolerance"):
        point.require_converged()
    with pytest.raises(CircuitError, match="finite"):
        solve(Crossbar(np.full((5, 2), 1e-4)), point.output_ampere)
    assert np.isfinite(solve(crossbar, np.ones(5), keep_unconverged=True).output_ampere).all()


@pytest.mark.parametrize("bad", [-1e-4, np.nan, np.inf])
def test_a_conductance_that_cannot_be_is_named_with_its_cell(bad: float) -> None:
    conductance = np.full((3, 2), 1e-4)
    conductance[2, 1] = bad
    with pytest.raises(CircuitError, match=r"at least 0 and finite.*\(2, 1\)"):
        Crossbar(conductance)


def test_shapes_and_voltages_that_do_not_fit_are_refused() -> None:
    crossbar = Crossbar(np.full((3, 2), 1e-4))
    with pytest.raises(CircuitError, match=r"\(samples, 3 word lines\)"):
        solve(crossbar, np.ones((4, 2)))
    with pytest.raises(CircuitError, match="sample 0, word line 1"):
        solve(crossbar, [1.0, np.inf, 1.0])
    with pytest.raises(CircuitError, match=r"\(word lines, bit lines\)"):
        Crossbar(np.ones(3))
    with pytest.raises(CircuitError, match="engine must be one of native, ngspice"):
        solve(crossbar, np.ones(3), engine="spice")  # type: ignore[arg-type]


@pytest.mark.parametrize("wire", ["word_wire_ohm", "bit_wire_ohm", "reference_ohm"])
def test_a_circuit_without_a_path_to_ground_is_refused(wire: str) -> None:
    with pytest.raises(CircuitError, match="no path to ground"):
        Crossbar([[1e-4]], **{wire: np.inf})
    with pytest.raises(CircuitError, match="must be 0 or at least 1e-150 ohm"):
        Crossbar([[1e-4]], **{wire: -1.0})


def test_node_voltages_are_there_only_when_asked_for() -> None:
    with pytest.raises(CircuitError, match="nodes=True"):
        solve(Crossbar([[1e-4]], word_wire_ohm=1), [1.0]).cell_ampere()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_a_million_cells_are_solved_within_300_megabytes() -> None:
    code = (
        "import numpy, fewlevels\n"
        "crossbar = fewlevels.Crossbar(numpy.full((1024, 1024), 1e-5), word_wire_ohm=1, bit_wire_ohm=1)\n"
        "fewlevels.solve(crossbar, numpy.ones(1024)).require_converged()\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[1]) < 300_000
