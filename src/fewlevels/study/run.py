"""Run: the groups of models of a study, trained and searched, each stored as one shard; resumes what is missing."""

from __future__ import annotations

import itertools
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.simulation import Simulation, simulate
from fewlevels.errors import StoreError
from fewlevels.networks import INSTRUCTION_SET, Networks
from fewlevels.progress import Progress
from fewlevels.quantization import QUANTIZERS
from fewlevels.samples import FloatArray, Samples
from fewlevels.search import FewestLevels, fewest_levels
from fewlevels.study.config import StudyConfig
from fewlevels.study.engine import Engine
from fewlevels.study.store import Store, as_matrix, as_rows
from fewlevels.training import TrainingConfig, require_trainable, train, trajectory

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

GROUP_MODELS = 96
WEIGHTS = ("weights.npz", "weights.mat")


@dataclass(frozen=True)
class Group:
    """Models that are computed and stored together: a slice of the study's models, or one zone of Figure 5."""

    name: str
    models: range
    zone: int | None = None


@dataclass(frozen=True)
class StudyResult:
    """A complete study, as stored.

    found: what the search found, with the trained networks. zone_ranges: (zones, models), weight range at the end of
    training. zone_recognition: (zones, models, epochs), at zones.levels levels; zone_recognition_before: before
    quantizing.
    seconds: wall time of the run that completed it.
    """

    config: StudyConfig
    samples: Samples
    found: FewestLevels
    zone_ranges: FloatArray
    zone_recognition: FloatArray
    zone_recognition_before: FloatArray
    seconds: float
    machine: dict[str, str]

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """The models that statistics of q are over, (models,): trained to alpha, and at alpha with some q."""
        return self.found.trained & self.found.solved

    @property
    def fewest(self) -> npt.NDArray[np.intp]:
        """Indices of the counted models with the fewest levels."""
        used = np.flatnonzero(self.counted)
        q = self.found.q[used]
        return used[q == q.min(initial=self.config.q_max)]

    @cached_property
    def best(self) -> int:
        """Of the models with the fewest levels, that whose circuit has the largest margin; -1 where none is solved."""
        return int(self.fewest[np.argmax(self.fewest_margins)]) if self.fewest.size else -1

    @cached_property
    def fewest_margins(self) -> FloatArray:
        """The least margin over voltages and samples of the circuit of each of these models, as `simulate` builds it by
        default; positive where it recognises every sample at every voltage.
        """
        return np.array([self.circuit(model).margin for model in self.fewest])

    def circuit(self, model: int, **options: Any) -> Simulation:
        """The circuit of one model at its fewest levels. options: those of `simulate`, which says what it raises; also
        SearchError where the model is unsolved.
        """
        return simulate(self.found.networks[model], self.found.quantization(model), self.samples, **options)


def groups_of(config: StudyConfig) -> list[Group]:
    """All groups of a study, in the order of their models."""
    begins = range(0, config.models, GROUP_MODELS)
    groups = [Group(f"models-{begin:06d}", range(begin, min(begin + GROUP_MODELS, config.models))) for begin in begins]
    zones = [Group(f"zone-{zone}", range(config.zones.models), zone) for zone in range(len(config.zones.starts))]
    return groups + zones


def run_study(
    config: StudyConfig,
    folder: Path,
    engine: Engine,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
) -> StudyResult:
    """Run what is missing of a study and store it; returns the whole of it.

    Stopped at any instant, it loses at most the groups in flight; the same call goes on. The result depends on the
    configuration alone. Raises ConfigError where the folder holds a different study, StoreError where it cannot write.
    """
    began = time.perf_counter()
    samples = config.samples()
    config.training()  # what cannot be trained is refused here, before the folder is that study's
    require_trainable(samples)
    store = Store(folder)
    with store.locked():
        store.begin(config, samples)
        for path in store.discard_damaged():
            on_damaged(path)
        groups = {group.name: group for group in groups_of(config)}
        missing = [groups[name] for name in store.missing(list(groups))]
        total = sum(len(group.models) for group in groups.values())
        done = earlier = total - sum(len(group.models) for group in missing)
        on_progress(Progress(done, 0, total, 0.0))
        for group, table in engine.run(lambda group: compute(config, samples, group), missing):
            store.write_shard(group.name, table)
            done += len(group.models)
            on_progress(Progress(done, done - earlier, total, time.perf_counter() - began))
        if missing or _read_run(folder) is None or not all((folder / name).exists() for name in WEIGHTS):
            _finish(store, time.perf_counter() - began)
        return load_study(folder)


