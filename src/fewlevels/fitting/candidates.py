"""Candidates: a network with so many states per device, placed in every way that is searched, the likeliest first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from fewlevels.circuit.network.point import margins
from fewlevels.common.arrays import FloatArray
from fewlevels.devices.separability import equal_error_levels, geometric_levels
from fewlevels.errors import DeviceError
from fewlevels.fitting.likelihood import likelihood
from fewlevels.fitting.problem import Problem
from fewlevels.networks.forward import by_class
from fewlevels.networks.networks import Networks
from fewlevels.quantization import DeadZone, Quantizer, Table, device_levels
from fewlevels.quantization.clipped import CLIPS
from fewlevels.quantization.cutting import Cuts, assigned_values
from fewlevels.quantization.device_table import OPEN_SIEMENS
from fewlevels.quantization.protocol import searchable

SCALES = np.geomspace(0.04, 3.0, 64)
"""Of the highest level, in largest magnitudes of the network, that are tried."""

SUBSETS = 128
"""Of a level table that are tried: all where there are no more, else as many at random and those of least squared
error."""

KEPT = 8
CHUNK = 2**22
"""Weights of candidates that are judged at once: 32 MiB."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One quantized network, the name of the placement that it came from, and the conductance of its largest weight."""

    placement: str
    network: Networks
    top_siemens: float


def ranked(problem: Problem, states: int) -> list[Candidate]:
    """Candidates that need so many states per device: first the one that recognises most of the problem's data without
    any variation, of several the one of the largest margin, then the likeliest; after it at most KEPT by falling
    `likelihood`. Or none at all.
    """
    best: list[tuple[float, Candidate]] = []
    safest: tuple[tuple[float, ...], Candidate | None] = (-1.0,), None
    network = problem.network
    widest = max(len(problem.data), 1) * max(max(shape) for shape in network.shapes)
    at_once = max(1, CHUNK // max(widest, network.joint().shape[1]))
    for placement, values, top_siemens in _values(problem, states):
        for part in _in_parts((each[problem.scheme.states(each) == states] for each in values), at_once):
            found = likelihood(problem, part, np.full(len(part), top_siemens))
            first, quiet = _safest(problem, part)
            for i in _first_of_each(part, np.argsort(-found, kind="stable")):
                best.append((found[i], Candidate(placement, network.with_joint(part[[i]]), top_siemens)))
            best = sorted(best, key=lambda each: -each[0])[:KEPT]
            if (calm := (*quiet, float(found[first]))) > safest[0]:
                safest = calm, Candidate(placement, network.with_joint(part[[first]]), top_siemens)
    return [] if safest[1] is None else [safest[1], *(candidate for _, candidate in best)]


def placements(problem: Problem, states: int) -> Iterator[tuple[str, Quantizer]]:
    """How so many states can be placed: (name, quantizer for magnitudes).

    A level table is used as it is. A window is divided by a dead zone and levels where the weights are, or into states
    at equal error; where a source counts the states of a device and says neither where they lie nor how they spread, at
    a constant ratio. Schemes without a resting device give each sign states of its own, about a middle one.
    """
    device = problem.device
    available = device.available_siemens()
    if available is not None:
        yield "levels of the device", device_levels(np.maximum(available, OPEN_SIEMENS).tolist())
        return
    yield "dead zone", DeadZone()
    if not problem.scheme.rests:
        return
    if device.spread_is_known:
        try:
            placed = equal_error_levels(device, states, problem.config.conditions.after_seconds)
        except DeviceError:
            return  # a spread that vanishes within the window
        yield "equal error", _table(placed)
    elif device.states is not None and device.lowest_siemens:
        yield "constant ratio", _table(geometric_levels(device, device.states))


def _values(problem: Problem, states: int) -> Iterator[tuple[str, Iterable[FloatArray], float]]:
    """Of every placement, quantized weights (candidates, weights), piece by piece, and the conductance of their largest
    weight."""
    joint, levels = problem.network.joint(), problem.scheme.magnitudes(states)
    _, highest = problem.window_siemens
    for name, quantizer in placements(problem, states):
        settings, largest = searchable(quantizer).settings(), np.abs(joint).max()
        if not isinstance(quantizer, Table):
            yield name, (setting.quantize(joint, levels).values for setting in settings), highest
            continue
        table = np.array(quantizer.table)
        for subset in _subsets(table, levels):
            tops = SCALES[:, None] * largest
            cuts = Cuts(tops * subset / subset[-1])
            values = assigned_values(np.repeat(joint, len(SCALES), axis=0), cuts)
            yield name, [values], conductance_of(problem, float(subset[-1]))
        for clip in CLIPS if math.comb(len(table) - 1, levels - 1) > SUBSETS else ():
            found = replace(quantizer, clip=clip).quantize(joint, levels)
            above = float(found.levels[0, -1] / (clip * largest / table[-1]))
            yield name, [found.values], conductance_of(problem, above)


def _in_parts(pieces: Iterable[FloatArray], most: int) -> Iterator[FloatArray]:
    """The rows of all pieces, in parts of so many rows each, the last of what is left."""
    rows: list[FloatArray] = []
    for piece in pieces:
        for row in piece:
            rows.append(row)
            if len(rows) == most:
                yield np.array(rows)
                rows = []
    if rows:
        yield np.array(rows)


def conductance_of(problem: Problem, above_siemens: float) -> float:
    """So much above the resting conductance, without rounding where that is a level or the end of the window."""
    lowest, highest = problem.window_siemens
    available = problem.device.available_siemens()
    known = np.array([highest]) if available is None else available
    nearest = float(known[np.abs(known - lowest - above_siemens).argmin()])
    return nearest if np.isclose(nearest, lowest + above_siemens, rtol=1e-9, atol=0) else lowest + above_siemens


def _safest(problem: Problem, values: FloatArray) -> tuple[int, tuple[float, float]]:
    """The quantized network that recognises most without variation, of several the one of the largest margin; with its
    recognition and its smallest margin, in currents of the largest weight."""
    data, networks = problem.data, problem.network.with_joint(values)
    found = networks.recognition(data)
    most = np.flatnonzero(found == found.max())
    sums = by_class(networks[most].sums(data.x))
    margin = margins(sums, data.y, 1.0).min(axis=1) / np.abs(values[most]).max(axis=1)
    first = int(margin.argmax())
    return int(most[first]), (float(found.max()), float(margin[first]))


def _first_of_each(values: FloatArray, order: np.ndarray) -> list[int]:
    """The first KEPT rows in this order that differ."""
    seen: dict[bytes, int] = {}
    for index in order:
        seen.setdefault(values[index].tobytes(), int(index))
        if len(seen) == KEPT:
            break
    return list(seen.values())


def _subsets(table: FloatArray, levels: int) -> Iterator[FloatArray]:
    """So many levels of a table, the lowest among them."""
    if math.comb(len(table) - 1, levels - 1) <= SUBSETS:
        for chosen in itertools.combinations(range(1, len(table)), levels - 1):
            yield table[[0, *chosen]]
        return
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(len(table), levels)))
    for _ in range(SUBSETS):
        yield table[[0, *np.sort(1 + rng.choice(len(table) - 1, levels - 1, replace=False))]]


def _table(levels: FloatArray) -> Table:
    return Table(table=tuple((levels - levels[0]).tolist()))
