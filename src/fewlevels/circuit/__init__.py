"""The circuit: crossbars of resistive cells with selectors, solved natively and checked against ngspice."""

from fewlevels.circuit.cell import Cubic, Diode, Resistor, Selector, Sinh
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.solve import ENGINES, Engine, OperatingPoint, solve

__all__ = ["ENGINES", "Crossbar", "Cubic", "Diode", "Engine", "OperatingPoint", "Resistor", "Selector", "Sinh", "solve"]
