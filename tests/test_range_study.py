"""Enforced weight ranges: the kernel's projection against NumPy, and what it does to the fewest levels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fewlevels import TrainingConfig, load_digits, study_range, train, trajectory
from fewlevels.errors import SearchError, TrainingError
from fewlevels.training import _starts

DIGITS = load_digits(5)


class Stream:
    """xoshiro128++ in plain integers, and a number below n from its upper bits."""

    def __init__(self, state: np.ndarray) -> None:
        self.s = [int(word) for word in state]

    def draw(self, n: int) -> int:
        mask, s = 0xFFFFFFFF, self.s
        rotate = lambda x, k: ((x << k) | (x >> (32 - k))) & mask  # noqa: E731
        result = (rotate((s[0] + s[3]) & mask, 7) + s[0]) & mask
        t = (s[1] << 9) & mask
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 11)
        return (result * n) >> 32


@pytest.mark.parametrize("limit", [1.5, 6.0])
def test_the_kernel_projects_after_every_update(limit: float) -> None:
    config = TrainingConfig(learning_rate=1.0, steps=200, range_limit=limit, init="normal:0,1")
    trained = train(DIGITS, config, models=3, seed=4)
    w1, w2, streams = _starts(DIGITS, config, [(0, model) for model in range(3)], 4)
    for model in range(3):
        one, two, stream = w1[model].astype(float), w2[model].astype(float), Stream(streams[model])
        one, two = one.clip(-limit / 2, limit / 2), two.clip(-limit / 2, limit / 2)
        for _ in range(200):
            sample = stream.draw(10)
            h = 1 / (1 + np.exp(-(DIGITS.x[sample] @ one)))
            o = 1 / (1 + np.exp(-(h @ two)))
            d2 = (np.eye(10)[sample] - o) * o * (1 - o)
            d1 = (two @ d2) * h * (1 - h)
            one = (one + np.outer(DIGITS.x[sample], d1)).clip(-limit / 2, limit / 2)
            two = (two + np.outer(h, d2)).clip(-limit / 2, limit / 2)
        np.testing.assert_allclose(trained.weights[0][model], one, atol=2e-5 * limit)
        np.testing.assert_allclose(trained.weights[1][model], two, atol=2e-5 * limit)


def test_every_snapshot_stays_in_the_range() -> None:
    config = TrainingConfig(steps=2000, range_limit=3.0, init="normal:0,2")
    for networks in trajectory(DIGITS, config, at_steps=[0, 1, 7, 2000], models=5):
        assert (networks.weight_range() <= 3.0).all()


def test_a_range_that_is_never_reached_changes_nothing_but_rounding() -> None:
    config = TrainingConfig(steps=300)
    free, wide = train(DIGITS, config, models=4), train(DIGITS, dataclasses.replace(config, range_limit=1e3), models=4)
    np.testing.assert_allclose(wide.joint(), free.joint(), atol=1e-4)


def test_narrower_ranges_need_fewer_levels() -> None:
    config = TrainingConfig(steps=50_000)
    study = study_range(DIGITS, config, [8.0, None], models=60, q_max=24)
    narrow, free = study.rows()
    assert narrow["trained"] > 0.9 and narrow["q_median"] < free["q_median"]  # type: ignore[operator]
    assert study.weight_range[0].max() <= 8.0 < study.weight_range[1].min()
    assert len(study.figure().axes) == 2


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_range_that_is_none_is_refused(limit: float) -> None:
    with pytest.raises(TrainingError, match="range_limit must be positive"):
        TrainingConfig(range_limit=limit)


def test_no_ranges_are_refused() -> None:
    with pytest.raises(SearchError, match="at least one range"):
        study_range(DIGITS, TrainingConfig(), [])
