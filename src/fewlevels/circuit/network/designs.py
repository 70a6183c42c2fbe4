"""Stage designs: how signed weights sit on columns, how columns are read, what drives the next layer.

The paper says none of this. Each design is one documented answer; which of them recognises is a result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from fewlevels.common.checks import instance, shown
from fewlevels.errors import CircuitError

Columns = Literal["pair", "balanced", "single"]
Reading = Literal["transimpedance", "buffered", "unbuffered"]
Raised = Literal["firing", "all"]
OffPixels = Literal["zero", "threshold"]


@dataclass(frozen=True, kw_only=True)
class StageDesign:
    """One way from a layer's currents to the next layer's voltages.

    columns: 'pair', each output is the difference of two columns, of whose devices one rests; 'balanced', the same with
    both about the middle of the window; 'single', one column each, weights counted from the smallest so that all are
    positive, and one more column, of weight zero, that all are compared with.
    reading: 'transimpedance', columns end at virtual ground; 'buffered', at a reference resistor whose voltage a buffer
    takes up; 'unbuffered', at a reference resistor whose node drives the next word line itself, without activation.
    raised: which word lines get the threshold on top of their signal to pay for the selector: every one, or only those
    whose signal is above `firing_share` of the full one. off_pixels: where inputs of 0 are held.
    """

    name: str
    summary: str
    columns: Columns = "pair"
    reading: Reading = "transimpedance"
    raised: Raised = "firing"
    off_pixels: OffPixels = "zero"
    firing_share: float = 0.02


DESIGNS = {
    design.name: design
    for design in (
        StageDesign(
            name="differential-pair",
            summary="two columns a weight, transimpedance stage, sigmoid; only units that fire are raised",
        ),
        StageDesign(
            name="differential-pair-all-raised",
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
            columns="single",
            raised="all",
            summary="all-positive columns, transimpedance stage, sigmoid; every hidden unit raised",
        ),
        StageDesign(
            name="paper-reference",
            columns="single",
            reading="buffered",
            raised="all",
            summary="all-positive columns, reference resistors, buffers, sigmoid; every hidden unit raised",
        ),
        StageDesign(
            name="paper-passive",
            columns="single",
            reading="unbuffered",
            raised="all",
            summary="all-positive columns, reference resistors that drive the next layer themselves; no activation",
        ),
    )
}
DEFAULT_DESIGN = "differential-pair"


def find_design(design: str | StageDesign, off_pixels: OffPixels | None = None) -> StageDesign:
    """A design by its name, or itself, with off pixels held elsewhere. Raises CircuitError for an unknown name."""
    if isinstance(design, str):
        if design not in DESIGNS:
            raise CircuitError(f"design must be one of {', '.join(DESIGNS)}, got {shown(design)}")
        design = DESIGNS[design]
    instance("design", design, StageDesign, CircuitError)
    if off_pixels is not None and (not isinstance(off_pixels, str) or off_pixels not in get_args(OffPixels)):
        raise CircuitError(f"off_pixels must be {' or '.join(get_args(OffPixels))}, got {shown(off_pixels)}")
    return design if off_pixels is None else replace(design, off_pixels=off_pixels)
