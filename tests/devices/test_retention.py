"""Retention: relaxation and drift of unlike devices, against NumPy's Monte Carlo, closed forms and what chips draw."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import lognorm, norm

from fewlevels import Device, Networks, Samples, load_device, separable_levels
from fewlevels.chips.mapping import map_network
from fewlevels.chips.variation import Conditions, draw_chips
from fewlevels.devices import PolynomialSpread, PowerLawDrift, Relaxation, TabulatedDrift
from fewlevels.devices.separability import telling_times
from fewlevels.errors import DeviceError
from fewlevels.fitting.likelihood import _Devices
from fewlevels.fitting.problem import FitConfig, Problem
from tests.support.oracles import given

CHIPS = 4000
DAY = 86400.0
NETWORK = Networks.from_weights([np.array([[2.0, -1.0], [0.0, 1.0]]), np.array([[-2.0, 0.0, 1.0], [1.0, -1.0, 2.0]])])
DEVICE = Device(
    name="test",
    lowest_siemens=20e-6,
    highest_siemens=100e-6,
    spread=PolynomialSpread(constant_siemens=1e-6, slope=0.01),
)
POWER = PowerLawDrift(exponent=0.05, exponent_sigma=0.02, start_seconds=20.0, last_seconds=1e6)
TABLE = TabulatedDrift(
    start_seconds=20.0,
    last_seconds=1e6,
    conductance_siemens=(20e-6, 60e-6, 100e-6),
    exponent=(0.1, 0.05, 0.04),
    exponent_sigma=(0.03, 0.01, 0.005),
    noise_amplitude=(0.02, 0.01, 0.005),
    read_seconds=1e-6,
)
RELAXATION = Relaxation(
    first_seconds=1.0,
    last_seconds=1e6,
    sigma_siemens=2e-6,
    sigma_siemens_per_efold=0.1e-6,
    shift_siemens=-0.5e-6,
    shift_siemens_per_efold=-0.2e-6,
)
LAWS = pytest.mark.parametrize("retention", [POWER, TABLE, RELAXATION], ids=["power", "power-table", "relaxation"])


def drawn(device: Device, chips: range = range(CHIPS), scheme: str = "differential-pair", **conditions):
    """(chips, devices) conductances, and their targets."""
    mapping = map_network(NETWORK, lowest_siemens=20e-6, highest_siemens=100e-6, scheme=scheme)
    found = draw_chips(mapping, device, chips, Conditions(**conditions), seed=3)
    flat = np.concatenate([g.reshape(len(chips), -1) for g in found.conductance_siemens], axis=1)
    return flat, np.concatenate([t.ravel() for t in mapping.target_siemens])


def check_moments(flat: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> None:
    """Each device within 5 standard errors of its mean and of its standard deviation."""
    assert (abs(flat.mean(axis=0) - mean) < 5 * sigma / np.sqrt(len(flat))).all()
    fourth = ((flat - flat.mean(axis=0)) ** 4).mean(axis=0) / flat.var(axis=0) ** 2
    assert (abs(flat.std(axis=0) / sigma - 1) < 5 * np.sqrt((fourth - 1) / 4 / len(flat))).all()


@given(exponent=st.floats(-0.1, 0.3), sigma=st.floats(0.001, 0.1), decades=st.floats(0.01, 6))
def test_mean_and_spread_of_unlike_drift_are_those_of_a_log_normal_variable(exponent, sigma, decades):
    """Of SciPy, with nothing else that spreads; the programming spread then multiplies as independent variables do."""
    drift = PowerLawDrift(exponent=exponent, exponent_sigma=sigma, start_seconds=20.0, last_seconds=1e9)
    efolds = decades * np.log(10)
    factor = lognorm(s=sigma * efolds, scale=np.exp(-exponent * efolds))
    g, own, after = 30e-6, 2e-6, 20.0 * 10**decades
    assert drift.mean(g, after) == pytest.approx(g * factor.mean(), rel=1e-9)
    assert drift.sigma(g, 0.0, after) == pytest.approx(g * factor.std(), rel=1e-7)
    square = (g**2 + own**2) * (factor.var() + factor.mean() ** 2)
    assert drift.sigma(g, own, after) == pytest.approx(np.sqrt(square - (g * factor.mean()) ** 2), rel=1e-7)


def test_tabulated_drift_with_noise_has_the_moments_of_a_monte_carlo() -> None:
    rng, g, after, n = np.random.default_rng(1), 40e-6, 1e5, 1_000_000
    exponent = rng.normal(0.075, 0.02, n)  # halfway between 20 and 60 uS
    noise = 0.015 * np.sqrt(np.log((1e5 + 1e-6) / 2e-6))
    found = rng.normal(g, 1.4e-6, n) * (after / 20) ** -exponent * (1 + noise * rng.standard_normal(n))
    device = replace(DEVICE, retention=TABLE)
    assert device.mean_siemens(g, after) == pytest.approx(found.mean(), rel=1e-3)
    assert device.sigma_siemens(g, after) == pytest.approx(found.std(), rel=4e-3)


def test_without_spread_or_noise_a_table_of_one_exponent_is_the_power_law() -> None:
    power = PowerLawDrift(exponent=0.05, start_seconds=20.0, last_seconds=1e6)
    table = TabulatedDrift(
        start_seconds=20.0,
        last_seconds=1e6,
        conductance_siemens=(20e-6, 100e-6),
        exponent=(0.05, 0.05),
        exponent_sigma=(0.0, 0.0),
    )
    one, other = (replace(DEVICE, retention=retention) for retention in (power, table))
    g = np.linspace(20e-6, 100e-6, 9)
    np.testing.assert_allclose(one.sigma_siemens(g, 1e4), one.sigma_siemens(g) * 500**-0.05, rtol=1e-14)
    np.testing.assert_allclose(other.sigma_siemens(g, 1e4), one.sigma_siemens(g, 1e4), rtol=1e-13)
    np.testing.assert_allclose(other.mean_siemens(g, 1e4), one.mean_siemens(g, 1e4), rtol=1e-13)


@LAWS
@pytest.mark.parametrize("after", [20.0, DAY])
def test_chips_have_the_mean_and_spread_of_the_law(retention, after) -> None:
    device = replace(DEVICE, retention=retention)
    flat, target = drawn(device, after_seconds=after)
    check_moments(flat, device.mean_siemens(target, after), device.sigma_siemens(target, after))
    one, other = flat.T[:2] - flat.T[:2].mean(axis=1, keepdims=True)
    assert abs((one * other).mean() / one.std() / other.std()) < 5 / np.sqrt(CHIPS)  # no two devices share their luck


@LAWS
def test_verified_chips_keep_their_small_errors_and_gain_the_spread_of_time(retention) -> None:
    device = replace(DEVICE, retention=retention)
    flat, target = drawn(device, range(2000), after_seconds=DAY, tolerance_siemens=0.5e-6, max_pulses=10_000)
    verified = device.sigma_siemens(target) * np.sqrt(_truncated(0.5e-6 / device.sigma_siemens(target)))
    check_moments(flat, device.mean_siemens(target, DAY), retention.sigma(target, verified, DAY))


def _truncated(bound: np.ndarray) -> np.ndarray:
    """Variance of a standard normal variable cut at +- bound."""
    return 1 - 2 * bound * norm.pdf(bound) / (2 * norm.cdf(bound) - 1)


def test_each_device_keeps_its_own_exponent_for_good() -> None:
    device = replace(DEVICE, spread=PolynomialSpread(), retention=POWER)
    early, target = drawn(device, range(50), after_seconds=200.0)
    late, _ = drawn(device, range(50), after_seconds=2e5)
    exponents = [-np.log(g / target) / np.log(t / 20) for g, t in ((early, 200.0), (late, 2e5))]
    np.testing.assert_allclose(*exponents, rtol=1e-9)
    assert len(np.unique(exponents[0].round(12))) == exponents[0].size


def test_exponents_that_differ_leave_all_other_luck_as_it_is() -> None:
    """The spread of exponents switched off by its factor, a chip is that of devices that drift alike."""
    alike = replace(POWER, exponent_sigma=0.0)
    nearly = replace(POWER, exponent_sigma=1e-15)
    one, _ = drawn(replace(DEVICE, retention=alike), range(20), after_seconds=DAY, stuck_rate=0.1)
    other, _ = drawn(replace(DEVICE, retention=nearly), range(20), after_seconds=DAY, stuck_rate=0.1)
    np.testing.assert_allclose(one, other, rtol=1e-12)
    quiet, target = drawn(replace(DEVICE, retention=POWER), range(20), after_seconds=DAY, sigma_factor=0.0)
    np.testing.assert_allclose(quiet, np.broadcast_to(target * (DAY / 20) ** -0.05, quiet.shape), rtol=1e-12)


def test_a_chip_that_drifts_depends_on_its_number_only() -> None:
    device = replace(DEVICE, retention=TABLE)
    whole, _ = drawn(device, range(20), after_seconds=DAY)
    part, _ = drawn(device, range(12, 5, -1), after_seconds=DAY)
    assert np.array_equal(part, whole[12:5:-1])


def test_a_fixed_reference_does_not_drift() -> None:
    for retention in (POWER, TABLE, RELAXATION):
        mapping = map_network(NETWORK, lowest_siemens=20e-6, highest_siemens=100e-6, scheme="bias-column")
        conditions = Conditions(after_seconds=DAY)
        found = draw_chips(mapping, replace(DEVICE, retention=retention), range(5), conditions, seed=3)
        for g, target in zip(found.conductance_siemens, mapping.target_siemens, strict=True):
            assert (g[:, :, -1] == target[:, -1]).all() and (g[:, :, :-1] != target[:, :-1]).any()


@LAWS
@pytest.mark.parametrize("tolerance", [None, 0.1e-6])
def test_the_likelihood_has_the_variance_that_chips_have(retention, tolerance) -> None:
    device = replace(DEVICE, retention=retention)
    conditions = Conditions(after_seconds=DAY, tolerance_siemens=tolerance, max_pulses=10_000)
    data = Samples(np.eye(2), np.array([0, 1]), ("a", "b", "c"))
    problem = Problem(network=NETWORK, samples=data, data=data, device=device, config=FitConfig(conditions=conditions))
    _, target = drawn(device, range(1))
    mean, variance = _Devices(problem, np.ones((1, 1)), np.ones(1))._mean_and_variance(target)
    np.testing.assert_array_equal(mean, device.mean_siemens(target, DAY))
    programmed = device.sigma_siemens(target) if tolerance is None else np.full(target.shape, tolerance)
    smallest = (1e-4 * 80e-6) ** 2
    np.testing.assert_allclose(variance - smallest, retention.sigma(target, programmed, DAY) ** 2, rtol=1e-9)


def test_levels_of_unlike_drift_are_counted_over_means_and_spreads_of_that_time() -> None:
    """By SciPy's quadrature: one exponent for all, so the mean is F G and the count that of G over sigma / F."""
    device = replace(DEVICE, retention=POWER)
    growth = (0.02 * np.log(DAY / 20)) ** 2

    def sigma(g: float) -> float:
        return np.sqrt((1 + 0.01 * g) ** 2 * np.exp(growth) + g**2 * np.expm1(growth))

    count = 1 + quad(lambda g: 1 / sigma(g), 20, 100)[0] / 6
    assert separable_levels(device).count == pytest.approx(9.5, abs=0.2) and count < 4
    found = separable_levels(device, after_seconds=DAY)
    assert found.count == pytest.approx(count, rel=1e-6) or found.count == np.floor(count)


