"""StudyResult: a complete study, read from what its folder holds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fewlevels.circuit.network.simulation import Simulation, simulate
from fewlevels.common.arrays import FloatArray
from fewlevels.networks.networks import Networks
from fewlevels.quantization import QUANTIZERS
from fewlevels.samples.samples import Samples
from fewlevels.search.fewest import FewestLevels
from fewlevels.search.target import Target
from fewlevels.storage.columns import as_matrix
from fewlevels.storage.provenance import Provenance
from fewlevels.study.config import StudyConfig
from fewlevels.study.finish import read_run
from fewlevels.study.folder import Store
from fewlevels.study.groups import Group, groups_of, provenances

if TYPE_CHECKING:
    import pyarrow as pa


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


def load_study(folder: Path) -> StudyResult:
    """A complete study from its folder alone. Raises ConfigError or StoreError where it is not one."""
    return load(Store(folder))


def load_trained(folder: Path) -> tuple[StudyConfig, Samples, Networks]:
    """A study's configuration, samples and trained networks alone, in two thirds of the time of `load_study`. Raises
    what that does.
    """
    store = Store(folder)
    config, samples = store.config(), store.samples()
    made_of, weights = provenances(config, samples), _no_weights(config, samples)
    names = [f"w{layer}" for layer in range(1, len(weights) + 1)]
    for group in groups_of(config):
        if group.zone is None:
            _put_weights(weights, group, store.read_shard(group.name, made_of[group.name], names))
    return config, samples, Networks(weights)


def load(store: Store) -> StudyResult:
    config, samples = store.config(), store.samples()
    made_of = provenances(config, samples)
    found = _load_found(store, config, samples, made_of)
    zones = [store.read_shard(group.name, made_of[group.name]) for group in groups_of(config) if group.zone is not None]
    run = read_run(store)
    return StudyResult(
        config,
        samples,
        found,
        np.stack([zone["weight_range"].to_numpy() for zone in zones]),
        np.stack([as_matrix(zone["recognition"]) for zone in zones]),
        np.stack([as_matrix(zone["recognition_before"]) for zone in zones]),
        run.seconds if run else 0.0,
        run.machine if run else {},
    )


def _load_found(store: Store, config: StudyConfig, samples: Samples, made_of: Mapping[str, Provenance]) -> FewestLevels:
    weights = _no_weights(config, samples)
    trace = np.empty((config.models, config.q_max))
    columns: dict[str, Any] = {"recognition": np.empty(config.models)}
    columns |= {name: np.empty(config.models, np.intp) for name in ("q", "stable_q", "occupied")}
    for group in groups_of(config):
        if group.zone is not None:
            continue
        table, part = store.read_shard(group.name, made_of[group.name]), slice(group.models.start, group.models.stop)
        _put_weights(weights, group, table)
        trace[part] = as_matrix(table["recognition_trace"])
        for name, column in columns.items():
            column[part] = table[name].to_numpy()
    return FewestLevels(
        networks=Networks(weights),
        quantizer=QUANTIZERS[config.quantizer],
        target=Target(config.alpha),
        recognition_trace=trace,
        **columns,
    )


def _no_weights(config: StudyConfig, samples: Samples) -> tuple[FloatArray, ...]:
    """Room for the weights of all models, one array (models, fan_in, fan_out) per layer."""
    shapes = itertools.pairwise([samples.inputs, config.hidden, len(samples.classes)])
    return tuple(np.empty((config.models, *shape)) for shape in shapes)


def _put_weights(weights: tuple[FloatArray, ...], group: Group, table: pa.Table) -> None:
    for layer, w in enumerate(weights, start=1):
        w[group.models.start : group.models.stop] = as_matrix(table[f"w{layer}"]).reshape(-1, *w.shape[1:])
