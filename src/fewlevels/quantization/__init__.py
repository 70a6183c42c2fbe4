"""Quantization: a network's joint weights become few level values."""

from fewlevels.quantization.midpoint import Midpoint
from fewlevels.quantization.protocol import Quantized, Quantizer

QUANTIZERS = {quantizer.name: quantizer for quantizer in (Midpoint(), Midpoint(signed=True))}
"""Quantizers by the name that the command line and the study configuration use."""

__all__ = ["QUANTIZERS", "Midpoint", "Quantized", "Quantizer"]
