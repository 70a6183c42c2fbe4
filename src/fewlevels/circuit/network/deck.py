"""The netlist of a whole network at one input, with the native result of every output written beside it."""

from __future__ import annotations

from collections.abc import Sequence

from fewlevels.circuit.network.network_circuit import NetworkCircuit
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
from fewlevels.networks.activations import SIGMOID


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
    l{l+1}in{i}. Activations are behavioural sources. Raises CircuitError as NetworkCircuit.run does.
    """
    instance("circuit", circuit, NetworkCircuit, CircuitError)
    one_of("dialect", dialect, DIALECTS, CircuitError)
    point = circuit.run(real_array("x", x, CircuitError)[None], input_volt)
    passive = circuit.design.is_passive
    words = [f"l1in{i}" for i in range(circuit.crossbars[0].word_lines)]
    body = [
        source(f"VIN{i}", node, GROUND, volt, dialect)
        for i, (node, volt) in enumerate(zip(words, point.stages[0].point.input_volt[0], strict=True))
    ]
    expected = []
    for layer, (crossbar, stage) in enumerate(zip(circuit.crossbars, point.stages, strict=True), start=1):
        columns = range(crossbar.bit_lines)
        ends = [f"l{layer}end{j}" for j in columns]
        body += crossbar_elements(crossbar, f"L{layer}X", words, ends, dialect)
        body += [source(f"VL{layer}C{j}", end, GROUND, 0.0, dialect) for j, end in enumerate(ends)]
        last = layer == len(circuit.crossbars)
        if last or not passive:  # a passive column's reference carries what the next layer leaves of its current
            expected += [f"expected i(VL{layer}C{j}) = {float(stage.point.output_ampere[0, j])!r} A" for j in columns]
        if last:
            break
        outputs = circuit.crossbars[layer].word_lines
        if passive:
            words = [f"L{layer}Xfoot{j}" for j in range(outputs)]
            continue
        words = [f"l{layer + 1}in{j}" for j in range(outputs)]
        for j, node in enumerate(words):
            share = _share(circuit, layer, j, input_volt, crossbar.bit_lines, dialect)
            raised = _raised(circuit, share, dialect)
            body.append(behavioural(f"L{layer}H{j}", node, f"{number(input_volt)}*{share}{raised}", dialect))
            volt = float(point.stages[layer].point.input_volt[0, j])
            expected.append(f"expected v({node}) = {volt!r} V")
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


def _share(circuit: NetworkCircuit, layer: int, j: int, input_volt: float, columns: int, dialect: Dialect) -> str:
    """The sigmoid of NetworkCircuit.share as an expression."""

    def current(column: int) -> str:
        probe = f"VL{layer}C{column}"
        return f'i("{probe}:p")' if dialect == "spectre" else f"i({probe})"

    own, other = circuit.design.columns.compared(j, columns)
    scale = 1 / circuit.ampere_per_weight(input_volt)
    return SIGMOID.spice(f"{number(scale)}*({current(own)}-{current(other)})")


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
