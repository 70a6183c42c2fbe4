"""The circuit: crossbars of resistive cells with selectors, solved natively and checked against ngspice."""

from fewlevels.circuit.cell import Cubic, Diode, Resistor, Selector, Sinh
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.designs import DEFAULT_DESIGN, DESIGNS, StageDesign
from fewlevels.circuit.network_circuit import NetworkCircuit, NetworkPoint, current_gap
from fewlevels.circuit.point import ENGINES, Engine, OperatingPoint
from fewlevels.circuit.resistances import ResistanceTable, Window
from fewlevels.circuit.solve import solve

__all__ = [
    "DEFAULT_DESIGN",
    "DESIGNS",
    "ENGINES",
    "Crossbar",
    "Cubic",
    "Diode",
    "Engine",
    "NetworkCircuit",
    "NetworkPoint",
    "OperatingPoint",
    "ResistanceTable",
    "Resistor",
    "Selector",
    "Sinh",
    "StageDesign",
    "Window",
    "current_gap",
    "solve",
]
