"""Networks as circuits: what they compute, which resistors they need, how far their currents are from the ideal."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

import fewlevels as fl
from fewlevels.circuit.network.deck import network_deck
from fewlevels.circuit.network.designs import DESIGNS
from fewlevels.circuit.network.network_circuit import NetworkCircuit
from fewlevels.circuit.network.point import current_gap, margins
from fewlevels.circuit.network.resistances import Window
from fewlevels.circuit.network.simulation import Simulation, gap_by_cause, simulate, verify
from fewlevels.circuit.spice.ngspice import run_deck
from fewlevels.errors import CircuitError, EngineError, FewlevelsError

needs_ngspice = pytest.mark.skipif(not shutil.which("ngspice"), reason="ngspice is not installed")
ACTIVE = [name for name, design in DESIGNS.items() if not design.is_passive]


@pytest.fixture(scope="module")
def samples() -> fl.Samples:
    return fl.load_digits(5)


@pytest.fixture(scope="module")
def search(samples: fl.Samples) -> fl.FewestLevels:
    return fl.fewest_levels(fl.train(samples, fl.TrainingConfig(), models=64, seed=1), samples, q_max=16)


@pytest.fixture(scope="module")
def model(search: fl.FewestLevels) -> int:
    return int(np.argmin(np.where(search.solved, search.q, 99)))


@pytest.fixture(scope="module")
def network(search: fl.FewestLevels, model: int) -> fl.Networks:
    return search.quantized(model)


def tiny(*shapes: tuple[int, int], seed: int = 1) -> fl.Networks:
    rng = np.random.default_rng(seed)
    return fl.Networks.from_weights([rng.choice([-2.0, -0.5, 0.5, 2.0], shape) for shape in shapes])


def test_levels_become_resistors_linearly_in_conductance() -> None:
    network = fl.Networks.from_weights([np.array([[1.0, -4.0], [2.0, 2.0]])])
    circuit = NetworkCircuit.from_networks(network, window=Window(r_min_ohm=1000, r_max_ohm=1e12))
    table = circuit.resistances()
    assert table.weight == (4, 2, 1) and table.devices == (1, 2, 1) and table.rest_ohm == 1e12
    np.testing.assert_allclose(table.resistance_ohm, [1000, 2000, 4000], rtol=1e-8)
    pair = circuit.crossbars[0].conductance_siemens[0]
    np.testing.assert_allclose(pair, [0.25e-3, 1e-12, 1e-12, 1e-3], rtol=1e-8)
    assert "at rest" in str(table) and "2 kohm" in str(table)


def test_single_devices_count_weights_from_the_smallest() -> None:
    network = fl.Networks.from_weights([np.array([[1.0, -4.0], [2.0, 2.0]])])
    window = Window(r_min_ohm=1000, r_max_ohm=1e12)
    table = NetworkCircuit.from_networks(network, design="paper-transimpedance", window=window).resistances()
    assert table.weight == (2, 1, -4) and table.rest_ohm is None
    np.testing.assert_allclose(table.resistance_ohm, [1000, 1200, 1e12], rtol=1e-8)


def test_as_many_resistors_as_occupied_levels(search: fl.FewestLevels, model: int, network: fl.Networks) -> None:
    assert len(NetworkCircuit.from_networks(network).resistances().resistance_ohm) == search.occupied[model]


def test_a_chosen_network_recognises_all_digits_and_its_gap_falls_with_the_voltage(
    search: fl.FewestLevels, model: int, samples: fl.Samples
) -> None:
    found = simulate(search.networks[model], search.quantization(model), samples)
    assert [at.recognition for at in found.voltages] == [1, 1, 1]
    assert all(at.current_margin > 0 for at in found.voltages)
    gaps = [at.current_gap.max() for at in found.voltages]
    assert gaps[0] > gaps[1] > gaps[2] > 0


def test_a_simulation_becomes_json(search: fl.FewestLevels, model: int, samples: fl.Samples) -> None:
    found = simulate(search.networks[model], search.quantization(model), samples, draws=5, design="paper-passive")
    stored = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert stored["q"] == search.q[model] and stored["engine"] == "native"
    assert len(stored["resistances"]["resistance_ohm"]) == len(found.resistances.resistance_ohm)
    for at in stored["voltages"]:
        assert {"input_volt", "recognition", "current_gap", "current_margin", "residual"} <= set(at)
        assert len(at["current_gap"]) == len(samples) and len(at["draw_recognition"]) == 5
    assert isinstance(found, Simulation)


@pytest.mark.parametrize("design", DESIGNS)
def test_drawn_circuits_without_spread_are_the_circuit(design: str, network: fl.Networks, samples: fl.Samples) -> None:
    circuit = NetworkCircuit.from_networks(network, design=design)
    drawn = circuit.run_draws(samples.x, 1.0, draws=2, log_spread=0.0, rng=np.random.default_rng(1))
    point = circuit.run(samples.x, 1.0)
    np.testing.assert_allclose(
        drawn,
        np.broadcast_to(point.output_ampere, drawn.shape),
        rtol=1e-9,
        atol=1e-12 * point.stages[-1].point.output_ampere.max(),
    )


def test_drawn_circuits_with_wires_are_those_of_their_resistances(network: fl.Networks, samples: fl.Samples) -> None:
    circuit = NetworkCircuit.from_networks(network, word_wire_ohm=1, bit_wire_ohm=1)
    drawn = circuit.run_draws(samples.x, 1.0, draws=3, log_spread=0.2, rng=np.random.default_rng(1))
    ideal = NetworkCircuit.from_networks(network).run_draws(
        samples.x, 1.0, draws=3, log_spread=0.2, rng=np.random.default_rng(1)
    )
    assert drawn.shape == ideal.shape == (3, 10, 10)
    assert not np.allclose(drawn[0], drawn[1], rtol=1e-3)


def test_a_spread_of_resistances_costs_recognition(network: fl.Networks, samples: fl.Samples) -> None:
    circuit = NetworkCircuit.from_networks(network)
    shares = []
    for spread in (0.01, 0.5):
        output = circuit.run_draws(samples.x, 5.0, draws=200, log_spread=spread, rng=np.random.default_rng(1))
        shares.append((margins(output, samples.y, 1.0) > 0).mean())
    assert shares[0] > 0.99 > shares[1]


def test_the_gap_is_relative_to_the_computed_current_at_the_own_output() -> None:
    circuit = np.array([[1.0, 9.0], [7.0, 3.0]])
    computed = np.array([[2.0, 8.0], [7.0, -4.0]])
    np.testing.assert_allclose(current_gap(circuit, computed, [0, 1]), [0.5, 1.75])


def test_the_margin_is_the_lead_over_the_largest_other_output() -> None:
    np.testing.assert_allclose(margins(np.array([[5.0, 2.0, 3.0], [1.0, 1.0, 4.0]]), np.array([0, 1]), 2.0), [1, -1.5])


def test_switching_every_cause_off_leaves_no_gap(network: fl.Networks, samples: fl.Samples) -> None:
    circuit = NetworkCircuit.from_networks(network, design="reference-buffered", word_wire_ohm=3, bit_wire_ohm=3)
    assert gap_by_cause(circuit, samples, 1.0)["all"].max() > 1e-3
    ideal = circuit.without("diode").without("wires").without("loading")
    assert gap_by_cause(ideal, samples, 1.0)["all"].max() < 1e-9


def test_a_cause_that_a_circuit_does_not_have_is_not_switched_off(network: fl.Networks, samples: fl.Samples) -> None:
    for causes, options in (
        ((), {"selector": None}),
        (("diode",), {}),
        (("diode", "wires"), {"bit_wire_ohm": 3.0}),
        (("diode", "loading"), {"design": "reference-buffered"}),
    ):
        circuit = NetworkCircuit.from_networks(network, **options)  # type: ignore[arg-type]
        assert circuit.causes == causes
        assert list(gap_by_cause(circuit, samples, 1.0)) == ["all", *causes]
        for cause in ("diode", "wires", "loading"):  # without what is not there, the same circuit
            same = np.array_equal(
                circuit.without(cause).run(samples.x, 1.0).output_ampere, circuit.run(samples.x, 1.0).output_ampere
            )
            assert same is (cause not in causes)


def test_quantization_is_a_cause_of_the_gap(
    search: fl.FewestLevels, model: int, network: fl.Networks, samples: fl.Samples
) -> None:
    ideal = NetworkCircuit.from_networks(network, selector=None)
    gaps = gap_by_cause(ideal, samples, 1.0, unquantized=search.networks[model])
    assert gaps["all"].max() > 0.01 and gaps["quantization"].max() < 1e-9


def test_off_pixels_held_at_the_threshold_leak(search: fl.FewestLevels, model: int, samples: fl.Samples) -> None:
    arguments = search.networks[model], search.quantization(model), samples
    off, held = (simulate(*arguments, off_pixels=where).voltages[0].current_gap for where in ("zero", "threshold"))
    assert np.median(held) > np.median(off)


@needs_ngspice
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("wire_ohm", [0.0, 2.0])
def test_the_netlist_of_the_whole_network_gives_what_it_says_it_expects(
    design: str, wire_ohm: float, network: fl.Networks, samples: fl.Samples
) -> None:
    if design == "paper-passive" and wire_ohm > 0:
        with pytest.raises(CircuitError, match="ideal wires only"):
            NetworkCircuit.from_networks(network, design=design, word_wire_ohm=wire_ohm)
        return
    circuit = NetworkCircuit.from_networks(network, design=design, word_wire_ohm=wire_ohm, bit_wire_ohm=wire_ohm)
    deck = network_deck(circuit, samples.x[3], 5.0)
    values = run_deck(deck)
    expected = re.findall(r"^\* expected ([vi]\(\w+\)) = (\S+)", deck, re.MULTILINE)
    assert sum(name.startswith("i(VL2") for name, _ in expected) == circuit.crossbars[-1].bit_lines
    found = [values[name.lower()] for name, _ in expected]
    currents = [float(value) for _, value in expected]
    np.testing.assert_allclose(found, currents, rtol=1e-9)


@needs_ngspice
@pytest.mark.parametrize("design", DESIGNS)
def test_both_engines_agree_stage_by_stage(design: str, network: fl.Networks, samples: fl.Samples) -> None:
    circuit = NetworkCircuit.from_networks(network, design=design)
    agreement = verify(circuit, samples.x[:2], input_volts=[1.0])
    assert agreement.passed and agreement.ngspice_version
    assert [layer for _, layer, _ in agreement.rows] == ([2] if design == "paper-passive" else [1, 2])
    assert not verify(circuit, samples.x[:2], input_volts=[1.0], tolerance=-1.0).passed


@needs_ngspice
def test_ngspice_simulates_as_the_native_engine_does(search: fl.FewestLevels, model: int, samples: fl.Samples) -> None:
    arguments = search.networks[model], search.quantization(model), samples
    native, other = (simulate(*arguments, input_volts=[1.0], engine=e).voltages[0] for e in ("native", "ngspice"))
    np.testing.assert_allclose(other.current_gap, native.current_gap, rtol=1e-7)
    assert other.recognition == native.recognition


@needs_ngspice
def test_ngspice_stops_at_its_time_limit_and_says_what_it_could_not_do() -> None:
    with pytest.raises(EngineError, match="raise the limit"):
        run_deck("* slow\nV1 a 0 1\nR1 a 0 1\n.op\n.end\n", time_limit_seconds=1e-6)
    with pytest.raises(EngineError, match="ngspice"):
        run_deck("* wrong\nX1 a b missing\n.op\n.end\n")


def test_a_missing_ngspice_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineError, match=r"install it with '.*install ngspice'"):
        fl.solve(fl.Crossbar([[1e-4]]), [1.0], engine="ngspice")


def test_spectre_netlists_hold_every_device_and_activation(network: fl.Networks, samples: fl.Samples) -> None:
    deck = network_deck(NetworkCircuit.from_networks(network), samples.x[0], 1.0, dialect="spectre")
    assert deck.count(") selector") == 700 and deck.count(" resistor r=") == 700
    assert deck.count(" bsource v=") == 10 and "simulator lang=spectre" in deck
    assert all(line.startswith("//") for line in deck.splitlines()[:10])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"design": "pair"}, "design must be one of pair-transimpedance,"),
        ({"window": (3, 2)}, "r_min_ohm < r_max_ohm"),
        ({"threshold_volt": -1.0}, "threshold_volt"),
        ({"design": "reference-buffered", "reference_ohm": 0.0}, "needs a reference_ohm"),
        ({"word_wire_ohm": -1.0}, "word_wire_ohm must be at least 0"),
    ],
)
def test_a_circuit_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        if "window" in change:
            Window(r_min_ohm=3, r_max_ohm=2)
        assert NetworkCircuit.from_networks(tiny((3, 2)), **change).crossbars


def test_networks_inputs_and_voltages_that_do_not_fit_are_refused() -> None:
    circuit = NetworkCircuit.from_networks(tiny((3, 2)))
    for x, volt in ((np.ones((1, 4)), 1.0), (np.full((1, 3), np.nan), 1.0), (np.ones((1, 3)), 0.0)):
        with pytest.raises(FewlevelsError):
            circuit.run(x, volt)
    two = fl.Networks.from_weights([np.ones((2, 3, 2))])
    with pytest.raises(CircuitError, match="made of one network, got 2"):
        NetworkCircuit.from_networks(two)
    with pytest.raises(CircuitError, match="no scale"):
        NetworkCircuit.from_networks(fl.Networks.from_weights([np.zeros((3, 2))])).resistances()


def test_draws_in_pieces_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    circuit = NetworkCircuit.from_networks(fl.Networks.from_weights([rng.normal(size=(6, 4)), rng.normal(size=(4, 3))]))
    monkeypatch.setattr("fewlevels.circuit.network.network_circuit.DRAWS_AT_ONCE", 8)

    def drawn() -> np.ndarray:
        rng = np.random.default_rng(7)
        found = circuit.run_draws(np.eye(6), 1.0, draws=21, log_spread=0.1, rng=rng)
        return np.append(found.ravel(), rng.random())  # what is drawn later does not change either

    whole = drawn()
    for pieces in (1, 3, 8):
        monkeypatch.setattr("fewlevels.circuit.network.network_circuit.at_once", lambda *_, most, pieces=pieces: pieces)
        np.testing.assert_array_equal(drawn(), whole)
