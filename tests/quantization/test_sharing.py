"""Levels shared by a network, a layer or a column, and what they ask of a device."""

from __future__ import annotations

import numpy as np
import pytest

from fewlevels import KMeans, Networks, Ternary, device_levels, quantize_networks
from fewlevels.errors import QuantizationError
from fewlevels.quantization.layout import Layout, Share
from fewlevels.quantization.sharing import MODELS_AT_ONCE, counts_of

SHAPES = ((3, 2), (2, 4))


@pytest.mark.parametrize("share", ["network", "layer", "column"])
def test_weights_come_back_where_they_were(share: Share) -> None:
    joint, layout = np.arange(28.0).reshape(2, 14), Layout(SHAPES, share)
    for models in (joint, joint[:1], joint[:0]):
        np.testing.assert_array_equal(layout.join(layout.split(models)), models)


@pytest.mark.parametrize(
    ("share", "groups"),
    [("network", [0, 0, 0, 0, 0, 0]), ("layer", [0, 0, 1, 1, 1, 1]), ("column", [0, 1, 2, 3, 4, 5])],
)
def test_columns_belong_to_groups(share: Share, groups: list[int]) -> None:
    assert Layout(SHAPES, share).column_groups.tolist() == groups and Layout(SHAPES, share).sizes == [3, 2, 4]


def test_a_column_is_what_one_unit_sums() -> None:
    blocks = Layout(SHAPES, "column").split(np.arange(14.0)[None])
    np.testing.assert_array_equal(blocks[0], [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_array_equal(blocks[1], [[6, 10], [7, 11], [8, 12], [9, 13]])


@pytest.mark.parametrize(
    ("share", "occupied", "distinct", "pair"),
    [
        ("network", 4, 5, 4),  # magnitudes 0, 1, 2, 3; signed -2, -1, 0, 1, 3; at rest the 0
        ("layer", 2, 3, 3),  # 0, 2 | 1, 3; -2, 0 | -1, 1, 3; 0, 2 | 0 to rest, 1, 3
        ("column", 2, 2, 3),  # 2 | 0 | 1 | 1, 3; each one signed weight, but -1, 1 and 1, 3; 0 to rest, 1, 3
    ],
)
def test_counts_by_hand(share: Share, occupied: int, distinct: int, pair: int) -> None:
    joint = np.array([[-2.0, 0.0, 1.0, 1.0, -1.0, 3.0]])  # a layer of one row, then [[1, 1], [-1, 3]]
    for quantizer, levels in ((KMeans(), occupied), (KMeans(signed=True), distinct)):
        counts = counts_of(joint, Layout(((1, 2), (2, 2)), share), quantizer, 7)
        assert {what: count.tolist() for what, count in counts.items()} == {
            "requested": [7],
            "occupied": [levels],
            "distinct-weights": [distinct],
            "differential-pair-states": [pair],
            "offset-column-states": [distinct],
        }


def test_ternary_needs_two_states_on_a_pair_and_three_on_a_column() -> None:
    networks = Networks.from_weights([np.random.default_rng(1).normal(size=(4, 3, 2)), np.ones((4, 2, 2))])
    found = quantize_networks(networks, Ternary(threshold=0.7), 2)
    assert (found.differential_pair_states == 2).all() and (found.offset_column_states <= 3).all()
    assert (found.occupied <= 2).all() and (found.counts["requested"] == 2).all()


def test_a_scale_of_its_own_lowers_each_layer_s_error() -> None:
    rng = np.random.default_rng(1)
    networks = Networks.from_weights([rng.normal(size=(4, 9, 6)), 10 * rng.normal(size=(4, 6, 3))])
    errors = []
    for share in ("network", "layer", "column"):
        found = quantize_networks(networks, KMeans(), 3, share=share)  # type: ignore[arg-type]
        errors.append(((found.networks.joint() - networks.joint()) ** 2).sum())
        assert found.share == share and (found.occupied == 3).all() and (found.distinct_weights <= 6).all()
    assert errors[0] > errors[1] > errors[2]


def test_another_share_is_refused() -> None:
    with pytest.raises(QuantizationError, match="share must be network, layer, column, got 'row'"):
        Layout(SHAPES, "row")  # type: ignore[arg-type]


@pytest.mark.parametrize("jobs", [1, 2, None])
def test_many_networks_have_the_weights_that_each_has_alone(jobs: int | None) -> None:
    models = 2 * MODELS_AT_ONCE + 1
    weights = np.random.default_rng(3).normal(size=(models, 3, 2)) * np.arange(1, models + 1)[:, None, None]
    networks = Networks.from_weights([weights])
    quantizer = device_levels([1e-6, 2e-6, 5e-6, 2.5e-5, 1e-4])
    whole = quantize_networks(networks, quantizer, 3, jobs=jobs)
    for model in (0, MODELS_AT_ONCE, models - 1):
        alone = quantize_networks(networks[model], quantizer, 3)
        np.testing.assert_array_equal(whole.networks[model].joint(), alone.networks.joint())
    assert len(quantize_networks(networks[:0], quantizer, 3).networks) == 0
    with pytest.raises(QuantizationError, match="jobs must be a whole number of at least 1, got 0"):
        quantize_networks(networks, quantizer, 3, jobs=0)
