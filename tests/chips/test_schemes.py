"""Every scheme of the package, and what each of them must keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fewlevels import Networks
from fewlevels.chips.mapping import Mapping, map_network
from fewlevels.chips.schemes import DEFAULT_SCHEME, SCHEMES, Scheme
from fewlevels.errors import MappingError

WEIGHTS = [np.array([[2.0, -1.0], [0.0, 1.0]]), np.array([[-2.0, 0.0, 1.0], [1.0, -1.0, 2.0]])]


def mapped(scheme: Scheme, weights: list[np.ndarray] = WEIGHTS) -> Mapping:
    return map_network(Networks.from_weights(weights), lowest_siemens=1e-6, highest_siemens=9e-6, scheme=scheme.name)


def the_circuit_computes_the_network(scheme: Scheme) -> None:
    x, mapping = np.random.default_rng(0).uniform(0, 1, (5, 2)), mapped(scheme)
    output = mapping.circuit.run_chips(x, 0.5, [target[None] for target in mapping.target_siemens])[0]
    z = (1 / (1 + np.exp(-(x @ WEIGHTS[0])))) @ WEIGHTS[1]
    got = output / mapping.circuit.ampere_per_weight(0.5)
    if not scheme.design.columns.pairs:  # every output carries the same current of the offset
        got, z = got - got.mean(axis=1, keepdims=True), z - z.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(got, z, rtol=1e-12, atol=1e-12 * np.abs(z).max())


def devices_need_the_states_that_are_counted(scheme: Scheme) -> None:
    rng = np.random.default_rng(1)
    for values in ([-2.0, -1.0, 0.0, 1.0, 2.0], [-1.0, 1.0], [0.5, 1.0, 3.0], [-1.0, 0.0, 3.0]):
        weights = [rng.permutation(np.resize(values, 12)).reshape(shape) for shape in ((3, 4), (4, 3))]
        mapping = mapped(scheme, weights)
        joint = Networks.from_weights(weights).joint()
        assert scheme.states(joint).tolist() == [len(mapping.level_siemens)]


def so_many_magnitudes_need_no_more_states(scheme: Scheme) -> None:
    for states in range(2, 9):
        magnitudes = np.arange(scheme.magnitudes(states)) / max(scheme.magnitudes(states) - 1, 1)
        signed = np.concatenate([-magnitudes, magnitudes])[None]
        assert scheme.states(signed) <= states


def every_programmed_device_has_a_place_of_its_own(scheme: Scheme) -> None:
    mapping = mapped(scheme)
    places = [(row.layer, row.row, row.column, row.polarity) for row in mapping.rows()]
    assert len(set(places)) == len(places) == sum(int(mask.sum()) for mask in mapping.programmed)


def exact_devices_give_the_weights_back(scheme: Scheme) -> None:
    joint = Networks.from_weights(WEIGHTS).joint()[0]
    device_map = scheme.design.columns.device_map(joint, 1e-6, 9e-6)
    mean, variance = scheme.on_devices(WEIGHTS[1], device_map, lambda siemens: (siemens, np.zeros(siemens.shape)))
    np.testing.assert_allclose(mean, WEIGHTS[1], rtol=0, atol=1e-12)
    assert not variance.any()


def the_variance_of_a_weight_is_that_of_its_devices(scheme: Scheme) -> None:
    joint = Networks.from_weights(WEIGHTS).joint()[0]
    device_map = scheme.design.columns.device_map(joint, 1e-6, 9e-6)
    _, variance = scheme.on_devices(WEIGHTS[1], device_map, lambda siemens: (siemens, np.full(siemens.shape, 1e-14)))
    devices = 2 if scheme.design.columns.pairs else 1
    np.testing.assert_allclose(variance, devices * 1e-14 / device_map.siemens_per_weight**2, rtol=1e-12)
    assert variance.shape == WEIGHTS[1].shape


def zero_is_the_lowest_level_or_lies_between_levels(scheme: Scheme) -> None:
    network = Networks.from_weights([np.array([[-2.0, 1.0, 0.0]])])
    given = {"lowest_siemens": 1e-6, "highest_siemens": 9e-6, "available_siemens": [1e-6, 5e-6, 9e-6]}
    if scheme.rests:
        assert map_network(network, scheme=scheme.name, **given).level_siemens.tolist() == [1e-6, 5e-6, 9e-6]
    else:
        with pytest.raises(MappingError, match=f"{scheme.name} puts zero between levels, use {DEFAULT_SCHEME}"):
            map_network(network, scheme=scheme.name, **given)


CHECKS = (
    the_circuit_computes_the_network,
    devices_need_the_states_that_are_counted,
    so_many_magnitudes_need_no_more_states,
    every_programmed_device_has_a_place_of_its_own,
    exact_devices_give_the_weights_back,
    the_variance_of_a_weight_is_that_of_its_devices,
    zero_is_the_lowest_level_or_lies_between_levels,
)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_scheme_keeps_the_contract(scheme: str, check: Callable[[Scheme], None]) -> None:
    check(SCHEMES[scheme])


def test_a_scheme_has_the_name_that_it_is_found_by() -> None:
    assert all(name == scheme.name for name, scheme in SCHEMES.items()) and DEFAULT_SCHEME in SCHEMES