def compute(config: StudyConfig, samples: Samples, group: Group) -> pa.Table:
    """The shard of one group: a pure function of configuration and samples, on one thread."""
    import pyarrow as pa

    if group.zone is not None:
        return _compute_zone(config, samples, group.zone)
    keys = [divmod(model, config.repeats) for model in group.models]
    networks = train(samples, config.training(), models=keys, seed=config.seed, jobs=1)
    quantizer = QUANTIZERS[config.quantizer]
    found = fewest_levels(networks, samples, quantizer=quantizer, alpha=config.alpha, q_max=config.q_max, jobs=1)
    seed_index, repeat = np.array(keys, dtype=np.int32).T
    columns: dict[str, Any] = {
        "model": np.array(group.models, dtype=np.int32),
        "seed_index": seed_index,
        "repeat": repeat,
        "weight_range": networks.weight_range(),
        "weight_range_a": networks.weight_range_a(),
        "recognition": found.recognition,
        "q": found.q,
        "stable_q": found.stable_q,
        "occupied": found.occupied,
        "recognition_trace": as_rows(found.recognition_trace),
    }
    for layer, w in enumerate(networks.weights, start=1):
        columns[f"w{layer}"] = as_rows(w.astype(np.float32))
    return pa.table(columns)


def _compute_zone(config: StudyConfig, samples: Samples, zone: int) -> pa.Table:
    import pyarrow as pa

    zones = config.zones
    training = TrainingConfig(
        hidden=config.hidden,
        learning_rate=config.learning_rate,
        init=zones.starts[zone],
        steps=zones.epochs * config.iterations,
    )
    keys = [(config.seeds + zone, repeat) for repeat in range(zones.models)]
    steps = [epoch * config.iterations for epoch in zones.at_epochs]
    stages = trajectory(samples, training, at_steps=steps, models=keys, seed=config.seed, jobs=1)
    recognition = np.stack([_recognition_at(config, stage, samples) for stage in stages], axis=1)
    before = np.stack([stage.recognition(samples) for stage in stages], axis=1)
    return pa.table({"weight_range": stages[-1].weight_range(), "recognition": as_rows(recognition),
                     "recognition_before": as_rows(before)})  # fmt: skip


def _recognition_at(config: StudyConfig, networks: Networks, samples: Samples) -> FloatArray:
    quantized = QUANTIZERS[config.quantizer].quantize(networks.joint(), config.zones.levels)
    return Networks.from_joint(quantized.values, networks.shapes).recognition(samples)


def _finish(store: Store, seconds: float) -> None:
    """Write the weights for NumPy and MATLAB, and when and where the study ran."""
    import io
    from importlib.metadata import version

    from scipy.io import savemat

    config, samples = store.config(), store.samples()
    found = _load_found(store, config, samples)
    arrays: dict[str, np.ndarray] = {
        f"W{layer}": w.astype(np.float32) for layer, w in enumerate(found.networks.weights, start=1)
    }
    arrays["q"] = found.q
    store.write_npz("weights.npz", arrays)
    buffer = io.BytesIO()
    savemat(buffer, arrays, do_compression=True)
    buffer.seek(0)
    buffer.write(b"MATLAB 5.0 MAT-file, written by fewlevels".ljust(116))  # in place of a header with the time of day
    store.write("weights.mat", buffer.getvalue())
    machine = {
        "processor": _processor(),
        "instruction_set": INSTRUCTION_SET,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{package: version(package) for package in ("fewlevels", "numpy", "scipy", "pyarrow")},
    }
    store.write("run.json", json.dumps({"seconds": round(seconds, 1), "machine": machine}, indent=1).encode())


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def load_study(folder: Path) -> StudyResult:
    """A complete study from its folder alone. Raises ConfigError or StoreError where it is not one."""
    store = Store(folder)
    config, samples = store.config(), store.samples()
    found = _load_found(store, config, samples)
    zones = [store.read_shard(f"zone-{zone}") for zone in range(len(config.zones.starts))]
    if any("recognition_before" not in zone.column_names for zone in zones):
        raise StoreError(f"{folder} was stored by an earlier version, without the recognition before quantizing that "
                         f"Figure 5 shows; run the study again in another folder")  # fmt: skip
    run = _read_run(folder) or {"seconds": 0.0, "machine": {}}
    return StudyResult(
        config,
        samples,
        found,
        np.stack([zone["weight_range"].to_numpy() for zone in zones]),
        np.stack([as_matrix(zone["recognition"]) for zone in zones]),
        np.stack([as_matrix(zone["recognition_before"]) for zone in zones]),
        run["seconds"],
        run["machine"],
    )


def _read_run(folder: Path) -> dict[str, Any] | None:
    """When and where the study ran, as `_finish` wrote it; None where that is missing or damaged."""
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return {"seconds": float(run["seconds"]), "machine": dict(run["machine"])}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _load_found(store: Store, config: StudyConfig, samples: Samples) -> FewestLevels:
    import pyarrow as pa

    table = pa.concat_tables([store.read_shard(group.name) for group in groups_of(config) if group.zone is None])
    sizes = [samples.inputs, config.hidden, len(samples.classes)]
    weights = [
        as_matrix(table[f"w{layer}"]).reshape(-1, *shape)
        for layer, shape in enumerate(itertools.pairwise(sizes), start=1)
    ]
    q, stable_q, occupied, recognition = (
        table[name].to_numpy() for name in ("q", "stable_q", "occupied", "recognition")
    )
    networks = Networks(tuple(w.astype(np.float64) for w in weights))
    trace = as_matrix(table["recognition_trace"])
    return FewestLevels(networks, QUANTIZERS[config.quantizer], config.alpha, q, stable_q, occupied, recognition, trace)
