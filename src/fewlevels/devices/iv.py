"""The bend of a measured I-V curve: a sinh or a cubic law fitted to it, and how well it fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fewlevels.circuit.cell import BENDS, Bend
from fewlevels.common.arrays import FloatArray
from fewlevels.errors import DeviceError

POOR = 0.95
"""R² below which a law is said not to describe a curve."""


LEAST_OF_FULL_SCALE = 1e-3
"""Share of the largest current from which on an error relative to the measured current means something."""


@dataclass(frozen=True, kw_only=True)
class IvFit:
    """A law fitted to a measured I-V curve, and its quality.

    conductance_siemens: of the fitted law at 0 V. r_squared: of the current. rms_relative_error: root mean square of
    (fitted - measured) / measured over the points of at least a thousandth of the largest current: others are mostly
    the meter's offset. rms_of_full_scale: the same of all points, against the largest current. largest_volt: how far
    the curve was measured.
    """

    law: Bend
    conductance_siemens: float
    r_squared: float
    rms_relative_error: float
    rms_of_full_scale: float
    largest_volt: float

    @property
    def is_poor(self) -> bool:
        """Whether the law leaves so much unexplained that it is no description of the curve."""
        return self.r_squared < POOR


def fit_iv(law: str, volt: FloatArray, ampere: FloatArray) -> IvFit:
    """The law of this name in BENDS, of least squared error in the current; volt and ampere: (points,).

    Raises DeviceError for another law, fewer than four points, or a curve that does not bend upwards.
    """
    from scipy.optimize import minimize_scalar

    if law not in BENDS:
        raise DeviceError(f"law must be one of {', '.join(BENDS)}, got {law!r}")
    if len(volt) < 4:
        raise DeviceError(f"an I-V curve needs at least four points, got {len(volt)}")
    if not (np.isfinite(volt).all() and np.isfinite(ampere).all()):
        raise DeviceError("an I-V curve needs finite voltages and currents")
    if len(different := np.unique(np.abs(volt[volt != 0]))) < 2:
        voltages = f"only {different[0]:g} V" if len(different) else "none"
        raise DeviceError(f"an I-V curve needs at least two different voltages other than 0, got {voltages}")
    largest = float(np.abs(volt).max())
    siemens = np.ones(())

    def fitted(log_scale: float) -> tuple[float, FloatArray, float]:
        """Conductance, current and squared error at a scale (in units of the largest voltage): linear in G."""
        shape, _ = BENDS[law](scale_volt=largest * float(np.exp(log_scale))).current(volt, siemens)
        conductance = float(shape @ ampere / (shape @ shape))
        current = conductance * shape
        return conductance, current, float(((current - ampere) ** 2).sum())

    grid = np.linspace(np.log(0.01), np.log(100), 100)
    best = int(np.argmin([fitted(at)[2] for at in grid]))
    if best in (0, len(grid) - 1):
        raise DeviceError(f"the I-V curve does not bend upwards as a {law} law does between 0 and {largest:g} V")
    found = minimize_scalar(
        lambda at: fitted(at)[2], bounds=(grid[best - 1], grid[best + 1]), method="bounded", options={"xatol": 1e-10}
    ).x
    conductance, current, error = fitted(found)
    if conductance <= 0:
        raise DeviceError("the I-V curve must rise with the voltage")
    full = float(np.abs(ampere).max())
    some = np.abs(ampere) >= LEAST_OF_FULL_SCALE * full
    relative = (current[some] - ampere[some]) / ampere[some]
    return IvFit(
        law=BENDS[law](scale_volt=largest * float(np.exp(found))),
        conductance_siemens=conductance,
        r_squared=1 - error / float(((ampere - ampere.mean()) ** 2).sum()),
        rms_relative_error=float(np.sqrt(np.mean(relative**2))),
        rms_of_full_scale=float(np.sqrt(np.mean((current - ampere) ** 2))) / full,
        largest_volt=largest,
    )
