"""fewlevels: how few conductance levels a neural network needs, which ones, and whether it works on a crossbar.

samples -> training -> quantization and search -> study (many of these, stored) -> analysis -> figures and report.
Each stage is one verb with one frozen result. The names below are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_PUBLIC = {
    "FewlevelsError": "errors",
    "Samples": "samples",
    "flip_pixels": "samples",
    "load_digits": "samples",
    "load_samples": "samples",
    "Networks": "networks",
    "load_networks": "networks",
    "TrainingConfig": "training",
    "train": "training",
    "trajectory": "training",
    "Binary": "quantization",
    "Clipped": "quantization",
    "DeadZone": "quantization",
    "KMeans": "quantization",
    "Midpoint": "quantization",
    "PowersOfTwo": "quantization",
    "Quantized": "quantization",
    "Quantizer": "quantization",
    "Table": "quantization",
    "Ternary": "quantization",
    "additive_powers_of_two": "quantization",
    "device_levels": "quantization",
    "load_device_levels": "devices",
    "QuantizedNetworks": "quantization.sharing",
    "quantize_networks": "quantization.sharing",
    "Finetuned": "finetuning",
    "FinetuningConfig": "finetuning",
    "finetune": "finetuning",
    "MethodComparison": "methods",
    "compare_methods": "methods",
    "parse_methods": "methods",
    "RangeStudy": "range_study",
    "study_range": "range_study",
    "Robustness": "robustness",
    "recognition_under_flips": "robustness",
    "load_dataset": "datasets",
    "split_samples": "datasets",
    "FewestLevels": "search",
    "fewest_levels": "search",
    "Mapping": "devices.mapping",
    "map_network": "devices.mapping",
    "Conditions": "devices.variation",
    "Yield": "yields",
    "estimate_yield": "yields",
    "measured_chip": "yields",
    "Fit": "fitting.fit",
    "FitConfig": "fitting.problem",
    "fit_network": "fitting.fit",
    "Crossbar": "circuit",
    "Diode": "circuit",
    "NetworkCircuit": "circuit",
    "OperatingPoint": "circuit",
    "current_gap": "circuit",
    "solve": "circuit",
    "Device": "devices",
    "device_names": "devices",
    "load_device": "devices",
    "SeparableLevels": "devices",
    "separable_levels": "devices",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from fewlevels.circuit import Crossbar, Diode, NetworkCircuit, current_gap
    from fewlevels.circuit.solve import OperatingPoint, solve
    from fewlevels.datasets import load_dataset, split_samples
    from fewlevels.devices import (
        Device,
        SeparableLevels,
        device_names,
        load_device,
        load_device_levels,
        separable_levels,
    )
    from fewlevels.devices.mapping import Mapping, map_network
    from fewlevels.devices.variation import Conditions
    from fewlevels.errors import FewlevelsError
    from fewlevels.finetuning import Finetuned, FinetuningConfig, finetune
    from fewlevels.fitting.fit import Fit, fit_network
    from fewlevels.fitting.problem import FitConfig
    from fewlevels.methods import MethodComparison, compare_methods, parse_methods
    from fewlevels.networks import Networks, load_networks
    from fewlevels.quantization import (
        Binary,
        Clipped,
        DeadZone,
        KMeans,
        Midpoint,
        PowersOfTwo,
        Quantized,
        Quantizer,
        Table,
        Ternary,
        additive_powers_of_two,
        device_levels,
    )
    from fewlevels.quantization.sharing import QuantizedNetworks, quantize_networks
    from fewlevels.range_study import RangeStudy, study_range
    from fewlevels.robustness import Robustness, recognition_under_flips
    from fewlevels.samples import Samples, flip_pixels, load_digits, load_samples
    from fewlevels.search import FewestLevels, fewest_levels
    from fewlevels.training import TrainingConfig, train, trajectory
    from fewlevels.yields import Yield, estimate_yield, measured_chip


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'fewlevels' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"fewlevels.{_PUBLIC[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
