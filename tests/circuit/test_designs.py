"""One table of ways to hold signed weights, one of stage designs, and what each of them must keep."""

from __future__ import annotations

import numpy as np
import pytest

from fewlevels import NetworkCircuit, Networks
from fewlevels.circuit.network.columns import BALANCED_PAIRS, RESTING_PAIRS, SINGLE_COLUMNS, WeightColumns
from fewlevels.circuit.network.designs import DESIGNS, StageDesign
from fewlevels.circuit.network.resistances import Window

COLUMNS = {"resting pairs": RESTING_PAIRS, "balanced pairs": BALANCED_PAIRS, "single columns": SINGLE_COLUMNS}
ALL_DESIGNS = DESIGNS | {
    f"{name}, {reading}": StageDesign(name="any", summary="any", columns=columns, reading=reading)
    for name, columns in COLUMNS.items()
    for reading in ("transimpedance", "buffered", "unbuffered")
}
LOWEST, HIGHEST = 1e-6, 9e-6
WEIGHTS = np.random.default_rng(1).choice([-2.0, -0.5, 0.0, 0.5, 1.5], (6, 4))


def crossbar_of(columns: WeightColumns) -> np.ndarray:
    return columns.conductance(WEIGHTS, columns.device_map(WEIGHTS.ravel(), LOWEST, HIGHEST))


def conductances_lie_in_the_window_and_reach_its_ends(columns: WeightColumns) -> None:
    found = crossbar_of(columns)
    np.testing.assert_allclose([found.min(), found.max()], [LOWEST, HIGHEST], rtol=1e-12)


def currents_tell_the_sums_of_weights_times_inputs(columns: WeightColumns) -> None:
    x, device_map = np.random.default_rng(2).uniform(0, 1, (5, 6)), columns.device_map(WEIGHTS.ravel(), LOWEST, HIGHEST)
    column_ampere = 0.5 * x @ crossbar_of(columns)
    sums = columns.sums(column_ampere, 0.5 * device_map.siemens_per_weight)
    np.testing.assert_allclose(sums, x @ WEIGHTS, rtol=0, atol=1e-12)
    signal = columns.signal_of(WEIGHTS, device_map, x, 0.5)
    np.testing.assert_allclose(columns.signal(column_ampere), signal, rtol=0, atol=1e-12 * column_ampere.max())


def each_column_has_the_place_of_its_output(columns: WeightColumns) -> None:
    width = crossbar_of(columns).shape[1]
    places = columns.places(width)
    assert len(set(places)) == len(places) == width
    for output in range(WEIGHTS.shape[1]):
        plus, minus = columns.compared(output, width)
        assert places[plus] == (output, "+")
        assert places[minus] == (output, "-") or (places[minus][1] == "reference" and not columns.pairs)


def what_is_listed_and_what_rests_is_all_that_devices_hold(columns: WeightColumns) -> None:
    device_map = columns.device_map(WEIGHTS.ravel(), LOWEST, HIGHEST)
    listed = device_map.conductance(columns.listed(WEIGHTS))
    held = np.sort(crossbar_of(columns).ravel())
    others = [LOWEST] if columns.rests else [device_map.conductance(np.zeros(()))]
    np.testing.assert_allclose(np.unique(held.round(12)), np.unique(np.append(listed, others).round(12)))


def several_networks_are_mapped_as_each_one_is(columns: WeightColumns) -> None:
    several = np.array([WEIGHTS.ravel(), 3 * WEIGHTS.ravel()])
    top = np.array([HIGHEST, 4e-6])
    together = columns.device_map(several, LOWEST, top)
    for index, weights in enumerate(several):
        alone = columns.device_map(weights, LOWEST, top[index])
        for name in ("siemens_per_weight", "offset"):
            assert np.asarray(getattr(together, name))[index] == getattr(alone, name)


CHECKS = (
    conductances_lie_in_the_window_and_reach_its_ends,
    currents_tell_the_sums_of_weights_times_inputs,
    each_column_has_the_place_of_its_output,
    what_is_listed_and_what_rests_is_all_that_devices_hold,
    several_networks_are_mapped_as_each_one_is,
)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_way_to_hold_weights_keeps_the_contract(columns: str, check) -> None:
    check(COLUMNS[columns])


def circuit_of(design: str, **options: object) -> NetworkCircuit:
    rng = np.random.default_rng(3)
    network = Networks.from_weights([rng.choice([-2.0, -0.5, 0.5, 2.0], shape) for shape in ((6, 5), (5, 4), (4, 3))])
    return NetworkCircuit.from_networks(network, design=ALL_DESIGNS[design], **options)  # type: ignore[arg-type]


INPUTS = np.random.default_rng(4).integers(0, 2, (4, 6)).astype(float)


@pytest.mark.parametrize("design", [name for name, design in ALL_DESIGNS.items() if not design.is_passive])
def test_without_imperfections_every_design_computes_the_network(design: str) -> None:
    circuit = circuit_of(design, selector=None).without("loading")
    point = circuit.run(INPUTS, 2.0)
    outputs = Networks.from_weights(list(circuit.weights)).outputs(INPUTS)[0]
    np.testing.assert_allclose(circuit.values(point.stages[-1].point.output_ampere, 2.0, -1), outputs, rtol=1e-12)
    np.testing.assert_allclose(point.output_ampere, point.computed_ampere, rtol=1e-8)


@pytest.mark.parametrize("design", ALL_DESIGNS)
def test_a_chip_of_the_very_devices_is_the_circuit(design: str) -> None:
    circuit = circuit_of(design)
    chip = [crossbar.conductance_siemens[None] for crossbar in circuit.crossbars]
    expected = circuit.run(INPUTS, 1.0).output_ampere
    np.testing.assert_allclose(circuit.run_chips(INPUTS, 1.0, chip)[0], expected, rtol=1e-9)


@pytest.mark.parametrize("design", ALL_DESIGNS)
def test_columns_end_at_references_only_where_the_design_has_them(design: str) -> None:
    ends = [crossbar.reference_ohm for crossbar in circuit_of(design).crossbars]
    chosen = ALL_DESIGNS[design]
    assert [end > 0 for end in ends] == [chosen.has_references] * 2 + [chosen.has_references and not chosen.is_passive]
    assert not chosen.grounded().has_references


@pytest.mark.parametrize("design", ALL_DESIGNS)
def test_units_that_fire_are_raised_in_every_design_and_silent_ones_where_all_are(design: str) -> None:
    chosen = ALL_DESIGNS[design]
    assert chosen.raised_units(np.array([0.0, 1.0])).tolist() == [chosen.raises_all, True]
    assert chosen.raised_inputs(np.array([0.0, 1.0])).tolist() == [False, True]


@pytest.mark.parametrize("design", ALL_DESIGNS)
def test_the_table_of_resistances_counts_every_device(design: str) -> None:
    circuit = circuit_of(design, window=Window(r_min_ohm=1e4, r_max_ohm=1e6))
    table, devices = circuit.resistances(), sum(crossbar.conductance_siemens.size for crossbar in circuit.crossbars)
    references = 0 if circuit.design.columns.pairs else sum(len(w) for w in circuit.weights)
    resting = 0 if table.rest_ohm is None else sum(table.devices)
    assert sum(table.devices) + resting + references == devices
    held = np.concatenate([1 / crossbar.conductance_siemens.ravel() for crossbar in circuit.crossbars])
    assert all(np.isclose(held, ohm, rtol=1e-9).any() for ohm in table.resistance_ohm)
