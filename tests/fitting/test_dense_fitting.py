"""Fits of networks with biases and any activation: their chips against a loop of our own, and the ways to fit them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx.helper import make_node

from fewlevels import (
    FinetuningConfig,
    Midpoint,
    Network,
    NetworkCircuit,
    Networks,
    Samples,
    finetune,
    load_digits,
    load_networks,
    map_network,
)
from fewlevels.chips.mapping import Mapping
from fewlevels.chips.variation import Conditions, draw_chips
from fewlevels.chips.yields import estimate_yield
from fewlevels.circuit.network.periphery import SIGNED
from fewlevels.circuit.network.simulation import simulate
from fewlevels.common.arrays import FloatArray
from fewlevels.devices import Device, PolynomialSpread
from fewlevels.devices.iv import fit_iv
from fewlevels.errors import ConfigError, DeviceError, FewlevelsError
from fewlevels.fitting.fit import fit_network
from fewlevels.fitting.likelihood import likelihood
from fewlevels.fitting.problem import FitConfig, Problem
from fewlevels.fitting.store import stored_fit
from fewlevels.reporting.fit import write_fit_report
from tests.support.onnx_models import model_of

SAMPLES = load_digits(5)
DEVICE = Device(
    name="window", lowest_siemens=10e-6, highest_siemens=100e-6, spread=PolynomialSpread(constant_siemens=1e-6)
)
CALM = replace(DEVICE, spread=PolynomialSpread(constant_siemens=0.1e-6))
QUICK = FitConfig(chips=100, most_states=16)


def dense(samples: Samples, hidden: str, last: str = "softmax", *, rows: bool = False, outputs: int = 10) -> Networks:
    """Random hidden units, and an output layer with biases by least squares, which recognises every sample."""
    rng = np.random.default_rng(5)
    w1, b1 = rng.normal(size=(samples.inputs, 40)) / 3, rng.normal(size=40) / 3
    first = Networks.from_weights([w1], biases=[b1], activations=[hidden])
    inputs = np.c_[first.outputs(samples.x)[0], np.ones(len(samples))]
    targets = 2.0 * np.eye(max(outputs, 2))[samples.y][:, -outputs:] - 1
    w2 = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    networks = Networks.from_weights([w1, w2[:-1]], biases=[b1, w2[-1]], activations=[hidden, last])
    return networks.with_bias_rows() if rows else networks


def problem(
    network: Networks | Network, samples: Samples = SAMPLES, device: Device = DEVICE, **config: object
) -> Problem:
    return Problem(network=network, samples=samples, data=samples, device=device, config=FitConfig(**config))  # type: ignore[arg-type]


def recognised(mapping: Mapping, network: Networks, samples: Samples, chip: list[FloatArray]) -> list[bool]:
    """Twenty lines: the pairs of a chip as weights, sample by sample, each bias added or on its rows."""
    found = []
    for x, y in zip(samples.x, samples.y, strict=True):
        value = x
        for layer, g in enumerate(chip):
            around = mapping.circuit.periphery[layer]
            weight = (g[:, 0::2] - g[:, 1::2]) / float(mapping.circuit.map.siemens_per_weight)
            lines = np.maximum(value, 0)
            taken_off = np.zeros(weight.shape[1])
            if around.signed == "two-lines":
                lines = np.concatenate([lines, np.maximum(-value, 0)])
            elif around.signed == "two-reads":
                taken_off = np.maximum(-value, 0) @ weight[: len(value)]
            lines = np.concatenate([lines, np.ones(around.constants)])
            sums = lines @ weight - taken_off
            bias = network.biases[layer]
            sums = sums if bias is None else sums + bias[0]
            value = network.activations[layer].value(sums)
        others = [-sums[0], sums[0]] if len(sums) == 1 else list(sums)
        own = others.pop(y)
        found.append(bool(own > max(others)))
    return found


@pytest.mark.parametrize("rows", [False, True], ids=["digital", "rows"])
@pytest.mark.parametrize("signed", SIGNED)
@pytest.mark.parametrize(("hidden", "last"), [("relu", "softmax"), ("tanh", "identity"), ("leaky_relu", "sigmoid")])
def test_chips_are_what_a_loop_of_our_own_makes_of_them(hidden: str, last: str, signed: str, rows: bool) -> None:
    samples = replace(SAMPLES, x=3 * SAMPLES.x - 1)
    network = dense(samples, hidden, last, rows=rows)
    device = replace(DEVICE, spread=PolynomialSpread(constant_siemens=4e-6))
    mapping = problem(network, samples, device, signed=signed).put_on(network)
    found = estimate_yield(mapping, device, samples, chips=20, seed=3)
    drawn = draw_chips(mapping, device, range(20), Conditions(), seed=3).conductance_siemens
    by_hand = [recognised(mapping, network, samples, [g[chip] for g in drawn]) for chip in range(20)]
    assert 0.1 < np.mean(by_hand) < 0.99
    np.testing.assert_array_equal(found.current_margin > 0, by_hand)


@pytest.mark.parametrize("rows", [False, True], ids=["digital", "rows"])
@pytest.mark.parametrize("hidden", ["relu", "tanh", "leaky_relu", "sigmoid", "identity"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_to_first_order_the_likelihood_is_what_chips_do(hidden: str, outputs: int, rows: bool) -> None:
    """Each sample of two classes alone: its probability by the likelihood against the share of 3000 chips."""
    kept = SAMPLES.y < 2
    samples = Samples(SAMPLES.x[kept], SAMPLES.y[kept], SAMPLES.classes[:2])
    network = dense(samples, hidden, "sigmoid", rows=rows, outputs=outputs)
    device = replace(DEVICE, spread=PolynomialSpread(constant_siemens=12e-6), read_noise=0.01)
    asked = problem(network, samples, device, alpha=0.5)
    shares = (estimate_yield(asked.put_on(network), device, samples, chips=3000).current_margin > 0).mean(axis=0)
    for sample, share in enumerate(shares):
        alone = Samples(samples.x[[sample]], samples.y[[sample]], samples.classes)
        found = likelihood(replace(asked, data=alone), network.joint(), np.array([100e-6]))[0]
        assert found == pytest.approx(share, abs=0.06)
    assert shares.min() < 0.97


def test_inputs_of_any_scale_are_the_same_circuit() -> None:
    """A ReLU network without biases gives 16 times the outputs for 16 times the inputs: the same voltages."""
    network = dense(SAMPLES, "relu")
    bare = Networks(network.weights, activations=network.activations)
    sixteen = replace(SAMPLES, x=16 * SAMPLES.x)
    one, other = (problem(bare, samples).put_on(bare) for samples in (SAMPLES, sixteen))
    margins = [
        estimate_yield(mapping, DEVICE, samples, chips=10).current_margin
        for mapping, samples in ((one, SAMPLES), (other, sixteen))
    ]
    np.testing.assert_array_equal(*margins)
    assert other.circuit.remarks[0] == "Inputs are scaled: one of 16 is at the whole input voltage."


def test_a_curve_ends_at_the_voltage_of_a_full_input() -> None:
    """Inputs of 16 are at the input voltage, not at 16 times it; samples beyond those that scale are beyond."""
    volt = np.linspace(0.05, 0.5, 20)
    curve, network = fit_iv("sinh", volt, 1e-6 * np.sinh(volt / 0.3)), dense(SAMPLES, "tanh")
    device = replace(DEVICE, nonlinearity=curve.law, iv_fit=curve)
    sixteen = replace(SAMPLES, x=16 * SAMPLES.x)
    mapping = problem(network, sixteen, device).put_on(network)
    conditions = Conditions(input_volt=0.5)
    estimate_yield(mapping, device, sixteen, chips=1, conditions=conditions)
    with pytest.raises(DeviceError, match="its devices would get 1 V; lower input_volt"):
        estimate_yield(mapping, device, replace(SAMPLES, x=32 * SAMPLES.x), chips=1, conditions=conditions)


@pytest.mark.parametrize("rows", [False, True], ids=["digital", "rows"])
def test_a_dense_network_is_fitted_stored_and_read_back(tmp_path: Path, rows: bool) -> None:
    network = dense(SAMPLES, "leaky_relu", rows=rows)
    found = stored_fit(network, SAMPLES, CALM, QUICK, tmp_path)
    assert found.feasible and found.recognition == 1.0
    told = json.loads((tmp_path / "fit.json").read_text(encoding="utf-8"))
    assert "layer 2 are of both signs: they take two reads each" in " ".join(told["remarks"])
    page = write_fit_report(found, tmp_path, {}, "fewlevels fit").read_text(encoding="utf-8")
    assert "they take two reads each" in page
    assert ".." not in re.sub(r"<img[^>]*>|<style.*?</style>", "", page, flags=re.DOTALL)
    back = load_networks(tmp_path / "network.npz")
    assert back.activations == network.activations
    np.testing.assert_allclose(back.outputs(SAMPLES.x), found.best.network.outputs(SAMPLES.x), rtol=1e-12)
    with pytest.raises(ConfigError, match="the network has changed"):
        stored_fit(replace(network, activations=("tanh", "softmax")), SAMPLES, CALM, QUICK, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="signed is 'two-reads' there and 'two-lines' here"):
        stored_fit(network, SAMPLES, CALM, replace(QUICK, signed="two-lines"), tmp_path)


def test_fewer_states_are_enough_where_variation_is_small() -> None:
    """The answer of a fit holds on chips of its own."""
    network = dense(SAMPLES, "relu")
    found = fit_network(network, SAMPLES, CALM, QUICK)
    fresh = estimate_yield(found.best.mapping, CALM, SAMPLES, chips=400, seed=77)
    assert found.feasible
    assert fresh.value >= 0.9


def test_how_signs_come_in_is_one_of_two() -> None:
    with pytest.raises(DeviceError, match="signed must be one of two-reads, two-lines, got 'twice'"):
        FitConfig(signed="twice")  # type: ignore[arg-type]


def test_where_a_dense_network_does_not_fit_fine_tuning_is_tried() -> None:
    """Of biases on rows it is said that they are not fine-tuned."""
    rough = replace(DEVICE, spread=PolynomialSpread(constant_siemens=6e-6))
    quick = FitConfig(chips=50, most_states=3)
    advice = fit_network(dense(SAMPLES, "relu"), SAMPLES, rough, quick).advice
    assert any(sentence.startswith("fine-tuning the network for the device") for sentence in advice.sentences)
    advice = fit_network(dense(SAMPLES, "relu", rows=True), SAMPLES, rough, quick).advice
    assert any(sentence.startswith("fine-tuning was not tried: biases") for sentence in advice.sentences)


def test_every_verb_takes_a_network_of_dense_layers_and_refuses_others() -> None:
    stack = dense(SAMPLES, "relu")
    network = Network.from_networks(stack)
    config = FinetuningConfig(steps=3)
    both = [finetune(one, SAMPLES, config=config).quantized.networks.joint() for one in (stack, network)]
    np.testing.assert_array_equal(*both)
    both = [map_network(one, lowest_siemens=0, highest_siemens=1e-4, x=SAMPLES.x).to_csv() for one in (stack, network)]
    assert both[0] == both[1]
    quantized = Midpoint().quantize(stack.joint(), 8)
    margins = [simulate(one, quantized, SAMPLES, input_volts=(1.0,)).current_margin for one in (stack, network)]
    assert margins[0] == margins[1]
    assert NetworkCircuit.from_networks(network, x=SAMPLES.x).inputs == 25
    assert problem(network).network.joint().shape == stack.joint().shape
    graph = model_of(
        [make_node("Conv", ["x", "w"], ["c"]), make_node("GlobalMaxPool", ["c"], ["y"])],
        {"w": np.ones((2, 1, 3, 3), np.float32)},
        ["n", 1, 5, 5],
    )
    images = Network.from_model(graph)
    for verb in (
        lambda: finetune(images, SAMPLES),
        lambda: map_network(images, lowest_siemens=0, highest_siemens=1e-4),
        lambda: simulate(images, quantized, SAMPLES),
        lambda: fit_network(images, SAMPLES, DEVICE),
    ):
        with pytest.raises(FewlevelsError, match="the network is not dense layers one after the other"):
            verb()
