"""Dense training: its gradient and its steps against loops of our own and PyTorch, and what it is to depend on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fewlevels import DenseConfig, Networks, Samples, load_dataset, load_digits, train_dense
from fewlevels.errors import TrainingError
from fewlevels.training.descent import Loss, biases_of, with_parameters

DIGITS = load_digits(5)
HIDDEN = ("sigmoid", "tanh", "relu", "leaky_relu", "identity")


def random_networks(hidden: str, last: str, outputs: int, models: int = 3) -> Networks:
    rng = np.random.default_rng(1)
    sizes = (6, 5, 4, outputs)
    return Networks.from_weights(
        [rng.normal(size=(models, *shape)) for shape in itertools.pairwise(sizes)],
        biases=[rng.normal(size=(models, size)) for size in sizes[1:]],
        activations=[hidden, hidden, last],
    )


def losses(networks: Networks, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean loss of each model, in double precision."""
    sums = networks.sums(x)
    if networks.activations[-1].name == "sigmoid":
        target = y[:, None] if sums.shape[2] == 1 else np.eye(sums.shape[2])[y]
        return (np.logaddexp(0, sums) - target * sums).sum(axis=2).mean(axis=1)
    return (np.logaddexp.reduce(sums, axis=2) - sums[:, np.arange(len(y)), y]).mean(axis=1)


@pytest.mark.parametrize(("last", "outputs"), [("softmax", 3), ("sigmoid", 3), ("sigmoid", 1), ("identity", 2)])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_the_gradient_is_the_loss_s_difference_quotient(hidden: str, last: str, outputs: int) -> None:
    networks = random_networks(hidden, last, outputs)
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(7, 6)), rng.integers(0, max(outputs, 2), 7)
    weights, biases = networks.joint(), biases_of(networks)
    assert biases is not None
    found = Loss.of(networks, squared=False).gradients(
        weights, biases, (x.astype(np.float32), y), noise=0.0, streams=np.ones((3, 4), np.uint32)
    )
    step = 1e-6
    for which, gradient in ((0, found[0]), (1, found[1])):
        assert gradient is not None
        for i in range(gradient.shape[1]):
            both = []
            for move in (step, -step):
                moved = [weights.copy(), biases.copy()]
                moved[which][:, i] += move
                both.append(losses(with_parameters(networks, *moved), x, y))
            quotient = (both[1] - both[0]) / (2 * step)
            np.testing.assert_allclose(gradient[:, i], quotient, atol=2e-6 * np.abs(gradient).max(), rtol=2e-5)
    samples = Samples(x, y, tuple("abcdefg"[: max(outputs, 2)]))
    np.testing.assert_allclose(found[2], networks.recognition(samples))


def test_a_training_is_a_twenty_line_loop() -> None:
    """Forward, back and Adam in NumPy's double precision, every step with all samples."""
    config = DenseConfig(hidden=(6,), epochs=8, batch=len(DIGITS), learning_rate=0.01)
    found = train_dense(DIGITS, config, models=2)
    start = train_dense(DIGITS, DenseConfig(hidden=(6,), epochs=0, batch=len(DIGITS)), models=2)
    target = np.eye(10)[DIGITS.y]
    for model in range(2):
        parts = [start.weights[0][model], start.biases[0][model], start.weights[1][model], start.biases[1][model]]  # type: ignore[index]
        parts = [part.copy() for part in parts]
        m, v = [np.zeros_like(part) for part in parts], [np.zeros_like(part) for part in parts]
        for step in range(1, 9):
            hidden = np.maximum(DIGITS.x @ parts[0] + parts[1], 0)
            sums = hidden @ parts[2] + parts[3]
            softmax = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
            delta = (softmax - target) / len(DIGITS)
            below = delta @ parts[2].T * (hidden > 0)
            gradients = [DIGITS.x.T @ below, below.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]
            rate = 0.01 * (0.01 + 0.99 * (0.5 + 0.5 * np.cos(np.pi * step / 8)))
            for part, g, one, two in zip(parts, gradients, m, v, strict=True):
                one[...] = 0.9 * one + 0.1 * g
                two[...] = 0.999 * two + 0.001 * g**2
                part -= rate * (one / (1 - 0.9**step)) / (np.sqrt(two / (1 - 0.999**step)) + 1e-8)
        got = [found.weights[0][model], found.biases[0][model], found.weights[1][model], found.biases[1][model]]  # type: ignore[index]
        for expected, one in zip(parts, got, strict=True):
            np.testing.assert_allclose(one, expected, rtol=0, atol=2e-5)


