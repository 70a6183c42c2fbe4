"""Mapping: quantized weights become targets of devices, and a table that a person can program from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewlevels.chips.schemes import DEFAULT_SCHEME, SCHEMES, Scheme, find_scheme
from fewlevels.circuit.cell import Selector
from fewlevels.circuit.network.network_circuit import NetworkCircuit
from fewlevels.circuit.network.periphery import Signed
from fewlevels.circuit.network.resistances import Window
from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import number, real_array, shown
from fewlevels.common.files import name_of
from fewlevels.common.words import csv_safe
from fewlevels.devices.tables import read_table
from fewlevels.devices.units import CONDUCTANCE, Column
from fewlevels.errors import DeviceError, MappingError
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import dense_of
from fewlevels.quantization.device_table import LARGEST_SIEMENS, OPEN_SIEMENS

SAME_LEVEL = 1e-9
"""Relative difference up to which a computed target is a level of the device. Rounding is far smaller, and two levels
of a device are far further apart."""

MOST_BYTES = 2**30
"""Size of a table that is read: some ten million devices."""

PLACES = (
    *(
        Column(name=name, quantities=("number",), words=frozenset({name}), others=frozenset())
        for name in ("layer", "row", "column")
    ),
    Column(name="polarity", words=frozenset({"polarity"}), others=frozenset()),
    Column(name="target_siemens", quantities=("conductance",), words=CONDUCTANCE.words | {"target", "measured"}),
)


class Row(NamedTuple):
    """One device to program.

    row, column: word line and output of the weight in its layer, from 0. polarity: '+', '-' or 'reference'. state:
    which of the mapping's conductances it is programmed to, from 0 at the lowest.
    """

    layer: int
    row: int
    column: int
    polarity: str
    state: int
    target_siemens: float
    target_ohm: float


@dataclass(frozen=True, eq=False)
class Mapping:
    """A quantized network on devices.

    scheme: the name of one of SCHEMES. circuit: its crossbars. target_siemens: of each layer, (word lines, bit lines)
    as the circuit has them.
    """

    scheme: str
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
        return tuple(SCHEMES[self.scheme].programmed(target.shape) for target in self.target_siemens)

    def rows(self) -> Iterator[Row]:
        """Every device to program, layer by layer, word line by word line."""
        for layer, row, bit_line, column, polarity in self._programmed_cells():
            siemens = float(self.target_siemens[layer - 1][row, bit_line])
            yield Row(
                layer=layer,
                row=row,
                column=column,
                polarity=polarity,
                state=int(np.searchsorted(self.level_siemens, siemens)),
                target_siemens=siemens,
                target_ohm=1 / siemens,
            )

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
        places = {
            (layer, row, column, polarity): bit_line
            for layer, row, bit_line, column, polarity in self._programmed_cells()
        }
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

    def _programmed_cells(self) -> Iterator[tuple[int, int, int, int, str]]:
        """Of every device to program its layer, from 1, word line and bit line, and the column and polarity of its
        weight."""
        for layer, programmed in enumerate(self.programmed, start=1):
            places = self.circuit.design.columns.places(programmed.shape[1])
            for word_line, bit_line in np.argwhere(programmed).tolist():
                yield layer, word_line, bit_line, *places[bit_line]


def map_network(
    networks: Networks | Network,
    *,
    lowest_siemens: float,
    highest_siemens: float,
    scheme: str = DEFAULT_SCHEME,
    available_siemens: Sequence[float] | FloatArray | None = None,
    cell: Selector | None = None,
    word_wire_ohm: float = 0.0,
    bit_wire_ohm: float = 0.0,
    x: FloatArray | None = None,
    signed: Signed = "two-reads",
) -> Mapping:
    """Put one quantized network, dense layers one after the other, on devices: its largest weight at the highest
    conductance, and zero at the lowest.

    available_siemens: the only conductances that the device holds; every target must be one of them.
    cell: the law of each cell, None for resistors. x, signed: samples that scale the voltages, and how values below 0
    come in; see `NetworkCircuit.from_networks`.
    Raises MappingError where a target is none of those, or the weights have no scale.
    """
    networks = dense_of(networks, MappingError)
    chosen = find_scheme(scheme, MappingError)
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
        design=chosen.design,
        window=Window(r_min_ohm=1 / highest_siemens, r_max_ohm=1 / lowest),
        selector=cell,
        word_wire_ohm=word_wire_ohm,
        bit_wire_ohm=bit_wire_ohm,
        x=x,
        signed=signed,
    )
    targets = [np.clip(c.conductance_siemens, lowest, highest_siemens) for c in circuit.crossbars]
    merged = _merge(np.unique(np.concatenate([target.ravel() for target in targets])))
    if available_siemens is not None:
        merged = _snap(merged, np.maximum(_available(available_siemens), OPEN_SIEMENS), chosen)
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
            if scheme.rests
            else f"{missing}; {scheme.name} puts zero between levels, use {DEFAULT_SCHEME}"
        )
    return nearest
