"""Variation: moments and shares of drawn chips against the device's numbers; a chip is its own, whatever is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from fewlevels import Networks
from fewlevels.chips.mapping import Mapping, map_network
from fewlevels.chips.variation import Conditions, draw_chips, reads
from fewlevels.devices import Device, MeasuredRetention, PolynomialSpread, PowerLawDrift, RetentionTable
from fewlevels.errors import DeviceError

CHIPS = 4000
WEIGHTS = [np.array([[2.0, -1.0], [0.0, 1.0]]), np.array([[-2.0, 0.0, 1.0], [1.0, -1.0, 2.0]])]
DEVICE = Device(
    name="test",
    lowest_siemens=20e-6,
    highest_siemens=100e-6,
    spread=PolynomialSpread(constant_siemens=1e-6, slope=0.01),
)


def mapping(scheme: str = "differential-pair") -> Mapping:
    return map_network(Networks.from_weights(WEIGHTS), lowest_siemens=20e-6, highest_siemens=100e-6, scheme=scheme)  # type: ignore[arg-type]


def drawn(device: Device = DEVICE, chips: range = range(CHIPS), scheme: str = "differential-pair", **conditions):
    """(chips, devices) conductances, their targets, and the pulses."""
    found = draw_chips(mapping(scheme), device, chips, Conditions(**conditions), seed=3)
    flat = np.concatenate([g.reshape(len(chips), -1) for g in found.conductance_siemens], axis=1)
    return flat, np.concatenate([t.ravel() for t in mapping(scheme).target_siemens]), found.pulses


def check_moments(flat: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> None:
    """Each device within 5 standard errors of its mean and of its standard deviation."""
    assert (abs(flat.mean(axis=0) - mean) < 5 * sigma / np.sqrt(len(flat))).all()
    assert (abs(flat.std(axis=0) - sigma) < 5 * sigma / np.sqrt(2 * len(flat))).all()


def test_programmed_devices_have_the_stated_mean_and_spread() -> None:
    flat, target, pulses = drawn()
    check_moments(flat, target, 1e-6 + 0.01 * target)
    total = np.sqrt(((1e-6 + 0.01 * target) ** 2).sum())  # independent devices: variances add
    check_moments(flat.sum(axis=1, keepdims=True), np.array([target.sum()]), np.array([total]))
    assert (pulses == target.size).all()


def test_means_that_were_measured_first_stand_for_what_was_programmed() -> None:
    off = RetentionTable(
        after_seconds=1.0, conductance_siemens=(20e-6, 100e-6), mean_siemens=(22e-6, 95e-6), sigma_siemens=(1e-6, 2e-6)
    )
    device = replace(DEVICE, spread=None, retention=MeasuredRetention(table=(off,)))
    flat, target, _ = drawn(device)
    check_moments(flat, device.mean_siemens(target), device.sigma_siemens(target))
    assert np.array_equal(flat, drawn(device, after_seconds=1.0)[0])


def test_after_some_time_they_have_that_time_s_mean_and_spread() -> None:
    ends = (20e-6, 100e-6)
    tables = (
        RetentionTable(after_seconds=1.0, conductance_siemens=ends, sigma_siemens=(1e-6, 2e-6)),
        RetentionTable(
            after_seconds=100.0, conductance_siemens=ends, sigma_siemens=(3e-6, 4e-6), mean_siemens=(18e-6, 90e-6)
        ),
    )
    device = replace(DEVICE, spread=None, retention=MeasuredRetention(table=tables))
    flat, target, _ = drawn(device, after_seconds=100.0)
    check_moments(flat, np.interp(target, ends, (18e-6, 90e-6)), np.interp(target, ends, (3e-6, 4e-6)))
    flat, target, _ = drawn(device, after_seconds=10.0)  # halfway in the logarithm of time
    check_moments(flat, np.interp(target, ends, (19e-6, 95e-6)), np.interp(target, ends, (2e-6, 3e-6)))


def test_drift_that_shrinks_a_spread_shrinks_each_error() -> None:
    device = replace(DEVICE, retention=PowerLawDrift(exponent=0.05, start_seconds=1.0, last_seconds=1e6))
    at_once, _, _ = drawn(device, range(50))
    later, _, _ = drawn(device, range(50), after_seconds=1e4)
    np.testing.assert_allclose(later, at_once * 1e4**-0.05, rtol=1e-12)


def test_luck_is_the_same_under_all_conditions() -> None:
    flat, target, _ = drawn(chips=range(50))
    wide, _, _ = drawn(chips=range(50), sigma_factor=2.0)
    np.testing.assert_allclose(wide - target, 2 * (flat - target), rtol=1e-9, atol=1e-15)
    none, _, _ = drawn(chips=range(50), sigma_factor=0.0)
    assert np.array_equal(none, np.broadcast_to(target, none.shape))


def test_a_chip_depends_on_its_number_only() -> None:
    whole, _, _ = drawn(chips=range(40), tolerance_siemens=1e-6, stuck_rate=0.1)
    for chips in (range(7), range(7, 40), range(39, 20, -1)):
        part, _, _ = drawn(chips=chips, tolerance_siemens=1e-6, stuck_rate=0.1)
        assert np.array_equal(part, whole[list(chips)])
    assert len(np.unique(whole, axis=0)) == 40


def test_write_verify_ends_within_its_tolerance_and_counts_its_pulses() -> None:
    flat, target, pulses = drawn(tolerance_siemens=1.5e-6)
    assert (abs(flat - target) <= 1.5e-6).all()
    hit = norm.cdf(1.5e-6 / (1e-6 + 0.01 * target)) * 2 - 1  # pulses of a device are geometric in it
    expected, variance = (1 / hit).sum(), ((1 - hit) / hit**2).sum()
    assert abs(pulses.mean() - expected) < 5 * np.sqrt(variance / CHIPS)


def test_write_verify_gives_up_at_the_cap() -> None:
    flat, target, pulses = drawn(chips=range(500), tolerance_siemens=1e-9, max_pulses=3)
    assert (pulses <= 3 * target.size).all() and pulses.mean() > 2.9 * target.size
    assert (abs(flat - target) > 1e-9).mean() > 0.99


def test_write_verify_compares_with_the_target_and_not_with_the_mean() -> None:
    """Programmed 3 uS above the target on average: within 2 uS of the target is half a sigma below that mean."""
    ends = (20e-6, 100e-6)
    high = RetentionTable(
        after_seconds=1.0,
        conductance_siemens=ends,
        mean_siemens=tuple(g + 3e-6 for g in ends),
        sigma_siemens=(2e-6, 2e-6),
    )
    device = replace(DEVICE, spread=None, retention=MeasuredRetention(table=(high,)))
    flat, target, pulses = drawn(device, range(500), tolerance_siemens=2e-6, max_pulses=1000)
    assert (abs(flat - target) <= 2e-6 * (1 + 1e-9)).all()
    hit = norm.cdf(-0.5) - norm.cdf(-2.5)
    error = np.sqrt((1 - hit) / hit**2 * target.size / 500)
    assert abs(pulses.mean() - target.size / hit) < 5 * error


def test_a_stuck_device_takes_every_pulse_and_is_missed() -> None:
    for cap in (1, 7):
        found = draw_chips(
            mapping(), DEVICE, range(3), Conditions(stuck_rate=1.0, tolerance_siemens=1e-6, max_pulses=cap), seed=3
        )
        flat = np.concatenate([g.reshape(3, -1) for g in found.conductance_siemens], axis=1)
        target = np.concatenate([t.ravel() for t in mapping().target_siemens])
        off = abs(flat - target) > 1e-6
        assert off.any() and np.array_equal(found.missed, off.sum(axis=1))
        assert np.array_equal(found.pulses, target.size + (cap - 1) * off.sum(axis=1))


def test_what_write_verify_gave_up_on_is_counted() -> None:
    found = draw_chips(mapping(), DEVICE, range(200), Conditions(tolerance_siemens=1e-6, max_pulses=2), seed=3)
    flat = np.concatenate([g.reshape(200, -1) for g in found.conductance_siemens], axis=1)
    target = np.concatenate([t.ravel() for t in mapping().target_siemens])
    assert np.array_equal(found.missed, (abs(flat - target) > 1e-6).sum(axis=1)) and found.missed.sum() > 0


def test_drift_that_widens_every_device_alike_widens_its_own_error() -> None:
    device = replace(
        DEVICE, highest_siemens=1e-3, retention=PowerLawDrift(exponent=-0.1, start_seconds=1.0, last_seconds=1e6)
    )
    at_once, _, _ = drawn(device, range(50), tolerance_siemens=1e-6)
    later, _, _ = drawn(device, range(50), tolerance_siemens=1e-6, after_seconds=1e4)
    np.testing.assert_allclose(later, at_once * 1e4**0.1, rtol=1e-12)


def test_a_tolerance_as_wide_as_the_window_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"tolerance_siemens must be less than the window of test, 8e-05 S, got 0\.5"):
        drawn(chips=range(1), tolerance_siemens=0.5)


def test_half_of_the_stuck_devices_are_on_and_half_off() -> None:
    flat, _, _ = drawn(chips=range(2000), stuck_rate=0.4)
    for value in (100e-6, 20e-6):
        share = (flat == value).mean()
        assert abs(share - 0.2) < 5 * np.sqrt(0.2 * 0.8 / flat.size)


def test_write_verify_follows_the_seed() -> None:
    one, other = (
        draw_chips(mapping(), DEVICE, range(5), Conditions(tolerance_siemens=1e-7), seed=seed).pulses for seed in (3, 4)
    )
    assert not np.array_equal(one, other)


def test_a_negative_draw_is_an_open_device() -> None:
    wide = replace(DEVICE, spread=PolynomialSpread(constant_siemens=100e-6))
    flat, _, _ = drawn(wide, range(200))
    assert flat.min() == 1e-12 and (flat == 1e-12).mean() > 0.1


def test_stuck_devices_stand_at_the_ends_as_often_as_stated() -> None:
    flat, _, _ = drawn(replace(DEVICE, stuck_on_rate=0.2, stuck_off_rate=0.1))
    for value, rate in ((100e-6, 0.2), (20e-6, 0.1)):
        share = (flat == value).mean()
        assert abs(share - rate) < 5 * np.sqrt(rate * (1 - rate) / flat.size)


def test_a_fixed_reference_neither_varies_nor_sticks() -> None:
    device = replace(DEVICE, stuck_on_rate=0.5, stuck_off_rate=0.5)
    found = draw_chips(mapping("bias-column"), device, range(20), Conditions(), seed=3)
    for g, target in zip(found.conductance_siemens, mapping("bias-column").target_siemens, strict=True):
        assert (g[:, :, -1] == target[:, -1]).all()
        assert np.isin(g[:, :, :-1], [20e-6, 100e-6]).all()


def test_only_programmed_devices_take_pulses() -> None:
    for scheme, references in (("offset-column", 0), ("bias-column", 4)):
        for options in ({}, {"tolerance_siemens": 70e-6}):
            _, target, pulses = drawn(chips=range(3), scheme=scheme, **options)
            assert pulses.tolist() == [target.size - references] * 3


def test_every_read_has_its_own_relative_noise() -> None:
    device = replace(DEVICE, read_noise=0.03)
    chips = draw_chips(mapping(), device, range(500), Conditions(sigma_factor=0.0), seed=3)
    (seen,) = reads(chips, device, range(500), 10, seed=3, at_once=10)
    for each, target in zip(seen, mapping().target_siemens, strict=True):
        relative = each.reshape(5000, -1) / target.ravel()
        check_moments(relative, np.ones(target.size), np.full(target.size, 0.03))
    apart = list(reads(chips, device, range(500), 10, seed=3, at_once=3))
    assert [len(each) for each in apart] == [2] * 4
    for layer, whole in enumerate(seen):
        np.testing.assert_array_equal(np.concatenate([each[layer] for each in apart], axis=1), whole)
    one, other = (each[:, :, 0, 0] / target[0, 0] for each, target in zip(seen, mapping().target_siemens, strict=True))
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1  # layers do not share their noise


def test_a_read_below_zero_is_that_of_an_open_device() -> None:
    noisy = replace(DEVICE, read_noise=1.0)
    drawn = draw_chips(mapping(), noisy, range(9), Conditions(), seed=3)
    (seen,) = reads(drawn, noisy, range(9), 10, seed=3, at_once=10)
    assert min(each.min() for each in seen) == 1e-12


def test_a_device_without_spread_hits_its_targets() -> None:
    flat, target, _ = drawn(replace(DEVICE, spread=None), range(5))
    assert np.array_equal(flat, np.broadcast_to(target, flat.shape))


def test_a_device_is_never_asked_what_was_not_measured() -> None:
    with pytest.raises(DeviceError, match="nothing is known"):
        drawn(chips=range(1), after_seconds=10.0)


@pytest.mark.parametrize("known", [True, False])
def test_a_target_outside_the_window_is_refused_whether_or_not_a_spread_is_known(known: bool) -> None:
    narrow = replace(DEVICE, highest_siemens=90e-6, spread=DEVICE.spread if known else None)
    with pytest.raises(DeviceError, match=r"must lie in the measured 2e-05 to 9e-05 S, got 0\.0001 S"):
        drawn(narrow, range(1))


@pytest.mark.parametrize(
    "values",
    [{"input_volt": 0.0}, {"sigma_factor": -1.0}, {"stuck_rate": 1.5}, {"tolerance_siemens": 0.0}, {"max_pulses": 0}],
)
def test_conditions_that_cannot_be_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(DeviceError, match=next(iter(values))):
        Conditions(**values)  # type: ignore[arg-type]
