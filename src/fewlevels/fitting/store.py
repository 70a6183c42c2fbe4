"""Store of a fit: every yield that was estimated, so that a fit that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fewlevels import __version__
from fewlevels.devices.mapping import Mapping
from fewlevels.devices.model import Device
from fewlevels.errors import ConfigError, StoreError
from fewlevels.fitting.fit import Fit, fit_network
from fewlevels.fitting.problem import Estimator, FitConfig, Problem
from fewlevels.fitting.trial import Trial
from fewlevels.networks import Networks
from fewlevels.progress import Progress
from fewlevels.samples import Samples
from fewlevels.study.store import Store, as_matrix, as_rows
from fewlevels.yields import Yield

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_CHIPS = 1000


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
    Progress is in chips, stage by stage. Raises ConfigError where the folder holds a different fit, StoreError where
    it holds a study or cannot be written.
    """
    if (folder / "study.toml").exists():
        raise StoreError(f"{folder} holds a study; give the fit a folder of its own")
    store = Store(folder)
    with store.locked():
        _begin(store, networks, samples, samples if data is None else data, device, config)
        for path in store.discard_damaged():
            on_damaged(path)
        estimate = _Stored(store, jobs, on_progress)
        fit = fit_network(networks, samples, device, config, data=data, estimate=estimate, on_trial=on_trial)
        estimate.finish()
        store.write("fit.json", json.dumps(fit.as_dict(), indent=1).encode())
        store.write("mapping.csv", fit.best.mapping.to_csv().encode())
        for name, found in (("network.npz", fit.best.network), ("finetuned.npz", fit.advice.finetuned)):
            if found is not None:
                layers = enumerate(found.weights, start=1)
                store.write_npz(name, {f"W{layer}": w[0] for layer, w in layers})
    return fit


DIGESTS = {"device_content": "the device's description", "network": "the network",
           "samples": "what chips are judged on", "data": "what settings are chosen on"}  # fmt: skip
"""What request.json holds a digest of, and what it is called."""


def _begin(
    store: Store, networks: Networks, samples: Samples, data: Samples, device: Device, config: FitConfig
) -> None:
    """Write what is asked, or check that it is what the folder holds chips of; ConfigError says what differs."""
    asked = asdict(config)
    asked |= asked.pop("conditions")
    asked |= {"version": __version__, "device": device.name, "device_content": _digest(device.content),
              "network": _digest("None", *networks.weights),
              "samples": _digest(repr(samples.classes), samples.x, samples.y),
              "data": _digest(repr(data.classes), data.x, data.y)}  # fmt: skip
    path = store.folder / "request.json"
    if not path.exists() or not any(store.shards.iterdir()):
        store.write(path.name, json.dumps(asked, indent=1).encode())
        return
    try:
        stored = dict(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}; use another folder") from None
    differing = [
        f"{DIGESTS[key]} has changed" if key in DIGESTS else f"{key} is {stored.get(key)!r} there and {value!r} here"
        for key, value in asked.items() if stored.get(key) != value
    ]  # fmt: skip
    if differing:
        raise ConfigError(f"{store.folder} holds a different fit: {'; '.join(differing)}; use another folder for this")


class _Stored(Estimator):
    """Yields by what they depend on: each is estimated once."""

    def __init__(self, store: Store, jobs: int | None, on_progress: Callable[[Progress], None]) -> None:
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
        key = _key(problem, mapping)
        tables = []
        for begin in range(chips.start, chips.stop, SHARD_CHIPS):
            numbers = range(begin, min(begin + SHARD_CHIPS, chips.stop))
            name = f"chips-{key}-{begin:010d}-{len(numbers)}"
            if self.store.missing([name]):
                self.store.write_shard(name, _table(super().__call__(problem, mapping, numbers)))
                self.done_now += len(numbers)
            tables.append(self.store.read_shard(name))
            self.done += len(numbers)
            self._tell()
        margin = np.concatenate([as_matrix(table["margin"]) for table in tables]).astype(np.float64)
        pulses, missed = (np.concatenate([table[name].to_numpy() for table in tables]) for name in ("pulses", "missed"))
        return Yield(margin, pulses, missed, problem.config.alpha)

    def _tell(self) -> None:
        seconds = time.perf_counter() - self.began
        self.on_progress(Progress(self.done, self.done_now, max(self.done, self.total), seconds, self.stage))


def _table(found: Yield) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {"margin": as_rows(found.margin.astype(np.float32)), "pulses": found.pulses, "missed": found.missed}
    )


def _key(problem: Problem, mapping: Mapping) -> str:
    window = mapping.circuit.window.r_min_ohm, mapping.circuit.window.r_max_ohm, mapping.circuit.map.siemens_per_weight
    config, samples = problem.config, problem.samples
    rest = map(repr, (config.conditions, mapping.scheme, config.wire_ohm, config.seed))
    return _digest(f"({', '.join([problem.device.content, *rest])})", *mapping.target_siemens, samples.x, samples.y,
                   np.array(window))  # fmt: skip


def _digest(described: str, *arrays: np.ndarray) -> str:
    digest = hashlib.sha256(described.encode())
    for array in arrays:
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array))
        digest.update(buffer.getvalue())
    return digest.hexdigest()[:16]
