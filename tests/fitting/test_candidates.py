"""Candidates of a fit: what is tried, in which order, against brute force, closed forms and drawn chips."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from fewlevels import Networks, Samples, TrainingConfig, load_device, load_digits, train
from fewlevels.chips.mapping import map_network
from fewlevels.chips.schemes import SCHEMES
from fewlevels.chips.variation import Conditions
from fewlevels.chips.yields import estimate_yield
from fewlevels.devices import Device, PolynomialSpread
from fewlevels.fitting.candidates import KEPT, SCALES, _in_parts, placements, ranked
from fewlevels.fitting.fit import fit_network
from fewlevels.fitting.likelihood import likelihood
from fewlevels.fitting.problem import FitConfig, Problem

SAMPLES = load_digits(5)
WINDOW = Device(
    name="window", lowest_siemens=10e-6, highest_siemens=100e-6, spread=PolynomialSpread(constant_siemens=4e-6)
)


@pytest.fixture(scope="module")
def network() -> Networks:
    return train(SAMPLES, TrainingConfig(steps=200_000), models=1, seed=2)


def problem(network: Networks, device: Device = WINDOW, samples: Samples = SAMPLES, **config: object) -> Problem:
    return Problem(network=network, samples=samples, data=samples, device=device, config=FitConfig(**config))  # type: ignore[arg-type]


def test_the_likelihood_of_one_pair_of_outputs_is_its_closed_form() -> None:
    """Own output at 100 uS, the other at 10 uS, each a pair: four errors of 4 uS on a difference of 90 uS."""
    one = Samples(np.ones((1, 1)), np.array([0]), ("a", "b"))
    asked = problem(
        Networks.from_weights([[[3.0, 0.0]]]), replace(WINDOW, spread=PolynomialSpread(constant_siemens=40e-6)), one
    )
    found = likelihood(asked, np.array([[3.0, 0.0]]), np.array([100e-6]))
    assert found[0] == pytest.approx(norm.logcdf(90 / (2 * 40)), rel=1e-5)
    half = replace(asked, config=replace(asked.config, conditions=Conditions(sigma_factor=0.5)))
    assert likelihood(half, np.array([[3.0, 0.0]]), np.array([100e-6]))[0] == pytest.approx(
        norm.logcdf(90 / (2 * 20)), rel=1e-4
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_to_first_order_it_is_what_chips_do(network: Networks, scheme: str) -> None:
    """Each sample alone, of two layers: its probability by the likelihood against the share of 4000 chips."""
    device = replace(WINDOW, spread=PolynomialSpread(constant_siemens=1e-6, slope=0.02), read_noise=0.01)
    values = np.sign(network.joint()) * (np.abs(network.joint()) > 2)
    network = Networks.from_joint(values, network.shapes)
    asked = problem(network, device, scheme=scheme, alpha=0.5)
    chips = estimate_yield(asked.put_on(network), device, SAMPLES, chips=4000)
    share = (chips.current_margin > 0).mean(axis=0)
    for sample in np.flatnonzero((share > 0.02) & (share < 0.98)):
        alone = Samples(SAMPLES.x[[sample]], SAMPLES.y[[sample]], SAMPLES.classes)
        found = likelihood(replace(asked, data=alone), values, np.array([100e-6]))[0]
        assert found == pytest.approx(share[sample], abs=0.12)


def test_likelier_candidates_yield_more(network: Networks) -> None:
    """The order of candidates against that of their yields, spread over the whole list of settings."""
    asked = problem(network, alpha=0.9)
    _, quantizer = next(placements(asked, 5))
    values = np.concatenate([s.quantize(network.joint(), 5).values for s in quantizer.settings()])  # type: ignore[attr-defined]
    values = values[np.abs(values).max(axis=1) > 0]
    found = likelihood(asked, values, np.full(len(values), 100e-6))
    some = np.argsort(found)[:: -len(values) // 24]
    yields = [
        estimate_yield(
            asked.put_on(Networks.from_joint(values[i : i + 1], network.shapes)), WINDOW, SAMPLES, chips=300
        ).recognition.mean()
        for i in some
    ]
    assert spearmanr(found[some], yields).statistic > 0.9


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_candidate_takes_exactly_the_states_asked_for(network: Networks, scheme: str) -> None:
    asked = problem(network, scheme=scheme)
    for states in (2, 3, 5):
        for candidate in ranked(asked, states):
            assert len(asked.put_on(candidate.network, states, candidate.top_siemens).level_siemens) == states
    assert ranked(asked, 5)


def test_the_first_candidate_is_the_safest_without_variation(network: Networks) -> None:
    rough = problem(network, replace(WINDOW, spread=PolynomialSpread(constant_siemens=60e-6)))
    first, second, *_ = ranked(rough, 5)
    _, quantizer = next(placements(rough, 5))
    recognition = [
        Networks.from_joint(setting.quantize(network.joint(), 5).values, network.shapes).recognition(SAMPLES)[0]
        for setting in quantizer.settings()  # type: ignore[attr-defined]
    ]
    assert first.network.recognition(SAMPLES)[0] == max(recognition) == 1.0
    assert second.network.recognition(SAMPLES)[0] < 1.0  # what the spread leaves likeliest is another one


def test_of_candidates_that_recognise_alike_the_largest_margin_comes_first(network: Networks) -> None:
    """Brute force; a margin counts in currents of the largest weight."""
    asked = problem(network, scheme="balanced-pair")
    ((_, quantizer),) = placements(asked, 15)
    margins = []
    for setting in quantizer.settings():  # type: ignore[attr-defined]
        joint = setting.quantize(network.joint(), 8).values
        if joint.any() and len(asked.put_on(Networks.from_joint(joint, network.shapes)).level_siemens) == 15:
            margins.append(smallest_margin(joint, network.shapes))
    assert len(margins) > 10 and max(margins) > 0
    first = ranked(asked, 15)[0].network.joint()
    assert smallest_margin(first, network.shapes) == pytest.approx(max(margins), rel=1e-9)


def smallest_margin(joint: np.ndarray, shapes: tuple[tuple[int, int], ...]) -> float:
    w1, w2 = (w[0] for w in Networks.from_joint(joint, shapes).weights)
    z = 1 / (1 + np.exp(-(SAMPLES.x @ w1))) @ w2
    own = np.arange(len(SAMPLES)), SAMPLES.y
    others = z.copy()
    others[own] = -np.inf
    return float((z[own] - others.max(axis=1)).min() / np.abs(joint).max())


def test_of_a_level_table_every_subset_is_tried_at_every_scale(network: Networks) -> None:
    """Brute force over subsets and scales: the best of all is the first of the ranked."""
    levels = (1e-6, 4e-6, 10e-6, 30e-6, 100e-6)
    device = Device(name="table", level_siemens=levels, level_sigma_siemens=(0.2e-6, 0.5e-6, 1e-6, 2e-6, 3e-6))
    asked = problem(network, device)
    joint, best = network.joint()[0], -np.inf
    for others in itertools.combinations(levels[1:], 2):
        above = np.array([0.0, *(g - levels[0] for g in others)])
        for scale in SCALES:
            table = above / above[-1] * scale * np.abs(joint).max()
            nearest = table[np.abs(np.abs(joint)[:, None] - table).argmin(axis=1)]
            if len(set(nearest) | {0.0}) == 3:
                values = (np.sign(joint) * nearest)[None]
                best = max(best, likelihood(asked, values, np.array([others[-1]]))[0])
    first = ranked(asked, 3)[1]
    assert likelihood(asked, first.network.joint(), np.array([first.top_siemens]))[0] == pytest.approx(best, rel=1e-9)


def test_the_level_that_carries_the_largest_weight_is_the_likeliest_not_the_highest() -> None:
    """Two levels and zero are one network at any level; the highest level spreads by 60 %, the next by 1 %."""
    device = Device(name="wide", level_siemens=(1e-6, 20e-6, 60e-6), level_sigma_siemens=(1e-7, 2e-7, 36e-6))
    ternary = Networks.from_weights([[[1.0, -1.0], [-1.0, 1.0]]])
    asked = problem(ternary, device, Samples(np.eye(2), np.array([0, 1]), ("a", "b")))
    first, likeliest, *_ = ranked(asked, 2)
    assert first.top_siemens == likeliest.top_siemens == 20e-6
    assert asked.put_on(likeliest.network, 2, likeliest.top_siemens).level_siemens.tolist() == [1e-6, 20e-6]
    fit = fit_network(ternary, asked.samples, device, replace(asked.config, chips=100))
    assert fit.best.mapping.level_siemens.tolist() == [1e-6, 20e-6] and fit.best.chip_yield.value == 1.0
    assert {found.value for found in fit.limits.values()} == {1.0}


def test_states_at_a_constant_ratio_are_where_they_were_placed(network: Networks) -> None:
    """Four over the window; where three are used, the highest of them may lie below the window's end."""
    lee = load_device("lee2018_taox")
    asked = problem(network, lee)
    placed = np.geomspace(0.04e-6, 6e-6, 4)
    found = [each for states in (2, 3) for each in ranked(asked, states) if each.placement == "constant ratio"]
    for candidate in found:
        level = asked.put_on(candidate.network, None, candidate.top_siemens).level_siemens
        np.testing.assert_allclose(placed[np.abs(placed - level[:, None]).argmin(axis=1)], level, rtol=1e-9)
    assert found


