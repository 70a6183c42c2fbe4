"""Store of a fit: every yield that was estimated, so that a fit that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fewlevels.devices.mapping import Mapping
from fewlevels.devices.model import Device
from fewlevels.devices.variation import Conditions
from fewlevels.errors import StoreError
from fewlevels.fitting.fit import Fit, fit_network
from fewlevels.fitting.placement import FitConfig, Trial
from fewlevels.networks import Networks
from fewlevels.samples import Samples
from fewlevels.study.store import Store, as_matrix, as_rows
from fewlevels.yields import Yield, estimate_yield

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_CHIPS = 10_000


def stored_fit(
    networks: Networks,
    samples: Samples,
    device: Device,
    config: FitConfig,
    folder: Path,
    *,
    jobs: int | None = None,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Fit:
    """`fit_network` that keeps its chips in a folder, and writes fit.json, mapping.csv and
    network.npz (quantized) there, and finetuned.npz where fine-tuning helps.

    Stopped at any instant it loses at most the chips in flight; the same call goes on and ends with the same files.
    Raises StoreError where the folder holds a study or cannot be written.
    """
    if (folder / "study.toml").exists():
        raise StoreError(f"{folder} holds a study; give the fit a folder of its own")
    store = Store(folder)
    with store.locked():
        store.discard_damaged()
        fit = fit_network(networks, samples, device, config, estimate=_Stored(store, jobs), on_trial=on_trial)
        store.write("fit.json", json.dumps(fit.as_dict(), indent=1).encode())
        store.write("mapping.csv", fit.best.mapping.to_csv().encode())
        for name, found in (("network.npz", fit.best.networks), ("finetuned.npz", fit.advice.finetuned)):
            if found is not None:
                layers = enumerate(found.weights, start=1)
                store.write_npz(name, {f"W{layer}": w[0] for layer, w in layers})
    return fit


@dataclass(frozen=True)
class _Stored:
    """Yields by what they depend on: each is estimated once."""

    store: Store
    jobs: int | None

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
            table = self.store.read_shard(name)
            margin.append(as_matrix(table["margin"]))
            pulses.append(table["pulses"].to_numpy())
        return Yield(np.concatenate(margin), np.concatenate(pulses), config.alpha)


def _table(found: Yield) -> pa.Table:
    import pyarrow as pa

    return pa.table({"margin": as_rows(found.margin), "pulses": found.pulses})


def _key(mapping: Mapping, device: Device, samples: Samples, config: FitConfig, conditions: Conditions) -> str:
    digest = hashlib.sha256(repr((device, conditions, mapping.scheme, config.wire_ohm, config.seed)).encode())
    window = mapping.circuit.window.r_min_ohm, mapping.circuit.window.r_max_ohm, mapping.circuit.map.siemens_per_weight
    for array in (*mapping.target_siemens, samples.x, samples.y, np.array(window)):
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array))
        digest.update(buffer.getvalue())
    return digest.hexdigest()[:16]
