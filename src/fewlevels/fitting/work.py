"""Work: what a worker does for a fit. It draws chips of one mapping, and stores what they recognise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from fewlevels import __version__
from fewlevels.chips.mapping import Mapping
from fewlevels.chips.yields import estimate_yield
from fewlevels.devices.model import Device
from fewlevels.engines.work import Work
from fewlevels.fitting.problem import FitConfig, Problem
from fewlevels.samples.samples import Samples
from fewlevels.samples.stored import read_samples
from fewlevels.storage.columns import as_rows
from fewlevels.storage.provenance import DIGEST, Provenance, digest

if TYPE_CHECKING:
    import pyarrow as pa

KEY_DIGITS = 16
"""Of the digest of what chips depend on, in the names of their shards."""

RESULTS_FORMAT = 1
"""Of what is stored; to be raised when the same request gives other numbers or other columns."""

MOST_CHIPS = 1000
"""Of a piece."""

CELL_SECONDS, SOLVED_CELL_SECONDS = 2e-8, 2e-7
"""For one cell and one sample, about, of circuits that are products, and of those that are solved. Measured with 10 and
with 359 samples: 20 and 4 ns; with wires 167 and 43 ns.
"""

Judges = Literal["judge", "data"]
"""Which samples chips run: those that judge, or those that settings are chosen on."""

FILES: dict[Judges, str] = {"judge": "judge.npz", "data": "data.npz"}
"""Where workers find them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chips:
    """Some chips of one mapping. request: digest of all that they depend on but their numbers."""

    mapping: Mapping
    device: Device
    config: FitConfig
    judges: Judges
    numbers: range
    request: str

    @property
    def name(self) -> str:
        """Of their table."""
        key = self.request.removeprefix(DIGEST)[:KEY_DIGITS]
        return f"chips-{key}-{self.numbers.start:010d}-{len(self.numbers)}"

    @property
    def size(self) -> int:
        """How many chips."""
        return len(self.numbers)

    def __str__(self) -> str:
        return self.name


def pieces_of(problem: Problem, mapping: Mapping, chips: range, judges: Judges, piece_seconds: float) -> list[Chips]:
    """These chips in pieces of about so many seconds on one core, each of MOST_CHIPS at most."""
    solved = problem.config.wire_ohm > 0 or problem.device.cell is not None
    one = (SOLVED_CELL_SECONDS if solved else CELL_SECONDS) * len(problem.samples)
    one *= sum(target.size for target in mapping.target_siemens)
    step = min(max(int(piece_seconds / one), 1), MOST_CHIPS)
    whole = Chips(
        mapping=mapping,
        device=problem.device,
        config=problem.config,
        judges=judges,
        numbers=chips,
        request=_digest_of(problem, mapping),
    )
    return [replace(whole, numbers=chips[begin : begin + step]) for begin in range(0, len(chips), step)]


Known = dict[Judges, Samples]


class FitWork(Work[Known, Chips]):
    """Draws chips of a fit."""

    FILE = "request.json"

    @classmethod
    def read(cls, path: Path) -> Known:
        return {judges: read_samples(path / name) for judges, name in FILES.items()}

    @staticmethod
    def made_of(known: Known, piece: Chips) -> Provenance:
        return {"results_format": RESULTS_FORMAT, "version": __version__, "request": piece.request}

    @staticmethod
    def compute(known: Known, piece: Chips) -> pa.Table:
        import pyarrow as pa

        config = piece.config
        found = estimate_yield(
            piece.mapping,
            piece.device,
            known[piece.judges],
            chips=piece.numbers,
            alpha=config.alpha,
            conditions=config.conditions,
            seed=config.seed,
        )
        margin = as_rows(found.current_margin.astype(np.float32))
        return pa.table({"margin": margin, "pulses": found.pulses, "missed": found.missed})


def _digest_of(problem: Problem, mapping: Mapping) -> str:
    """Of all that chips depend on but their numbers."""
    window = mapping.circuit.window.r_min_ohm, mapping.circuit.window.r_max_ohm, mapping.circuit.map.siemens_per_weight
    config, samples = problem.config, problem.samples
    described = [problem.device.content, repr((config.conditions, mapping.scheme, config.wire_ohm, config.seed))]
    around = [each for each in mapping.circuit.periphery if not each.is_plain]
    described += [repr((each.activation, each.full, each.signed, each.constants)) for each in around]
    biases = [each.bias for each in around if each.bias is not None]
    return digest(described, *mapping.target_siemens, samples.x, samples.y, np.array(window), *biases)
