"""Every quantizer can be searched and fine-tuned for."""

from __future__ import annotations

import numpy as np
import pytest

from fewlevels import FinetuningConfig, TrainingConfig, fewest_levels, finetune, load_digits, train
from fewlevels.quantization.layout import Layout
from tests.support.quantizer_contracts import ROWS

DIGITS = load_digits(5)
NETWORKS = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=20_000), models=6, seed=3)


@pytest.mark.parametrize("name", ROWS)
def test_a_search_hands_out_the_networks_that_its_trace_tells_of(name: str) -> None:
    found = fewest_levels(NETWORKS, DIGITS, quantizer=ROWS[name], alpha=0.2, q_max=5, share="layer")
    assert found.solved.sum() > 2
    at_q = found.recognition_trace[found.solved, found.q[found.solved] - 1]
    np.testing.assert_array_equal(found.all_quantized().recognition(DIGITS), at_q)


@pytest.mark.parametrize("name", ROWS)
def test_a_search_of_fewer_levels_than_a_quantizer_gives_finds_nothing(name: str) -> None:
    found = fewest_levels(NETWORKS, DIGITS, quantizer=ROWS[name], q_max=1)
    assert np.isnan(found.recognition_trace).all() == (ROWS[name].least_levels > 1)
    assert not found.solved.any()


@pytest.mark.parametrize("name", ROWS)
def test_fine_tuning_starts_at_the_quantized_networks(name: str) -> None:
    quantizer = ROWS[name].for_finetuning()
    levels = ROWS[name].numbers(4)[-1]
    tuned = finetune(NETWORKS, DIGITS, quantizer=quantizer, levels=levels, config=FinetuningConfig(steps=5))
    values, _ = Layout.of(NETWORKS).quantize(NETWORKS.joint(), quantizer, levels)
    before = NETWORKS.with_joint(values).recognition(DIGITS)
    np.testing.assert_array_equal(tuned.recognition_before, before)
    assert (tuned.recognition >= before).all() and (tuned.quantized.occupied <= levels).all()
