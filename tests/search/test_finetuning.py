"""Fine-tuning with the quantizer in the forward pass: its gradient, its optimiser, and what it reaches."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from fewlevels import (
    Binary,
    DenseConfig,
    FinetuningConfig,
    KMeans,
    Networks,
    Quantizer,
    Samples,
    Ternary,
    TrainingConfig,
    _kernels,
    finetune,
    flip_pixels,
    load_digits,
    quantize_networks,
    train,
    train_dense,
    trajectory,
)
from fewlevels.common.arrays import FloatArray
from fewlevels.errors import FinetuningError, SearchError, TrainingError
from fewlevels.quantization.protocol import Quantized
from fewlevels.search.finetuning_config import config_for
from tests.support import oracles

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
    _kernels.dense_gradient(
        [4, 3, 5, 2],
        [0, 0],
        [0.0, 0.0],
        joint.astype(np.float32),
        None,
        samples.x.astype(np.float32),
        samples.y,
        int(kind == "cross-entropy"),
        0.0,
        np.ones((models, 4), np.uint32),
        gradient,
        None,
        recognised,
        isa,
    )
    step = 1e-5
    for i in range(37):
        up, down = joint.copy(), joint.copy()
        up[:, i] += step
        down[:, i] -= step
        quotient = (
            loss(Networks.from_joint(down, SHAPES), samples, kind)
            - loss(Networks.from_joint(up, SHAPES), samples, kind)
        ) / (2 * step)
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
    _kernels.dense_gradient(
        [1, 2],
        [],
        [],
        weights,
        None,
        np.ones((1, 1), np.float32),
        np.zeros(1, np.int32),
        1,
        0.3,
        streams,
        gradient,
        None,
        recognised,
        _kernels.instruction_sets()[0],
    )
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
class Watched:
    """A quantizer that remembers the latent weights it was given."""

    quantizer: Quantizer
    seen: list[FloatArray]
    name = "watched"

    def quantize(self, weights: FloatArray, levels: int) -> Quantized:
        self.seen.append(weights.copy())
        return self.quantizer.quantize(weights, levels)


@dataclass(frozen=True)
class Unquantized:
    """Any weight is its own level: nothing jumps, so that many steps stay comparable."""

    name = "unquantized"

    def quantize(self, weights: FloatArray, levels: int) -> Quantized:
        return Quantized(np.zeros((len(weights), 1)), np.zeros(weights.shape, np.intp), weights)


def batches(seed: int, samples: int, size: int | None) -> Iterator[np.ndarray]:
    """The samples of every step: each once, in a new order, before any comes again."""
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    while size is not None:
        yield from order.permutation(samples)[: samples // size * size].reshape(-1, size)
    yield from itertools.repeat(np.arange(samples))


def followed(
    networks: Networks,
    model: int,
    samples: Samples,
    quantizer: Quantizer,
    levels: int,
    config: FinetuningConfig,
    seed: int,
) -> Iterator[tuple[np.ndarray, float]]:
    """The oracle's steps on one of these networks."""
    limits = np.broadcast_to(config.latent_limit, len(networks.shapes)) * max(levels - 1, 1)
    return oracles.straight_through(
        networks.joint()[model],
        networks.shapes,
        samples.x,
        samples.y,
        lambda latent: quantizer.quantize(latent[None], levels).values[0],
        steps=config.steps,
        rate=config.learning_rate,
        final_rate=config.final_rate,
        ramp=config.ramp,
        limits=np.repeat(limits, [fan_in * fan_out for fan_in, fan_out in networks.shapes]),
        squared=config.loss == "squared",
        batches=batches(seed, len(samples), config.batch),
        noise=config.noise,
        words=np.random.SeedSequence(seed, spawn_key=(1, model)).generate_state(4).tolist(),
    )


CONTRADICTION = Samples(np.concatenate([DIGITS.x, DIGITS.x[:1]]), np.append(DIGITS.y, 1), DIGITS.classes)
"""The digits, with a 0 that is said to be a 1: no network recognises all of them, so that none stops early."""


