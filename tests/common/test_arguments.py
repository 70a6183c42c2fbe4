"""Arguments: what cannot be is refused by the package's own errors, and numbers of NumPy's types are numbers."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

import fewlevels as fl
from fewlevels.circuit.cell import Cubic, Sinh
from fewlevels.circuit.network.deck import network_deck
from fewlevels.circuit.network.resistances import Window
from fewlevels.circuit.network.simulation import simulate
from fewlevels.circuit.solvers.transfer import transfer_matrix
from fewlevels.circuit.spice.crossbar_deck import crossbar_deck
from fewlevels.devices.laws import PolynomialSpread, SaturatingSpread, TableSpread
from fewlevels.devices.retention import MeasuredRetention, PowerLawDrift, RetentionTable
from fewlevels.devices.separability import equal_error_levels
from fewlevels.errors import CircuitError, NetworksError, TrainingError
from fewlevels.samples.datasets import split_samples

RNG = np.random.default_rng(0)
DIGITS = fl.load_digits(5)
NETWORK = fl.Networks.from_weights([RNG.normal(size=(25, 4)), RNG.normal(size=(4, 10))])
JOINT = NETWORK.joint()
TINY = fl.TrainingConfig(steps=2)
QUANTIZED = fl.quantize_networks(NETWORK, fl.Ternary(), 2).networks
WINDOW = {"lowest_siemens": 1e-6, "highest_siemens": 1e-4}
MAPPING = fl.map_network(QUANTIZED, **WINDOW)
DEVICE = fl.Device(name="d", **WINDOW)
SPREADING = fl.load_device(next(n for n in fl.device_names() if fl.load_device(n).spread is not None))
DRIFTING = fl.Device(
    name="d",
    **WINDOW,
    spread=PolynomialSpread(constant_siemens=1e-8),
    retention=PowerLawDrift(exponent=0.01, start_seconds=1.0, last_seconds=1e6),
)
AFTER_A_SECOND = RetentionTable(after_seconds=1.0, conductance_siemens=(1e-6, 2e-6), sigma_siemens=(0.0, 0.0))
BAR = fl.Crossbar(np.full((2, 3), 1e-5))
CIRCUIT = fl.NetworkCircuit.from_networks(QUANTIZED)
AMPERE = np.ones((10, 10))

CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "Samples": (fl.Samples, {"x": np.eye(2), "y": [0, 1], "classes": ("a", "b"), "shape": (1, 2)}),
    "flip_pixels": (fl.flip_pixels, {"samples": DIGITS, "pixels": 1, "copies": 1, "rng": RNG}),
    "load_digits": (fl.load_digits, {"size": 5}),
    "load_samples": (fl.load_samples, {"path": "none.txt"}),
    "Networks": (fl.Networks, {"weights": NETWORK.weights}),
    "from_weights": (fl.Networks.from_weights, {"weights": [np.ones((2, 3))]}),
    "from_joint": (fl.Networks.from_joint, {"joint": JOINT, "shapes": NETWORK.shapes}),
    "load_networks": (fl.load_networks, {"path": "none.npz"}),
    "recognition": (NETWORK.recognition, {"samples": DIGITS}),
    "outputs": (NETWORK.outputs, {"x": DIGITS.x}),
    "TrainingConfig": (
        fl.TrainingConfig,
        {"hidden": 3, "learning_rate": 1.0, "init": "uniform:0,1", "steps": 5, "range_limit": 3.0},
    ),
    "train": (fl.train, {"samples": DIGITS, "config": TINY, "models": 2, "seed": 1, "jobs": 1}),
    "trajectory": (fl.trajectory, {"samples": DIGITS, "config": TINY, "at_steps": [1], "models": 2, "seed": 1}),
    "Clipped": (fl.Clipped, {"clip": 0.5}),
    "DeadZone": (fl.DeadZone, {"controls": (0.5, 0.1, 1.0)}),
    "Ternary": (fl.Ternary, {"threshold": 1.0}),
    "Table": (fl.Table, {"table": (0.0, 1.0), "clip": 0.5}),
    "additive_powers_of_two": (fl.additive_powers_of_two, {"bits": 4, "clip": 0.5}),
    "device_levels": (fl.device_levels, {"conductances_siemens": [1e-6, 1e-5], "clip": 0.5}),
    **{
        f"{q.name}.quantize": (q.quantize, {"weights": JOINT, "levels": 2})
        for q in (fl.Midpoint(), fl.Clipped(), fl.DeadZone(), fl.KMeans(), fl.PowersOfTwo(), fl.Ternary())
    },
    "quantize_networks": (
        fl.quantize_networks,
        {"networks": NETWORK, "quantizer": fl.Ternary(), "levels": 2, "share": "network"},
    ),
    "FinetuningConfig": (
        fl.FinetuningConfig,
        {
            "steps": 3,
            "learning_rate": 0.1,
            "final_rate": 0.5,
            "ramp": 0.5,
            "latent_limit": 2.0,
            "batch": 3,
            "loss": "squared",
            "noise": 0.1,
            "patience": 2,
            "check_every": 2,
        },
    ),
    "finetune": (
        fl.finetune,
        {
            "networks": NETWORK,
            "samples": DIGITS,
            "quantizer": fl.Ternary(),
            "levels": 2,
            "alpha": 1.0,
            "share": "network",
            "config": fl.FinetuningConfig(steps=1),
            "validation": DIGITS,
            "seed": 1,
            "jobs": 1,
        },
    ),
    "compare_methods": (
        fl.compare_methods,
        {
            "networks": NETWORK,
            "samples": DIGITS,
            "methods": "paper",
            "alpha": 0.5,
            "q_max": 2,
            "share": "network",
            "minimise": "requested",
            "test": DIGITS,
            "config": None,
            "seed": 1,
            "jobs": 1,
        },
    ),
    "parse_methods": (fl.parse_methods, {"text": "paper"}),
    "study_range": (
        fl.study_range,
        {
            "samples": DIGITS,
            "config": TINY,
            "limits": [3.0],
            "models": 2,
            "quantizer": None,
            "alpha": 0.5,
            "q_max": 2,
            "seed": 1,
        },
    ),
    "recognition_under_flips": (
        fl.recognition_under_flips,
        {"networks": NETWORK, "quantized": QUANTIZED, "samples": DIGITS, "flips": [1], "copies": 1, "seed": 1},
    ),
    "load_dataset": (fl.load_dataset, {"name": "digits5", "test_fraction": 0.2, "seed": 1}),
    "split_samples": (split_samples, {"samples": fl.flip_pixels(DIGITS, 1, 2, RNG), "test_fraction": 0.2, "seed": 1}),
    "fewest_levels": (
        fl.fewest_levels,
        {
            "networks": NETWORK,
            "samples": DIGITS,
            "quantizer": fl.Midpoint(),
            "alpha": 0.5,
            "q_max": 3,
            "share": "network",
            "minimise": "requested",
            "test": DIGITS,
            "jobs": 1,
        },
    ),
    "map_network": (
        fl.map_network,
        {
            "networks": QUANTIZED,
            **WINDOW,
            "scheme": "differential-pair",
            "available_siemens": [1e-6, 1e-4],
            "cell": None,
            "word_wire_ohm": 1.0,
            "bit_wire_ohm": 1.0,
        },
    ),
    "estimate_yield": (
        fl.estimate_yield,
        {
            "mapping": MAPPING,
            "device": DEVICE,
            "samples": DIGITS,
            "chips": 2,
            "alpha": 1.0,
            "conditions": fl.Conditions(),
            "seed": 1,
            "jobs": 1,
        },
    ),
    "measured_chip": (
        fl.measured_chip,
        {
            "mapping": MAPPING,
            "conductance_siemens": MAPPING.target_siemens,
            "samples": DIGITS,
            "alpha": 1.0,
            "input_volt": 1.0,
        },
    ),
    "FitConfig": (
        fl.FitConfig,
        {
            "alpha": 0.5,
            "yield_target": 0.5,
            "chips": 2,
            "most_states": 2,
            "scheme": "differential-pair",
            "wire_ohm": 0.0,
            "conditions": fl.Conditions(),
            "seed": 1,
        },
    ),
    "fit_network": (
        fl.fit_network,
        {
            "networks": NETWORK,
            "samples": DIGITS,
            "device": DEVICE,
            "data": DIGITS,
            "config": fl.FitConfig(alpha=0.1, chips=2, most_states=2, yield_target=0.1),
        },
    ),
    "Crossbar": (
        fl.Crossbar,
        {
            "conductance_siemens": [[1e-5]],
            "word_wire_ohm": 1.0,
            "bit_wire_ohm": 1.0,
            "reference_ohm": 1.0,
            "selector": None,
        },
    ),
    "Diode": (
        fl.Diode,
        {
            "saturation_ampere": 1e-14,
            "ideality": 1.0,
            "series_ohm": 0.0,
            "temperature_kelvin": 300.0,
            "gmin_siemens": 0.0,
            "threshold_volt": 0.5,
        },
    ),
    "Window": (Window, {"r_min_ohm": 1e4, "r_max_ohm": 1e9}),
    "from_networks": (
        fl.NetworkCircuit.from_networks,
        {
            "networks": QUANTIZED,
            "design": "pair-transimpedance",
            "window": Window(),
            "selector": None,
            "threshold_volt": 0.1,
            "reference_ohm": 1.0,
            "word_wire_ohm": 0.0,
            "bit_wire_ohm": 0.0,
        },
    ),
    "run": (CIRCUIT.run, {"x": DIGITS.x, "input_volt": 1.0, "engine": "native"}),
    "run_draws": (CIRCUIT.run_draws, {"x": DIGITS.x, "input_volt": 1.0, "draws": 1, "log_spread": 0.1, "rng": RNG}),
    "simulate": (
        simulate,
        {
            "networks": NETWORK,
            "quantized": fl.Ternary().quantize(JOINT, 2),
            "samples": DIGITS,
            "input_volts": [1.0],
            "design": "pair-transimpedance",
            "off_pixels": "zero",
            "r_min_ohm": 1e4,
            "wire_ohm": 0.0,
            "engine": "native",
            "draws": 1,
            "log_spread": 0.1,
            "seed": 1,
        },
    ),
    "current_gap": (fl.current_gap, {"circuit_ampere": AMPERE, "computed_ampere": AMPERE, "y": DIGITS.y}),
    "solve": (fl.solve, {"crossbar": BAR, "input_volt": [1.0, 2.0], "engine": "native", "tolerance": 1e-12}),
    "transfer_matrix": (transfer_matrix, {"crossbar": BAR}),
    "crossbar_deck": (crossbar_deck, {"crossbar": BAR, "input_volt": [1.0, 2.0], "dialect": "spice"}),
    "network_deck": (network_deck, {"circuit": CIRCUIT, "x": DIGITS.x[0], "input_volt": 1.0, "dialect": "spice"}),
    "load_device": (fl.load_device, {"name_or_path": "none.toml"}),
    "load_device_levels": (fl.load_device_levels, {"source": "none.csv"}),
    "Device": (
        fl.Device,
        {
            "name": "d",
            "citation": "",
            "sources": "",
            **WINDOW,
            "states": 4,
            "spread": SPREADING.spread,
            "retention": None,
            "read_noise": 0.1,
            "stuck_on_rate": 0.1,
            "stuck_off_rate": 0.1,
            "nonlinearity": Sinh(scale_volt=0.5),
            "selector": None,
            "iv_fit": None,
        },
    ),
    "Device of levels": (
        fl.Device,
        {"name": "d", "level_siemens": (1e-6, 2e-6), "level_sigma_siemens": (1e-8, 1e-8), "selector": fl.Diode()},
    ),
    "TableSpread": (TableSpread, {"conductance_siemens": (1e-6, 2e-6), "sigma_siemens": [1e-8, 1e-8]}),
    "PolynomialSpread": (PolynomialSpread, {"constant_siemens": 1e-8, "slope": 0.1, "curvature_per_siemens": 0.0}),
    "SaturatingSpread": (SaturatingSpread, {"amplitude_siemens": 1e-8, "scale_siemens": 1e-6}),
    "PowerLawDrift": (PowerLawDrift, {"exponent": 0.01, "start_seconds": 1.0, "last_seconds": 1e6}),
    "RetentionTable": (
        RetentionTable,
        {
            "after_seconds": 1.0,
            "conductance_siemens": (1e-6, 2e-6),
            "sigma_siemens": (0.0, 0.0),
            "mean_siemens": (1e-6, 2e-6),
        },
    ),
    "MeasuredRetention": (MeasuredRetention, {"table": (AFTER_A_SECOND,)}),
    "Sinh": (Sinh, {"scale_volt": 0.5}),
    "Cubic": (Cubic, {"scale_volt": 0.5}),
    "Conditions": (
        fl.Conditions,
        {
            "after_seconds": 1.0,
            "input_volt": 1.0,
            "sigma_factor": 1.0,
            "stuck_rate": 0.1,
            "tolerance_siemens": 1e-6,
            "max_pulses": 3,
        },
    ),
    "mean_siemens": (DRIFTING.mean_siemens, {"target_siemens": [1e-5], "after_seconds": 2.0}),
    "sigma_siemens": (DRIFTING.sigma_siemens, {"target_siemens": [1e-5], "after_seconds": 2.0}),
    "Mapping.read_csv": (MAPPING.read_csv, {"path": "none.csv"}),
    "separable_levels": (fl.separable_levels, {"device": SPREADING, "k_sigma": 3.0, "after_seconds": None}),
    "equal_error_levels": (equal_error_levels, {"device": SPREADING, "levels": 3}),
}

BAD = {
    "None": None,
    "True": True,
    "text": "x",
    "nothing": "",
    "NUL": "a\0b",
    "complex": 1j,
    "nan": math.nan,
    "inf": math.inf,
    "minus inf": -math.inf,
    "minus one": -1,
    "zero": 0,
    "one and a half": 1.5,
    "subnormal": 1e-320,
    "huge": 1e308,
    "400 digits": 10**400,
    "minus 400 digits": -(10**400),
    "5000 digits": 10**5000,
    "object": object(),
    "list": [],
    "dict": {"a": 1},
    "texts": ["1e-5", "2e-5"],
    "ragged": [[1.0], [1.0, 2.0]],
    "bytes": b"\xff",
    "no numbers": np.array(None),
    "complex numbers": np.array([[1j]]),
    "empty": np.empty((0, 0)),
    "objects": np.array([[object()]]),
    "a type": int,
    "times": np.array(["2020-01-01"], "M8[D]"),
    "nans": np.full((2, 2), np.nan),
    "deep": np.ones((1, 1, 1, 1, 1)),
    "NaN scalar": np.float32("nan"),
    "big list": [10**400],
    "pairs": [(1, -1)],
}


@pytest.mark.parametrize("name", CALLS)
def test_the_good_arguments_are_good(name: str) -> None:
    function, good = CALLS[name]
    if "none." in str(good) or name == "load_dataset":
        with pytest.raises(fl.FewlevelsError):
            function(**good)
    else:
        function(**good)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CALLS)
def test_bad_arguments_raise_the_package_s_own_errors_in_one_line(name: str) -> None:
    function, good = CALLS[name]
    failures = []
    for argument in good:
        for what, bad in BAD.items():
            if bad is None and argument == "config":  # stands for the defaults, which take long
                continue
            began = time.perf_counter()
            try:
                function(**{**good, argument: bad})
            except fl.FewlevelsError as error:
                if "\n" in str(error) or len(str(error)) > 600:
                    failures.append(f"{argument} = {what}: {error}")
            except Exception as error:
                failures.append(f"{argument} = {what}: {type(error).__name__}: {str(error)[:200]}")
            if time.perf_counter() - began > 5:
                failures.append(f"{argument} = {what}: slow")
    assert not failures, "\n".join(failures)


def test_numbers_of_numpy_s_types_are_numbers() -> None:
    plain = fl.train(DIGITS, fl.TrainingConfig(hidden=4, steps=9, learning_rate=0.5, range_limit=8), models=3, seed=2)
    config = fl.TrainingConfig(
        hidden=np.int8(4), steps=np.uint64(9), learning_rate=np.float32(0.5), range_limit=np.float64(8)
    )
    numpys = fl.train(DIGITS, config, models=np.int16(3), seed=np.int64(2), jobs=np.int32(1))
    assert np.array_equal(plain.joint(), numpys.joint())
    asked = fl.FitConfig(alpha=np.float32(0.5), chips=np.int64(7), seed=np.uint8(3), wire_ohm=np.float64(2))
    assert asked == fl.FitConfig(alpha=0.5, chips=7, seed=3, wire_ohm=2)
    assert json.dumps(asdict(asked)) == json.dumps(asdict(fl.FitConfig(alpha=0.5, chips=7, seed=3, wire_ohm=2.0)))
    assert fl.Conditions(max_pulses=np.int64(7), input_volt=np.float32(1)) == fl.Conditions(max_pulses=7)
    device = fl.Device(name="d", lowest_siemens=np.float64(1e-6), highest_siemens=np.float64(1e-4), states=np.int8(4))
    assert device.content == fl.Device(name="d", **WINDOW, states=4).content  # of which digests are made
    found = fl.fewest_levels(NETWORK, DIGITS, alpha=np.float64(0.1), q_max=np.int32(5), jobs=np.int64(1))
    assert np.array_equal(found.q, fl.fewest_levels(NETWORK, DIGITS, alpha=0.1, q_max=5).q)
    drawn = [
        fl.estimate_yield(MAPPING, DEVICE, DIGITS, chips=chips).current_margin
        for chips in (4, np.int64(4), [0, 1, 2, 3])
    ]
    assert all(np.array_equal(margin, drawn[0]) for margin in drawn)
    assert np.array_equal(fl.load_digits(np.int64(7)).x, fl.load_digits(7).x)


def test_a_deck_writes_numbers_of_numpy_s_types_as_numbers() -> None:
    diode = fl.Diode(saturation_ampere=np.float64(1e-14), threshold_volt=np.float64(0.65))
    bar = fl.Crossbar(np.full((1, 1), 1e-5), word_wire_ohm=np.float64(2.0), selector=diode)
    circuit = fl.NetworkCircuit.from_networks(QUANTIZED, selector=diode, threshold_volt=np.float64(0.65))
    for dialect in ("spice", "spectre"):
        decks = [crossbar_deck(bar, [1.0], dialect=dialect)]
        decks.append(network_deck(circuit, DIGITS.x[0], np.float64(1.0), dialect=dialect))
        assert not [deck for deck in decks if "np.float64" in deck]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("range_limit", 1e-46, "range_limit must be at least 2.4e-38"),
        ("range_limit", 1e-38, "must be at least 2.4e-38"),
        ("learning_rate", 1e-46, "learning_rate must be within float32, 1.2e-38 to 3.4e"),
        ("learning_rate", 1e39, "learning_rate must be within float32"),
        ("init", "uniform:0,1e-46", "init must differ"),
        ("init", "uniform:1,1.00000000001", "init must differ"),
        ("init", "normal:0,1e-50", "init must differ"),
        ("init", "normal:5,1e-12", "init must differ"),
    ],
)
def test_what_float32_makes_zero_or_one_number_is_refused(option: str, value: object, says: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(says)):
        fl.TrainingConfig(**{option: value})


def test_the_smallest_range_limit_is_a_limit() -> None:
    config = fl.TrainingConfig(steps=5, range_limit=2.4e-38, learning_rate=1e-3)
    assert 0 < fl.train(DIGITS, config, models=2).weight_range().max() <= 2.4e-38


@pytest.mark.parametrize("rate", [1e30, 3e38])
def test_training_that_leaves_float32_names_the_rate_and_the_start(rate: float) -> None:
    config = fl.TrainingConfig(steps=100, learning_rate=rate, init="normal:0,2")
    says = r"left float32 in 3 of 3 models; a smaller learning_rate than \de\+3\d, .* init than normal:0,2"
    with pytest.raises(TrainingError, match=says):
        fl.train(DIGITS, config, models=3)


@pytest.mark.parametrize("complex_or_text", [np.ones((25, 10)) * (1 + 1j), np.full((25, 10), "1.0"), [["1"] * 10] * 25])
def test_complex_numbers_and_text_are_refused_not_cast(complex_or_text: object) -> None:
    with pytest.raises(NetworksError, match="layer 1 must be an array of numbers, got"):
        fl.Networks.from_weights([complex_or_text])
    with pytest.raises(CircuitError, match="conductances must be an array of numbers, got"):
        fl.Crossbar(complex_or_text)
