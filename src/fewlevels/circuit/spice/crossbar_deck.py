"""Netlists: a crossbar as a deck that ngspice and LTspice read, or as a Spectre netlist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from fewlevels.circuit.cell import Diode
from fewlevels.circuit.crossbar import Crossbar, check_input
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, one_of
from fewlevels.common.words import in_deck
from fewlevels.errors import CircuitError

Dialect = Literal["spice", "spectre"]
DIALECTS: tuple[Dialect, ...] = ("spice", "spectre")
GROUND = "0"
"""The name of the ground node, the same in both dialects."""


def crossbar_deck(
    crossbar: Crossbar,
    input_volt: FloatArray,
    *,
    dialect: Dialect = "spice",
    title: str = "crossbar",
    comments: Sequence[str] = (),
    expected_ampere: FloatArray | None = None,
) -> str:
    """A self-contained deck of one crossbar at one input, (word lines,) volts.

    Current out of bit line j is that through the source VOUTj. expected_ampere: (bit lines,), written as comments.
    """
    instance("crossbar", crossbar, Crossbar, CircuitError)
    one_of("dialect", dialect, DIALECTS, CircuitError)
    input_volt = check_input(input_volt, crossbar.word_lines)[0]
    inputs = [f"in{i}" for i in range(crossbar.word_lines)]
    feet = [f"out{j}" for j in range(crossbar.bit_lines)]
    lines = list(comments)
    if expected_ampere is not None:
        lines += [f"expected i(VOUT{j}) = {ampere!r} A" for j, ampere in enumerate(map(float, expected_ampere))]
    body = [
        source(f"VIN{i}", node, GROUND, volt, dialect)
        for i, (node, volt) in enumerate(zip(inputs, input_volt, strict=True))
    ]
    body += crossbar_elements(crossbar, "", inputs, feet, dialect)
    body += [source(f"VOUT{j}", node, GROUND, 0.0, dialect) for j, node in enumerate(feet)]
    return deck(title, lines, body, crossbar.selector, dialect)


def deck(title: str, comments: Sequence[str], body: Sequence[str], selector: object, dialect: Dialect = "spice") -> str:
    """Title, comments, elements, the diode's model and what makes both engines solve the same circuit.

    Title and comments may hold any text: they become one line of ASCII each, which says nothing to a simulator.
    """
    title, comments = in_deck(title), [in_deck(line) for line in comments]
    gmin, celsius = 0.0, 27.0
    models = []
    if isinstance(selector, Diode):
        gmin, celsius = selector.gmin_siemens, selector.temperature_kelvin - 273.15
        numbers = (
            f"is={number(selector.saturation_ampere)} n={number(selector.ideality)} rs={number(selector.series_ohm)}"
        )
        models = [f"model selector diode {numbers}" if dialect == "spectre" else f".model selector d({numbers})"]
    elif selector is not None:
        raise CircuitError(f"decks know diodes and plain resistors, not {type(selector).__name__}")
    temperature = f"{celsius:.10g}"
    if dialect == "spectre":
        return "\n".join(
            [
                f"// {title}",
                *(f"// {line}" for line in comments),
                "simulator lang=spectre",
                f"global {GROUND}",
                *models,
                *body,
                f"settings options temp={temperature} tnom={temperature} gmin={number(gmin or 1e-15)} reltol=1e-9 "
                "iabstol=1e-15 vabstol=1e-10",
                "operatingPoint dc",
                "",
            ]
        )
    options = f"reltol=1e-9 abstol=1e-15 vntol=1e-10 gmin={number(gmin or 1e-15)} temp={temperature} tnom={temperature}"
    return "\n".join(
        [
            f"* {title}",
            *(f"* {line}" for line in comments),
            *body,
            *models,
            f".options {options} itl1=1000",
            ".op",
            ".end",
            "",
        ]
    )


def crossbar_elements(
    crossbar: Crossbar, prefix: str, inputs: Sequence[str], feet: Sequence[str], dialect: Dialect = "spice"
) -> Iterator[str]:
    """Elements between the nodes that drive the word lines and those where the bit lines end.

    Word node, bit node and the node between device and diode of cell (i, j) are w{i}_{j}, b{i}_{j} and m{i}_{j} after
    the prefix. An ideal wire's nodes are the one at its end. An open cell, of 0 S, has no elements.
    """
    rows, columns = crossbar.word_lines, crossbar.bit_lines
    for i in range(rows):
        word = word_nodes(crossbar, prefix, i, inputs[i])
        if crossbar.word_wire_ohm > 0:
            for j, (left, right) in enumerate(zip([inputs[i], *word], word, strict=False)):
                yield resistor(f"R{prefix}W{i}_{j}", left, right, crossbar.word_wire_ohm, dialect)
        for j in map(int, np.flatnonzero(crossbar.conductance_siemens[i])):
            name, bit = f"{prefix}{i}_{j}", bit_node(crossbar, prefix, i, j, feet)
            ohm = 1 / float(crossbar.conductance_siemens[i, j])
            if crossbar.selector is None:
                yield resistor(f"R{name}", word[j], bit, ohm, dialect)
            else:
                yield resistor(f"R{name}", word[j], f"{prefix}m{i}_{j}", ohm, dialect)
                yield (
                    f"D{name} ({prefix}m{i}_{j} {bit}) selector"
                    if dialect == "spectre"
                    else f"D{name} {prefix}m{i}_{j} {bit} selector"
                )
    for j in range(columns):
        if crossbar.bit_wire_ohm > 0:
            nodes = [bit_node(crossbar, prefix, i, j, feet) for i in range(rows)]
            end = feet[j] if crossbar.reference_ohm == 0 else f"{prefix}foot{j}"
            for i, (above, below) in enumerate(zip(nodes, [*nodes[1:], end], strict=True)):
                yield resistor(f"R{prefix}B{i}_{j}", above, below, crossbar.bit_wire_ohm, dialect)
        if crossbar.reference_ohm > 0:
            yield resistor(f"R{prefix}REF{j}", f"{prefix}foot{j}", feet[j], crossbar.reference_ohm, dialect)


def word_nodes(crossbar: Crossbar, prefix: str, i: int, driver: str) -> list[str]:
    """The node of each cell of a word line."""
    return [f"{prefix}w{i}_{j}" if crossbar.word_wire_ohm > 0 else driver for j in range(crossbar.bit_lines)]


def bit_node(crossbar: Crossbar, prefix: str, i: int, j: int, feet: Sequence[str]) -> str:
    """The node where cell (i, j) meets its bit line."""
    if crossbar.bit_wire_ohm > 0:
        return f"{prefix}b{i}_{j}"
    return f"{prefix}foot{j}" if crossbar.reference_ohm > 0 else feet[j]


def resistor(name: str, left: str, right: str, ohm: float, dialect: Dialect) -> str:
    value = number(ohm)
    return f"{name} ({left} {right}) resistor r={value}" if dialect == "spectre" else f"{name} {left} {right} {value}"


def source(name: str, plus: str, minus: str, volt: float, dialect: Dialect) -> str:
    """A voltage source; the current through it counts from plus to minus."""
    value = number(volt)
    return f"{name} ({plus} {minus}) vsource dc={value}" if dialect == "spectre" else f"{name} {plus} {minus} {value}"


def behavioural(name: str, node: str, expression: str, dialect: Dialect) -> str:
    """A source of the voltage `expression` between node and ground."""
    return (
        f"{name} ({node} {GROUND}) bsource v={expression}"
        if dialect == "spectre"
        else f"B{name} {node} {GROUND} V={expression}"
    )


def number(value: float) -> str:
    """A number in full precision, NumPy's or not."""
    return repr(float(value))