@pytest.mark.parametrize(("quantizer", "levels"), [(Ternary(threshold=0.7), 2), (KMeans(), 3), (Binary(), 1)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "squared", "final_rate": 0.1},
        {"ramp": 0.5, "latent_limit": (0.5, 1.0)},
        {"batch": 4},
        {"noise": 0.1},
        {"batch": 3, "noise": 0.2, "ramp": 1.0, "final_rate": 0.3},
    ],
    ids=str,
)
def test_every_step_is_that_of_adam_and_a_straight_through_quantizer(
    quantizer: Quantizer, levels: int, options: dict[str, Any]
) -> None:
    config = FinetuningConfig(steps=12, check_every=1000, **{"latent_limit": 1.5, **options})
    watched = Watched(quantizer, [])
    finetune(TRAINED[3], CONTRADICTION, quantizer=watched, levels=levels, config=config, seed=5)
    assert len(watched.seen) == 13
    expected = [latent for latent, _ in followed(TRAINED[3], 0, CONTRADICTION, quantizer, levels, config, 5)]
    # roundings of float32; a step moves weights by 2 % of the mean magnitude
    np.testing.assert_allclose(np.concatenate(watched.seen), expected, atol=5e-4 * np.abs(expected[0]).mean())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise": 0.03, "patience": 3},
        {"noise": 0.03, "patience": 3, "batch": 4, "check_every": 1},
        {"ramp": 0.3, "check_every": 7},
        {"ramp": 0.3, "noise": 0.03, "patience": 2, "check_every": 1},
    ],
    ids=str,
)
def test_every_model_stops_where_it_would_alone_and_leaves_its_best_weights(options: dict[str, Any]) -> None:
    # Networks of little training recognise all digits at different times; two threads have 32 and 8 of them.
    start = TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=4000)
    young = trajectory(DIGITS, start, at_steps=[200, 600, 1600, 4000], models=10, seed=2)
    networks = Networks(tuple(map(np.concatenate, zip(*(each.weights for each in young), strict=True))))
    config = FinetuningConfig(steps=40, learning_rate=0.1, latent_limit=2.5, **options)
    found = finetune(networks, DIGITS, quantizer=Unquantized(), levels=1, config=config, seed=7, jobs=2)
    ends = set()
    for model in range(40):
        best, streak, kept, weights = -1.0, 0, (-1.0, 0), networks.joint()[model]
        steps = followed(networks, model, DIGITS, Unquantized(), 1, config, 7)
        for step, (latent, fraction) in enumerate(steps):
            alone = not config.ramp or step >= config.ramp * config.steps
            streak = streak + 1 if config.noise and alone and fraction == 1 else 0
            looks = config.check_every if config.batch or config.ramp else 1
            if step % looks == 0 or step == config.steps:
                clean = oracles.recognised(oracles.layers(latent, networks.shapes), DIGITS.x, DIGITS.y).mean()
                if (clean, streak) > kept:
                    kept, weights, best = (clean, streak), latent, step
            if kept[0] == 1 and (not config.noise or kept[1] >= config.patience):
                break
        ends.add(step)
        assert (found.steps[model], found.recognition[model]) == (best, kept[0])
        scale = np.abs(networks.joint()[model]).mean()
        np.testing.assert_allclose(found.quantized.networks.joint()[model], weights, atol=2e-3 * scale)
    assert len(ends) > 4, ends  # so that models left while others went on


def test_under_noise_a_model_stops_once_it_has_borne_it_long_enough_without_the_ramp() -> None:
    for options, least in (({"batch": 5}, 3), ({"ramp": 0.5}, 200 + 3)):
        watched = Watched(Ternary(), [])
        config = FinetuningConfig(steps=400, noise=0.03, patience=3, check_every=1, **options)  # type: ignore[arg-type]
        found = finetune(TRAINED[:1], DIGITS, quantizer=watched, levels=2, config=config)
        assert least <= len(watched.seen) < 401 and found.solved.all()


def test_batches_train_too() -> None:
    config = FinetuningConfig(batch=4, steps=800, check_every=10)
    found = finetune(TRAINED, DIGITS, config=config, seed=2)
    assert found.recognition.mean() > found.recognition_before.mean()
    again = finetune(TRAINED, DIGITS, config=config, seed=2)
    np.testing.assert_array_equal(found.quantized.networks.joint(), again.quantized.networks.joint())


