"""The netlist of a whole network at one input, with the native result of every output written beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fewlevels.circuit.network.network_circuit import NetworkCircuit
from fewlevels.circuit.network.point import NetworkPoint
from fewlevels.circuit.spice.crossbar_deck import (
    DIALECTS,
    GROUND,
    Dialect,
    behavioural,
    crossbar_elements,
    deck,
    number,
    source,
)
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, one_of, real_array
from fewlevels.errors import CircuitError
from fewlevels.networks.activations import UnitActivation

MOST_CELLS = 1_000_000
"""Of a deck. With ideal wires ngspice takes 2 GB and a minute for 640 000 cells, more with resistive ones."""

READS = ("", "N")
"""In names of elements and nodes: of the first read, which may be the only one, and of that of values below 0."""


def network_deck(
    circuit: NetworkCircuit,
    x: FloatArray,
    input_volt: float,
    *,
    dialect: Dialect = "spice",
    title: str = "fewlevels network",
    comments: Sequence[str] = (),
) -> str:
    """A self-contained deck of all layers and stages, driven by one sample x, (inputs,).

    Column j of layer l ends in the source VL{l}C{j}, whose current is the column's; word line i of layer l + 1 is node
    l{l+1}in{i}. Of a layer that is read twice for a sample, there are two, the second with an N after the layer's
    number. Activations are behavioural sources. Raises CircuitError as NetworkCircuit.run does, and for more than
    MOST_CELLS cells.
    """
    instance("circuit", circuit, NetworkCircuit, CircuitError)
    one_of("dialect", dialect, DIALECTS, CircuitError)
    reads = [periphery.reads for periphery in circuit.periphery]
    cells = sum(bar.conductance_siemens.size * times for bar, times in zip(circuit.crossbars, reads, strict=True))
    if cells > MOST_CELLS:
        raise CircuitError(
            f"a deck of {cells} cells is more than ngspice takes, some {MOST_CELLS}; 'fewlevels simulate' and 'fit' "
            "solve the network natively"
        )
    point = circuit.run(real_array("x", x, CircuitError)[None], input_volt)
    body, expected = [], []
    for layer in range(1, len(circuit.crossbars) + 1):
        for lines in _layer(circuit, point, layer, dialect):
            body += lines.elements
            expected += lines.expected
    header = [
        f"design {circuit.design.name}: {circuit.design.summary}",
        f"input {input_volt:g} V, word lines raised by {circuit.threshold_volt:g} V, "
        f"R_min {circuit.window.r_min_ohm:g} ohm, R_max {circuit.window.r_max_ohm:g} ohm, "
        f"wires {circuit.word_wire_ohm:g} and {circuit.bit_wire_ohm:g} ohm",
        *comments,
        *str(circuit.resistances()).splitlines(),
        *expected,
    ]
    return deck(title, header, body, circuit.selector, dialect)


class _Lines(NamedTuple):
    elements: list[str]
    expected: list[str]


def _layer(circuit: NetworkCircuit, point: NetworkPoint, layer: int, dialect: Dialect) -> Iterator[_Lines]:
    """A layer, from 1, as often as it is read for one sample: what drives its word lines, its crossbar, the sources
    that its columns end in, and what to expect of them.
    """
    crossbar, volts = circuit.crossbars[layer - 1], point.stages[layer - 1].point.input_volt
    passive, last = circuit.design.is_passive, layer == len(circuit.crossbars)
    for read, mark in enumerate(READS[: len(volts)]):
        drivers = _Lines([], [])
        words = [f"l{layer}{mark.lower()}in{i}" for i in range(crossbar.word_lines)]
        if passive and layer > 1:
            words = [f"L{layer - 1}Xfoot{i}" for i in range(crossbar.word_lines)]
        else:
            drivers = _drivers(circuit, layer, read, words, volts[read], point.input_volt, dialect)
        columns = range(crossbar.bit_lines)
        ends = [f"l{layer}{mark.lower()}end{j}" for j in columns]
        body = [*crossbar_elements(crossbar, f"L{layer}{mark}X", words, ends, dialect)]
        body += [source(f"VL{layer}{mark}C{j}", end, GROUND, 0.0, dialect) for j, end in enumerate(ends)]
        ampere = point.stages[layer - 1].point.output_ampere[read]
        # A passive column's reference carries what the next layer leaves of its current.
        told = columns if last or not passive else range(0)
        expected = [f"expected i(VL{layer}{mark}C{j}) = {float(ampere[j])!r} A" for j in told]
        yield _Lines(drivers.elements + body, drivers.expected + expected)


def _drivers(
    circuit: NetworkCircuit,
    layer: int,
    read: int,
    words: list[str],
    volts: FloatArray,
    input_volt: float,
    dialect: Dialect,
) -> _Lines:
    """What drives the word lines of a layer in one read: sources of the sample and of constants, and behavioural ones
    of hidden units."""
    periphery = circuit.periphery[layer - 1]
    mark, inputs = READS[read], periphery.inputs(len(words))
    fixed = range(len(words)) if layer == 1 else range(len(words) - periphery.constants, len(words))
    found = _Lines([], [])
    for i, (node, volt) in enumerate(zip(words, volts, strict=True)):
        if i in fixed:
            name = f"VIN{mark}{i}" if layer == 1 else f"VL{layer}{mark}ONE{i}"
            found.elements.append(source(name, node, GROUND, volt, dialect))
            continue
        share = _share(circuit, layer - 1, i % inputs, input_volt, dialect)
        if periphery.signed is not None:
            share = f"max({share},0)" if read == 0 and i < inputs else f"max(-{share},0)"
        raised = _raised(circuit, share, dialect)
        name = f"L{layer - 1}{mark}H{i}"
        found.elements.append(behavioural(name, node, f"{number(input_volt)}*{share}{raised}", dialect))
        found.expected.append(f"expected v({node}) = {float(volt)!r} V")
    return found


def _share(circuit: NetworkCircuit, layer: int, j: int, input_volt: float, dialect: Dialect) -> str:
    """What unit j of a layer, from 1, gives the next one, as a share of the full signal there: an expression that a
    minus can stand before."""

    def current(column: int, mark: str) -> str:
        probe = f"VL{layer}{mark}C{column}"
        return f'i("{probe}:p")' if dialect == "spectre" else f"i({probe})"

    periphery, full = circuit.periphery[layer - 1], circuit.periphery[layer].full
    own, other = circuit.design.columns.compared(j, circuit.crossbars[layer - 1].bit_lines)
    reads = [f"({current(own, mark)}-{current(other, mark)})" for mark in READS[: periphery.reads]]
    both = reads[0] if len(reads) == 1 else f"({'-'.join(reads)})"
    z = f"{number(1 / circuit.ampere_per_weight(input_volt, layer - 1))}*{both}"
    if periphery.bias is not None:
        z = f"({z}+({number(periphery.bias[j])}))"
    activation: UnitActivation = periphery.activation  # type: ignore[assignment]  # a hidden layer's is one
    value = activation.spice(z)
    return value if full == 1 else f"({value}/{number(full)})"


def _raised(circuit: NetworkCircuit, share: str, dialect: Dialect) -> str:
    if circuit.threshold_volt == 0:
        return ""
    if circuit.design.raises_all:
        return f"+{number(circuit.threshold_volt)}"
    step = (
        f"({share}>{number(circuit.design.firing_fraction)})"
        if dialect == "spectre"
        else (f"u({share}-{number(circuit.design.firing_fraction)})")
    )
    return f"+{number(circuit.threshold_volt)}*{step}"
