"""Stage designs: how signed weights sit on columns, how columns are read, what drives the next layer.

The paper says none of this. Each design is one documented answer; which of them recognises is a result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.network.columns import RESTING_PAIRS, SINGLE_COLUMNS, WeightColumns
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, shown
from fewlevels.errors import CircuitError

Reading = Literal["transimpedance", "buffered", "unbuffered"]
Raised = Literal["firing", "all"]
OffPixels = Literal["zero", "threshold"]

REFERENCE_SHARE: dict[Reading, float] = {"transimpedance": 0.0, "buffered": 1e-3, "unbuffered": 0.1}
"""Reference resistors unless they are given, in units of r_min: small beside a column of devices, and larger where
their voltage drives the next layer without a buffer."""


@dataclass(frozen=True, kw_only=True)
class StageDesign:
    """One way from a layer's currents to the next layer's voltages.

    columns: how weights sit on columns, and what of the columns' currents stands for an output.
    reading: 'transimpedance', columns end at virtual ground; 'buffered', at a reference resistor whose voltage a buffer
    takes up; 'unbuffered', at a reference resistor whose node drives the next word line itself, without activation.
    raised: which word lines get the threshold on top of their signal to pay for the selector: every one, or only those
    whose signal is above `firing_fraction` of the full one. off_pixels: where inputs of 0 are held.
    """

    name: str
    summary: str
    columns: WeightColumns = RESTING_PAIRS
    reading: Reading = "transimpedance"
    raised: Raised = "firing"
    off_pixels: OffPixels = "zero"
    firing_fraction: float = 0.02

    @property
    def has_references(self) -> bool:
        """Whether columns end at reference resistors."""
        return self.reading != "transimpedance"

    @property
    def is_passive(self) -> bool:
        """Whether layers drive each other, without buffers and activations: all are one circuit."""
        return self.reading == "unbuffered"

    @property
    def reference_share(self) -> float:
        """The reference resistor unless it is given, in units of r_min."""
        return REFERENCE_SHARE[self.reading]

    @property
    def raises_all(self) -> bool:
        """Whether silent units are raised, too."""
        return self.raised == "all"

    def raised_units(self, share: FloatArray) -> npt.NDArray[np.bool_]:
        """Which hidden units get the threshold, same shape. share: of the full signal that each one gives."""
        return np.full(share.shape, True) if self.raises_all else share > self.firing_fraction

    def raised_inputs(self, signal: FloatArray) -> npt.NDArray[np.bool_]:
        """Which inputs get the threshold, same shape."""
        return (signal != 0) | (self.off_pixels == "threshold")

    def grounded(self) -> StageDesign:
        """The same with columns that end at virtual ground."""
        return replace(self, reading="transimpedance")


DESIGNS = {
    design.name: design
    for design in (
        StageDesign(
            name="pair-transimpedance",
            summary="two columns a weight, transimpedance stage, sigmoid; only units that fire are raised",
        ),
        StageDesign(
            name="pair-transimpedance-all-raised",
            raised="all",
            summary="the same with every hidden unit raised by the threshold, silent ones too",
        ),
        StageDesign(
            name="reference-buffered",
            reading="buffered",
            raised="all",
            summary="two columns a weight, reference resistors, buffers, sigmoid; every hidden unit raised",
        ),
        StageDesign(
            name="paper-transimpedance",
            columns=SINGLE_COLUMNS,
            raised="all",
            summary="all-positive columns, transimpedance stage, sigmoid; every hidden unit raised",
        ),
        StageDesign(
            name="paper-reference",
            columns=SINGLE_COLUMNS,
            reading="buffered",
            raised="all",
            summary="all-positive columns, reference resistors, buffers, sigmoid; every hidden unit raised",
        ),
        StageDesign(
            name="paper-passive",
            columns=SINGLE_COLUMNS,
            reading="unbuffered",
            raised="all",
            summary="all-positive columns, reference resistors that drive the next layer themselves; no activation",
        ),
    )
}
RENAMED = {"differential-pair" + raised: "pair-transimpedance" + raised for raised in ("", "-all-raised")}
"""Names of version 0.1.0."""

DEFAULT_DESIGN = "pair-transimpedance"


def find_design(design: str | StageDesign, off_pixels: OffPixels | None = None) -> StageDesign:
    """A design by its name, or itself, with off pixels held elsewhere. Raises CircuitError for an unknown name."""
    if isinstance(design, str):
        if design in RENAMED:
            raise CircuitError(f"design {design} is now called {RENAMED[design]}")
        if design not in DESIGNS:
            raise CircuitError(f"design must be one of {', '.join(DESIGNS)}, got {shown(design)}")
        design = DESIGNS[design]
    instance("design", design, StageDesign, CircuitError)
    if off_pixels is not None and (not isinstance(off_pixels, str) or off_pixels not in get_args(OffPixels)):
        raise CircuitError(f"off_pixels must be {' or '.join(get_args(OffPixels))}, got {shown(off_pixels)}")
    return design if off_pixels is None else replace(design, off_pixels=off_pixels)