def test_the_last_step_is_looked_at() -> None:
    config = FinetuningConfig(batch=5, steps=80, check_every=1000)
    found = finetune(TRAINED, DIGITS, config=config)
    assert (found.steps == 80).any() and (found.recognition > found.recognition_before).any()


def test_validation_samples_decide_what_is_best_and_reached() -> None:
    noisy = flip_pixels(DIGITS, 1, 3, np.random.default_rng(1))
    config = FinetuningConfig(steps=60, check_every=1)
    found = finetune(TRAINED, DIGITS, config=config, validation=noisy, alpha=0.8)
    before = quantize_networks(TRAINED, Ternary(), 2).networks
    np.testing.assert_array_equal(found.recognition_before, before.recognition(noisy))
    np.testing.assert_array_equal(found.recognition, found.quantized.networks.recognition(noisy))
    unjudged = finetune(TRAINED, DIGITS, config=config).quantized.networks.recognition(noisy)
    assert (found.steps > 0).any() and found.recognition.mean() > unjudged.mean()


def test_a_relative_aim_is_a_fraction_of_each_network_s_own_recognition() -> None:
    young = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=600), models=20, seed=2)
    found = finetune(young, DIGITS, alpha=0.9, relative=True)
    np.testing.assert_array_equal(found.target, 0.9 * young.recognition(DIGITS))
    assert found.solved.all() and len(set(found.target.tolist())) > 2
    stopped = found.recognition[found.steps > 0]  # a model stops as soon as it gets there
    assert (stopped < 1).any()
    noisy = flip_pixels(DIGITS, 1, 3, np.random.default_rng(1))
    found = finetune(young, DIGITS, relative=True, validation=noisy, config=FinetuningConfig(steps=0))
    np.testing.assert_array_equal(found.target, young.recognition(noisy))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", -1),
        ("learning_rate", 0.0),
        ("final_rate", 0.0),
        ("latent_limit", 0.0),
        ("batch", 0),
        ("loss", "hinge"),
        ("noise", 1.0),
        ("ramp", 1.5),
        ("latent_limit", (1.0, -1.0)),
        ("noise", -0.1),
        ("patience", 0),
        ("check_every", 0),
        ("latent_limit", ()),
        ("latent_limit", "a"),
        ("steps", 1.5),
    ],
)
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
    for seed in (-1, 1.5):
        with pytest.raises(FinetuningError, match=f"seed must be .* got {seed}"):
            finetune(TRAINED, DIGITS, seed=seed)  # type: ignore[arg-type]
    swapped = dataclasses.replace(DIGITS, classes=DIGITS.classes[::-1])
    with pytest.raises(SearchError, match="same classes in the same order, got '0' and '9'"):
        finetune(TRAINED, DIGITS, validation=swapped)


