"""Quantization: a network's joint weights become few level values."""

from fewlevels.quantization.clipped import Clipped
from fewlevels.quantization.dead_zone import DeadZone
from fewlevels.quantization.device_table import Table, device_levels
from fewlevels.quantization.kmeans import KMeans
from fewlevels.quantization.midpoint import Midpoint
from fewlevels.quantization.powers import PowersOfTwo, additive_powers_of_two
from fewlevels.quantization.protocol import Quantized, Quantizer, SearchableQuantizer
from fewlevels.quantization.ternary import Binary, Ternary

QUANTIZERS: dict[str, SearchableQuantizer] = {
    quantizer.name: quantizer
    for quantizer in (
        Midpoint(),
        Midpoint(signed=True),
        Clipped(),
        Clipped(zero=True),
        DeadZone(),
        KMeans(),
        KMeans(signed=True),
        PowersOfTwo(),
        additive_powers_of_two(),
        Ternary(threshold=None),
        Binary(),
    )
}
"""Every quantizer that needs no file, its controls free, by its name. To add one, write its file and its row here."""

PAPER_QUANTIZERS = ("midpoint", "midpoint-signed")
"""The names of the paper's quantizers: those that a study can use."""

__all__ = [
    "PAPER_QUANTIZERS",
    "QUANTIZERS",
    "Binary",
    "Clipped",
    "DeadZone",
    "KMeans",
    "Midpoint",
    "PowersOfTwo",
    "Quantized",
    "Quantizer",
    "Table",
    "Ternary",
    "additive_powers_of_two",
    "device_levels",
]
