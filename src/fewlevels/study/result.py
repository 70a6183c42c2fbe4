"""StudyResult: a study, or as much of it as is needed, read from what its folder holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
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
from fewlevels.study.config import StudyConfig
from fewlevels.study.finish import Run, read_run
from fewlevels.study.folder import Store
from fewlevels.study.groups import Group, groups_of, provenances

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class TrainedStudy:
    """The trained networks of a study."""

    config: StudyConfig
    samples: Samples
    networks: Networks


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
        return np.array([self.circuit(model).current_margin for model in self.fewest])

    def circuit(self, model: int, **options: Any) -> Simulation:
        """The circuit of one model at its fewest levels. options: those of `simulate`, which says what it raises; also
        SearchError where the model is unsolved.
        """
        return simulate(self.search.networks[model], self.search.quantization(model), self.samples, **options)


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
    return _read(store, zones=True).complete(read_run(store))


def load_searched(folder: Path) -> SearchedStudy:
    """The models of a study, without the zones of Figure 5. Raises what `load_study` does."""
    store = Store(folder)
    return _read(store).searched(read_run(store))


def load_trained(folder: Path) -> TrainedStudy:
    """The trained networks of a study, in two thirds of the time of `load_study`. Raises what that does."""
    return _read(Store(folder), only_weights=True).trained()


def _read(store: Store, *, zones: bool = False, only_weights: bool = False) -> Collected:
    config, samples = store.config(), store.samples()
    groups, made_of = groups_of(config), provenances(config, samples)
    collected = Collected(config, samples, only_weights=only_weights)
    for group in groups:
        if zones or group.zone is None:
            columns = collected.columns(group)
            collected.add(group, store.read_shard(group.name, made_of[group.name], columns))
    return collected


class Collected:
    """Room for the results of a study's groups, filled as their tables are read or computed.

    only_weights: of the models' tables; their search is then left out.
    """

    def __init__(self, config: StudyConfig, samples: Samples, *, only_weights: bool = False) -> None:
        self.config, self.samples = config, samples
        models, zones = config.models, (len(config.zones.starts), config.zones.models)
        shapes = itertools.pairwise([samples.inputs, config.hidden, len(samples.classes)])
        self._weights = {f"w{layer}": np.empty((models, *shape)) for layer, shape in enumerate(shapes, start=1)}
        self._search: dict[str, Any] = {}
        if not only_weights:
            self._search = {name: np.empty(models, np.intp) for name in ("q", "stable_q", "occupied")}
            self._search["recognition"] = np.empty(models)
            self._search["recognition_trace"] = np.empty((models, config.q_max))
        epochs = len(config.zones.at_epochs)
        self._zones = {"weight_range": np.empty(zones)}
        self._zones |= {name: np.empty((*zones, epochs)) for name in ("recognition", "recognition_before")}

    def columns(self, group: Group) -> list[str]:
        """Those of the group's table that are wanted."""
        return [name for name, _ in self._places(group)]

    def add(self, group: Group, table: pa.Table) -> None:
        for name, place in self._places(group):
            column = table[name]
            place[...] = column.to_numpy() if place.ndim == 1 else as_matrix(column).reshape(place.shape)

    def trained(self) -> TrainedStudy:
        return TrainedStudy(config=self.config, samples=self.samples, networks=Networks(tuple(self._weights.values())))

    def searched(self, run: Run | None) -> SearchedStudy:
        """run: None where that is not known."""
        return SearchedStudy(**self._models(run))

    def complete(self, run: Run | None) -> StudyResult:
        """run: None where that is not known."""
        return StudyResult(
            **self._models(run),
            zone_ranges=self._zones["weight_range"],
            zone_recognition=self._zones["recognition"],
            zone_recognition_before=self._zones["recognition_before"],
        )

    def _models(self, run: Run | None) -> dict[str, Any]:
        """The fields of a SearchedStudy."""
        found = FewestLevels(
            networks=Networks(tuple(self._weights.values())),
            quantizer=QUANTIZERS[self.config.quantizer],
            target=Target(self.config.alpha),
            **self._search,
        )
        return {
            "config": self.config,
            "samples": self.samples,
            "search": found,
            "wall_seconds": run.wall_seconds if run else 0.0,
            "machine": run.machine if run else {},
        }

    def _places(self, group: Group) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Where each column of the group's table belongs."""
        if group.zone is not None:
            yield from ((name, room[group.zone]) for name, room in self._zones.items())
        else:
            for name, room in (self._weights | self._search).items():
                yield name, room[group.models.start : group.models.stop]
