"""Circuits whose currents ngspice computed once: 25 x 10 and 64 x 64, with and without wires and diodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fewlevels.circuit.cell import Diode
from fewlevels.circuit.crossbar import Crossbar


def reference_circuits() -> Iterator[tuple[str, Crossbar, np.ndarray]]:
    """Name, crossbar and input (word lines,) of each. Resistances 1 kohm to 100 kohm in even ratios, as typed in by
    hand: no digit of the deck depends on a random number generator's version."""
    for rows, columns in ((25, 10), (64, 64)):
        row, column = np.ogrid[:rows, :columns]
        ohm = 1000.0 * 10 ** (((7 * row + 3 * column + row * column) % 21) / 10)
        for wires in ("ideal", "wires"):
            for selector in ("resistor", "diode"):
                volt = np.where(np.arange(rows) % 3 == 0, 0.0, 1.65 + 0.05 * (np.arange(rows) % 7))
                yield (
                    f"{rows}x{columns}-{wires}-{selector}",
                    Crossbar(
                        1 / ohm,
                        word_wire_ohm=2.5 if wires == "wires" else 0.0,
                        bit_wire_ohm=1.5 if wires == "wires" else 0.0,
                        reference_ohm=200.0 if rows == 25 else 0.0,
                        selector=Diode(series_ohm=3.0) if selector == "diode" else None,
                    ),
                    volt,
                )
