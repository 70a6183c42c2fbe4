"""Mapping: quantized weights become targets of devices, and a table that a person can program from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.cell import Selector
from fewlevels.circuit.network.designs import DEFAULT_DESIGN, DESIGNS, StageDesign
from fewlevels.circuit.network.network_circuit import NetworkCircuit
from fewlevels.circuit.network.resistances import Window
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, number, real_array, shown
from fewlevels.common.files import name_of
from fewlevels.common.words import csv_safe
from fewlevels.devices.measured import CONDUCTANCE
from fewlevels.devices.tables import read_table
from fewlevels.devices.units import Column
from fewlevels.errors import DeviceError, MappingError
from fewlevels.networks.networks import Networks
from fewlevels.quantization.device_table import LARGEST_SIEMENS, OPEN_SIEMENS

Scheme = Literal["differential-pair", "balanced-pair", "offset-column", "bias-column"]

_SINGLE = StageDesign(
    name="single-column", summary="one column an output, and one that all are compared with", columns="single"
)
_DESIGNS: dict[Scheme, StageDesign] = {
    "differential-pair": DESIGNS[DEFAULT_DESIGN],
    "balanced-pair": StageDesign(name="balanced-pair", summary="two columns about a middle", columns="balanced"),
    "offset-column": _SINGLE,
    "bias-column": _SINGLE,
}

SAME_LEVEL = 1e-9
"""Relative difference up to which a computed target is a level of the device: far above rounding, far below devices."""

MOST_BYTES = 2**30
"""Of a table of devices: some ten million."""

PLACES = (
    *(
        Column(name=name, quantities=("number",), words=frozenset({name}), others=frozenset())
        for name in ("layer", "row", "column")
    ),
    Column(name="polarity", words=frozenset({"polarity"}), others=frozenset()),
    Column(name="target_siemens", quantities=("conductance",), words=CONDUCTANCE.words | {"target", "measured"}),
)


class Row(NamedTuple):
    """One device to program. row, column: of the weight in its layer, from 0; polarity: '+', '-' or 'reference'."""

    layer: int
    row: int
    column: int
    polarity: str
    level: int
    target_siemens: float
    target_ohm: float


@dataclass(frozen=True, eq=False)
class Mapping:
    """A quantized network on devices.

    scheme: 'differential-pair', the device of the weight's sign carries its magnitude, the other rests at the lowest
    conductance; 'balanced-pair', both about the middle of the window; 'offset-column', one device a weight, counted
    from the smallest, and one column of devices that hold weight zero; 'bias-column', the same with fixed resistors in
    that column. circuit: its crossbars. target_siemens: of each layer, (word lines, bit lines) as the circuit has them.
    """

    scheme: Scheme
    circuit: NetworkCircuit
    target_siemens: tuple[FloatArray, ...]

    @cached_property
    def level_siemens(self) -> FloatArray:
        """(states,), ascending, the conductances that devices are programmed to."""
        used = [target[mask] for target, mask in zip(self.target_siemens, self.programmed, strict=True)]
        return np.unique(np.concatenate(used))

    @property
    def programmed(self) -> tuple[npt.NDArray[np.bool_], ...]:
        """Which cells are devices that are programmed, not fixed resistors, shaped like the targets."""
        masks = [np.ones(target.shape, bool) for target in self.target_siemens]
        if self.scheme == "bias-column":
            for mask in masks:
                mask[:, -1] = False
        return tuple(masks)

    def rows(self) -> Iterator[Row]:
        """Every device to program, layer by layer, word line by word line."""
        for layer, (targets, programmed) in enumerate(zip(self.target_siemens, self.programmed, strict=True), start=1):
            for row, bit_line in np.argwhere(programmed).tolist():
                siemens = float(targets[row, bit_line])
                level = int(np.searchsorted(self.level_siemens, siemens))
                column, polarity = self._place(bit_line, targets.shape[1])
                yield Row(layer, row, column, polarity, level, siemens, 1 / siemens)

    def to_csv(self) -> str:
        """The table of `rows` with a line of names above; conductances to 12 digits, of which `read_csv` makes the
        very targets again."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(
            [*map(csv_safe, row[:-2]), f"{row.target_siemens:.12g}", f"{row.target_ohm:.12g}"] for row in self.rows()
        )
        return text.getvalue()

    def read_csv(self, path: str | Path) -> tuple[FloatArray, ...]:
        """Conductances from a table like that of `to_csv`, shaped like the targets: what was programmed, as measured.

        Read as every table of a laboratory is (see read_table); one within rounding of its target is that target.
        Raises MappingError where the file cannot be read, or a device of this mapping is missing or twice there.
        """
        places = {(r.layer, r.row, r.column, r.polarity): self._bit_line(r) for r in self.rows()}
        found = tuple(target.copy() for target in self.target_siemens)
        try:
            table = read_table(path, PLACES, example=",".join(Row._fields), others=True, most_bytes=MOST_BYTES)
        except DeviceError as error:
            raise MappingError(str(error)) from None
        numbered = [table.numbers[name].tolist() for name in ("layer", "row", "column")]
        siemens = table.numbers["target_siemens"].tolist()
        rows = zip(table.lines, *numbered, table.texts["polarity"], siemens, strict=True)
        for line, *place, polarity, measured in rows:
            at = (*place, polarity)
            if at not in places:
                whole = tuple(int(each) if each.is_integer() else each for each in place)
                raise MappingError(
                    f"{name_of(path)}, line {line}: {shown((*whole, polarity))} is no device of this "
                    "mapping, or stands twice"
                )
            if not 0 < measured < LARGEST_SIEMENS:
                raise MappingError(
                    f"{name_of(path)}, line {line}: a conductance must be positive and below "
                    f"{LARGEST_SIEMENS:g} S, got {measured} S"
                )
            cell = (int(place[1]), places.pop(at))
            target = found[int(place[0]) - 1][cell]
            found[int(place[0]) - 1][cell] = target if abs(measured - target) <= SAME_LEVEL * target else measured
        if places:
            raise MappingError(f"{name_of(path)} lacks {len(places)} of the devices, such as {next(iter(places))}")
        return found

    def _place(self, bit_line: int, bit_lines: int) -> tuple[int, str]:
        if self.circuit.design.columns != "single":
            return bit_line // 2, "+-"[bit_line % 2]
        return (bit_line, "+") if bit_line < bit_lines - 1 else (bit_line, "reference")

    def _bit_line(self, row: Row) -> int:
        return row.column if self.circuit.design.columns == "single" else 2 * row.column + (row.polarity == "-")


