"""PyTorch: a module in memory, by PyTorch's own exporter."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection
from typing import Any

from fewlevels.common.extras import require
from fewlevels.errors import NetworksError
from fewlevels.networks.importers.onnx import LIBRARIES, checked
from fewlevels.networks.network import Network


def from_torch(module: Any, example: Any, *, keep_digital: Collection[str] = ()) -> Network:
    """The network of a `torch.nn.Module`, as it is in eval mode. The module is left as it was.

    example: an input, (samples, …), whose first axis may be of any length. keep_digital: see `load_network`.
    Raises NetworksError where PyTorch cannot export it, or for what cannot go on a crossbar.
    """
    require("networks", LIBRARIES, "a network of PyTorch", NetworksError)
    require("networks", ("torch",), "from_torch", NetworksError)
    import onnx
    import torch

    if not isinstance(module, torch.nn.Module):
        raise NetworksError(f"a torch.nn.Module is expected, got {type(module).__name__}")
    training, buffer = module.training, io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of an exporter that its successor is to replace
            torch.onnx.export(
                module.eval(),
                (example,),
                buffer,
                dynamo=False,
                input_names=["input"],
                output_names=["output"],
                dynamic_axes={"input": {0: "samples"}, "output": {0: "samples"}},
            )
    except Exception as error:  # of any kind: the module's own code runs in it
        raise NetworksError(f"PyTorch cannot export the module: {' '.join(str(error).split())[:300]}") from None
    finally:
        module.train(training)
    return Network.from_model(checked(onnx.load_model_from_string(buffer.getvalue())), keep_digital=keep_digital)
