"""NetworkPoint: all stages of a network's circuit at rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.point import OperatingPoint
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import is_whole, real_array, shown
from fewlevels.errors import CircuitError


@dataclass(frozen=True)
class Stage:
    """One layer at work: its operating point and what comes out, with and without the circuit's imperfections.

    signal_ampere, computed_ampere: (samples, outputs), the current that stands for each output, from the circuit and as
    computed, by (V - Vth) / R with each earlier stage's computed voltages: the difference of a pair, or one column.
    """

    point: OperatingPoint
    signal_ampere: FloatArray
    computed_ampere: FloatArray


@dataclass(frozen=True)
class NetworkPoint:
    """All stages of a network circuit at one input voltage."""

    input_volt: float
    stages: tuple[Stage, ...]

    def __repr__(self) -> str:
        samples = len(self.output_ampere)
        return (
            f"<NetworkPoint: {samples} {'sample' if samples == 1 else 'samples'} at {self.input_volt:g} V, "
            f"{len(self.stages)} stages, residual up to {self.residual:.1g}>"
        )

    @property
    def output_ampere(self) -> FloatArray:
        """(samples, outputs), of the last stage."""
        return self.stages[-1].signal_ampere

    @property
    def computed_ampere(self) -> FloatArray:
        """(samples, outputs), of the last stage, by (V - Vth) / R."""
        return self.stages[-1].computed_ampere

    @property
    def residual(self) -> float:
        """The largest of any stage and sample; NaN from ngspice."""
        return float(max(stage.point.residual.max() for stage in self.stages))


def current_gap(
    circuit_ampere: FloatArray, computed_ampere: FloatArray, y: npt.NDArray[np.integer] | Sequence[int]
) -> FloatArray:
    """|circuit - computed| / |computed| at each sample's own output (paper, Figure 6b), (samples,).

    circuit_ampere, computed_ampere: (…, samples, outputs). y: (samples,), the output that each sample belongs to.
    """
    circuit_ampere, computed_ampere = (
        real_array("currents", ampere, CircuitError) for ampere in (circuit_ampere, computed_ampere)
    )
    labels = (
        np.asarray(y)
        if isinstance(y, np.ndarray) or (isinstance(y, list | tuple) and all(map(is_whole, y)))
        else np.empty(0)
    )
    shape = circuit_ampere.shape[-2:]
    fits = len(shape) == 2 and shape == computed_ampere.shape[-2:] and labels.shape == shape[:1]
    if not fits or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= shape[1]:
        raise CircuitError(
            "both currents must be (…, samples, outputs), and y an output for each sample, got "
            f"{circuit_ampere.shape}, {computed_ampere.shape} and {shown(y)}"
        )
    own = np.arange(len(y)), labels
    computed = np.abs(computed_ampere[..., own[0], own[1]])
    difference = np.abs(circuit_ampere[..., own[0], own[1]] - computed_ampere[..., own[0], own[1]])
    return np.divide(difference, computed, out=np.full(np.shape(difference), np.inf), where=computed > 0)


def margins(output_ampere: FloatArray, y: npt.NDArray[np.integer], full_ampere: float) -> FloatArray:
    """By how much each sample's own output exceeds the largest other, in units of full_ampere, (…, samples)."""
    samples = np.arange(len(y))
    own = output_ampere[..., samples, y]
    others = output_ampere.copy()
    others[..., samples, y] = -np.inf
    return (own - others.max(axis=-1)) / full_ampere
