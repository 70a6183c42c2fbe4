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

from fewlevels.devices.mapping import Mapping
from fewlevels.devices.model import Device
from fewlevels.devices.variation import Conditions
from fewlevels.errors import ConfigError, StoreError
from fewlevels.fitting.fit import Fit, fit_network
from fewlevels.fitting.placement import Estimator, FitConfig, Trial
from fewlevels.networks import Networks
from fewlevels.progress import Progress
from fewlevels.samples import Samples
from fewlevels.study.store import Store, as_matrix, as_rows
from fewlevels.yields import Yield, estimate_yield

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
    jobs: int | None = None,
    on_trial: Callable[[Trial], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
) -> Fit:
    """`fit_network` that keeps its chips in a folder, and writes request.json, fit.json, mapping.csv and
    network.npz (quantized) there, and finetuned.npz where fine-tuning helps.

    Stopped at any instant it loses at most the chips in flight; the same call goes on and ends with the same files.
    Progress is in chips. Raises ConfigError where the folder holds a different fit, StoreError where it holds a study
    or cannot be written.
    """
    if (folder / "study.toml").exists():
        raise StoreError(f"{folder} holds a study; give the fit a folder of its own")
    store = Store(folder)
    with store.locked():
        _begin(store, networks, samples, device, config)
        for path in store.discard_damaged():
            on_damaged(path)
        estimate = _Stored(store, jobs, config.chips, on_progress)
        fit = fit_network(networks, samples, device, config, estimate=estimate, on_trial=on_trial)
        estimate.finish()
        store.write("fit.json", json.dumps(fit.as_dict(), indent=1).encode())
        store.write("mapping.csv", fit.best.mapping.to_csv().encode())
        for name, found in (("network.npz", fit.best.networks), ("finetuned.npz", fit.advice.finetuned)):
            if found is not None:
                layers = enumerate(found.weights, start=1)
                store.write_npz(name, {f"W{layer}": w[0] for layer, w in layers})
    return fit


def _begin(store: Store, networks: Networks, samples: Samples, device: Device, config: FitConfig) -> None:
    """Write what is asked, or check that it is what the folder holds chips of; ConfigError says what differs."""
    asked = asdict(config)
    asked |= asked.pop("conditions")
    asked |= {"device": device.name, "device_content": _digest(device), "network": _digest(None, *networks.weights),
              "samples": _digest(samples.classes, samples.x, samples.y)}  # fmt: skip
    path = store.folder / "request.json"
    if not path.exists() or not any(store.shards.iterdir()):
        store.write(path.name, json.dumps(asked, indent=1).encode())
        return
    try:
        stored = dict(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}; use another folder") from None
    differing = [f"{key} is {stored.get(key)!r} there and {asked[key]!r} here" for key in asked
                 if stored.get(key) != asked[key]]  # fmt: skip
    if differing:
        raise ConfigError(f"{store.folder} holds a different fit: {'; '.join(differing)}; use another folder for this")


class _Stored(Estimator):
    """Yields by what they depend on: each is estimated once."""

    def __init__(self, store: Store, jobs: int | None, chips: int, on_progress: Callable[[Progress], None]) -> None:
        self.store, self.jobs, self.chips, self.on_progress = store, jobs, chips, on_progress
        self.began = time.perf_counter()
        self.done = self.done_now = self.total = 0

    def expect(self, estimates: int) -> None:
        self.total += estimates * self.chips

    def finish(self) -> None:
        self.total = self.done
        self._tell()

    def __call__(
        self, mapping: Mapping, device: Device, samples: Samples, config: FitConfig, conditions: Conditions
    ) -> Yield:
        key = _key(mapping, device, samples, config, conditions)
        margin, pulses = [], []
        for begin in range(0, config.chips, SHARD_CHIPS):
            numbers = range(begin, min(begin + SHARD_CHIPS, config.chips))
            name = f"chips-{key}-{begin:07d}-{len(numbers)}"
            if self.store.missing([name]):
                found = estimate_yield(mapping, device, samples, chips=numbers, alpha=config.alpha,
                                       conditions=conditions, seed=config.seed, jobs=self.jobs)  # fmt: skip
                self.store.write_shard(name, _table(found))
                self.done_now += len(numbers)
            table = self.store.read_shard(name)
            margin.append(as_matrix(table["margin"]))
            pulses.append(table["pulses"].to_numpy())
            self.done += len(numbers)
            self._tell()
        return Yield(np.concatenate(margin), np.concatenate(pulses), config.alpha)

    def _tell(self) -> None:
        self.on_progress(Progress(self.done, self.done_now, self.total, time.perf_counter() - self.began))


def _table(found: Yield) -> pa.Table:
    import pyarrow as pa

    return pa.table({"margin": as_rows(found.margin), "pulses": found.pulses})


def _key(mapping: Mapping, device: Device, samples: Samples, config: FitConfig, conditions: Conditions) -> str:
    window = mapping.circuit.window.r_min_ohm, mapping.circuit.window.r_max_ohm, mapping.circuit.map.siemens_per_weight
    return _digest((device, conditions, mapping.scheme, config.wire_ohm, config.seed),
                   *mapping.target_siemens, samples.x, samples.y, np.array(window))  # fmt: skip


def _digest(described: object, *arrays: np.ndarray) -> str:
    digest = hashlib.sha256(repr(described).encode())
    for array in arrays:
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array))
        digest.update(buffer.getvalue())
    return digest.hexdigest()[:16]
