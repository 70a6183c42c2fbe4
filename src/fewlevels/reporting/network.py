"""Network: a trained network in words and as JSON: its layers, what stays digital, and what it recognises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fewlevels.common.counts import counted
from fewlevels.common.proportions import percent
from fewlevels.common.words import printable
from fewlevels.errors import NetworksError
from fewlevels.networks.network import Network
from fewlevels.reporting.text import aligned
from fewlevels.samples.files import Data

DEVICES_PER_WEIGHT = 2
"""Of a differential pair."""


def describe(network: Network, data: Data | None = None, remarks: Sequence[str] = ()) -> dict[str, Any]:
    """What JSON says of a network. data: samples that it is run on, labelled or not. remarks: what was assumed of both,
    a sentence each.
    """
    try:
        accumulates: dict[str, int] | None = network.multiply_accumulates()
    except NetworksError:  # samples of any size
        accumulates = None
    layers = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "fan_in": layer.matrix.shape[0],
            "fan_out": layer.matrix.shape[1],
            "groups": layer.geometry.groups if layer.geometry else 1,
            "weights": layer.weights,
            "biases": 0 if layer.bias is None else layer.bias.size,
            "weight_range": layer.weight_range,
            "devices": DEVICES_PER_WEIGHT * layer.weights,
            "multiply_accumulates": None if accumulates is None else accumulates[layer.name],
            "activation": layer.activation,
        }
        for layer in network.layers
    ]
    parameters = network.parameters
    found: dict[str, Any] = {
        "input_shape": list(network.input_shape),
        "layers": layers,
        "weights": sum(layer.weights for layer in network.layers),
        "devices": sum(DEVICES_PER_WEIGHT * layer.weights for layer in network.layers),
        "parameters": parameters.total,
        "parameters_folded": parameters.folded,
        "parameters_digital": dict(parameters.digital),
    }
    if data is not None:
        found |= {"samples": len(data.x), "recognition": _recognition(network, data)}
    return found | {"remarks": list(remarks)}


def page(described: dict[str, Any], name: str) -> str:
    """What the command prints. described: see `describe`."""
    layers = described["layers"]
    head = ["layer", "kind", "matrix", "weights", "range", "devices", "multiplications", "then"]
    rows = [head, *(_row(layer) for layer in layers)]
    total = f"{counted(described['weights'], 'weight')} in {counted(len(layers), 'layer')}"
    shape = " x ".join("any" if size is None else str(size) for size in described["input_shape"])
    lines = [f"{printable(name)}: {total}, {described['devices']} devices as differential pairs, input {shape}", ""]
    lines += [aligned(rows), ""]
    lines.append(_parameters(described))
    lines += described["remarks"]
    if "samples" in described:
        samples, recognition = counted(described["samples"], "sample"), described["recognition"]
        known = recognition is not None
        lines.append(f"recognises {percent(recognition)} of {samples}" if known else f"{samples} without labels")
    return "\n".join(lines)


def _row(layer: dict[str, Any]) -> list[str]:
    groups = f" in {layer['groups']} groups" if layer["groups"] > 1 else ""
    accumulates = layer["multiply_accumulates"]
    return [
        printable(layer["name"]),
        layer["kind"],
        f"{layer['fan_in']} x {layer['fan_out']}{groups}",
        str(layer["weights"]),
        f"{layer['weight_range']:.3g}",
        str(layer["devices"]),
        "" if accumulates is None else str(accumulates),
        (layer["activation"] or "").lower(),
    ]


def _parameters(described: dict[str, Any]) -> str:
    biases = sum(layer["biases"] for layer in described["layers"])
    parts = [f"{described['weights']} are weights", f"{biases} biases stay digital"]
    if folded := described["parameters_folded"]:
        parts.append(f"{folded} of normalisation are folded into both")
    parts += [f"{printable(name)} keeps {count}" for name, count in described["parameters_digital"].items()]
    return f"of {described['parameters']} parameters {', '.join(parts)}"


def _recognition(network: Network, data: Data) -> float | None:
    if data.y is None:
        return None
    return float((network.predict(data.x) == np.asarray(data.y)).mean())
