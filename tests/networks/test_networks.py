"""Networks: a user's own weights, the weight range, and who is recognised."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import fewlevels
from fewlevels import Networks, Samples, load_digits, load_networks
from fewlevels.errors import NetworksError
from fewlevels.study.hints import refuse_transposed
from fewlevels.study.inputs import read_inputs
from tests.support.instruction_sets import use_instruction_set
from tests.support.oracles import ISAS, recognised


def random_networks(rng: np.random.Generator, models: int, sizes: list[int], scale: float = 1.0) -> Networks:
    return Networks.from_weights([scale * rng.normal(size=(models, a, b)) for a, b in itertools.pairwise(sizes)])


def two_class_samples(*x: float) -> Samples:
    return Samples(np.array([x]), np.array([0]), ("own", "other"))


def test_two_dimensional_weights_make_one_network() -> None:
    w1, w2 = [[1, 2, 3], [4, 5, 6]], [[7], [8], [9]]
    networks = Networks.from_weights([w1, w2])
    assert len(networks) == 1 and networks.shapes == [(2, 3), (3, 1)]
    assert networks.joint().tolist() == [[1, 2, 3, 4, 5, 6, 7, 8, 9]]
    assert [w.dtype for w in networks.weights] == [np.float64, np.float64]


def test_three_dimensional_weights_make_as_many_networks() -> None:
    w1, w2 = np.arange(24.0).reshape(4, 2, 3), np.arange(12.0).reshape(4, 3, 1)
    networks = Networks.from_weights([w1, w2])
    assert len(networks) == 4
    assert np.array_equal(networks.weights[0], w1) and np.array_equal(networks.weights[1], w2)


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ([], "none"),
        ([np.ones(3)], "(3,)"),
        ([np.ones((2, 0))], "(1, 2, 0)"),
        ([np.ones((1, 1, 2, 3))], "(1, 1, 2, 3)"),
        ([np.ones((2, 3)), np.ones((2, 3))], "(1, 2, 3)"),
        ([np.ones((2, 2, 3)), np.ones((3, 3, 1))], "(3, 3, 1)"),
        ([np.ones((2, 3)), np.ones((5, 3, 1))], "(5, 3, 1)"),
        ([[[1, np.nan], [3, 4]]], "nan"),
        ([np.ones((2, 2)), [[1, 2], [-np.inf, 4]]], "layer 2 must be finite, got -inf"),
        ([[[1, 2], [3]]], "of numbers"),
        (["weights"], "of numbers"),
        (3, "of numbers"),
    ],
)
def test_weights_that_do_not_make_networks_are_refused(weights: object, named: str) -> None:
    with pytest.raises(NetworksError) as caught:
        Networks.from_weights(weights)  # type: ignore[arg-type]
    assert named in str(caught.value)


def test_joint_and_from_joint_are_inverse() -> None:
    networks = random_networks(np.random.default_rng(0), 5, [4, 3, 7, 2])
    again = Networks.from_joint(networks.joint(), networks.shapes)
    assert networks.joint().shape == (5, 4 * 3 + 3 * 7 + 7 * 2)
    assert all(np.array_equal(a, b) for a, b in zip(networks.weights, again.weights, strict=True))


def test_weight_range_and_range_a_span_both_layers() -> None:
    w1 = [[[1.0, -2.0]], [[3.0, 4.0]]]
    w2 = [[[0.5], [-4.5]], [[2.0], [9.0]]]
    networks = Networks.from_weights([w1, w2])
    assert networks.weight_range().tolist() == [1.0 - -4.5, 9.0 - 2.0]
    assert networks.weight_range_a().tolist() == [4.5 - 0.5, 9.0 - 2.0]  # all positive: the two ranges agree


def test_an_index_picks_networks_as_an_array_does() -> None:
    networks = random_networks(np.random.default_rng(0), 3, [2, 2])
    w = networks.weights[0]
    for index, rows in [
        (0, w[:1]),
        (-1, w[2:]),
        (np.int64(1), w[1:2]),
        (slice(1, None), w[1:]),
        (np.array([2, 0]), w[[2, 0]]),
        (np.array([True, False, True]), w[[0, 2]]),
    ]:
        assert np.array_equal(networks[index].weights[0], rows)


@pytest.mark.parametrize("index", [3, -4, 100])
def test_an_index_past_the_last_network_is_an_error(index: int) -> None:
    networks = random_networks(np.random.default_rng(0), 3, [2, 2])
    with pytest.raises(IndexError):
        networks[index]


def test_networks_can_be_looped_over() -> None:
    networks = random_networks(np.random.default_rng(0), 3, [2, 2])
    assert len(list(itertools.islice(iter(networks), 10))) == 3


def test_outputs_are_the_sigmoids_of_each_layer() -> None:
    networks = Networks.from_weights([[[2.0], [-1.0]], [[1.0, -3.0]]])
    hidden = 1 / (1 + np.exp(-(2.0 * 1.5 - 1.0 * 0.5)))
    expected = 1 / (1 + np.exp([-hidden, 3 * hidden]))
    np.testing.assert_allclose(networks.outputs(np.array([[1.5, 0.5]]))[0, 0], expected, rtol=1e-15)
    assert Networks.from_weights([[[-1e4, 1e4]]]).outputs(np.ones((1, 1))).tolist() == [[[0.0, 1.0]]]


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Recognition runs on each instruction set in turn."""
    use_instruction_set(request.param, monkeypatch.setattr)
    return request.param