def test_a_long_level_table_is_sampled_and_still_used_as_it_is(network: Networks) -> None:
    levels = tuple(np.geomspace(1e-6, 100e-6, 16).tolist())
    device = Device(name="long", level_siemens=levels, level_sigma_siemens=(0.1e-6,) * 16)
    found = ranked(problem(network, device), 6)
    assert len(found) == 1 + KEPT
    for candidate in found:
        mapping = problem(network, device).put_on(candidate.network, 6, candidate.top_siemens)
        assert set(mapping.level_siemens) <= set(levels) and mapping.level_siemens[-1] == candidate.top_siemens


def test_states_at_equal_error_are_those_of_the_time_asked_for(network: Networks) -> None:
    wan = load_device("wan2022_rram")
    day = Conditions(after_seconds=86400.0)
    tables = []
    for conditions in (Conditions(), day):
        named = dict(placements(problem(network, wan, conditions=conditions), 4))
        tables.append(named["equal error"].table)  # type: ignore[attr-defined]
    for table, conditions in zip(tables, (Conditions(), day), strict=True):
        sigma = wan.sigma_siemens(np.array(table), conditions.after_seconds)
        apart = np.diff(table) / (sigma[1:] + sigma[:-1])
        np.testing.assert_allclose(apart, apart[0], rtol=1e-6)
    assert not np.allclose(*tables)


