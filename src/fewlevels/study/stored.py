"""Stored networks: those of a study, whose weights stay in its folder until they are asked for."""

from __future__ import annotations

import itertools
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.networks.networks import Models, Networks
from fewlevels.samples.samples import Samples
from fewlevels.storage.columns import as_matrix
from fewlevels.storage.provenance import Provenance
from fewlevels.study.config import StudyConfig
from fewlevels.study.folder import Store
from fewlevels.study.groups import Group, groups_of, provenances, trained


class StoredNetworks(Networks):
    """The networks of a study. An index reads those that it names, `weights` reads all.

    ranges: the weight range of each, (models,). A study that keeps no weights has its networks trained again.
    """

    _store: Store
    _config: StudyConfig
    _samples: Samples
    _ranges: FloatArray
    _shapes: list[tuple[int, int]]

    def __init__(self, store: Store, config: StudyConfig, samples: Samples, ranges: FloatArray) -> None:
        shapes = list(itertools.pairwise([samples.inputs, config.hidden, len(samples.classes)]))
        alike = Networks(tuple(np.zeros((0, *shape)) for shape in shapes))
        known = {name: getattr(alike, name) for name in ("biases", "activations", "bias_rows")}
        # The parent is frozen, and its weights are what is missing here.
        self.__dict__ |= known | {"_store": store, "_config": config, "_samples": samples, "_ranges": ranges}
        self.__dict__["_shapes"] = shapes

    def __len__(self) -> int:
        return self._config.models

    def __getitem__(self, models: int | Models) -> Networks:
        if "weights" in self.__dict__ or (
            isinstance(models, int | np.integer) and not -len(self) <= models < len(self)
        ):
            return super().__getitem__(models)
        return Networks(self._read(np.atleast_1d(np.arange(len(self))[models])))

    @property
    def shapes(self) -> list[tuple[int, int]]:
        return self._shapes

    @cached_property
    def weights(self) -> tuple[FloatArray, ...]:
        return self._read(np.arange(len(self)))

    def weight_range(self) -> FloatArray:
        return self._ranges

    def _read(self, models: npt.NDArray[np.intp]) -> tuple[FloatArray, ...]:
        """The weights of each layer, (models, fan_in, fan_out)."""
        weights = tuple(np.empty((len(models), *shape)) for shape in self.shapes)
        groups = [group for group in groups_of(self._config) if group.zone is None]
        number = models // len(groups[0].models)
        order = np.argsort(number, kind="stable")
        bounds = np.searchsorted(number[order], np.arange(len(groups) + 1))
        for group, begin, end in zip(groups, bounds, bounds[1:], strict=False):
            if begin < end:
                places = order[begin:end]
                for whole, part in zip(weights, self._of_group(group, models[places]), strict=True):
                    whole[places] = part
        return weights

    def _of_group(self, group: Group, models: npt.NDArray[np.intp]) -> list[FloatArray]:
        """The weights of some of a group's models."""
        config = self._config
        if not config.keep_weights:
            return list(trained(config, self._samples, models.tolist(), jobs=None).weights)
        names = [f"w{layer}" for layer in range(1, len(self.shapes) + 1)]
        table = self._store.read_shard(group.name, self._made_of[group.name], names)
        rows = models - group.models.start
        return [
            as_matrix(table[name])[rows].reshape(len(rows), *shape)
            for name, shape in zip(names, self.shapes, strict=True)
        ]

    @cached_property
    def _made_of(self) -> dict[str, Provenance]:
        return provenances(self._config, self._samples)
