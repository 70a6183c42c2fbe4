"""Store of a fit: every yield that was estimated, so that a fit that was stopped goes on where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fewlevels import __version__
from fewlevels.chips.mapping import Mapping
from fewlevels.chips.yields import Yield
from fewlevels.common.progress import Progress
from fewlevels.devices.model import Device
from fewlevels.errors import ConfigError, StoreError
from fewlevels.fitting.estimator import Estimator
from fewlevels.fitting.fit import Fit, fit_problem
from fewlevels.fitting.problem import FitConfig, Problem
from fewlevels.fitting.trial import Trial
from fewlevels.networks.files import as_arrays
from fewlevels.networks.networks import Networks
from fewlevels.samples.samples import Samples
from fewlevels.storage.columns import as_matrix, as_rows
from fewlevels.storage.folder import Folder
from fewlevels.storage.kinds import require_kind
from fewlevels.storage.provenance import DIGEST, digest

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_CHIPS = 1000
KEY_DIGITS = 16
"""Of the digest of what chips depend on, in the names of their shards."""

RESULTS_FORMAT = 1
"""Of what is stored; to be raised when the same request gives other numbers or other columns."""


def stored_fit(
    networks: Networks,
    samples: Samples,
    device: Device,
    config: FitConfig,
    folder: Path,
    *,
    data: Samples | None = None,
    jobs: int | None = None,
    on_trial: Callable[[Trial], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
) -> Fit:
    """`fit_network` that keeps its chips in a folder, and writes request.json, fit.json, mapping.csv and
    network.npz (quantized) there, and finetuned.npz where fine-tuning helps.

    Stopped at any instant it loses at most the chips in flight; the same call goes on and ends with the same files.
    Whatever of these files is damaged or missing is made again. Progress is in chips, stage by stage.
    Raises ConfigError where the folder holds a different fit, StoreError where it holds a study or a search, where
    nothing says what it holds, or where it cannot be written.
    """
    require_kind(folder, "fit")
    data = samples if data is None else data
    # What cannot be fitted is refused here, before the folder is the fit's.
    problem = Problem(network=networks, samples=samples, data=data, device=device, config=config)
    store = Folder(folder, on_damaged)
    with store.locked():
        _begin(store, problem)
        estimate = _Stored(store, jobs, on_progress)
        fit = fit_problem(problem, estimate, on_trial)
        estimate.finish()
        store.write("fit.json", json.dumps(fit.as_dict(), indent=1).encode())
        store.write("mapping.csv", fit.best.mapping.to_csv().encode())
        for name, found in (("network.npz", fit.best.network), ("finetuned.npz", fit.advice.finetuned)):
            if found is not None:
                store.write_npz(name, as_arrays(found))
    return fit


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


def _begin(store: Folder, problem: Problem) -> None:
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
    if path.exists() and (store.names() or (store.path / "fit.json").exists()):
        _check_same(path, asked)
    store.write(path.name, json.dumps(asked, indent=1).encode())


def _check_same(path: Path, asked: dict[str, object]) -> None:
    """Raises ConfigError where the request that is stored differs, StoreError where it cannot be read."""
    try:
        stored = json.loads(path.read_bytes())
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

    def __init__(self, store: Folder, jobs: int | None, on_progress: Callable[[Progress], None]) -> None:
        super().__init__(jobs)
        self.store, self.on_progress = store, on_progress
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
        made_of = {"results_format": RESULTS_FORMAT, "version": __version__, "request": _digest_of(problem, mapping)}
        key = str(made_of["request"]).removeprefix(DIGEST)[:KEY_DIGITS]
        tables = []
        for begin in range(chips.start, chips.stop, SHARD_CHIPS):
            numbers = range(begin, min(begin + SHARD_CHIPS, chips.stop))
            name = f"chips-{key}-{begin:010d}-{len(numbers)}"
            table = self.store.find_shard(name, made_of)
            if table is None:
                table = _table(super().__call__(problem, mapping, numbers))
                self.store.write_shard(name, table, made_of)
                self.done_now += len(numbers)
            self._check(name, table, len(numbers), len(problem.samples))
            tables.append(table)
            self.done += len(numbers)
            self._tell()
        margin = np.concatenate([as_matrix(table["margin"]) for table in tables]).astype(np.float64)
        pulses, missed = (np.concatenate([table[name].to_numpy() for table in tables]) for name in ("pulses", "missed"))
        return Yield(current_margin=margin, pulses=pulses, missed=missed, alpha=problem.config.alpha)

    def _check(self, name: str, table: pa.Table, chips: int, samples: int) -> None:
        """Raises StoreError where a table is not of so many chips and samples."""
        if (
            set(table.column_names) != {"margin", "pulses", "missed"}
            or len(table) != chips
            or (as_matrix(table["margin"]).shape != (chips, samples))
        ):
            raise StoreError(f"{self.store.shards / name} is not what a fit stores; remove it, or use another folder")

    def _tell(self) -> None:
        seconds = time.perf_counter() - self.began
        self.on_progress(
            Progress(
                done=self.done,
                done_now=self.done_now,
                total=max(self.done, self.total),
                seconds=seconds,
                stage=self.stage,
            )
        )


def _table(found: Yield) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {"margin": as_rows(found.current_margin.astype(np.float32)), "pulses": found.pulses, "missed": found.missed}
    )


def _digest_of(problem: Problem, mapping: Mapping) -> str:
    """Of all that chips depend on but their numbers."""
    window = mapping.circuit.window.r_min_ohm, mapping.circuit.window.r_max_ohm, mapping.circuit.map.siemens_per_weight
    config, samples = problem.config, problem.samples
    described = [problem.device.content, repr((config.conditions, mapping.scheme, config.wire_ohm, config.seed))]
    around = [each for each in mapping.circuit.periphery if not each.is_plain]
    described += [repr((each.activation, each.full, each.signed, each.constants)) for each in around]
    biases = [each.bias for each in around if each.bias is not None]
    return digest(described, *mapping.target_siemens, samples.x, samples.y, np.array(window), *biases)


def _network_digest(network: Networks) -> str:
    if network.plain:
        return digest(None, *network.weights)
    described = [repr(network.activations), list(network.bias_rows), [b is not None for b in network.biases]]
    return digest(described, *network.weights, *(b for b in network.biases if b is not None))
