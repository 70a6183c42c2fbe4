"""Files of networks: a NumPy .npz with W1, W2 …"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewlevels.common.files import name_of
from fewlevels.common.npz import listed, npz_names, read_npz
from fewlevels.errors import NetworksError
from fewlevels.networks.networks import Networks
from fewlevels.networks.transposed import TRANSPOSED, fit_transposed
from fewlevels.samples.samples import Samples


def load_networks(path: str | Path) -> Networks:
    """Networks from a NumPy `.npz` with W1, W2 …, each (fan_in, fan_out), or (models, fan_in, fan_out) for several.

    Raises NetworksError where the file cannot be read, where it holds no network, where it holds anything but layers
    (the q of a study is allowed), or where the layers do not fit together.
    """
    names = npz_names(path, NetworksError)
    if "W1" not in names:
        raise NetworksError(f"{name_of(path)} must hold W1, W2 …, it holds {listed(names)}")
    layers = list(itertools.takewhile(lambda name: name in names, (f"W{layer}" for layer in itertools.count(1))))
    if beyond := sorted(name for name in names if re.fullmatch(r"W\d+", name) and name not in layers):
        raise NetworksError(f"{path} holds {beyond[0]} but no W{len(layers) + 1}; layers are W1, W2 … without a gap")
    if more := sorted(set(names) - {*layers, "q"}):
        raise NetworksError(
            f"{path} holds {listed(more)} besides {', '.join(layers)}; networks here have no "
            f"biases: train without them, and leave out what is no layer"
        )
    weights = list(read_npz(path, layers, NetworksError).values())
    if any(w.ndim == 3 and len(w) == 0 for w in weights):
        raise NetworksError(f"{path} must hold at least one network, it holds none: W1 is {weights[0].shape}")
    if all(w.ndim == 2 for w in weights) and not _fit(weights) and _fit([w.T for w in weights]):
        raise NetworksError(f"{path}: the layers fit together only when transposed; {TRANSPOSED}")
    try:
        return Networks.from_weights(weights)
    except NetworksError as error:
        raise NetworksError(f"{path}: {error}") from None


def _fit(weights: Sequence[npt.NDArray[np.generic]]) -> bool:
    return all(before.shape[1] == after.shape[0] for before, after in itertools.pairwise(weights))


def refuse_transposed(networks: Networks, samples: Samples, name: str) -> None:
    """Raises NetworksError where square layers were probably saved transposed. name: of the networks, for the error.

    Square layers fit the samples both ways. They count as transposed where the networks hardly recognise the samples
    and the transposed networks do: of the way from chance to 100 % the first go less than a quarter, and the second
    more than half.
    """
    if not fit_transposed(networks.shapes, samples):
        return
    other = Networks(tuple(w.transpose(0, 2, 1) for w in networks.weights))
    chance = 1 / len(samples.classes)
    given, transposed = (float(each.recognition(samples).mean()) for each in (networks, other))
    if given - chance < (1 - chance) / 4 and transposed - chance > (1 - chance) / 2:
        raise NetworksError(
            f"{name} recognises {given:.0%} of the samples, and {transposed:.0%} with its layers "
            f"transposed; {TRANSPOSED}"
        )
