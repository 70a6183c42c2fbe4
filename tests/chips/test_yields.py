"""Yields: closed forms, chance, and the same chips whatever the number of jobs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from fewlevels import Networks, Samples, load_digits
from fewlevels.chips.mapping import map_network
from fewlevels.chips.variation import Conditions
from fewlevels.chips.yields import Yield, estimate_yield, measured_chip
from fewlevels.circuit.cell import Sinh
from fewlevels.devices import Device, PolynomialSpread
from fewlevels.devices.iv import fit_iv
from fewlevels.errors import DeviceError, NotConvergedError

LOW, HIGH, SIGMA = 100e-6, 110e-6, 4e-6
DEVICE = Device(name="test", lowest_siemens=LOW, highest_siemens=HIGH, spread=PolynomialSpread(constant_siemens=SIGMA))
ONE = Samples(np.array([[1.0]]), np.array([0]), ("a", "b"))
TWO_OUTPUTS = map_network(Networks.from_weights([[[1.0, 0.0]]]), lowest_siemens=LOW, highest_siemens=HIGH)


def ternary_digits():
    """A network that recognises the digits, on the device: one hidden layer that hands on, weights -1, 0, 1."""
    samples = load_digits(5)
    rng = np.random.default_rng(1)
    while True:
        w = rng.integers(-1, 2, (25, 10)).astype(float)
        network = Networks.from_weights([w, np.eye(10)])
        if network.recognition(samples)[0] > 0.3:
            return samples, map_network(network, lowest_siemens=LOW, highest_siemens=HIGH)


def test_two_levels_are_mistaken_as_often_as_the_closed_form_says() -> None:
    # Own output: HIGH - LOW, the other: LOW - LOW; four independent errors of SIGMA.
    found = estimate_yield(TWO_OUTPUTS, DEVICE, ONE, chips=20_000)
    right = norm.cdf((HIGH - LOW) / (2 * SIGMA))
    assert binomtest(found.passed, 20_000, right).pvalue > 0.001
    assert found.current_margin.mean() == pytest.approx((HIGH - LOW) / HIGH, abs=5 * 2 * SIGMA / HIGH / np.sqrt(20_000))


def test_without_spread_every_chip_works() -> None:
    assert estimate_yield(TWO_OUTPUTS, DEVICE, ONE, chips=100, conditions=Conditions(sigma_factor=0.0)).value == 1.0


def test_chips_whose_devices_are_all_stuck_guess() -> None:
    samples, mapping = ternary_digits()
    found = estimate_yield(mapping, DEVICE, samples, chips=4000, conditions=Conditions(stuck_rate=1.0))
    error = found.recognition.std() / np.sqrt(4000)
    ties = (np.abs(found.current_margin) < 1e-12).mean()
    assert 0.1 - ties - 5 * error < found.recognition.mean() < 0.1 + 5 * error  # a tie is not recognition


@pytest.mark.parametrize("device", [DEVICE, replace(DEVICE, read_noise=0.01)], ids=["programmed", "read noise"])
def test_the_same_seed_gives_the_same_chips_whatever_the_jobs(device: Device) -> None:
    samples, mapping = ternary_digits()
    whole = estimate_yield(mapping, device, samples, chips=600, seed=5, jobs=1)
    assert np.array_equal(
        whole.current_margin, estimate_yield(mapping, device, samples, chips=600, seed=5, jobs=3).current_margin
    )
    assert np.array_equal(
        whole.current_margin[513:],
        estimate_yield(mapping, device, samples, chips=range(513, 600), seed=5).current_margin,
    )
    assert not np.array_equal(
        whole.current_margin, estimate_yield(mapping, device, samples, chips=600, seed=6).current_margin
    )


def test_read_noise_alone_leaves_the_mean_margin_and_spreads_it() -> None:
    noisy = replace(DEVICE, spread=None, read_noise=0.02)
    found = estimate_yield(TWO_OUTPUTS, noisy, ONE, chips=8000)
    sigma = 0.02 * np.sqrt(HIGH**2 + 3 * LOW**2) / HIGH
    assert abs(found.current_margin.mean() - (HIGH - LOW) / HIGH) < 5 * sigma / np.sqrt(8000)
    assert abs(found.current_margin.std() - sigma) < 5 * sigma / np.sqrt(2 * 8000)


def test_reads_of_few_devices_at_once_change_nothing() -> None:
    samples, mapping = ternary_digits()
    noisy = replace(DEVICE, read_noise=0.02)
    together = estimate_yield(mapping, noisy, samples, chips=7)
    for memory_bytes in (0, 10 * 8 * 500 * 3):
        apart = estimate_yield(mapping, noisy, samples, chips=7, memory_bytes=memory_bytes)
        assert np.array_equal(apart.current_margin, together.current_margin)


def test_wires_that_vanish_change_nothing() -> None:
    samples, ideal = ternary_digits()
    wired = replace(ideal, circuit=replace(ideal.circuit, word_wire_ohm=1e-9, bit_wire_ohm=1e-9))
    one, other = (estimate_yield(each, DEVICE, samples, chips=20).current_margin for each in (ideal, wired))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_a_bent_device_is_solved_as_it_bends() -> None:
    # I = G v0 sinh(V / v0): all currents of one sample grow by the same factor.
    bent = map_network(
        Networks.from_weights([[[1.0, 0.0]]]), lowest_siemens=LOW, highest_siemens=HIGH, cell=Sinh(scale_volt=0.5)
    )
    straight = estimate_yield(TWO_OUTPUTS, DEVICE, ONE, chips=50).current_margin
    np.testing.assert_allclose(
        estimate_yield(bent, DEVICE, ONE, chips=50).current_margin, straight * 0.5 * np.sinh(2.0), rtol=1e-12
    )


def test_the_interval_is_wilson_s() -> None:
    # Wilson (1927) by hand for 8 of 10: (8 + z^2/2 -+ z sqrt(8 * 2 / 10 + z^2 / 4)) / (10 + z^2).
    z = norm.ppf(0.975)
    found = Yield(
        current_margin=np.where(np.arange(10) < 8, 1.0, -1.0)[:, None],
        pulses=np.ones(10),
        missed=np.zeros(10),
        alpha=1.0,
    )
    half = z * np.sqrt(1.6 + z**2 / 4)
    assert found.interval == pytest.approx(((8 + z**2 / 2 - half) / (10 + z**2), (8 + z**2 / 2 + half) / (10 + z**2)))


def test_the_interval_of_recognition_holds_the_closed_form() -> None:
    right = norm.cdf((HIGH - LOW) / (2 * SIGMA))
    low, high = estimate_yield(TWO_OUTPUTS, DEVICE, ONE, chips=5000).recognition_interval
    assert low < right < high and high - low == pytest.approx(2 * 1.96 * np.sqrt(right * (1 - right) / 5000), rel=0.1)
    perfect = estimate_yield(TWO_OUTPUTS, DEVICE, ONE, chips=10, conditions=Conditions(sigma_factor=0.0))
    assert perfect.recognition_interval == perfect.interval and perfect.interval[0] < 0.75


def test_a_chip_reaches_alpha_where_its_deciding_margin_is_positive() -> None:
    margin = np.array([[3.0, -1.0, 2.0, 5.0], [1.0, -2.0, -3.0, 4.0]])
    found = {
        a: Yield(current_margin=margin, pulses=np.zeros(2), missed=np.zeros(2), alpha=a) for a in (1.0, 0.75, 0.5, 0.7)
    }
    assert found[1.0].chip_margin.tolist() == [-1.0, -3.0]
    assert found[0.75].chip_margin.tolist() == found[0.7].chip_margin.tolist() == [2.0, -2.0]
    assert found[0.5].chip_margin.tolist() == [3.0, 1.0]
    assert [found[a].passed for a in (1.0, 0.75, 0.5)] == [0, 1, 2] and found[0.5].median_margin == 2.0
    tie = Yield(current_margin=np.zeros((1, 4)), pulses=np.zeros(1), missed=np.zeros(1), alpha=0.5)
    assert tie.passed == 0  # a tie is not recognition


def test_yield_falls_as_the_spread_grows() -> None:
    values = [
        estimate_yield(TWO_OUTPUTS, DEVICE, ONE, conditions=Conditions(sigma_factor=times)).value
        for times in (0.0, 0.5, 1.0, 4.0)
    ]
    assert values[0] == 1.0 and values == sorted(values, reverse=True) and values[-1] < values[1]


def test_a_margin_is_in_currents_of_one_full_device_at_the_input_voltage() -> None:
    still = Conditions(sigma_factor=0.0)
    for volt in (1.0, 0.2):
        found = estimate_yield(TWO_OUTPUTS, DEVICE, ONE, chips=1, conditions=replace(still, input_volt=volt))
        assert found.current_margin[0, 0] == pytest.approx((HIGH - LOW) / HIGH, rel=1e-12)


def test_every_sample_is_a_read_of_its_own() -> None:
    twice = Samples(np.ones((2, 1)), np.array([0, 0]), ("a", "b"))
    noisy = replace(DEVICE, spread=None, read_noise=0.02)
    margin = estimate_yield(TWO_OUTPUTS, noisy, twice, chips=500).current_margin
    assert abs(np.corrcoef(margin.T)[0, 1]) < 0.2


def test_a_chip_that_was_measured_is_run_as_it_is() -> None:
    samples, mapping = ternary_digits()
    quiet = estimate_yield(mapping, DEVICE, samples, chips=1, conditions=Conditions(sigma_factor=0.0))
    measured = measured_chip(mapping, mapping.target_siemens, samples)
    np.testing.assert_allclose(measured.current_margin, quiet.current_margin, rtol=1e-12, atol=1e-15)
    dead = [np.full_like(target, LOW) for target in mapping.target_siemens]
    assert measured_chip(mapping, dead, samples).recognition[0] == 0.0


@pytest.mark.parametrize("options", [{"chips": 0}, {"alpha": 0.0}, {"alpha": 1.1}])
def test_what_cannot_be_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(DeviceError, match=next(iter(options))):
        estimate_yield(TWO_OUTPUTS, DEVICE, ONE, **options)  # type: ignore[arg-type]


def test_a_bend_is_not_used_beyond_the_voltage_it_was_measured_to() -> None:
    curve = np.linspace(0.0, 0.5, 11)
    fitted = fit_iv("sinh", curve, 1e-4 * 0.3 * np.sinh(curve / 0.3))
    bent = replace(DEVICE, nonlinearity=fitted.law, iv_fit=fitted)
    estimate_yield(TWO_OUTPUTS, bent, ONE, chips=1, conditions=Conditions(input_volt=0.5))
    for volt, said in ((1.0, "1"), (0.5005, "0.5005")):
        with pytest.raises(DeviceError, match=rf"measured to 0\.5 V, its devices would get {said} V"):
            estimate_yield(TWO_OUTPUTS, bent, ONE, chips=1, conditions=Conditions(input_volt=volt))
    with pytest.raises(DeviceError, match=r"its devices would get 0\.6 V"):
        estimate_yield(TWO_OUTPUTS, bent, replace(ONE, x=1.5 * ONE.x), chips=1, conditions=Conditions(input_volt=0.4))


def test_currents_that_no_number_holds_are_an_error() -> None:
    bent = map_network(
        Networks.from_weights([[[1.0, 0.0]]]), lowest_siemens=LOW, highest_siemens=HIGH, cell=Sinh(scale_volt=1e-3)
    )
    with pytest.raises(NotConvergedError, match="a current is beyond float64 in a circuit driven by up to 1 V"):
        estimate_yield(bent, DEVICE, ONE, chips=1)


def test_a_chip_that_recognises_nothing_reaches_no_alpha() -> None:
    wrong = Yield(
        current_margin=np.array([[-1.0, -2.0], [1.0, -2.0]]), pulses=np.zeros(2), missed=np.zeros(2), alpha=1e-12
    )
    assert wrong.chip_margin.tolist() == [-1.0, 1.0] and wrong.passed == 1


def peak_bytes(function: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("read_noise", [0.0, 0.02])
def test_memory_is_bounded_and_the_bound_changes_nothing(read_noise: float) -> None:
    rng = np.random.default_rng(1)
    large = Networks.from_weights([rng.integers(-1, 2, (400, 50)), rng.integers(-1, 2, (50, 10))])
    samples = Samples(rng.random((6, 400)), np.arange(6), tuple("abcdef"))
    mapping = map_network(large, lowest_siemens=LOW, highest_siemens=HIGH)
    noisy, found = replace(DEVICE, read_noise=read_noise), list[Yield]()
    for memory_bytes in (20e6, 60e6):
        peak = peak_bytes(
            lambda bound=int(memory_bytes): found.append(
                estimate_yield(mapping, noisy, samples, chips=100, jobs=2, memory_bytes=bound)
            )
        )
        assert 0.3 * memory_bytes < peak < memory_bytes  # 100 chips of 41 000 devices: one array of theirs is 33 MB
    assert np.array_equal(found[0].current_margin, found[1].current_margin)
