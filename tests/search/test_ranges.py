"""Enforced weight ranges: the kernel's projection against NumPy, and what it does to the fewest levels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fewlevels import RangeStudy, TrainingConfig, fewest_levels, load_digits, study_range, train, trajectory
from fewlevels.errors import SearchError, TrainingError
from tests.support import oracles

DIGITS = load_digits(5)


@pytest.mark.parametrize("limit", [1.5, 6.0])
def test_the_kernel_projects_after_every_update(limit: float) -> None:
    config = TrainingConfig(learning_rate=1.0, steps=200, range_limit=limit, init="normal:0,1")
    trained = train(DIGITS, config, models=3, seed=4)
    for model in range(3):
        weights, words = oracles.start(4, (0, model), "normal", 0, 1, trained.shapes)
        one, two = (w.astype(float).clip(-limit / 2, limit / 2) for w in weights)
        for sample in oracles.draws(words, 10, 200):
            stepped = oracles.sgd_step(DIGITS.x[sample], np.eye(10)[sample], one, two, 1.0)
            one, two = (w.clip(-limit / 2, limit / 2) for w in stepped)
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


def test_a_study_is_the_search_of_the_same_networks_under_each_limit() -> None:
    config = TrainingConfig(steps=5000)
    study = study_range(DIGITS, config, np.array([4.0, 8.0]), models=20, alpha=0.9, q_max=3, seed=7)
    for at, limit in enumerate((4.0, 8.0)):
        networks = train(DIGITS, dataclasses.replace(config, range_limit=limit), models=20, seed=7)
        found = fewest_levels(networks, DIGITS, alpha=0.9, q_max=3)
        np.testing.assert_array_equal(study.q[at], found.q)
        np.testing.assert_array_equal(study.trained[at], found.trained)
        np.testing.assert_array_equal(study.weight_range[at], networks.weight_range())


def test_a_study_s_table_by_hand() -> None:
    # The last of five networks was not trained, the fourth not solved: quartiles of 2, 4, 10.
    trained, q = np.array([[True] * 4 + [False]]), np.array([[2, 4, 10, 0, 1]])
    ranges = np.array([[5.0, 6.0, 4.0, 5.5, 6.0]])
    (row,) = RangeStudy(limits=(6.0,), trained=trained, weight_range=ranges, q=q).rows()
    assert row == {
        "range_limit": 6.0,
        "trained": 0.8,
        "solved": 0.75,
        "weight_range_median": 5.5,
        "q_quartile_1": 3.0,
        "q_median": 4.0,
        "q_quartile_3": 7.0,
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("limits", [(None,), (4.0,), (4.0, 8.0, None)])
def test_any_limits_can_be_drawn(limits: tuple[float | None, ...]) -> None:
    q = np.array([[3, 5, 0]] * len(limits))
    figure = RangeStudy(limits=limits, trained=q > 0, weight_range=np.full(q.shape, 20.0), q=q).figure()
    figure.canvas.draw()
    drawn = sorted(x for line in figure.axes[1].lines for x in line.get_xdata())
    assert drawn == [20.0 if limit is None else limit for limit in limits]


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_range_that_is_none_is_refused(limit: float) -> None:
    with pytest.raises(TrainingError, match="range_limit must be positive"):
        TrainingConfig(range_limit=limit)


@pytest.mark.parametrize("limits", [[], 4.0, np.array([])])
def test_limits_that_are_no_list_are_refused(limits: object) -> None:
    with pytest.raises(SearchError, match="limits must be a list of at least one range, got"):
        study_range(DIGITS, TrainingConfig(), limits)  # type: ignore[arg-type]
