"""Recognition under flipped pixels, before and after quantizing."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from fewlevels import (
    Networks,
    Samples,
    Ternary,
    TrainingConfig,
    flip_pixels,
    load_digits,
    quantize_networks,
    recognition_under_flips,
    train,
)
from fewlevels.errors import SamplesError, SearchError

DIGITS = load_digits(5)
NETWORKS = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=20_000), models=5, seed=3)


def by_hand(networks: Networks, samples: Samples, pixels: int) -> np.ndarray:
    """Recognition over every choice of pixels of every sample, one by one."""
    found = []
    for x, y in zip(samples.x, samples.y, strict=True):
        for chosen in itertools.combinations(range(samples.inputs), pixels):
            flipped = x.copy()
            for pixel in chosen:
                flipped[pixel] = 1 - flipped[pixel]
            found.append(networks.recognised(dataclasses.replace(samples, x=flipped[None], y=np.array([y])))[:, 0])
    return np.mean(found, axis=0)


def test_without_flips_it_is_recognition_and_with_them_it_falls() -> None:
    quantized = quantize_networks(NETWORKS, Ternary(), 2).networks
    found = recognition_under_flips(NETWORKS, quantized, DIGITS, flips=(0, 1, 6), copies=30)
    np.testing.assert_allclose(found.before[:, 0], NETWORKS.recognition(DIGITS))
    np.testing.assert_allclose(found.after[:, 0], quantized.recognition(DIGITS))
    assert (np.diff(found.before.mean(axis=0)) < 0).all()


def test_one_and_two_flips_of_the_digits_are_tried_one_and_all() -> None:
    quantized = quantize_networks(NETWORKS, Ternary(), 2).networks
    found = recognition_under_flips(NETWORKS, quantized, DIGITS, flips=(0, 1, 2, 3), copies=7)
    assert found.tried == (10, 250, 3000, 70)
    assert found.exact == (True, True, True, False)
    for at, pixels in enumerate((0, 1, 2)):
        np.testing.assert_allclose(found.before[:, at], by_hand(NETWORKS, DIGITS, pixels), rtol=1e-12)
        np.testing.assert_allclose(found.after[:, at], by_hand(quantized, DIGITS, pixels), rtol=1e-12)


def test_what_is_tried_in_full_depends_on_no_seed_and_no_copies() -> None:
    one = recognition_under_flips(NETWORKS, NETWORKS, DIGITS, flips=(1, 2), copies=1, seed=3)
    other = recognition_under_flips(NETWORKS, NETWORKS, DIGITS, flips=(1, 2), copies=9, seed=4)
    np.testing.assert_array_equal(one.before, other.before)


def test_the_noisy_samples_are_those_of_seed_and_flips() -> None:
    found = recognition_under_flips(NETWORKS, NETWORKS, DIGITS, flips=(3, 4), copies=7, seed=5)
    for at, k in enumerate((3, 4)):
        rng = np.random.default_rng(np.random.SeedSequence(5, spawn_key=(k,)))
        noisy = flip_pixels(DIGITS, k, 7, rng)
        np.testing.assert_array_equal(found.before[:, at], NETWORKS.recognition(noisy))


def test_the_pixels_do_not_depend_on_the_other_flips() -> None:
    some = recognition_under_flips(NETWORKS, NETWORKS, DIGITS, flips=(4,))
    more = recognition_under_flips(NETWORKS, NETWORKS, DIGITS, flips=(3, 4))
    np.testing.assert_array_equal(some.before[:, 0], more.before[:, 1])
    np.testing.assert_array_equal(more.before, more.after)


def test_samples_without_pixels_to_flip_are_refused() -> None:
    grey = dataclasses.replace(DIGITS, x=DIGITS.x / 2)
    for pixels, why in ((1, "only binary samples"), (26, "pixels must be a whole number of 0 to 25, got 26")):
        with pytest.raises(SamplesError, match=why):
            recognition_under_flips(NETWORKS, NETWORKS, grey if pixels == 1 else DIGITS, flips=(pixels,))


@pytest.mark.parametrize(("name", "value"), [("flips", ()), ("flips", (-1,)), ("flips", (1.5,)), ("seed", -1)])
def test_arguments_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(SearchError, match=f"{name} must .* got"):
        recognition_under_flips(NETWORKS, NETWORKS, DIGITS, **{name: value})  # type: ignore[arg-type]


def test_networks_without_their_quantized_ones_are_refused() -> None:
    with pytest.raises(SearchError, match="got 5 and 4"):
        recognition_under_flips(NETWORKS, NETWORKS[:4], DIGITS)