@pytest.mark.parametrize("sizes", [[5, 4], [7, 19], [25, 10, 10], [6, 9, 17, 8], [1, 1, 2]])
@pytest.mark.parametrize("models", [1, 3, 8, 19])
@pytest.mark.usefixtures("isa")
def test_recognition_is_that_of_a_plain_loop(sizes: list[int], models: int) -> None:
    rng = np.random.default_rng([models, *sizes])
    networks = random_networks(rng, models, sizes, scale=2.0)
    x = rng.normal(size=(23, sizes[0])) * rng.integers(0, 2, (23, sizes[0]))  # real values and zeros
    x[:, 0] += 0.1  # a sample of zeros alone ties everywhere
    y = rng.integers(0, sizes[-1], 23)
    expected = [recognised([w[model] for w in networks.weights], x, y) for model in range(models)]
    samples = Samples(x, y, tuple(map(str, range(sizes[-1]))))
    assert np.array_equal(networks.recognised(samples), expected)
    np.testing.assert_array_equal(networks.recognition(samples), np.mean(expected, axis=1))


def test_recognition_covers_hits_and_misses() -> None:
    hits = random_networks(np.random.default_rng(3), 500, [25, 10, 10]).recognised(load_digits(5))
    assert 0.05 < hits.mean() < 0.15  # untrained networks guess: one in ten


def test_every_instruction_set_recognises_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = random_networks(np.random.default_rng(1), 101, [49, 10, 10])
    hits = []
    for isa in ISAS:
        use_instruction_set(isa, monkeypatch.setattr)
        hits.append(networks.recognised(load_digits(7)))
        assert np.array_equal(hits[-1], hits[0])
    assert hits[0].any() and not hits[0].all()


@pytest.mark.usefixtures("isa")
def test_a_tie_is_not_recognition() -> None:
    assert Networks.from_weights([[[1.0, 1.0]]]).recognition(two_class_samples(1.0)).tolist() == [0.0]
    assert Networks.from_weights([[[1.0, 1.0 - 1e-9]]]).recognition(two_class_samples(1.0)).tolist() == [1.0]
    assert not Networks.from_weights([np.ones((25, 10))]).recognised(load_digits(5)).any()


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("terms", [(0.1, 0.2, 0.3), (0.1, 0.2, -0.3)])
def test_a_tie_stays_a_tie_whatever_the_order_of_the_sum(terms: tuple[float, ...]) -> None:
    # 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in their last bit; 0.1 + 0.2 - 0.3 and -0.3 + 0.2 + 0.1 in all of them.
    # Networks of few levels meet this: equal hidden units under the same levels in another order.
    columns = np.array([terms, terms[::-1]])
    networks = Networks.from_weights([np.stack([columns.T, columns[::-1].T])])
    assert not networks.recognised(two_class_samples(1.0, 1.0, 1.0)).any()


@pytest.mark.usefixtures("isa")
def test_saturated_outputs_do_not_tie() -> None:
    networks = Networks.from_weights([[[[50.0, 40.0]], [[40.0, 50.0]], [[-800.0, -900.0]]]])
    samples = two_class_samples(1.0)
    outputs = networks.outputs(samples.x)[:, 0]
    assert (outputs[:, 0] == outputs[:, 1]).all()  # in double precision both are 1, or both 0
    assert networks.recognition(samples).tolist() == [1.0, 0.0, 1.0]


def test_no_networks_have_no_recognition() -> None:
    assert random_networks(np.random.default_rng(0), 0, [25, 10]).recognition(load_digits(5)).shape == (0,)


@pytest.mark.parametrize("sizes", [[24, 10, 10], [25, 10, 9]])
def test_samples_that_do_not_fit_are_refused_with_both_sizes(sizes: list[int]) -> None:
    networks = random_networks(np.random.default_rng(0), 1, sizes)
    with pytest.raises(NetworksError, match=f"{sizes[0]} inputs and {sizes[-1]} outputs .* 25 inputs and 10 classes"):
        networks.recognition(load_digits(5))