def test_pytorch_takes_the_same_steps() -> None:
    torch = pytest.importorskip("torch")
    config = DenseConfig(hidden=(7, 5), activation="tanh", epochs=6, batch=len(DIGITS), learning_rate=0.02)
    start = train_dense(DIGITS, DenseConfig(hidden=(7, 5), activation="tanh", epochs=0, batch=len(DIGITS)))
    found = train_dense(DIGITS, config)
    layers = []
    for w, b in zip(start.weights, start.biases, strict=True):
        layer = torch.nn.Linear(*w.shape[1:]).double()
        assert b is not None
        layer.weight.data, layer.bias.data = torch.tensor(w[0].T.copy()), torch.tensor(b[0].copy())
        layers += [layer, torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0)
    x, y = torch.tensor(DIGITS.x), torch.tensor(DIGITS.y.astype(np.int64))
    for step in range(1, 7):
        optimizer.param_groups[0]["lr"] = 0.02 * (0.01 + 0.99 * (0.5 + 0.5 * np.cos(np.pi * step / 6)))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    np.testing.assert_allclose(found.sums(DIGITS.x)[0], model(x).detach().numpy(), atol=1e-4)


def test_a_model_depends_on_its_index_alone() -> None:
    config = DenseConfig(hidden=(4,), epochs=2, batch=3)
    many = train_dense(DIGITS, config, models=20, jobs=2)
    few = train_dense(DIGITS, config, models=18, jobs=1)
    for one, other in zip((*many.weights, *many.biases), (*few.weights, *few.biases), strict=True):
        assert one is not None and other is not None
        np.testing.assert_array_equal(one[:18], other)
    assert (train_dense(DIGITS, config, seed=2).weights[0] != many.weights[0][:1]).all()


def test_a_network_of_digits8_is_as_good_as_one_of_scikit_learn() -> None:
    training, test = load_dataset("digits8")
    found = train_dense(training, DenseConfig(hidden=(32,)), models=4)
    assert found.recognition(test).min() > 0.95
    assert found.activations == Networks.from_weights([np.eye(2)] * 2, activations=["relu", "softmax"]).activations


def test_a_few_samples_are_taken_often() -> None:
    """Ten glyphs in one batch: 500 steps, where 20 would not do."""
    assert DenseConfig().steps(DIGITS) == 500 and DenseConfig(epochs=3).steps(DIGITS) == 3
    assert train_dense(DIGITS, DenseConfig(hidden=(16,))).recognition(DIGITS)[0] == 1.0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"hidden": (0,)}, "hidden must be a whole number of 1 to 2147483647, got 0"),
        ({"activation": "swish"}, "the activation of a hidden layer must be sigmoid, relu, tanh"),
        ({"activation": "softmax"}, "the activation of a hidden layer must be"),
        ({"output": "relu"}, "output must be softmax or sigmoid, got 'relu'"),
        ({"batch": 0}, "batch must be"),
        ({"learning_rate": 0}, "learning_rate must be positive"),
    ],
)
def test_what_cannot_be_trained_is_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        DenseConfig(**values)  # type: ignore[arg-type]


def test_a_training_that_leaves_float32_says_so() -> None:
    with pytest.raises(TrainingError, match="a smaller learning_rate than 1e\\+30 would stay in it"):
        train_dense(DIGITS, DenseConfig(hidden=(4, 4), epochs=20, batch=5, learning_rate=1e30))
    with pytest.raises(TrainingError, match="class 'b' has no sample"):
        train_dense(Samples(np.ones((1, 2)), np.array([0]), ("a", "b")))
