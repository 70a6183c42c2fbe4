"""Fine-tuning with the quantizer in the forward pass: its gradient, its optimiser, and what it reaches."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest

from fewlevels import (
    Binary,
    FinetuningConfig,
    KMeans,
    Networks,
    Samples,
    Ternary,
    TrainingConfig,
    _kernels,
    finetune,
    load_digits,
    quantize_networks,
    train,
)
from fewlevels.errors import FinetuningError, SearchError
from fewlevels.quantization.protocol import Quantized
from fewlevels.samples import FloatArray

DIGITS = load_digits(5)
TRAINED = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=20_000), models=20, seed=3)
SHAPES = [(4, 3), (3, 5), (5, 2)]


def loss(networks: Networks, samples: Samples, kind: str) -> np.ndarray:
    outputs = networks.outputs(samples.x)
    target = np.eye(outputs.shape[2])[samples.y]
    if kind == "squared":
        return 0.5 * ((target - outputs) ** 2).sum(axis=2).mean(axis=1)
    return -(target * np.log(outputs) + (1 - target) * np.log(1 - outputs)).sum(axis=2).mean(axis=1)


@pytest.mark.parametrize("isa", _kernels.instruction_sets())
@pytest.mark.parametrize("kind", ["squared", "cross-entropy"])
@pytest.mark.parametrize("models", [1, 7, 17])
def test_the_gradient_is_the_loss_s_difference_quotient(isa: str, kind: str, models: int) -> None:
    rng = np.random.default_rng(models)
    samples = Samples(rng.random((6, 4)).round(1), np.array([0, 1, 0, 1, 1, 0]), ("a", "b"))
    joint = rng.normal(size=(models, 37))
    gradient, recognised = np.empty((models, 37), np.float32), np.empty(models, np.int32)
    _kernels.quantized_gradient([4, 3, 5, 2], joint.astype(np.float32), samples.x.astype(np.float32), samples.y,
                                kind == "cross-entropy", 0.0, np.ones((models, 4), np.uint32), gradient, recognised,
                                isa)  # fmt: skip
    step = 1e-5
    for i in range(37):
        up, down = joint.copy(), joint.copy()
        up[:, i] += step
        down[:, i] -= step
        quotient = (loss(Networks.from_joint(down, SHAPES), samples, kind)
                    - loss(Networks.from_joint(up, SHAPES), samples, kind)) / (2 * step)  # fmt: skip
        np.testing.assert_allclose(gradient[:, i], quotient, atol=1e-5 * np.abs(gradient).max(), rtol=1e-4)
    np.testing.assert_array_equal(recognised, Networks.from_joint(joint, SHAPES).recognised(samples).sum(axis=1))


@pytest.mark.parametrize("isa", _kernels.instruction_sets())
def test_adam_is_adam(isa: str) -> None:
    rng = np.random.default_rng(1)
    latent, gradients = rng.normal(size=(3, 5)), rng.normal(size=(4, 3, 5)).astype(np.float32)
    start, expected, m, v = latent.copy(), latent.copy(), np.zeros((3, 5)), np.zeros((3, 5))
    moments, rate = np.zeros((2, 3, 5), np.float32), np.array([0.1, 0.2, 0.3])
    for step, g in enumerate(gradients, start=1):
        _kernels.adam_step(latent, g, moments[0], moments[1], rate, np.full(3, step), isa)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g.astype(float) ** 2
        expected += rate[:, None] * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(latent - start, expected - start, rtol=1e-4)


def test_the_noise_has_the_given_standard_deviation() -> None:
    # one weight on one input of 1; the squared loss's gradient at w = 0.1 (1 + noise n) tells w
    models = 20_000
    weights = np.full((models, 2), 0.1, np.float32)
    streams = np.random.default_rng(1).integers(0, 2**32, (models, 4), dtype=np.uint32)
    gradient, recognised = np.empty((models, 2), np.float32), np.empty(models, np.int32)
    _kernels.quantized_gradient([1, 2], weights, np.ones((1, 1), np.float32), np.zeros(1, np.int32), True, 0.3,
                                streams, gradient, recognised, _kernels.instruction_sets()[0])  # fmt: skip
    output = 1.0 - gradient[:, 0].astype(float)
    weight = np.log(output / (1 - output))
    np.testing.assert_allclose(weight.mean(), 0.1, rtol=0.02)
    np.testing.assert_allclose(weight.std(), 0.03, rtol=0.03)


def test_trained_networks_become_ternary_and_lose_nothing() -> None:
    found = finetune(TRAINED, DIGITS, quantizer=Ternary(), alpha=1.0)
    assert found.solved.all() and (found.recognition_before < 1).any()
    assert Networks(found.quantized_weights).recognition(DIGITS).tolist() == [1.0] * 20
    joint = Networks(found.quantized_weights).joint()
    assert all(len(np.unique(np.abs(row))) <= 2 for row in joint)
    assert (found.quantized.differential_pair_states == 2).all()


def test_a_model_does_not_depend_on_its_neighbours_or_the_threads() -> None:
    config = FinetuningConfig(steps=30, noise=0.1, patience=3)
    whole = finetune(TRAINED, DIGITS, config=config, jobs=2)
    part = finetune(TRAINED[:5], DIGITS, config=config, jobs=1)
    np.testing.assert_array_equal(part.quantized.networks.joint(), whole.quantized.networks.joint()[:5])
    np.testing.assert_array_equal(part.steps, whole.steps[:5])


def test_no_steps_leave_the_quantized_networks() -> None:
    found = finetune(TRAINED, DIGITS, quantizer=KMeans(), levels=3, config=FinetuningConfig(steps=0))
    expected = quantize_networks(TRAINED, KMeans(), 3)
    np.testing.assert_array_equal(found.quantized.networks.joint(), expected.networks.joint())
    np.testing.assert_array_equal(found.recognition, found.recognition_before)
    assert (found.steps == 0).all() and (found.quantized.occupied == expected.occupied).all()


def test_the_best_is_kept_where_the_target_is_not_reached() -> None:
    few, more = (finetune(TRAINED, DIGITS, quantizer=Binary(), config=FinetuningConfig(steps=n)) for n in (20, 200))
    assert (more.recognition >= few.recognition).all() and (few.recognition >= few.recognition_before).all()


@pytest.mark.parametrize("share", ["layer", "column"])
def test_layers_and_columns_can_have_a_scale_of_their_own(share: str) -> None:
    found = finetune(TRAINED, DIGITS, share=share)  # type: ignore[arg-type]
    assert found.solved.mean() > 0.9 and (found.quantized.differential_pair_states <= 2).all()


def test_weights_found_under_noise_tolerate_it() -> None:
    rng = np.random.default_rng(5)
    tolerant = []
    for noise in (0.0, 0.1):
        networks = finetune(TRAINED, DIGITS, config=FinetuningConfig(noise=noise)).quantized.networks
        joint = np.repeat(networks.joint(), 20, axis=0)
        noisy = Networks.from_joint(joint * (1 + 0.1 * rng.normal(size=joint.shape)), TRAINED.shapes)
        tolerant.append((noisy.recognition(DIGITS) == 1).mean())
    assert tolerant[1] > tolerant[0] + 0.1


@dataclass(frozen=True)
class Silence:
    """Makes every weight 0, and remembers the latent weights it was given."""

    seen: list[FloatArray]
    name = "silence"

    def quantize(self, weights: FloatArray, levels: int) -> Quantized:
        self.seen.append(weights.copy())
        return Quantized(np.zeros((len(weights), 1)), np.zeros(weights.shape, np.intp), np.zeros_like(weights))


@pytest.mark.parametrize("ramp", [0.0, 1.0])
def test_the_forward_pass_ramps_from_the_latent_to_the_quantized_weights(ramp: float) -> None:
    quantizer = Silence([])
    config = FinetuningConfig(steps=2, ramp=ramp, latent_limit=100.0)
    finetune(TRAINED[:1], DIGITS, quantizer=quantizer, levels=1, config=config)
    before, after = (Networks.from_joint(latent, TRAINED.shapes) for latent in quantizer.seen[:2])
    assert np.array_equal(before.joint(), TRAINED[:1].joint())
    if ramp:  # the first step is that of the latent weights
        assert loss(after, DIGITS, "cross-entropy") < loss(before, DIGITS, "cross-entropy")
    else:  # behind a silent layer there is no gradient
        assert np.array_equal(after.weights[0], before.weights[0])


def test_each_layer_can_have_a_limit_of_its_own() -> None:
    quantizer = Silence([])
    config = FinetuningConfig(steps=60, ramp=1.0, learning_rate=0.2, latent_limit=(0.5, 2.0))
    finetune(TRAINED[:1], DIGITS, quantizer=quantizer, levels=1, config=config)
    scale = np.abs(TRAINED[:1].joint()).mean()
    for layer, limit in enumerate((0.5, 2.0)):
        largest = np.abs(Networks.from_joint(quantizer.seen[-2], TRAINED.shapes).weights[layer]).max()
        np.testing.assert_allclose(largest, limit * scale, rtol=1e-12)


def test_batches_train_too() -> None:
    config = FinetuningConfig(batch=4, steps=800, check_every=10)
    found = finetune(TRAINED, DIGITS, config=config, seed=2)
    assert found.recognition.mean() > found.recognition_before.mean()
    again = finetune(TRAINED, DIGITS, config=config, seed=2)
    np.testing.assert_array_equal(found.quantized.networks.joint(), again.quantized.networks.joint())


@pytest.mark.parametrize(("name", "value"), [
    ("steps", -1), ("learning_rate", 0.0), ("final_rate", 0.0), ("latent_limit", 0.0), ("batch", 0), ("loss", "hinge"),
    ("noise", 1.0), ("ramp", 1.5), ("latent_limit", (1.0, -1.0)), ("noise", -0.1), ("patience", 0), ("check_every", 0),
])  # fmt: skip
def test_a_configuration_that_cannot_be_run_is_refused(name: str, value: object) -> None:
    with pytest.raises(FinetuningError, match=f"{name} must be .*got {re.escape(repr(value))}"):
        FinetuningConfig(**{name: value})


def test_arguments_that_cannot_be_run_are_refused() -> None:
    with pytest.raises(FinetuningError, match="levels must be given for 'kmeans'"):
        finetune(TRAINED, DIGITS, quantizer=KMeans())
    with pytest.raises(SearchError, match="alpha must be"):
        finetune(TRAINED, DIGITS, alpha=1.2)
    with pytest.raises(FinetuningError, match="one for each of 2 layers, got"):
        finetune(TRAINED, DIGITS, config=FinetuningConfig(latent_limit=(1.0, 1.0, 1.0)))
    with pytest.raises(FinetuningError, match="seed must be"):
        finetune(TRAINED, DIGITS, seed=-1)