def test_more_outputs_than_classes_are_allowed_and_compete() -> None:
    networks = Networks.from_weights([[[[2.0, 1.0, 0.0]], [[2.0, 1.0, 3.0]]]])
    assert networks.recognition(two_class_samples(1.0)).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"b1": np.ones(5)}, r"net\.npz: the bias of layer 1 must be finite and of shape \(1, 4\), got shape \(1, 5\)"),
        ({"b3": np.ones(5)}, "holds b3 besides W1, W2; W1, W2 …, b1, b2 … and activations are read"),
        ({"activations": np.array(["relu", "maxout"])}, "of the last layer must be sigmoid, relu"),
        ({"activations": np.array(["relu"] * 3)}, "it has 2 layers and 3 activations are named"),
        ({"activations": np.ones(2)}, "activations must be a list of names, got float64"),
        ({"W1": np.ones((4, 25)), "W2": np.ones((10, 4))}, "only when transposed; W1 is .inputs, outputs."),
        ({"W1": np.full((25, 4), np.nan)}, r"net\.npz: the weights of layer 1 must be finite, got nan"),
        ({"W1": np.ones((0, 25, 4)), "W2": np.ones((0, 4, 10))}, r"at least one network, .* none: W1 is \(0, 25, 4\)"),
    ],
)
def test_a_network_that_would_be_misread_is_refused(arrays: dict[str, np.ndarray], says: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **{"W1": np.ones((25, 4)), "W2": np.ones((4, 10)), **arrays})
    with pytest.raises(NetworksError, match=says):
        load_networks(tmp_path / "net.npz")


def test_labels_that_count_from_one_are_named(tmp_path: Path) -> None:
    digits = fewlevels.load_digits(5)
    np.savez(tmp_path / "data.npz", X=digits.x, y=digits.y + 1)
    samples = fewlevels.load_samples(tmp_path / "data.npz")
    with pytest.raises(
        fewlevels.FewlevelsError, match="class '0' has no sample to train on; class numbers count from 0"
    ):
        fewlevels.train(samples, fewlevels.TrainingConfig(steps=10), models=1)
    network = Networks.from_weights([np.ones((25, 4)), np.ones((4, 10))])
    with pytest.raises(NetworksError, match="11 classes; class numbers count from 0"):
        network.recognition(samples)


def test_a_single_layer_that_fits_when_transposed_says_so() -> None:
    network = Networks.from_weights([np.ones((10, 25))])
    with pytest.raises(
        NetworksError, match=r"25 inputs and 10 classes; they fit when transposed: W1 is .inputs, outputs."
    ):
        network.recognition(load_digits(5))
    with pytest.raises(NetworksError, match=r"25 inputs and 10 classes$"):
        Networks.from_weights([np.ones((9, 25))]).recognition(load_digits(5))


def test_a_square_layer_that_recognises_only_when_transposed_is_refused_where_files_are_read(tmp_path: Path) -> None:
    x = np.random.default_rng(2).normal(size=(9, 9))
    samples = Samples(x, np.arange(9), tuple("abcdefghi"))
    right = np.linalg.inv(x)  # the right output is 1, the others 0
    assert Networks.from_weights([right]).recognition(samples).tolist() == [1.0]
    refuse_transposed(Networks.from_weights([right]), samples, "net")
    refuse_transposed(Networks.from_weights([np.zeros((9, 9))]), samples, "net")  # wrong both ways
    with pytest.raises(NetworksError, match=r"^net recognises \d+% of the .* 100% with its layers transposed"):
        refuse_transposed(Networks.from_weights([right.T]), samples, "net")
    np.savez(tmp_path / "net.npz", W1=right.T)
    np.savez(tmp_path / "data.npz", X=samples.x, y=samples.y)
    with pytest.raises(NetworksError, match=r"net\.npz recognises"):
        read_inputs(tmp_path / "net.npz", str(tmp_path / "data.npz"))


def test_a_one_output_classifier_tells_class_1_where_its_output_is_above_0_before_its_sigmoid() -> None:
    rng = np.random.default_rng(4)
    w1, w2, x = rng.normal(size=(5, 3)), rng.normal(size=(3, 1)), rng.normal(size=(40, 5))
    above = 1 / (1 + np.exp(-(x @ w1))) @ w2 > 0
    samples = Samples(x, above[:, 0].astype(int), ("no", "yes"))
    assert 0 < above.mean() < 1
    assert Networks.from_weights([w1, w2]).recognition(samples).tolist() == [1.0]
    assert Networks.from_weights([w1, np.hstack([-w2, w2])]).recognition(samples).tolist() == [1.0]
    with pytest.raises(NetworksError, match="5 inputs and 1 outputs cannot tell samples of 5 inputs and 3 classes"):
        Networks.from_weights([w1, w2]).recognition(Samples(x[:3], np.arange(3), ("a", "b", "c")))