def map_network(
    networks: Networks,
    *,
    lowest_siemens: float,
    highest_siemens: float,
    scheme: Scheme = "differential-pair",
    available_siemens: Sequence[float] | FloatArray | None = None,
    cell: Selector | None = None,
    word_wire_ohm: float = 0.0,
    bit_wire_ohm: float = 0.0,
) -> Mapping:
    """Put one quantized network on devices, its largest weight at the highest conductance and zero at the lowest.

    available_siemens: the only conductances that the device holds; every target must be one of them.
    cell: the law of each cell, None for resistors.
    Raises MappingError where a target is none of those, or the weights have no scale.
    """
    instance("networks", networks, Networks, MappingError)
    if not isinstance(scheme, str) or scheme not in get_args(Scheme):
        raise MappingError(f"scheme must be one of {', '.join(get_args(Scheme))}, got {shown(scheme)}")
    lowest_siemens = number("lowest_siemens", lowest_siemens, MappingError)
    highest_siemens = number("highest_siemens", highest_siemens, MappingError)
    lowest = max(lowest_siemens, OPEN_SIEMENS)
    if not lowest < highest_siemens < LARGEST_SIEMENS:
        raise MappingError(
            f"a window needs lowest < highest < {LARGEST_SIEMENS:g} S, got {lowest_siemens} and "
            f"{highest_siemens} S; 20 µS is 2e-5"
        )
    circuit = NetworkCircuit.from_networks(
        networks,
        design=_DESIGNS[scheme],
        window=Window(r_min_ohm=1 / highest_siemens, r_max_ohm=1 / lowest),
        selector=cell,
        word_wire_ohm=word_wire_ohm,
        bit_wire_ohm=bit_wire_ohm,
    )
    targets = [np.clip(c.conductance_siemens, lowest, highest_siemens) for c in circuit.crossbars]
    merged = _merge(np.unique(np.concatenate([target.ravel() for target in targets])))
    if available_siemens is not None:
        merged = _snap(merged, np.maximum(_available(available_siemens), OPEN_SIEMENS), scheme)
    nearest = [merged[np.abs(merged - target[..., None]).argmin(axis=-1)] for target in targets]
    return Mapping(scheme, circuit, tuple(nearest))


def _available(siemens: object) -> FloatArray:
    levels = real_array("available_siemens", siemens, MappingError)
    if levels.ndim != 1 or not levels.size or not (np.isfinite(levels).all() and levels.min() >= 0):
        raise MappingError(f"available_siemens must list conductances of at least 0, got {shown(siemens)}")
    return levels


def _merge(values: FloatArray) -> FloatArray:
    """Ascending values without those that differ from the one before by rounding only."""
    return values[np.diff(values, prepend=-1.0) > SAME_LEVEL * values]


def _snap(values: FloatArray, available: FloatArray, scheme: Scheme) -> FloatArray:
    nearest = available[np.abs(available - values[:, None]).argmin(axis=1)]
    far = np.abs(nearest - values) > SAME_LEVEL * available.max()
    if far.any():
        missing = f"the device holds {len(available)} conductances and {values[far][0]:.4g} S is none of them"
        raise MappingError(
            f"{missing}; quantize the network to its levels"
            if scheme == "differential-pair"
            else f"{missing}; {scheme} puts zero between levels, use differential-pair"
        )
    return nearest