def test_the_highest_level_that_all_weights_fall_on_carries_the_largest() -> None:
    levels = (1e-6, 2e-6, 3e-6, 5e-6, 9e-6)  # above the lowest: 0, 1, 2, 4, 8
    device = Device(name="powers", level_siemens=levels, level_sigma_siemens=(1e-8,) * 5)
    network = Networks.from_weights([[[1.0, -0.5], [0.0, 1.0]]])
    asked = problem(network, device, Samples(np.eye(2), np.array([0, 1]), ("a", "b")))
    assert asked.put_on(network).level_siemens.tolist() == [1e-6, 5e-6, 9e-6]
    by_hand = map_network(network, lowest_siemens=1e-6, highest_siemens=9e-6)
    np.testing.assert_allclose(asked.put_on(network).target_siemens[0], by_hand.target_siemens[0], rtol=1e-9)


def test_rows_are_judged_in_parts_however_they_come() -> None:
    rows = np.arange(14.0).reshape(7, 2)
    for pieces in ([rows], [rows[:1], rows[1:1], rows[1:6], rows[6:]], list(rows[:, None])):
        parts = list(_in_parts(pieces, 3))
        assert [len(part) for part in parts] == [3, 3, 1]
        np.testing.assert_array_equal(np.concatenate(parts), rows)
    assert list(_in_parts([rows[:0]], 3)) == []
