"""The library: each number as its source gives it, in the source's own form, and the table of the docs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from fewlevels import device_names, load_device, separable_levels
from fewlevels.devices.separability import telling_times, when

DOCS = Path(__file__).parents[2] / "docs" / "devices.md"
DAY, TEN_YEARS = 86400.0, 315576000.0


def polynomial(*coefficients: float):
    return lambda x: sum(c * x**power for power, c in enumerate(coefficients))


SPREADS = {  # (lowest, highest, reference of x in uS, sigma in uS of x = G / reference)
    "cmo_hfox": (9, 88.2, 1, polynomial(0.0112185391, 0.01129027418)),
    "cmo_hfox_fine": (9, 88.2, 1, polynomial(0.00081107, 0.00106879)),
    "hermes_pcm": (0, 10.35, 10.35, polynomial(0.15781817, 2.32443916, -2.16310839, 0.68841818)),
    "hermes_pcm_pair": (0, 20.7, 20.7, polynomial(0.16603222, 4.71806468, -8.48101252, 4.68961419)),
    "joshi2020_pcm": (0.25, 25, 1, polynomial(0.28638599, 0.07585724, -0.00178767)),
    "milo2021_hfo2": (50, 225, 1, polynomial(4.782, -0.0091)),
    "nandakumar2019_pcm": (0, 25, 25, polynomial(0.26348, 1.9650, -1.1731)),
    "sonos": (1.6e-6, 16, 1, lambda g: 20 * (1 - np.exp(-g * 0.1e3 / 176)) / 0.1e3),  # nA at 0.1 V
}
WAN = {  # quartics of x = G / 40 uS
    1.0: polynomial(0.348, 16.030, -43.853, 45.393, -16.815),
    DAY: polynomial(0.701, 22.086, -50.773, 47.095, -16.458),
    2 * DAY: polynomial(0.782, 20.274, -43.507, 37.062, -11.934),
}
STATES = {
    "cmo_hfox": 32,
    "cmo_hfox_fine": 32,
    "ecram2023_wox": 20,
    "hsieh2021_1t8r": 16,
    "lee2018_taox": 4,
    "rao2023": 2048,
    "schranghamer2020_graphene": 16,
    "stathopoulos2017": 92,
}


def log(x):
    return np.log(np.maximum(x, 1e-7))


def nandakumar(x):
    return (
        np.clip(-0.0155 * log(x) + 0.0244, 0.049, 0.1),
        np.clip(-0.0125 * log(x) - 0.0059, 0.008, 0.045),
        np.minimum(0.0088 / np.maximum(x**0.65, 1e-3), 0.2),
    )


def hermes_mean(x):
    return np.where(x < 0.0945, np.clip(-0.0387 * log(x) - 0.0182, 0.072, 0.13), 0.0736 - 0.0126 * x - 0.0436 * x**2)


def hermes_one(x):
    sigma = np.where(x < 0.3039, np.clip(-0.0120 * log(x) - 0.0023, 0.0124, 0.04), 0.0104 + 0.0116 * x - 0.0165 * x**2)
    noise = np.where(
        x < 0.1591,
        np.clip(-0.0078 * log(x) + 0.0038, 0.0179, 0.04),
        0.0088 + 0.0768 * x - 0.1352 * x**2 + 0.0664 * x**3,
    )
    return hermes_mean(x), sigma, noise


def hermes_two(x):
    sigma = np.where(x < 0.3055, np.clip(-0.0117 * log(x) - 0.0057, 0.0091, 0.04), 0.0073 + 0.0093 * x - 0.0118 * x**2)
    noise = np.where(
        x < 0.16, np.clip(-0.0117 * log(x) - 0.0069, 0.015, 0.04), 0.0123 + 0.0211 * x - 0.0280 * x**2 + 0.0069 * x**3
    )
    return hermes_mean(x), sigma, noise


DRIFTS = {
    "hermes_pcm": (200, 512e-9, hermes_one),
    "hermes_pcm_pair": (300, 512e-9, hermes_two),
    "nandakumar2019_pcm": (20, 250e-9, nandakumar),
}


def test_every_device_of_the_library_is_held_to_its_source() -> None:
    assert {*SPREADS, *STATES, "wan2022_rram", "wan2022_rram_authors"} == set(device_names())


@pytest.mark.parametrize("name", SPREADS)
def test_windows_and_spreads_are_those_of_the_source(name: str) -> None:
    low, high, reference, sigma = SPREADS[name]
    device, g = load_device(name), np.linspace(low, high, 50)
    assert (device.lowest_siemens, device.highest_siemens) == pytest.approx((low * 1e-6, high * 1e-6), rel=1e-12)
    np.testing.assert_allclose(device.sigma_siemens(g * 1e-6) * 1e6, sigma(g / reference), rtol=1e-7)


@pytest.mark.parametrize("name", ["wan2022_rram", "wan2022_rram_authors"])
def test_wan_has_the_fit_of_its_source_rounded_at_six_conductances(name: str) -> None:
    device = load_device(name)
    low = 0.0 if name == "wan2022_rram" else 1.0
    assert (device.lowest_siemens, device.highest_siemens) == (low * 1e-6, 40e-6)
    g = np.array([low, 5, 10, 20, 30, 40])
    for seconds, fit in WAN.items():
        np.testing.assert_allclose(device.sigma_siemens(g * 1e-6, seconds) * 1e6, fit(g / 40), atol=0.0051, rtol=0)
    assert tuple(table.after_seconds for table in device.retention.table) == tuple(WAN)


@pytest.mark.parametrize(("low", "counts"), [(0.0, (5.23, 3.20)), (1.0, (4.91, 3.03))])
def test_wan_s_quartic_offers_what_the_docs_say(low: float, counts: tuple[float, ...]) -> None:
    for seconds, count in zip((1.0, DAY), counts, strict=True):
        integral = quad(lambda g, fit=WAN[seconds]: 1 / fit(g / 40), low, 40)[0]
        assert 1 + integral / 6 == pytest.approx(count, abs=0.006)


@pytest.mark.parametrize("name", STATES)
def test_states_are_those_of_the_source(name: str) -> None:
    assert load_device(name).states == STATES[name]


def test_six_and_a_half_bits_are_92_states() -> None:
    assert round(np.log2(load_device("stathopoulos2017").states), 1) == 6.5


@pytest.mark.parametrize("name", DRIFTS)
def test_drift_and_noise_follow_their_source_to_within_a_percent(name: str) -> None:
    """And 1.5 % where the mean exponent of Hermes jumps by as much."""
    start, read, law = DRIFTS[name]
    drift, highest = load_device(name).retention, load_device(name).highest_siemens
    assert (drift.start_seconds, drift.last_seconds, drift.read_seconds) == (start, 1e5, read)
    at = np.array(drift.conductance_siemens)
    for g, error in ((at, 1e-4), (np.geomspace(1e-4 * highest, highest, 2000), 0.0155 if "hermes" in name else 0.0105)):
        exponent, sigma, noise = law(g / highest)
        for ours, theirs in zip(drift.exponents(g), (exponent, sigma), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=error)
        grown = noise * np.sqrt(np.log((DAY + read) / (2 * read)))
        np.testing.assert_allclose(drift.noise(g, DAY), grown, rtol=error)


@pytest.mark.parametrize(
    ("name", "seconds", "count"),
    [
        ("cmo_hfox_fine", None, 345.6),
        ("cmo_hfox", None, 33.3),
        ("cmo_hfox_fine", 1.0, 32.7),
        ("cmo_hfox", 1.0, 21.0),
        ("cmo_hfox_fine", DAY, 15.8),
        ("cmo_hfox", DAY, 13.5),
        ("cmo_hfox_fine", TEN_YEARS, 11.7),
        ("cmo_hfox", TEN_YEARS, 10.7),
    ],
)
def test_cmo_offers_what_relaxation_leaves(name: str, seconds: float | None, count: float) -> None:
    """By quadrature of the source's own form: sd .0420 ln t + .412 uS on top of the programming spread. The mean shift
    takes all levels along."""
    device, programmed = load_device(name), SPREADS[name][3]

    def sigma(g):
        relaxed = 0.0 if seconds is None else 0.04201137 * np.log(seconds) + 0.41183342
        return np.sqrt(programmed(g) ** 2 + relaxed**2)

    ours = separable_levels(device, after_seconds=seconds)
    assert ours.count == pytest.approx(1 + quad(lambda g: 1 / sigma(g), 9, 88.2)[0] / 6, rel=1e-6)
    assert ours.count == pytest.approx(count, abs=0.05)
    assert ours.reached_k_sigma >= 3 - 1e-8
    if seconds is not None:
        assert device.mean_siemens(50e-6, seconds) * 1e6 == pytest.approx(50 - 0.08900206 * np.log(seconds), rel=1e-12)
        g = np.linspace(9, 88.2, 20)
        np.testing.assert_allclose(device.sigma_siemens(g * 1e-6, seconds) * 1e6, sigma(g), rtol=1e-12)


def test_phase_change_devices_offer_what_others_computed_from_the_same_source() -> None:
    from_quarter = replace(load_device("nandakumar2019_pcm"), lowest_siemens=0.25e-6)
    assert separable_levels(from_quarter).count == pytest.approx(6.4, abs=0.05)
    assert str(separable_levels(load_device("hermes_pcm"))) == "3.6"
    assert str(separable_levels(load_device("hermes_pcm_pair"))) == "5.4"


def test_sonos_from_a_hundredth_of_a_microsiemens_offers_what_the_docs_say() -> None:
    assert str(separable_levels(replace(load_device("sonos"), lowest_siemens=0.01e-6))) == "21.9"


def test_the_table_of_the_docs_has_every_device_with_its_own_numbers() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.*?) \| .* \| (.*?) \| (.*?) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [row[0] for row in rows] == list(device_names())
    for name, window, told, later in rows:
        device = load_device(name)
        first, *rest = (separable_levels(device, after_seconds=after) for after in telling_times(device))
        assert window == device.window, name
        assert told == (f"{first} stated" if first.basis == "stated" else str(first)), name
        said = ", ".join(f"{found} ({when(found.after_seconds).removeprefix('after ')})" for found in rest)
        assert later == (said or "-"), name
