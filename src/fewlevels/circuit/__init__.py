"""The circuit: crossbars of resistive cells with selectors, solved natively and checked against ngspice."""

from fewlevels.circuit.cell import Cubic, Diode, Resistor, Selector, Sinh
from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.network.designs import DEFAULT_DESIGN, DESIGNS, StageDesign
from fewlevels.circuit.network.network_circuit import NetworkCircuit
from fewlevels.circuit.network.point import NetworkPoint, current_gap
from fewlevels.circuit.network.resistances import ResistanceTable, Window
from fewlevels.circuit.point import ENGINES, Engine, OperatingPoint
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
