"""Circuits of networks with biases and any activation: equal to the networks where nothing is imperfect, and to ngspice
where much is."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest

from fewlevels import NetworkCircuit, Networks
from fewlevels.circuit.network.deck import network_deck
from fewlevels.circuit.network.designs import DESIGNS, StageDesign
from fewlevels.circuit.network.periphery import SIGNED, Signed
from fewlevels.circuit.network.point import margins
from fewlevels.circuit.network.simulation import simulate, verify
from fewlevels.circuit.spice.ngspice import run_deck
from fewlevels.common.arrays import FloatArray
from fewlevels.errors import CircuitError
from fewlevels.quantization import Midpoint
from fewlevels.samples.samples import Samples

RNG = np.random.default_rng(7)
HIDDEN = ("sigmoid", "tanh", "relu", "leaky_relu", "identity")
ACTIVE = [name for name, design in DESIGNS.items() if not design.is_passive]
POSITIVE = RNG.uniform(0, 1, (9, 5))
SIGNED_X = RNG.normal(0, 2, (9, 5))
needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")


def dense(hidden: str, last: str = "softmax", outputs: int = 3, *, rows: bool = False) -> Networks:
    rng = np.random.default_rng(3)
    sizes = (5, 6, 4, outputs)
    networks = Networks.from_weights(
        [rng.normal(size=shape) for shape in itertools.pairwise(sizes)],
        biases=[rng.normal(size=size) for size in sizes[1:]],
        activations=[hidden, hidden, last],
    )
    return networks.with_bias_rows() if rows else networks


def circuit_of(networks: Networks, x: FloatArray, **options: object) -> NetworkCircuit:
    return NetworkCircuit.from_networks(networks, x=x, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [False, True], ids=["digital", "rows"])
@pytest.mark.parametrize("signed", SIGNED)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("design", ACTIVE)
def test_without_imperfections_a_circuit_computes_the_network(
    design: str, hidden: str, signed: Signed, rows: bool
) -> None:
    networks = dense(hidden, rows=rows)
    for x in (POSITIVE, SIGNED_X):
        circuit = circuit_of(networks, x, design=design, signed=signed, selector=None).without("loading")
        point = circuit.run(x, 2.0)
        expected = networks.sums(x)[0]
        last = circuit.periphery[-1]
        found = circuit.sums(last.combined(point.stages[-1].point.output_ampere), 2.0)
        found = found if last.bias is None else found + last.bias
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(point.output_ampere, point.computed_ampere, rtol=1e-9, atol=1e-18)
        assert (point.output_ampere.argmax(axis=1) == expected.argmax(axis=1)).all()
        chip = [crossbar.conductance_siemens[None] for crossbar in circuit.crossbars]
        np.testing.assert_allclose(circuit.run_chips(x, 2.0, chip)[0], point.output_ampere, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("signed", SIGNED)
def test_signals_of_one_sign_and_full_ones_drive_the_lines(signed: Signed) -> None:
    """By hand: the voltages of a layer whose values go to 8, one of them -4."""
    networks = Networks.from_weights([np.eye(2)], biases=[np.array([1.0, -1.0])]).with_bias_rows()
    x = np.array([[8.0, -4.0]])
    circuit = circuit_of(networks, x, signed=signed, selector=None)
    (periphery,) = circuit.periphery
    assert (periphery.full, periphery.signed, periphery.constants) == (8.0, signed, 1)
    volts = circuit.drive(x, 4.0, 0)
    by_hand = {"two-reads": [[4.0, 0.0, 0.5], [0.0, 2.0, 0.0]], "two-lines": [[4.0, 0.0, 0.0, 2.0, 0.5]]}
    np.testing.assert_array_equal(volts, by_hand[signed])
    lines = {"two-reads": [[1, 0], [0, 1], [1, -1]], "two-lines": [[1, 0], [0, 1], [-1, 0], [0, -1], [1, -1]]}
    np.testing.assert_array_equal(circuit.weights[0], lines[signed])


def test_hidden_layers_are_scaled_by_what_samples_give_them() -> None:
    networks = dense("relu")
    circuit = circuit_of(networks, POSITIVE, selector=None)
    hidden = np.maximum(POSITIVE @ networks.weights[0][0] + networks.biases[0][0], 0)  # type: ignore[index]
    assert circuit.periphery[0].full == 1.0
    assert circuit.periphery[1].full == hidden.max()
    assert circuit.run(POSITIVE, 3.0).stages[1].point.input_volt.max() == pytest.approx(3.0, rel=1e-12)


def test_the_largest_value_of_a_layer_is_asked_for() -> None:
    with pytest.raises(CircuitError, match="units of relu have no largest value; give x, samples to scale by"):
        NetworkCircuit.from_networks(dense("relu"))
    assert NetworkCircuit.from_networks(dense("tanh")).periphery[1].signed == "two-reads"
    with pytest.raises(CircuitError, match="signed must be two-reads or two-lines, got 'both'"):
        NetworkCircuit.from_networks(dense("tanh"), signed="both")  # type: ignore[arg-type]
    with pytest.raises(CircuitError, match=r"x must be \(samples, 5 inputs\) and finite, got shape \(2, 4\)"):
        circuit_of(dense("relu"), np.ones((2, 4)))
    with pytest.raises(CircuitError, match="paper-passive has no activation block"):
        NetworkCircuit.from_networks(dense("tanh"), design="paper-passive")


@pytest.mark.parametrize("last", ["sigmoid", "relu", "identity"])
def test_one_output_tells_two_classes_by_its_sign(last: str) -> None:
    networks = dense("relu", last, outputs=1)
    sums = networks.sums(POSITIVE)[0, :, 0]
    circuit = circuit_of(networks, POSITIVE, selector=None)
    found = circuit.run(POSITIVE, 1.0).output_ampere
    assert found.shape == (9, 2)
    above = found[:, 1] > found[:, 0]
    np.testing.assert_array_equal(above, sums > 0)


@needs_ngspice
@pytest.mark.parametrize(
    ("hidden", "signed", "rows", "design"),
    [
        ("relu", "two-reads", True, "pair-transimpedance"),
        ("tanh", "two-reads", False, "pair-transimpedance"),
        ("tanh", "two-lines", True, "reference-buffered"),
        ("leaky_relu", "two-lines", False, "paper-transimpedance"),
        ("identity", "two-reads", True, "paper-reference"),
    ],
)
def test_ngspice_agrees_on_whole_decks(hidden: str, signed: Signed, rows: bool, design: str) -> None:
    """Every current and voltage that the deck says to expect, with diodes and wires."""
    networks = dense(hidden, rows=rows)
    circuit = circuit_of(networks, SIGNED_X, signed=signed, design=design, word_wire_ohm=2.0, bit_wire_ohm=2.0)
    text = network_deck(circuit, SIGNED_X[0], 3.0)
    found = run_deck(text)
    told = [line.removeprefix("* expected ").split(" = ") for line in text.splitlines() if line.startswith("* exp")]
    assert len(told) > 20
    values = {name.lower(): float(value.split()[0]) for name, value in told}
    for kind in "iv":
        names = [name for name in values if name.startswith(kind)]
        expected, got = np.array([values[name] for name in names]), np.array([found[name] for name in names])
        np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


@needs_ngspice
@pytest.mark.parametrize("signed", SIGNED)
def test_ngspice_agrees_layer_by_layer(signed: Signed) -> None:
    circuit = circuit_of(dense("tanh", rows=True), SIGNED_X[:3], signed=signed, word_wire_ohm=1.0)
    assert verify(circuit, SIGNED_X[:3], input_volts=(1.0, 5.0)).passed


def test_a_simulation_recognises_what_the_network_recognises() -> None:
    """With many levels, resistors that never open and no diode, so that each sample is the network's."""
    networks = dense("relu")
    y = networks.sums(SIGNED_X)[0].argmax(axis=1)
    samples = Samples(SIGNED_X, y, ("a", "b", "c"))
    quantized = Midpoint().quantize(networks.joint(), 4096)
    found = simulate(networks, quantized, samples, input_volts=(1.0,), selector=None)
    (at,) = found.voltages
    assert at.recognition == 1.0
    exact = networks.with_joint(quantized.values)
    sums = exact.sums(SIGNED_X)[0] * found.circuit.ampere_per_weight(1.0)
    np.testing.assert_allclose(at.current_margin, margins(sums, y, 1 / 10e3).min(), rtol=1e-4)


def test_a_design_without_pairs_compares_one_output_with_its_reference() -> None:
    design = StageDesign(name="single", summary="", columns=DESIGNS["paper-transimpedance"].columns)
    networks = dense("tanh", "sigmoid", outputs=1)
    circuit = circuit_of(networks, POSITIVE, design=design, selector=None)
    expected = networks.sums(POSITIVE)[0] * circuit.ampere_per_weight(1.0)
    np.testing.assert_allclose(circuit.run(POSITIVE, 1.0).output_ampere[:, 1:], expected, rtol=1e-9)
