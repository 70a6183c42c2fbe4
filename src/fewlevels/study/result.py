"""StudyResult: a study, or as much of it as is needed, read from what its folder holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

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
from fewlevels.study.finish import Run, read_run
from fewlevels.study.folder import Store
from fewlevels.study.groups import Group, groups_of, provenances
from fewlevels.study.stored import StoredNetworks


@dataclass(frozen=True, kw_only=True)
class SearchedStudy:
    """The models of a study.

    search: what it found, with the trained networks. wall_seconds: of the run that completed the study.
    machine: where that was, and on which versions of what.
    """

    config: StudyConfig
    samples: Samples
    search: FewestLevels
    wall_seconds: float
    machine: dict[str, str]

    @property
    def networks(self) -> Networks:
        return self.search.networks

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """The models that statistics of q are over, (models,): trained to alpha, and at alpha with some q."""
        return self.search.trained & self.search.solved

    @property
    def fewest(self) -> npt.NDArray[np.intp]:
        """Indices of the counted models with the fewest levels."""
        used = np.flatnonzero(self.counted)
        q = self.search.q[used]
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
        fewest = self.search.of(self.fewest)
        return np.array([_circuit(fewest, i, self.samples).current_margin for i in range(len(fewest.q))])

    def circuit(self, model: int, **options: Any) -> Simulation:
        """The circuit of one model at its fewest levels. options: those of `simulate`, which says what it raises; also
        SearchError where the model is unsolved.
        """
        return _circuit(self.search, model, self.samples, **options)


def _circuit(found: FewestLevels, model: int, samples: Samples, **options: Any) -> Simulation:
    return simulate(found.networks[model], found.quantization(model), samples, **options)


@dataclass(frozen=True, kw_only=True)
class StudyResult(SearchedStudy):
    """A complete study, as stored.

    zone_ranges: (zones, models), weight range at the end of training. zone_recognition: (zones, models, epochs), at
    zones.levels levels; zone_recognition_before: before quantizing.
    """

    zone_ranges: FloatArray
    zone_recognition: FloatArray
    zone_recognition_before: FloatArray


def load_study(folder: Path) -> StudyResult:
    """A complete study from its folder alone. Raises ConfigError or StoreError where it is not one."""
    store = Store(folder)
    return read_study(store, store.config(), store.samples(), read_run(store))


def load_searched(folder: Path) -> SearchedStudy:
    """The models of a study, without the zones of Figure 5. Raises what `load_study` does."""
    store = Store(folder)
    return SearchedStudy(**_models(store, store.config(), store.samples(), read_run(store)))


def read_study(store: Store, config: StudyConfig, samples: Samples, run: Run | None) -> StudyResult:
    """A complete study, of this configuration and these samples. run: None where that is not known. Raises what
    `load_study` does.
    """
    models, zones = _models(store, config, samples, run), config.zones
    shape = len(zones.starts), zones.models
    room = {"weight_range": np.empty(shape)}
    room |= {name: np.empty((*shape, len(zones.at_epochs))) for name in ("recognition", "recognition_before")}
    for group, made_of in _made_of(config, samples, zones=True):
        _fill(store, group, made_of, {name: each[group.zone] for name, each in room.items()})
    return StudyResult(
        **models,
        zone_ranges=room["weight_range"],
        zone_recognition=room["recognition"],
        zone_recognition_before=room["recognition_before"],
    )


def _models(store: Store, config: StudyConfig, samples: Samples, run: Run | None) -> dict[str, Any]:
    """The fields of a SearchedStudy."""
    room: dict[str, Any] = {"recognition_trace": np.empty((config.models, config.q_max))}
    room |= {name: np.empty(config.models) for name in ("recognition", "weight_range")}
    room |= {name: np.empty(config.models, np.intp) for name in ("q", "stable_q", "occupied")}
    for group, made_of in _made_of(config, samples, zones=False):
        part = slice(group.models.start, group.models.stop)
        _fill(store, group, made_of, {name: each[part] for name, each in room.items()})
    networks = StoredNetworks(store, config, samples, room.pop("weight_range"))
    quantizer, target = QUANTIZERS[config.quantizer], Target(config.alpha)
    return {
        "config": config,
        "samples": samples,
        "search": FewestLevels(networks=networks, quantizer=quantizer, target=target, **room),
        "wall_seconds": run.wall_seconds if run else 0.0,
        "machine": run.machine if run else {},
    }


def _made_of(config: StudyConfig, samples: Samples, *, zones: bool) -> Iterator[tuple[Group, Provenance]]:
    """The groups of the models, or those of the zones, and what each is made of."""
    made_of = provenances(config, samples)
    groups = (group for group in groups_of(config) if (group.zone is not None) == zones)
    return ((group, made_of[group.name]) for group in groups)


def _fill(store: Store, group: Group, made_of: Provenance, places: dict[str, npt.NDArray[Any]]) -> None:
    """Read the columns of a group's table to their places."""
    table = store.read_shard(group.name, made_of, list(places))
    for name, place in places.items():
        place[...] = table[name].to_numpy() if place.ndim == 1 else as_matrix(table[name])
