"""Store of a fit: every yield that was estimated, so that a fit that was stopped goes on where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fewlevels import __version__
from fewlevels.chips.mapping import Mapping
from fewlevels.chips.yields import Yield
from fewlevels.common.checks import positive
from fewlevels.common.places import is_there, read
from fewlevels.common.progress import Progress
from fewlevels.devices.model import Device
from fewlevels.engines.engine import Engine
from fewlevels.engines.parts import Part
from fewlevels.engines.threads import Threads
from fewlevels.engines.work import PIECE_SECONDS, run_missing
from fewlevels.errors import ConfigError, DeviceError, StoreError
from fewlevels.fitting.estimator import Estimator
from fewlevels.fitting.fit import Fit, fit_problem
from fewlevels.fitting.problem import FitConfig, Problem
from fewlevels.fitting.trial import Trial
from fewlevels.fitting.work import FILES, Chips, FitWork, Judges, Known, pieces_of
from fewlevels.networks.files import as_arrays
from fewlevels.networks.networks import Networks
from fewlevels.samples.samples import Samples
from fewlevels.samples.stored import as_arrays as as_samples
from fewlevels.storage.columns import as_matrix
from fewlevels.storage.folder import Folder
from fewlevels.storage.kinds import require_kind
from fewlevels.storage.provenance import digest

if TYPE_CHECKING:
    import pyarrow as pa


def stored_fit(
    networks: Networks,
    samples: Samples,
    device: Device,
    config: FitConfig,
    folder: Path,
    engine: Engine | None = None,
    *,
    data: Samples | None = None,
    piece_seconds: float = PIECE_SECONDS,
    on_trial: Callable[[Trial], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
    verify: bool = False,
) -> Fit:
    """`fit_network` that keeps its chips in a folder, and writes request.json, fit.json, mapping.csv and
    network.npz (quantized) there, and finetuned.npz where fine-tuning helps.

    Stopped at any instant it loses at most the chips in flight; the same call goes on and ends with the same files.
    Whatever of these files is damaged or missing is made again. Progress is in chips, stage by stage. engine: threads
    where None. piece_seconds: work of a core that is stored together, at most about; it changes no result. verify: see
    `run_study`.
    Raises ConfigError where the folder holds a different fit, StoreError where it holds a study or a search, where
    nothing says what it holds, or where it cannot be written.
    """
    problem = _problem(networks, samples, device, config, folder, data)
    store = Folder(folder, on_damaged, verify=verify)
    how = Keeping(piece_seconds=piece_seconds, on_progress=on_progress)
    with store.locked():
        engine = engine or Threads()
        _begin(store, problem, engine)
        estimate = _Stored(store, problem, engine, how)
        fit = fit_problem(problem, estimate, on_trial)
        estimate.finish()
        store.write("fit.json", json.dumps(fit.as_dict(), indent=1).encode())
        store.write("mapping.csv", fit.best.mapping.to_csv().encode())
        for name, found in (("network.npz", fit.best.network), ("finetuned.npz", fit.advice.finetuned)):
            if found is not None:
                store.write_npz(name, as_arrays(found))
    return fit


def fit_part(
    networks: Networks,
    samples: Samples,
    device: Device,
    config: FitConfig,
    folder: Path,
    engine: Engine,
    *,
    part: Part,
    data: Samples | None = None,
    piece_seconds: float = PIECE_SECONDS,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
    verify: bool = False,
) -> int:
    """Draw one part of the chips of a fit; returns how many pieces are in the folder then.

    Which chips a fit needs depends on the yields before. A part goes by the chips that it draws itself and those that
    it finds there; where they are too few to be shared out, it draws all. So it may draw chips that the whole fit does
    not need, and `stored_fit` draws what is missing. Parts may run at the same time, in any order, and again.
    Raises what `stored_fit` raises.
    """
    problem = _problem(networks, samples, device, config, folder, data)
    store = Folder(folder, on_damaged, verify=verify)
    how = Keeping(part=part, piece_seconds=piece_seconds, on_progress=on_progress)
    with store.shared():
        _begin(store, problem, engine)
        fit_problem(problem, _Stored(store, problem, engine, how), lambda _: None)
    return len(Folder(folder).names())


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """How a fit's chips are drawn and kept: a part of them, or all; in pieces of about so many seconds at most."""

    part: Part | None = None
    piece_seconds: float
    on_progress: Callable[[Progress], None]

    def __post_init__(self) -> None:
        positive("piece_seconds", self.piece_seconds, DeviceError)


def _problem(
    networks: Networks, samples: Samples, device: Device, config: FitConfig, folder: Path, data: Samples | None
) -> Problem:
    """What is asked. What cannot be fitted is refused here, before the folder is the fit's."""
    require_kind(folder, "fit")
    data = samples if data is None else data
    return Problem(network=networks, samples=samples, data=data, device=device, config=config)


DIGESTS = {
    "device_digest": "the device's description",
    "network_digest": "the network",
    "judge_digest": "what chips are judged on",
    "data_digest": "what settings are chosen on",
}
"""What request.json holds a digest of, and what it is called."""

OLD_KEYS = {
    "version": "fewlevels_version",
    "device_content": "device_digest",
    "network": "network_digest",
    "samples": "judge_digest",
    "data": "data_digest",
}
"""Keys of a request.json that fewlevels 0.1.0 wrote, and what they are called now."""

