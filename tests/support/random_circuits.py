"""Random circuits of every kind, and their operating points in extended precision, found without the solvers.

python -m tests.support.random_circuits --circuits 2000 compares as many, and prints each that differs or did not
converge.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from fewlevels import Crossbar, Diode, solve
from fewlevels.circuit.cell import Cubic, Resistor, Selector, Sinh, law_numbers

LONG = np.longdouble
FLOAT64 = LONG(np.finfo(np.float64).max)
AGREES = 1e-9
"""Of the largest current in the circuit. Solutions are sought to 1e-12 of the sum of at most 144 cell currents, or to
what rounding leaves of voltages that cancel, which the residual tells."""


@dataclass(frozen=True)
class Own:
    """A user's own laws: a steep power, a rectifier without a series resistance, a kink."""

    kind: str
    scale_volt: float

    def current(self, volt: np.ndarray, conductance_siemens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, scale = volt / self.scale_volt, conductance_siemens * self.scale_volt
        if self.kind == "power":
            return scale * (x + x**7), conductance_siemens * (1 + 7 * x**6)
        if self.kind == "rectifier":
            return scale * np.expm1(x), conductance_siemens * np.exp(x)
        slope = np.where(volt > 0, 1.0, 1e-3) * conductance_siemens
        return slope * volt, slope


def random_circuit(seed: int, lines: int = 12) -> tuple[Crossbar, np.ndarray]:
    """A crossbar of up to `lines` lines each way and its input (word lines,)."""
    rng = np.random.default_rng([17, seed])
    shape = rng.integers(1, lines + 1, 2)
    low = rng.uniform(-15, -2)
    conductance = 10 ** rng.uniform(low, rng.uniform(low, 0), shape)
    if rng.random() < 0.4:
        conductance[rng.random(shape) < rng.choice([0.1, 0.6])] = 0.0
        conductance[rng.random(shape) < 0.05] = 1.0
    rows, volt = shape[0], np.zeros(shape[0])
    largest = 10 ** rng.uniform(-15, 2) if rng.random() < 0.3 else 10 ** rng.uniform(-1, 2)
    match rng.integers(5):
        case 0:
            volt = rng.choice([0.0, largest], rows)
        case 1:
            volt = rng.uniform(-largest, largest, rows)
        case 2:
            volt = rng.choice([-1.0, 1.0], rows) * 10 ** rng.uniform(-15, np.log10(largest), rows)
        case _:
            volt = rng.uniform(0, largest, rows)
    wires = [0.0 if rng.random() < 0.25 else 10 ** rng.uniform(-6, 5) for _ in range(2)]
    reference = 0.0 if rng.random() < 0.5 else 10 ** rng.uniform(-3, 7)
    return Crossbar(
        conductance,
        word_wire_ohm=wires[0],
        bit_wire_ohm=wires[1],
        reference_ohm=reference,
        selector=random_selector(rng, max(float(np.abs(volt).max()), 1e-15)),
    ), volt


def random_selector(rng: np.random.Generator, largest_volt: float) -> Selector | None:
    scale = max(1e-8, largest_volt / 10 ** rng.uniform(-1, 3))
    match rng.integers(8):
        case 0:
            return None
        case 1 | 2:
            return Diode(
                saturation_ampere=10 ** rng.uniform(-18, -3),
                ideality=rng.uniform(0.5, 10),
                series_ohm=rng.choice([0.0, 10.0]),
                gmin_siemens=rng.choice([0.0, 1e-12]),
            )
        case 3 | 4:
            return Sinh(scale_volt=scale)
        case 5:
            return Cubic(scale_volt=scale)
        case _:
            return Own(str(rng.choice(["power", "rectifier", "kink"])), scale)


def law(selector: Selector | None, volt: np.ndarray, conductance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Currents and derivatives of cells in extended precision."""
    if isinstance(selector, Diode):
        ampere, siemens = diode(selector, volt, np.where(conductance > 0, conductance, 1))
    else:
        ampere, siemens = (Resistor() if selector is None else selector).current(volt, conductance)
    return np.where(conductance > 0, ampere, 0), np.where(conductance > 0, siemens, 0)


def diode(selector: Diode, volt: np.ndarray, conductance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By Newton's method on the junction's own voltage y, in units of n k T / q, from above: k (e^y - 1) + y = x."""
    slope, saturation, gmin, series = map(LONG, law_numbers(selector))
    ohm = 1 / conductance + series
    a = 1 + gmin * ohm
    x, k = volt / (a * slope), ohm * saturation / (a * slope)
    y = np.where(x > 0, np.minimum(x, np.log1p(np.maximum(x, 0) / k)), LONG(0))
    for _ in range(500):
        step = (k * np.expm1(y) + y - x) / (k * np.exp(y) + 1)
        y = y - step
        if (np.abs(step) <= 1e-19 * np.abs(y)).all():
            break
    siemens = saturation / slope * np.exp(y) + gmin
    return saturation * np.expm1(y) + gmin * slope * y, siemens / (1 + ohm * siemens)


@dataclass
class Exact:
    """output_ampere (bit lines,), cell_ampere (word lines, bit lines), residual: Kirchhoff's by the cell currents."""

    output_ampere: np.ndarray
    cell_ampere: np.ndarray
    residual: float


class Circuit:
    """Word nodes as drops from their source, bit nodes as what they lie above their foot."""

    def __init__(self, crossbar: Crossbar, volt: np.ndarray) -> None:
        self.crossbar, self.volt = crossbar, volt.astype(LONG)[:, None]
        self.conductance = crossbar.conductance_siemens.astype(LONG)
        self.rows, self.columns = crossbar.conductance_siemens.shape
        self.word, self.bit, self.foot = (
            LONG(0) if ohm == 0 else 1 / LONG(ohm)
            for ohm in (
                crossbar.word_wire_ohm,
                crossbar.bit_wire_ohm,
                LONG(crossbar.bit_wire_ohm) + LONG(crossbar.reference_ohm),
            )
        )
        cells = self.rows * self.columns
        words = cells if self.word else 0
        bits = cells if self.bit else self.columns if self.foot else 0
        self.ground = words + bits
        index, column = np.arange(cells).reshape(self.rows, self.columns), np.arange(self.columns)
        self.word_nodes = index if self.word else np.full_like(index, self.ground)
        self.bit_nodes = (
            words + index
            if self.bit
            else (np.tile(words + column if self.foot else np.full_like(column, self.ground), (self.rows, 1)))
        )

    def imbalance(self, drop: np.ndarray, above: np.ndarray, foot: np.ndarray):
        """Current into each node, ground last; cell currents and derivatives."""
        ampere, siemens = law(self.crossbar.selector, self.volt - drop - foot - above, self.conductance)
        into = np.zeros(self.ground + 1, LONG)
        np.add.at(into, self.word_nodes, -ampere)
        np.add.at(into, self.bit_nodes, ampere)
        if self.word:
            along = np.diff(drop, axis=1, prepend=0) * self.word
            np.add.at(into, self.word_nodes, along)
            np.add.at(into, self.word_nodes[:, :-1], -along[:, 1:])
        if self.bit:
            down = -np.diff(above, axis=0) * self.bit
            np.add.at(into, self.bit_nodes[:-1], -down)
            np.add.at(into, self.bit_nodes[1:], down)
        np.add.at(into, self.bit_nodes[-1], -foot * self.foot)
        into[self.ground] = 0
        return into, ampere, siemens

    def step(self, siemens: np.ndarray, into: np.ndarray) -> np.ndarray:
        """By how much each node must rise: nodes give way to conductances between their neighbours, so that nothing is
        subtracted."""
        n = self.ground
        g = np.zeros((n + 1, n + 1), LONG)
        ends = [(self.word_nodes, self.bit_nodes, siemens)]
        if self.word:
            left = np.column_stack([np.full(self.rows, n), self.word_nodes[:, :-1]])
            ends.append((self.word_nodes, left, self.word))
        if self.bit:
            ends.append((self.bit_nodes[:-1], self.bit_nodes[1:], self.bit))
        ends.append((self.bit_nodes[-1], np.full(self.columns, n), self.foot))
        for p, q, value in ends:
            np.add.at(g, (p, q), value)
            np.add.at(g, (q, p), value)
        rise, total = np.zeros(n + 1, LONG), np.zeros(n, LONG)
        into = into.copy()
        for node in range(n):
            star, rest = g[node, node + 1 :], slice(node + 1, None)
            total[node] = star.sum()
            g[rest, rest] += np.outer(star, star / total[node])
            into[rest] += star / total[node] * into[node]
        for node in reversed(range(n)):
            rise[node] = (into[node] + g[node, node + 1 :] @ rise[node + 1 :]) / total[node]
        return rise

    def solve(self, drop: np.ndarray, bit: np.ndarray) -> Exact:
        """From these nodes, which need not be near: the operating point is the only minimum of a convex function."""
        drop, foot = drop.astype(LONG), bit[-1].astype(LONG)
        above = bit.astype(LONG) - foot
        into, ampere, siemens = self.imbalance(drop, above, foot)
        for _ in range(100 if self.ground else 0):
            rest = np.abs(into).sum()
            if rest <= 1e-18 * np.abs(ampere).sum():
                break
            rise = self.step(siemens, into)
            word, bit_rise = rise[self.word_nodes], rise[self.bit_nodes]
            share = LONG(1)
            for _ in range(60):
                moved = (drop - share * word, above + share * (bit_rise - bit_rise[-1]), foot + share * bit_rise[-1])
                state = self.imbalance(*moved)
                if np.abs(state[0]).sum() < rest:
                    break
                share /= 2
            else:
                break
            (drop, above, foot), (into, ampere, siemens) = moved, state
        current = np.abs(ampere).sum()
        output = foot * self.foot if self.foot else ampere.sum(axis=0)
        return Exact(output, ampere, float(np.abs(into).sum() / current) if current > 0 else 0.0)


def compare(seed: int, lines: int = 12) -> tuple[str, str]:
    """'agrees', 'not converged', 'beyond float64' (and said so), 'no oracle' or 'wrong', and what there is to say.

    It agrees where every output is within AGREES of the largest current and all errors together are within what the
    solver promises: the outputs of a passive network err by no more than its imbalances, whose sum the residual gives.
    """
    crossbar, volt = random_circuit(seed, lines)
    point = solve(crossbar, volt, nodes=True, keep_unconverged=True)
    assert point.drop_volt is not None and point.bit_volt is not None
    start = [np.where(np.isfinite(nodes[0]), nodes[0], 0) for nodes in (point.drop_volt, point.bit_volt)]
    with np.errstate(all="ignore"):
        exact = Circuit(crossbar, volt).solve(*start)
        largest = max(np.abs(exact.cell_ampere).max(), np.abs(exact.output_ampere).max())
        error = np.abs(point.output_ampere[0] - exact.output_ampere)
        relative = float(error.max() / largest) if largest > 0 else float(error.max())
    told = (
        f"seed {seed}: {crossbar!r}, up to {np.abs(volt).max():.3g} V, residual {point.residual[0]:.1e}, "
        f"{point.iterations[0]} steps, error {relative:.1e} of {float(largest):.1e} A, exact to "
        f"{exact.residual:.0e}"
    )
    if point.status != "converged":
        return ("beyond float64" if largest > FLOAT64 / 1e3 else "not converged"), f"{told}: {point.status}"
    if not exact.residual <= AGREES / 100:
        return "no oracle", told
    total = np.abs(exact.cell_ampere).sum()
    within = error.sum() <= (2 * point.residual[0] + 1e-12) * total
    return ("agrees" if relative <= AGREES and within else "wrong"), told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--circuits", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--lines", type=int, default=12)
    arguments = parser.parse_args()
    counts: dict[str, int] = {}
    begin = time.monotonic()
    for seed in range(arguments.first, arguments.first + arguments.circuits):
        verdict, told = compare(seed, arguments.lines)
        counts[verdict] = counts.get(verdict, 0) + 1
        if verdict != "agrees":
            print(f"{verdict}: {told}", flush=True)
    print(counts, f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
