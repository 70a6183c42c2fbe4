"""What a study asks of the circuit: recognition, current gap and margin at each voltage; agreement with ngspice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.cell import Diode
from fewlevels.circuit.network.deck import network_deck
from fewlevels.circuit.network.designs import DEFAULT_DESIGN, OffPixels, StageDesign, find_design
from fewlevels.circuit.network.network_circuit import NetworkCircuit
from fewlevels.circuit.network.periphery import Signed
from fewlevels.circuit.network.point import NetworkPoint, current_gap, margins
from fewlevels.circuit.network.resistances import ResistanceTable, Window
from fewlevels.circuit.point import ENGINES, Engine
from fewlevels.circuit.solve import solve
from fewlevels.circuit.spice.ngspice import ngspice_version, run_deck
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, not_negative, one_of, shown, whole_number
from fewlevels.errors import CircuitError
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import dense_of
from fewlevels.quantization import Quantized
from fewlevels.samples.samples import Samples

INPUT_VOLTS = (1.0, 5.0, 10.0)
"""Voltages of a full input, in volts: those of the paper (Figure 6b)."""


@dataclass(frozen=True, kw_only=True)
class AtVoltage:
    """One network circuit at one input voltage.

    recognised: (samples,), whether the own output's current is strictly the largest. recognition: their share.
    current_gap: (samples,), against (V - Vth) / R at the own output (paper, Figure 6b). current_margin: the least over
    samples of own minus largest other output, in currents of one device of R_min at the input voltage. residual: of the
    solver. draw_recognition: (draws,), the recognition of each drawn circuit; empty without draws.
    """

    input_volt: float
    recognition: float
    recognised: npt.NDArray[np.bool_]
    current_gap: FloatArray
    current_margin: float
    residual: float
    draw_recognition: FloatArray

    @property
    def largest_gap(self) -> float:
        """The largest absolute current gap of the samples whose computed current is not zero; NaN where all are."""
        gaps = np.abs(self.current_gap[np.isfinite(self.current_gap)])
        return float(gaps.max()) if gaps.size else math.nan


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A quantized network's circuit at several input voltages. resistances: the few values it needs."""

    circuit: NetworkCircuit
    engine: Engine
    requested_levels: int
    resistances: ResistanceTable
    voltages: tuple[AtVoltage, ...]

    @property
    def current_margin(self) -> float:
        """The least of all voltages."""
        return min(at.current_margin for at in self.voltages)

    def as_dict(self) -> dict[str, object]:
        """Plain numbers and lists, ready for JSON; a value that is not finite is None."""
        ohms, rest = [_finite(ohm) for ohm in self.resistances.resistance_ohm], self.resistances.rest_ohm
        finite = {"resistance_ohm": ohms, "rest_ohm": None if rest is None else _finite(rest)}
        return {
            "q": self.requested_levels,
            "resistances": asdict(self.resistances) | finite,
            "engine": self.engine,
            "design": self.circuit.design.name,
            "r_min_ohm": self.circuit.window.r_min_ohm,
            "voltages": [
                {
                    "input_volt": at.input_volt,
                    "recognition": at.recognition,
                    "current_gap": [_finite(gap) for gap in at.current_gap],
                    "current_margin": at.current_margin,
                    "residual": _finite(at.residual),
                    "draw_recognition": at.draw_recognition.tolist(),
                }
                for at in self.voltages
            ],
        }


def simulate(
    networks: Networks | Network,
    quantized: Quantized,
    samples: Samples,
    *,
    input_volts: Sequence[float] = INPUT_VOLTS,
    design: str | StageDesign = DEFAULT_DESIGN,
    off_pixels: OffPixels | None = None,
    r_min_ohm: float = 10e3,
    wire_ohm: float = 0.0,
    selector: Diode | None = Diode(),  # noqa: B008, frozen
    engine: Engine = "native",
    draws: int = 0,
    log_spread: float = 0.05,
    seed: int = 1,
    signed: Signed = "two-reads",
) -> Simulation:
    """The circuit of one quantized network: does it recognise, how far are its currents from (V - Vth) / R?

    networks: one model, or a `Network` of dense layers one after the other; its weights give only the shapes.
    quantized: that model's, values (1, weights). wire_ohm: of every segment, both ways. draws: circuits whose
    resistances vary by exp(log_spread * normal), native engine only. signed: how values below 0 come in. The samples
    scale what has no largest value; see `peripheries`.
    Raises CircuitError for what cannot be, NotConvergedError and EngineError where an engine fails.
    """
    networks = dense_of(networks, CircuitError)
    instance("quantized", quantized, Quantized, CircuitError)
    instance("samples", samples, Samples, CircuitError)
    one_of("engine", engine, ENGINES, CircuitError)
    seed, draws = whole_number("seed", seed, CircuitError), whole_number("draws", draws, CircuitError, most=2**31 - 1)
    log_spread = not_negative("log_spread", log_spread, CircuitError)
    if not isinstance(input_volts, list | tuple) or not input_volts:
        raise CircuitError(f"input_volts must list at least one voltage, got {shown(input_volts)}")
    if quantized.values.shape != (1, networks.joint().shape[1]):
        raise CircuitError(
            f"quantized must hold one model of {networks.joint().shape[1]} weights, got shape {quantized.values.shape}"
        )
    circuit = NetworkCircuit.from_networks(
        networks.with_joint(quantized.values),
        x=samples.x,
        signed=signed,
        design=find_design(design, off_pixels),
        window=Window(r_min_ohm=r_min_ohm),
        selector=selector,
        word_wire_ohm=wire_ohm,
        bit_wire_ohm=wire_ohm,
    )
    voltages = []
    for index, volt in enumerate(input_volts):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        drawn = circuit.run_draws(samples.x, volt, draws=draws, log_spread=log_spread, rng=rng) if draws else None
        voltages.append(at_voltage(circuit, run_whole(circuit, samples.x, volt, engine), samples.y, drawn))
    return Simulation(
        circuit=circuit,
        engine=engine,
        requested_levels=quantized.requested,
        resistances=circuit.resistances(),
        voltages=tuple(voltages),
    )


