"""Hints: what may be wrong where a network recognises far less than one that works would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fewlevels.common.proportions import percent
from fewlevels.errors import NetworksError
from fewlevels.networks.activations import RELU, SOFTMAX, TANH
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.transposed import TRANSPOSED, fit_transposed
from fewlevels.samples.samples import Samples

TRIED = 300
"""Samples that are looked at, at most."""

BETTER = 0.1
"""By how much more other units must recognise to be named."""

Predict = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.intp]]


def hint(network: Network | Networks, x: npt.NDArray[np.generic], y: npt.NDArray[np.intp], classes: int) -> str:
    """A sentence where the network recognises less than a quarter of the way from chance to all samples; else nothing.

    x: (samples, …), with labels y of so many classes. What is named is what would bring recognition over half that way:
    another scale of the inputs, or another order of the classes. Otherwise all that is often wrong is named.
    """
    chosen = np.unique(np.linspace(0, len(x) - 1, min(TRIED, len(x))).astype(np.intp))
    some, labels = np.asarray(x[chosen], np.float64), y[chosen]
    chance = 1 / max(classes, 2)
    predict = _predicting(network)
    decided = predict(some)
    share = float((decided == labels).mean())
    if share - chance >= (1 - chance) / 4:
        return ""
    said = f"It recognises {percent(share)}, where chance is {percent(chance)}"
    what, other = max(_tries(predict, some, decided, labels), key=lambda each: each[1])
    if other - chance > (1 - chance) / 2:
        return f"{said}; {what} it would be {percent(other)}."
    return (
        f"{said}: its inputs may be meant on another scale, its classes in another order, its weights transposed, or "
        "its units others."
    )


def assumed_sigmoids(called: str) -> str:
    """A sentence for a file of layers that does not say what its units are. called: the file's name."""
    return f"{called} names no activations: its units are taken for sigmoids."


def other_units(networks: Networks, x: npt.NDArray[np.generic], y: npt.NDArray[np.intp]) -> str:
    """A sentence where networks that are only taken for sigmoids recognise clearly more with other units."""
    x, y = np.asarray(x[:TRIED], np.float64).reshape(len(x[:TRIED]), -1), y[:TRIED]
    hidden = len(networks.weights) - 1
    found = {}
    for unit in (RELU, TANH):
        other = Networks(networks.weights, biases=networks.biases, activations=(*[unit] * hidden, SOFTMAX))
        found[unit.name] = float((_predicting(other)(x) == y).mean())
    best, own = max(found, key=lambda name: found[name]), float((_predicting(networks)(x) == y).mean())
    if found[best] - own <= BETTER:
        return ""
    told = f"With {best} units it would recognise {percent(found[best])} in place of {percent(own)}"
    return f"{told}: --activation {best},softmax."


def _predicting(network: Network | Networks) -> Predict:
    if isinstance(network, Network):
        return lambda x: network.predict(x.astype(np.float32))
    return lambda x: np.asarray(network.labelled(x).y, np.intp)


def _tries(
    predict: Predict, x: npt.NDArray[np.float64], decided: npt.NDArray[np.intp], y: npt.NDArray[np.intp]
) -> Iterator[tuple[str, float]]:
    """What could be meant, in words, and the share that is recognised so."""
    low, high, mean, spread = float(x.min()), float(x.max()), float(x.mean()), float(x.std())
    if high > low:
        scaled = {
            f"with inputs divided by {high:.6g}": x / high if high > 0 else x,
            "with inputs from -1 to 1": 2 * (x - low) / (high - low) - 1,
            "with inputs of mean 0 and standard deviation 1": (x - mean) / spread,
            "with inputs multiplied by 255": 255 * x,
        }
        for what, other in scaled.items():
            yield what, float((predict(other) == y).mean())
    from scipy.optimize import linear_sum_assignment

    confusion = np.zeros((max(decided.max(), y.max()) + 1,) * 2)
    np.add.at(confusion, (decided, y), 1)
    rows, columns = linear_sum_assignment(-confusion)
    yield "with its classes in another order", float(confusion[rows, columns].sum() / len(y))


def refuse_transposed(networks: Networks, samples: Samples, name: str) -> None:
    """Raises NetworksError where square layers were probably saved transposed. name: of the networks, for the error.

    Square layers fit the samples both ways. They count as transposed where the networks hardly recognise the samples
    and the transposed networks do: of the way from chance to 100 % the first go less than a quarter, and the second
    more than half.
    """
    if not fit_transposed(networks.shapes, samples):
        return
    other = replace(networks, weights=tuple(w.transpose(0, 2, 1) for w in networks.weights))
    chance = 1 / len(samples.classes)
    given, transposed = (float(each.recognition(samples).mean()) for each in (networks, other))
    if given - chance < (1 - chance) / 4 and transposed - chance > (1 - chance) / 2:
        raise NetworksError(
            f"{name} recognises {given:.0%} of the samples, and {transposed:.0%} with its layers "
            f"transposed; {TRANSPOSED}"
        )
