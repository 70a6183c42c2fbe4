"""A network as a circuit: one crossbar per layer and the stages between them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from fewlevels.circuit.cell import Diode, Selector
from fewlevels.circuit.crossbar import Crossbar, check_conductance
from fewlevels.circuit.network.columns import DeviceMap
from fewlevels.circuit.network.designs import DEFAULT_DESIGN, StageDesign, find_design
from fewlevels.circuit.network.periphery import Periphery, Signed, peripheries
from fewlevels.circuit.network.point import NetworkPoint, Stage
from fewlevels.circuit.network.resistances import ResistanceTable, Window
from fewlevels.circuit.point import Engine
from fewlevels.circuit.solve import solve
from fewlevels.circuit.solvers.ideal import solve_columns
from fewlevels.circuit.solvers.passive import solve_passive
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, is_number, not_negative, real_array, shown, whole_number
from fewlevels.common.memory import at_once
from fewlevels.errors import CircuitError, NotConvergedError
from fewlevels.networks.forward import by_class
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import dense_of

DRAWS_AT_ONCE = 2000
"""Draws whose random numbers stand together, layer by layer."""
LARGEST_SPREAD = 10.0
"""Of ln(resistance), without unit: a larger number was meant in percent."""
FLOOR_VOLT = 1e-150
"""Smaller voltages leave float64 where they are divided by."""


@dataclass(frozen=True, eq=False)
class NetworkCircuit:
    """Layers of one network in series, each a crossbar, and a stage design between them.

    weights: one (word lines, outputs) per layer, quantized or not; all share one scale onto the window.
    periphery: what stands around each crossbar; by default the paper's, sigmoids and no biases.
    threshold_volt: what raised word lines get on top of their signal; None for the diode's, 0 V without a diode.
    reference_ohm: of designs that have reference resistors; None for a thousandth of r_min, and for a tenth where
    nothing buffers. A value drives its word line at its share of the full one times the input voltage, raised.
    Raises CircuitError where these cannot be.
    """

    weights: tuple[FloatArray, ...]
    _: KW_ONLY
    design: StageDesign
    window: Window
    selector: Selector | None = None
    threshold_volt: float = 0.0
    reference_ohm: float = 0.0
    word_wire_ohm: float = 0.0
    bit_wire_ohm: float = 0.0
    periphery: tuple[Periphery, ...] = ()

    @classmethod
    def from_networks(
        cls,
        networks: Networks | Network,
        *,
        design: str | StageDesign = DEFAULT_DESIGN,
        window: Window | None = None,
        selector: Selector | Literal["default"] | None = "default",
        threshold_volt: float | None = None,
        reference_ohm: float | None = None,
        word_wire_ohm: float = 0.0,
        bit_wire_ohm: float = 0.0,
        x: FloatArray | None = None,
        signed: Signed = "two-reads",
    ) -> NetworkCircuit:
        """The circuit of one network, dense layers one after the other. selector: Diode() by default, None for bare
        resistors, or any cell law. x: samples that say how far values go, and signed: how those below 0 come in; see
        `peripheries`.
        """
        networks = dense_of(networks, CircuitError)
        if len(networks) != 1:
            raise CircuitError(
                f"a network circuit is made of one network, got {len(networks)}; choose one by its index"
            )
        design = find_design(design)
        window = instance("window", Window() if window is None else window, Window, CircuitError)
        law = Diode() if isinstance(selector, str) else selector
        if threshold_volt is None:
            threshold_volt = law.threshold_volt if isinstance(law, Diode) else 0.0
        if reference_ohm is None:
            reference_ohm = design.reference_share * window.r_min_ohm
        _check_has_activation(design, networks.plain)
        around = peripheries(networks, None if design.is_passive else x, signed)
        return cls(
            tuple(each.on_lines(w[0]) for each, w in zip(around, networks.weights, strict=True)),
            periphery=around,
            design=design,
            window=window,
            selector=law,
            threshold_volt=threshold_volt,
            reference_ohm=reference_ohm,
            word_wire_ohm=word_wire_ohm,
            bit_wire_ohm=bit_wire_ohm,
        )

    def __post_init__(self) -> None:
        for name in ("threshold_volt", "reference_ohm", "word_wire_ohm", "bit_wire_ohm"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name), CircuitError))
        if self.design.has_references and not self.reference_ohm > 0:
            raise CircuitError(f"design {self.design.name} needs a reference_ohm above 0, got {self.reference_ohm}")
        if self.design.is_passive and self.has_wires:
            raise CircuitError(f"design {self.design.name} is solved with ideal wires only; set both wires to 0 ohm")
        object.__setattr__(self, "periphery", tuple(self.periphery) or (Periphery(),) * len(self.weights))
        _check_has_activation(self.design, all(each.is_plain for each in self.periphery))

    def __repr__(self) -> str:
        shape = "-".join(map(str, [self.inputs, *(w.shape[1] for w in self.weights)]))
        law = "" if self.selector is None else f", {self.selector}"
        return (
            f"<NetworkCircuit: {shape}, {self.design.name}, {self.window.r_min_ohm:g} to {self.window.r_max_ohm:g} "
            f"ohm, wires {self.word_wire_ohm:g} and {self.bit_wire_ohm:g} ohm{law}>"
        )

    @property
    def inputs(self) -> int:
        """How many inputs a sample has."""
        return self.periphery[0].inputs(len(self.weights[0]))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What of the values is not as the paper's, a sentence each: those that are scaled, those of both signs."""
        return tuple(sentence for layer, each in enumerate(self.periphery, start=1) for sentence in each.told(layer))

    @property
    def has_wires(self) -> bool:
        return self.word_wire_ohm > 0 or self.bit_wire_ohm > 0

    @cached_property
    def joint(self) -> FloatArray:
        """All weights in one row, layer after layer."""
        return np.concatenate([w.ravel() for w in self.weights])

    @cached_property
    def map(self) -> DeviceMap:
        """How the weights sit on devices. Raises CircuitError where they have no scale."""
        columns, window = self.design.columns, self.window
        if not columns.span(self.joint) > 0:
            raise CircuitError("weights that are all zero have no scale to map onto resistances")
        return columns.device_map(self.joint, 1 / window.r_max_ohm, 1 / window.r_min_ohm)

    def ampere_per_weight(self, input_volt: float, layer: int = -1) -> float:
        """The current that a weight of 1 adds to an output of a layer at a value of 1."""
        return float(self.map.siemens_per_weight) * input_volt / self.periphery[layer].full

    @cached_property
    def crossbars(self) -> tuple[Crossbar, ...]:
        """One per layer. Pairs lie side by side; single columns have the column of weight zero after them."""
        ends = [self.reference_ohm if self.design.has_references else 0.0] * len(self.weights)
        if self.design.is_passive:
            ends[-1] = 0.0
        return tuple(
            Crossbar(
                self.design.columns.conductance(w, self.map),
                word_wire_ohm=self.word_wire_ohm,
                bit_wire_ohm=self.bit_wire_ohm,
                reference_ohm=end,
                selector=self.selector,
            )
            for w, end in zip(self.weights, ends, strict=True)
        )

    def resistances(self) -> ResistanceTable:
        """The few resistor values that the network needs."""
        columns = self.design.columns
        return ResistanceTable.of(
            columns.listed(self.joint), self.map, self.window.r_max_ohm if columns.rests else None
        )

    def run(self, x: FloatArray, input_volt: float, *, engine: Engine = "native", nodes: bool = False) -> NetworkPoint:
        """Drive the first layer with x (samples, inputs) times input_volt and follow the currents to the last one.

        Raises CircuitError where x or input_volt cannot be, NotConvergedError where a stage does not converge.
        """
        x, input_volt = self._checked(x, input_volt)
        if self.design.is_passive:
            return self._run_passive(self.drive(x, input_volt, 0), x * input_volt, input_volt, engine)
        stages: list[Stage] = []
        values = computed = x
        for layer, (crossbar, periphery) in enumerate(zip(self.crossbars, self.periphery, strict=True)):
            drive = self.drive(values, input_volt, layer)
            point = solve(crossbar, drive, engine=engine, nodes=nodes).require_converged()
            shares = periphery.shares(computed) * input_volt
            both = point.output_ampere, shares @ crossbar.conductance_siemens
            columns, computed_columns = (periphery.combined(each) for each in both)
            if layer == len(self.crossbars) - 1:
                outputs = (self.outputs(each, input_volt) for each in (columns, computed_columns))
                stages.append(Stage(point, *outputs))
                break
            stages.append(Stage(point, self.signal(columns), self.signal(computed_columns)))
            values, computed = (self.values(each, input_volt, layer) for each in (columns, computed_columns))
        return NetworkPoint(input_volt, tuple(stages))

    def run_draws(
        self, x: FloatArray, input_volt: float, *, draws: int, log_spread: float, rng: np.random.Generator
    ) -> FloatArray:
        """Output currents (draws, samples, outputs) of circuits whose every resistance is multiplied by its own
        exp(log_spread * normal). Raises CircuitError and NotConvergedError as `run` does."""
        draws = whole_number("draws", draws, CircuitError, least=1, most=2**31 - 1)
        if not_negative("log_spread", log_spread, CircuitError) > LARGEST_SPREAD:
            raise CircuitError(f"log_spread must be at most {LARGEST_SPREAD:g}, got {log_spread}; 5 % is 0.05")
        instance("rng", rng, np.random.Generator, CircuitError)
        x, input_volt = self._checked(x, input_volt)
        layers = [crossbar.conductance_siemens for crossbar in self.crossbars]
        widest = max(g.shape[1] for g in layers)
        most = at_once(8 * (3 * sum(g.size for g in layers) + 6 * len(x) * widest), most=DRAWS_AT_ONCE)
        outputs = []
        for begin in range(0, draws, DRAWS_AT_ONCE):
            ends = range(begin, min(begin + DRAWS_AT_ONCE, draws), most)
            counts = [min(most, begin + DRAWS_AT_ONCE - start, draws - start) for start in ends]
            luck = [rng] * len(layers)
            if len(counts) > 1:  # in pieces, each layer's numbers are drawn where they would stand without
                for layer, g in enumerate(layers):
                    luck[layer] = copy.deepcopy(rng)
                    for chips in counts:
                        rng.standard_normal((chips, *g.shape))
            for chips in counts:
                drawn = [
                    g * np.exp(log_spread * own.standard_normal((chips, *g.shape)))
                    for g, own in zip(layers, luck, strict=True)
                ]
                outputs.append(self.run_chips(x, input_volt, drawn))
        return np.concatenate(outputs)

    def run_chips(
        self, x: FloatArray, input_volt: float, conductance_siemens: Sequence[FloatArray], threads: int | None = None
    ) -> FloatArray:
        """Output currents (chips, samples, outputs) of this circuit with other devices in it.

        conductance_siemens: of each layer, (chips, word lines, bit lines), at least 0. With ideal wires all chips are
        solved at once by as many threads as pay, or as are given; else one by one.
        Raises CircuitError and NotConvergedError as `run` does.
        """
        x, input_volt = self._checked(x, input_volt)
        if self.design.is_passive or self.has_wires:
            return np.array(
                [
                    self._with_devices(chip).run(x, input_volt).output_ampere
                    for chip in zip(*conductance_siemens, strict=True)
                ]
            )
        values = x[None]
        for layer, (crossbar, conductance) in enumerate(zip(self.crossbars, conductance_siemens, strict=True)):
            check_conductance(conductance)
            drive = self.drive(values, input_volt, layer)
            columns = solve_columns(
                conductance, drive, selector=self.selector, reference_ohm=crossbar.reference_ohm, threads=threads
            )
            if not np.isfinite(columns.residual).all():
                raise NotConvergedError(
                    "a current is beyond float64 in a circuit driven by up to "
                    f"{np.abs(drive).max():g} V; lower the voltage"
                )
            if not columns.converged.all():
                raise NotConvergedError("a drawn circuit did not converge; lower the reference resistors")
            currents = self.periphery[layer].combined(columns.output_ampere)
            if layer < len(self.crossbars) - 1:
                values = self.values(currents, input_volt, layer)
        return self.outputs(currents, input_volt)

    def signal(self, column_ampere: FloatArray) -> FloatArray:
        """What stands for each output: the difference of a pair, or the column alone. (…, columns) -> (…, outputs)"""
        return self.design.columns.signal(column_ampere)

    def sums(self, column_ampere: FloatArray, input_volt: float, layer: int = -1) -> FloatArray:
        """The sums of weights times values that the currents of a layer tell: (…, columns) -> (…, outputs)."""
        return self.design.columns.sums(column_ampere, self.ampere_per_weight(input_volt, layer))

    def values(self, column_ampere: FloatArray, input_volt: float, layer: int) -> FloatArray:
        """The activation block of a layer: (…, columns) ampere -> (…, outputs), without unit."""
        return self.periphery[layer].values(self.sums(column_ampere, input_volt, layer))

    def outputs(self, column_ampere: FloatArray, input_volt: float) -> FloatArray:
        """The currents of the last layer that are compared: (…, columns) -> (…, classes). They are what stands for each
        output, with its digital bias as a current; of one output its negative and itself.
        """
        last, outputs = self.periphery[-1], self.weights[-1].shape[1]
        if last.bias is None and last.activation.keeps_order and outputs > 1:
            return self.signal(column_ampere)
        return self.outputs_of(self.sums(column_ampere, input_volt), input_volt)

    def outputs_of(self, sums: FloatArray, input_volt: float) -> FloatArray:
        """`outputs` of sums (…, outputs) without the bias. They are compared after an activation that may make equal
        what differs, before any other."""
        last = self.periphery[-1]
        values = sums if last.bias is None else sums + last.bias
        values = values if last.activation.keeps_order else last.activation.value(values)
        return by_class(values) * self.ampere_per_weight(input_volt)

    def drive(self, values: FloatArray, input_volt: float, layer: int) -> FloatArray:
        """Voltages of a layer's word lines: (…, samples, values) -> (…, reads of samples, word lines); raised where the
        design says so, those of constants always."""
        periphery = self.periphery[layer]
        share = periphery.shares(values)
        signal = share * input_volt
        raised = self.design.raised_units(share) if layer else self.design.raised_inputs(signal)
        constant = np.arange(share.shape[-1]) >= share.shape[-1] - periphery.constants
        return signal + np.where(raised | (constant & (share > 0)), self.threshold_volt, 0.0)

    @property
    def causes(self) -> tuple[str, ...]:
        """The imperfections that this circuit has, as `without` names them."""
        has = {
            "diode": self.selector is not None,
            "wires": self.has_wires,
            "loading": self.design.has_references and not self.design.is_passive,
        }
        return tuple(cause for cause, there in has.items() if there)

    def without(self, cause: str) -> NetworkCircuit:
        """The same circuit with one imperfection switched off: 'diode', 'wires' or 'loading' (of the columns)."""
        match cause:
            case "diode":
                return replace(self, selector=None, threshold_volt=0.0)
            case "wires":
                return replace(self, word_wire_ohm=0.0, bit_wire_ohm=0.0)
            case "loading":
                if self.design.is_passive:
                    return self
                return replace(self, design=self.design.grounded(), reference_ohm=0.0)
        raise CircuitError(f"cause must be diode, wires or loading, got {cause!r}")

    def _checked(self, x: FloatArray, input_volt: float) -> tuple[FloatArray, float]:
        x = real_array("x", x, CircuitError)
        if x.ndim != 2 or x.shape[1] != self.inputs or not np.isfinite(x).all():
            raise CircuitError(f"x must be (samples, {self.inputs} inputs) and finite, got shape {x.shape}")
        if not is_number(input_volt) or not input_volt >= FLOOR_VOLT:
            raise CircuitError(f"the input voltage must be positive, got {shown(input_volt)}")
        return x, float(input_volt)

    def _run_passive(self, drive: FloatArray, signal: FloatArray, input_volt: float, engine: Engine) -> NetworkPoint:
        if engine != "native":
            raise CircuitError(f"design {self.design.name} cannot be cut into stages; run its netlist instead")
        points = solve_passive(self.crossbars, self.reference_ohm, drive)
        stages = []
        for crossbar, point in zip(self.crossbars, points, strict=True):
            computed = signal @ crossbar.conductance_siemens
            stages.append(Stage(point.require_converged(), self.signal(point.output_ampere), self.signal(computed)))
            signal = np.maximum(self.signal(computed) * self.reference_ohm - self.threshold_volt, 0)
        return NetworkPoint(input_volt, tuple(stages))

    def _with_devices(self, conductance_siemens: Sequence[FloatArray]) -> NetworkCircuit:
        other = replace(self)
        other.__dict__["crossbars"] = tuple(  # takes the place of the cached property
            replace(crossbar, conductance_siemens=conductance)
            for crossbar, conductance in zip(self.crossbars, conductance_siemens, strict=True)
        )
        return other


def _check_has_activation(design: StageDesign, is_plain: bool) -> None:
    """Raises CircuitError where a design has no activation block and values are not plain, which need one."""
    if design.is_passive and not is_plain:
        raise CircuitError(
            f"design {design.name} has no activation block, which biases and units other than sigmoids need"
        )
