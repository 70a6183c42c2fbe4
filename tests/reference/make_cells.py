"""Write cells.json: current and slope of a diode in series with a resistor, in 40 digits (needs mpmath).

Run from the repository root: python -m tests.reference.make_cells
"""

from __future__ import annotations

import json
from pathlib import Path

import mpmath as mp

from fewlevels.circuit.cell import Diode

VOLTS = (-100, -10, -1, -0.1, 1e-6, 1e-3, 0.05, 0.1, 0.3, 0.5, 0.65, 0.7, 1, 2, 5, 10, 30, 100)
OHMS = (1, 10, 1e3, 1e4, 1e6, 1e9)


def main() -> None:
    mp.mp.dps = 40
    diode = Diode()
    slope_volt, saturation, gmin = map(mp.mpf, (diode.slope_volt, diode.saturation_ampere, diode.gmin_siemens))
    rows = []
    for volt in VOLTS:
        for nominal_ohm in OHMS:
            ohm = 1 / mp.mpf(1 / nominal_ohm)  # of the conductance that double precision holds
            a = 1 + gmin * ohm
            z = (volt + ohm * saturation) / (a * slope_volt) + mp.log(ohm * saturation / (a * slope_volt))
            w = mp.exp(z) if z < 0 else z
            for _ in range(200):  # Newton on w + ln w = z
                w = max(w - (w + mp.log(w) - z) / (1 + 1 / w), w / 10)
            diode_volt = (volt + ohm * saturation) / a - slope_volt * w
            ampere = saturation * mp.expm1(diode_volt / slope_volt) + gmin * diode_volt
            slope = (saturation / slope_volt) * mp.exp(diode_volt / slope_volt) + gmin
            rows.append([volt, nominal_ohm, float(ampere), float(slope / (1 + ohm * slope))])
    stored = {"columns": ["volt", "ohm", "ampere", "siemens"], "rows": rows}
    Path(__file__).with_name("cells.json").write_text(json.dumps(stored, indent=None).replace("], [", "],\n[") + "\n")


if __name__ == "__main__":
    main()
