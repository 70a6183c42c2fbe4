"""Quantize: every weight layer of a module sees its weights at few levels, and its gradient as if it did not.

The module keeps its own weights, which the user's optimizer moves (a straight-through estimator, Bengio et al., 2013).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils import parametrize

from fewlevels.common.checks import instance, is_whole, not_negative, one_of, shown
from fewlevels.common.words import printable
from fewlevels.errors import FinetuningError
from fewlevels.quantization import QUANTIZERS, Quantizer

CONVERTED = (nn.Linear, nn.Conv1d, nn.Conv2d)
"""Layers whose weights are quantized; their biases stay as they are."""

DIGITAL = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.PReLU)
"""Layers whose parameters scale or shift and are no weights of a crossbar."""

SHARES = ("layer", "column")


class _Quantized(nn.Module):
    """A parametrization: the weight of a layer at its levels."""

    def __init__(self, quantizer: Quantizer, levels: int, share: str, noise: float) -> None:
        super().__init__()
        self.quantizer, self.levels, self.share, self.noise = quantizer, levels, share, noise

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        rows = weight.detach().reshape(len(weight) if self.share == "column" else 1, -1)
        found = self.quantizer.quantize(rows.to("cpu", torch.float64).numpy(), self.levels).values
        quantized = torch.from_numpy(found).to(weight).reshape(weight.shape)
        if self.training and self.noise:
            quantized = quantized + self.noise * torch.aminmax(quantized).max.abs() * torch.randn_like(quantized)
        return quantized + (weight - weight.detach())  # which is the quantized weight, exactly, with weight's gradient


def quantize_(
    module: nn.Module,
    *,
    levels: int,
    quantizer: str | Quantizer = "kmeans",
    share: str = "layer",
    keep: Collection[str] = (),
    noise: float = 0.0,
) -> nn.Module:
    """Put a quantizer into every Linear and Conv of a module, in place; returns the module.

    levels: of magnitudes, or of signed values, as the quantizer counts. quantizer: a name of `fewlevels search`, or a
    quantizer. share: levels of a 'layer' or of each output, a 'column'. keep: names of layers that stay as they are.
    noise: in training, the standard deviation of a normal error of each weight, a share of the layer's largest.
    Raises FinetuningError where a layer has weights that are not converted and is not kept, and for a name that is not
    there; nothing is changed then.
    """
    instance("module", module, nn.Module, FinetuningError)
    if isinstance(quantizer, str):
        one_of("quantizer", quantizer, QUANTIZERS, FinetuningError)
        quantizer = QUANTIZERS[quantizer]
    one_of("share", share, SHARES, FinetuningError)
    if not is_whole(levels):
        raise FinetuningError(f"levels must be a whole number, got {shown(levels)}")
    noise = not_negative("noise", noise, FinetuningError)
    for name, layer in _layers_to_convert(module, set(keep)):
        if parametrize.is_parametrized(layer, "weight"):
            raise FinetuningError(f"layer {name!r} is quantized already; bake_ makes it plain")
        rows = layer.weight.detach().reshape(1, -1).to("cpu", torch.float64).numpy()
        quantizer.quantize(rows if share == "layer" else rows.reshape(len(layer.weight), -1), int(levels))  # refuses
    for _, layer in _layers_to_convert(module, set(keep)):
        parametrize.register_parametrization(layer, "weight", _Quantized(quantizer, int(levels), share, noise))
    return module


def bake_(module: nn.Module) -> nn.Module:
    """Make a module plain again, in place, its weights at their levels; returns the module. It then exports as any."""
    instance("module", module, nn.Module, FinetuningError)
    for layer in module.modules():
        if not parametrize.is_parametrized(layer, "weight"):
            continue
        own = cast("Any", layer).parametrizations.weight
        if len(own) == 1 and isinstance(own[0], _Quantized):
            training = layer.training
            layer.eval()  # without noise
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
            layer.train(training)
    return module


def _layers_to_convert(module: nn.Module, keep: set[str]) -> list[tuple[str, Any]]:
    named = dict(module.named_modules())
    if unknown := sorted(keep - set(named)):
        raise FinetuningError(
            f"no layer is named {printable(unknown[0])!r}; there are {', '.join(filter(None, named))}"
        )
    found, left = [], []
    for name, layer in named.items():
        kept = any(name == each or name.startswith(f"{each}.") for each in keep)
        if kept or isinstance(layer, parametrize.ParametrizationList | _Quantized):
            continue
        if isinstance(layer, CONVERTED):
            found.append((name, layer))
        elif not isinstance(layer, DIGITAL) and any(p.ndim > 1 for p in layer.parameters(recurse=False)):
            left.append(f"{name or 'the module itself'} ({type(layer).__name__})")
    if left:
        raise FinetuningError(
            f"{', '.join(left)} has weights that are not converted; keep it by name, keep=[…], or leave it out"
        )
    if not found:
        raise FinetuningError("the module has no Linear or Conv whose weights could be quantized")
    return found
