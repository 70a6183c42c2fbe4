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
    "Samples": "samples.samples",
    "flip_pixels": "samples.flips",
    "load_digits": "samples.glyphs",
    "load_samples": "samples.files",
    "Networks": "networks.networks",
    "load_networks": "networks.files",
    "Network": "networks.network",
    "load_network": "networks.importers.load",
    "from_torch": "networks.importers.torch",
    "from_keras": "networks.importers.keras",
    "from_sklearn": "networks.importers.sklearn",
    "TrainingConfig": "training.config",
    "DenseConfig": "training.dense",
    "train_dense": "training.dense",
    "train": "training.sgd",
    "trajectory": "training.sgd",
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
    "Finetuned": "search.finetuning",
    "FinetuningConfig": "search.finetuning_config",
    "finetune": "search.finetuning",
    "MethodComparison": "search.methods",
    "compare_methods": "search.methods",
    "parse_methods": "search.method",
    "RangeStudy": "search.ranges",
    "study_range": "search.ranges",
    "Robustness": "search.robustness",
    "recognition_under_flips": "search.robustness",
    "load_dataset": "samples.datasets",
    "split_samples": "samples.datasets",
    "FewestLevels": "search.fewest",
    "fewest_levels": "search.fewest",
    "Mapping": "chips.mapping",
    "map_network": "chips.mapping",
    "Conditions": "chips.variation",
    "Yield": "chips.yields",
    "estimate_yield": "chips.yields",
    "measured_chip": "chips.yields",
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

if TYPE_CHECKING:  # each 'as itself', which type checkers take for part of the interface
    from fewlevels.chips.mapping import Mapping as Mapping, map_network as map_network
    from fewlevels.chips.variation import Conditions as Conditions
    from fewlevels.chips.yields import Yield as Yield, estimate_yield as estimate_yield, measured_chip as measured_chip
    from fewlevels.circuit import (
        Crossbar as Crossbar,
        Diode as Diode,
        NetworkCircuit as NetworkCircuit,
        current_gap as current_gap,
    )
    from fewlevels.circuit.point import OperatingPoint as OperatingPoint
    from fewlevels.circuit.solve import solve as solve
    from fewlevels.devices import (
        Device as Device,
        SeparableLevels as SeparableLevels,
        device_names as device_names,
        load_device as load_device,
        load_device_levels as load_device_levels,
        separable_levels as separable_levels,
    )
    from fewlevels.errors import FewlevelsError as FewlevelsError
    from fewlevels.fitting.fit import Fit as Fit, fit_network as fit_network
    from fewlevels.fitting.problem import FitConfig as FitConfig
    from fewlevels.networks.files import load_networks as load_networks
    from fewlevels.networks.importers.keras import from_keras as from_keras
    from fewlevels.networks.importers.load import load_network as load_network
    from fewlevels.networks.importers.sklearn import from_sklearn as from_sklearn
    from fewlevels.networks.importers.torch import from_torch as from_torch
    from fewlevels.networks.network import Network as Network
    from fewlevels.networks.networks import Networks as Networks
    from fewlevels.quantization import (
        Binary as Binary,
        Clipped as Clipped,
        DeadZone as DeadZone,
        KMeans as KMeans,
        Midpoint as Midpoint,
        PowersOfTwo as PowersOfTwo,
        Quantized as Quantized,
        Quantizer as Quantizer,
        Table as Table,
        Ternary as Ternary,
        additive_powers_of_two as additive_powers_of_two,
        device_levels as device_levels,
    )
    from fewlevels.quantization.sharing import (
        QuantizedNetworks as QuantizedNetworks,
        quantize_networks as quantize_networks,
    )
    from fewlevels.samples.datasets import load_dataset as load_dataset, split_samples as split_samples
    from fewlevels.samples.files import load_samples as load_samples
    from fewlevels.samples.flips import flip_pixels as flip_pixels
    from fewlevels.samples.glyphs import load_digits as load_digits
    from fewlevels.samples.samples import Samples as Samples
    from fewlevels.search.fewest import FewestLevels as FewestLevels, fewest_levels as fewest_levels
    from fewlevels.search.finetuning import Finetuned as Finetuned, finetune as finetune
    from fewlevels.search.finetuning_config import FinetuningConfig as FinetuningConfig
    from fewlevels.search.method import parse_methods as parse_methods
    from fewlevels.search.methods import MethodComparison as MethodComparison, compare_methods as compare_methods
    from fewlevels.search.ranges import RangeStudy as RangeStudy, study_range as study_range
    from fewlevels.search.robustness import Robustness as Robustness, recognition_under_flips as recognition_under_flips
    from fewlevels.training.config import TrainingConfig as TrainingConfig
    from fewlevels.training.dense import DenseConfig as DenseConfig, train_dense as train_dense
    from fewlevels.training.sgd import train as train, trajectory as trajectory


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'fewlevels' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"fewlevels.{_PUBLIC[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