def at_voltage(
    circuit: NetworkCircuit, point: NetworkPoint, y: npt.NDArray[np.integer], drawn: FloatArray | None = None
) -> AtVoltage:
    """Recognition, gap and margin of a point. drawn: (draws, samples, outputs), currents of drawn circuits."""
    full = point.input_volt / circuit.window.r_min_ohm
    ahead = margins(point.output_ampere, y, full)
    draws = np.empty(0) if drawn is None else (margins(drawn, y, full) > 0).mean(axis=1)
    return AtVoltage(
        input_volt=point.input_volt,
        recognition=float((ahead > 0).mean()),
        recognised=ahead > 0,
        current_gap=current_gap(point.output_ampere, point.computed_ampere, y),
        current_margin=float(ahead.min()),
        residual=point.residual,
        draw_recognition=draws,
    )


def run_whole(circuit: NetworkCircuit, x: FloatArray, input_volt: float, engine: Engine) -> NetworkPoint:
    """NetworkCircuit.run; with ngspice, a design that cannot be cut into stages runs as one deck per sample."""
    if engine == "native" or not circuit.design.is_passive:
        return circuit.run(x, input_volt, engine=engine)
    point = circuit.run(x, input_volt)
    last, columns = point.stages[-1], range(circuit.crossbars[-1].bit_lines)
    found = np.array(
        [
            [values[f"i(vl{len(point.stages)}c{j})"] for j in columns]
            for values in (run_deck(network_deck(circuit, row, input_volt)) for row in x)
        ]
    )
    ran = replace(last.point, output_ampere=found, residual=np.full(len(x), math.nan), method="ngspice")
    stage = replace(last, point=ran, signal_ampere=circuit.outputs(found, input_volt))
    return NetworkPoint(point.input_volt, (*point.stages[:-1], stage))


def gap_by_cause(
    circuit: NetworkCircuit, samples: Samples, input_volt: float, *, unquantized: Networks | None = None
) -> dict[str, FloatArray]:
    """The current gap of each sample, whole and with one cause switched off at a time: {'all': …, 'diode': …, …}; a
    cause that the circuit does not have has no entry.

    What a cause contributes is 'all' minus its entry. unquantized: the network before quantizing; with it, 'all' counts
    against its computed currents, at the same scale of weights onto conductances, and 'quantization' is a cause too.
    """
    point = circuit.run(samples.x, input_volt)
    computed = point.computed_ampere
    gaps = {}
    if unquantized is not None:
        gaps["quantization"] = current_gap(point.output_ampere, computed, samples.y)
        computed = _computed_from(circuit, unquantized, samples.x, input_volt)
    gaps["all"] = current_gap(point.output_ampere, computed, samples.y)
    for cause in circuit.causes:
        off = circuit.without(cause).run(samples.x, input_volt)
        gaps[cause] = current_gap(off.output_ampere, computed, samples.y)
    return gaps


def _computed_from(circuit: NetworkCircuit, networks: Networks, x: FloatArray, input_volt: float) -> FloatArray:
    """Output currents that these weights would compute on the circuit's scale, (samples, outputs)."""
    if circuit.design.is_passive:
        raise CircuitError(f"design {circuit.design.name} has no activation, so quantization cannot be told apart")
    if not networks.plain:
        without_bias = replace(networks, biases=(*networks.biases[:-1], None))
        return circuit.outputs_of(without_bias.sums(x)[0], input_volt)
    signal = list(networks.layer_inputs(x))[-1][0]
    return circuit.design.columns.signal_of(networks.weights[-1][0], circuit.map, signal, input_volt)


@dataclass(frozen=True)
class Agreement:
    """Native against ngspice: one row for each voltage and layer, (input_volt, layer, largest relative difference).

    Differences of column currents at the same word-line voltages, relative to the current, but to no less than 1e-6 of
    the layer's largest.
    """

    rows: tuple[tuple[float, int, float], ...]
    tolerance: float
    ngspice_version: str

    @property
    def passed(self) -> bool:
        return all(difference <= self.tolerance for _, _, difference in self.rows)


def verify(
    circuit: NetworkCircuit, x: FloatArray, *, input_volts: Sequence[float] = INPUT_VOLTS, tolerance: float = 1e-9
) -> Agreement:
    """Run every stage through both engines. Raises EngineError where ngspice is missing or fails."""
    rows = []
    for volt in input_volts:
        point = circuit.run(x, volt)
        if circuit.design.is_passive:
            pairs = [
                (
                    point.stages[-1].point.output_ampere,
                    run_whole(circuit, x, volt, "ngspice").stages[-1].point.output_ampere,
                )
            ]
        else:
            pairs = [
                (
                    stage.point.output_ampere,
                    solve(stage.point.crossbar, stage.point.input_volt, engine="ngspice").output_ampere,
                )
                for stage in point.stages
            ]
        first = len(point.stages) - len(pairs) + 1
        for layer, (native, other) in enumerate(pairs, start=first):
            floor = np.maximum(np.abs(other), 1e-6 * np.abs(other).max())
            rows.append((float(volt), layer, float((np.abs(native - other) / floor).max())))
    return Agreement(tuple(rows), tolerance, ngspice_version())


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
