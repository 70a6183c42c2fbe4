"""PyTorch: the library's quantizers in the forward pass of a user's own module, while the user trains it."""

from fewlevels.torch.quantize import bake_, quantize_

__all__ = ["bake_", "quantize_"]