LATER_KEYS = {"signed": "two-reads"}
"""Keys that a request.json of fewlevels 0.1.0 lacks, and what they were."""


def _begin(store: Folder, problem: Problem, engine: Engine) -> None:
    """Write what is asked. ConfigError says what differs where the folder holds chips of another fit."""
    device, samples, data = problem.device, problem.samples, problem.data
    asked = asdict(problem.config)
    asked |= asked.pop("conditions")
    asked |= {
        "fewlevels_version": __version__,
        "device": device.name,
        "device_digest": digest(device.content),
        "network_digest": _network_digest(problem.network),
        "judge_digest": digest(samples.classes, samples.x, samples.y),
        "data_digest": digest(data.classes, data.x, data.y),
    }
    path = store.path / "request.json"
    if is_there(path) and (store.names() or is_there(store.path / "fit.json")):
        _check_same(path, asked)
    for name, each in {FILES["judge"]: samples, FILES["data"]: data}.items() if engine.elsewhere else ():
        store.write_npz(name, as_samples(each))
    store.write(path.name, json.dumps(asked, indent=1).encode())


def _check_same(path: Path, asked: dict[str, object]) -> None:
    """Raises ConfigError where the request that is stored differs, StoreError where it cannot be read."""
    try:
        stored = json.loads(read(path))
    except (OSError, ValueError, RecursionError):
        stored = None
    if not isinstance(stored, dict):
        raise StoreError(f"{path} is damaged; remove it to go on with the same fit, or use another folder")
    stored = LATER_KEYS | {OLD_KEYS.get(key, key): value for key, value in stored.items()}
    differing = [_in_words(key, value, stored) for key, value in asked.items() if stored.get(key, _MISSING) != value]
    if differing:
        raise ConfigError(f"{path.parent} holds a different fit: {'; '.join(differing)}; use another folder for this")


_MISSING = object()


def _in_words(key: str, value: object, stored: dict[str, object]) -> str:
    if key not in stored:
        return f"{key} is not told there"
    return f"{DIGESTS[key]} has changed" if key in DIGESTS else f"{key} is {stored[key]!r} there and {value!r} here"


class _Stored(Estimator):
    """Yields by what they depend on: each is estimated once."""

    def __init__(self, store: Folder, problem: Problem, engine: Engine, how: Keeping) -> None:
        super().__init__()
        self.store, self.engine, self.how = store, engine, how
        self.known: Known = {"judge": problem.samples, "data": problem.data}
        self.stage, self.began = "", time.perf_counter()
        self.done = self.done_now = self.total = 0

    def expect(self, stage: str, chips: int) -> None:
        self.finish()
        self.stage, self.began = stage, time.perf_counter()
        self.done, self.done_now, self.total = 0, 0, chips
        self._tell()

    def finish(self) -> None:
        """End the stage, which may have needed fewer chips than were expected."""
        if 0 < self.done < self.total:
            self.total = self.done
            self._tell()

    def __call__(self, problem: Problem, mapping: Mapping, chips: range) -> Yield:
        judges: Judges = "judge" if problem.samples is self.known["judge"] else "data"
        pieces = pieces_of(problem, mapping, chips, judges, self.how.piece_seconds)
        wanted = pieces if self.how.part is None else self.how.part.of(pieces) or pieces
        done, done_now = self.done, self.done_now

        def tell(now: Progress) -> None:
            self.done, self.done_now = done + now.done, done_now + now.done_now
            self._tell()

        run_missing(FitWork, self.store, self.known, wanted, self.engine, tell)
        made_of = FitWork.made_of(self.known, pieces[0])
        there = [piece for piece in pieces if self.how.part is None or self.store.has_shard(piece.name, made_of)]
        tables = [self.store.read_shard(piece.name, made_of) for piece in there]
        for piece, table in zip(there, tables, strict=True):
            self._check(piece, table, len(problem.samples))
        margin = np.concatenate([as_matrix(table["margin"]) for table in tables]).astype(np.float64)
        pulses, missed = (np.concatenate([table[name].to_numpy() for table in tables]) for name in ("pulses", "missed"))
        return Yield(current_margin=margin, pulses=pulses, missed=missed, alpha=problem.config.alpha)

    def _check(self, piece: Chips, table: pa.Table, samples: int) -> None:
        """Raises StoreError where a table is not of these chips and so many samples."""
        if (
            set(table.column_names) != {"margin", "pulses", "missed"}
            or len(table) != piece.size
            or (as_matrix(table["margin"]).shape != (piece.size, samples))
        ):
            name = self.store.shards / piece.name
            raise StoreError(f"{name} is not what a fit stores; remove it, or use another folder")

    def _tell(self) -> None:
        seconds = time.perf_counter() - self.began
        self.how.on_progress(
            Progress(
                done=self.done,
                done_now=self.done_now,
                total=max(self.done, self.total),
                seconds=seconds,
                stage=self.stage,
            )
        )


def _network_digest(network: Networks) -> str:
    if network.plain:
        return digest(None, *network.weights)
    described = [repr(network.activations), list(network.bias_rows), [b is not None for b in network.biases]]
    return digest(described, *network.weights, *(b for b in network.biases if b is not None))