def test_relaxation_grows_with_the_logarithm_of_time() -> None:
    device = replace(DEVICE, retention=RELAXATION)
    g, e = 50e-6, np.e
    assert device.mean_siemens(g, 1.0) == pytest.approx(49.5e-6, rel=1e-12)
    assert device.mean_siemens(g, e**3) == pytest.approx(48.9e-6, rel=1e-12)
    assert device.sigma_siemens(g, 1.0) == pytest.approx(np.hypot(1.5e-6, 2e-6), rel=1e-12)
    assert device.sigma_siemens(g, e**3) == pytest.approx(np.hypot(1.5e-6, 2.3e-6), rel=1e-12)
    for outside in (0.5, 2e6):
        with pytest.raises(DeviceError, match=r"test: it was measured after 1 to 1e\+06 s, got"):
            device.mean_siemens(g, outside)


def test_a_device_is_looked_at_when_that_tells_something() -> None:
    short, later = replace(RELAXATION, last_seconds=1000.0), replace(TABLE, last_seconds=1e5)
    assert telling_times(replace(DEVICE, retention=RELAXATION)) == [None, 1.0, DAY, 1e6]
    assert telling_times(replace(DEVICE, retention=short)) == [None, 1.0, 1000.0]
    assert telling_times(replace(DEVICE, retention=later)) == [None, 20.0, 1e5]
    assert telling_times(replace(DEVICE, retention=POWER)) == [None, DAY, 1e6]  # at 20 s it stands as programmed
    assert telling_times(load_device("wan2022_rram")) == [None, DAY, 2 * DAY]
    assert telling_times(DEVICE) == [None]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: replace(POWER, exponent_sigma=-0.1), r"exponent_sigma must be in \[0, 1\], got -0.1"),
        (lambda: replace(POWER, exponent=2.0), "exponent must be from -1 to 1"),
        (lambda: replace(TABLE, exponent=(0.1, 0.1)), "exponent must have a value for each of the 3 conductances"),
        (lambda: replace(TABLE, exponent_sigma=(0.1, 0.1, 4.0)), r"exponent_sigma must be in \[0, 1\], got 4"),
        (lambda: replace(TABLE, read_seconds=None), "noise_amplitude and read_seconds must be given together"),
        (lambda: replace(TABLE, read_seconds=30.0), "read_seconds must be below start_seconds, got 30"),
        (lambda: replace(TABLE, conductance_siemens=(2e-6, 1e-6, 3e-6)), "conductance_siemens must ascend"),
        (lambda: replace(RELAXATION, sigma_siemens_per_efold=-1e-6), "must leave a spread of at least 0 S until"),
        (lambda: replace(RELAXATION, shift_siemens_per_efold=float("nan")), "_per_efold must be a finite number"),
        (lambda: replace(RELAXATION, first_seconds=2e6), "last_seconds must follow first_seconds"),
        (
            lambda: replace(DEVICE, retention=replace(RELAXATION, sigma_siemens=0.4)),
            "retention must be at most the highest",
        ),
        (
            lambda: replace(DEVICE, retention=replace(RELAXATION, shift_siemens_per_efold=-2e-6)),
            r"retention must keep means at 0 S or above until 1e\+06 s, got -8",
        ),
        (lambda: replace(DEVICE, retention=replace(POWER, exponent_sigma=1.0)), "retention must keep means up to"),
        (
            lambda: replace(DEVICE, lowest_siemens=10e-6, retention=TABLE),
            "retention must be measured everywhere from 1e-05 to 0.0001 S",
        ),
    ],
)
def test_what_no_retention_is_is_refused(made, said) -> None:
    with pytest.raises(DeviceError, match=said):
        made()