@pytest.mark.parametrize(
    ("times_weights", "times_x", "learning_rate", "says"),
    [
        (1e40, 1.0, 0.02, r"float32, which ends at 3.4e\+38, got weights up to \d\.\de\+4\d"),
        (1.0, 1e39, 0.02, r"float32, which ends at 3.4e\+38, got x up to 1.0e\+39"),
        (1e30, 1.0, 0.02, r"left float32 at step 1; smaller weights, or a smaller learning_rate than 0\.02, would"),
        (1.0, 1.0, 1e300, r"left float32 at step 1; smaller weights, or a smaller learning_rate than 1e\+300, would"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_numbers_that_float32_does_not_hold_are_refused(
    times_weights: float, times_x: float, learning_rate: float, says: str
) -> None:
    networks = Networks(tuple(times_weights * w for w in TRAINED.weights))
    samples = dataclasses.replace(DIGITS, x=times_x * DIGITS.x)
    with pytest.raises(FinetuningError, match=says):
        finetune(networks, samples, config=FinetuningConfig(learning_rate=learning_rate))


def test_numbers_of_numpy_are_numbers() -> None:
    config = FinetuningConfig(steps=np.int64(2), batch=np.int32(4), patience=np.int64(1))  # type: ignore[arg-type]
    finetune(TRAINED[:1], DIGITS, config=config, levels=np.int64(2), seed=np.int64(1))  # type: ignore[arg-type]


def test_many_samples_are_trained_on_in_batches_while_the_quantizer_takes_over() -> None:
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(3), 70)
    many = Samples(np.clip(np.eye(3, 6)[y] + rng.normal(0, 0.3, (210, 6)), 0, 1), y, ("a", "b", "c"))
    networks = train(many, TrainingConfig(hidden=5, init="normal:0,0.5", steps=20_000), models=3)
    config = config_for(networks, many)
    assert (config.batch, config.steps, config.check_every) == (50, 40 * 4, 4)
    assert config_for(networks, many, epochs=3).steps == 12
    assert len(config.latent_limit) == 2  # type: ignore[arg-type]
    alone, same = finetune(networks, many), finetune(networks, many, config=config)
    np.testing.assert_array_equal(alone.quantized.networks.joint(), same.quantized.networks.joint())
    few = flip_pixels(load_digits(5), 1, 20, rng)
    assert len(few) == 200 and config_for(networks, few) == FinetuningConfig()


def test_a_network_that_recognises_nothing_is_not_fine_tuned_to_a_share_of_it() -> None:
    blind = Networks.from_weights([np.ones((25, 3)), np.ones((3, 10))])
    found = finetune(blind, DIGITS, relative=True, config=FinetuningConfig(steps=2))
    assert np.isnan(found.target).all() and not found.solved.any()
    assert not finetune(blind, DIGITS, alpha=1e-15, config=FinetuningConfig(steps=0)).solved.any()


@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu", "sigmoid"])
def test_dense_networks_with_biases_become_ternary(activation: str) -> None:
    """Weights are at -a, 0, a; biases stay float and are trained, too; recognition is that of the very network."""
    networks = train_dense(DIGITS, DenseConfig(hidden=(20, 12), activation=activation, epochs=400, batch=10), models=3)
    assert networks.recognition(DIGITS).min() == 1.0
    found = finetune(networks, DIGITS, share="layer", config=FinetuningConfig(steps=1500))
    tuned = found.quantized.networks
    assert found.solved.all() and tuned.activations == networks.activations
    np.testing.assert_array_equal(tuned.recognition(DIGITS), found.recognition)
    for w, b, before in zip(tuned.weights, tuned.biases, networks.biases, strict=True):
        assert all(len(np.unique(np.abs(model))) <= 2 for model in w)
        assert b is not None and (found.steps.max() == 0 or (b != before).any())
    assert found.steps.max() > 0


def test_one_output_is_fine_tuned_for_two_classes() -> None:
    kept = DIGITS.y < 2
    samples = Samples(DIGITS.x[kept], DIGITS.y[kept], DIGITS.classes[:2])
    rng = np.random.default_rng(1)
    one = Networks.from_weights(
        [rng.normal(size=(25, 6)), rng.normal(size=(6, 1))],
        biases=[rng.normal(size=6), rng.normal(size=1)],
        activations=["relu", "sigmoid"],
    )
    found = finetune(one, samples, share="layer")
    assert found.solved.all() and found.quantized.networks.recognition(samples)[0] == 1.0


def test_what_dense_networks_cannot_be_fine_tuned_is_said() -> None:
    networks = train_dense(DIGITS, DenseConfig(hidden=(6,), epochs=1, batch=5))
    with pytest.raises(TrainingError, match="biases are trained as digital ones; leave them off the rows"):
        finetune(networks.with_bias_rows(), DIGITS)


def test_layers_without_biases_stay_without() -> None:
    networks = train_dense(DIGITS, DenseConfig(hidden=(6,), epochs=1, batch=5))
    some = Networks(networks.weights, biases=(networks.biases[0], None), activations=networks.activations)
    found = finetune(some, DIGITS, config=FinetuningConfig(steps=30)).quantized.networks
    assert found.biases[1] is None and (found.biases[0] != networks.biases[0]).any()
