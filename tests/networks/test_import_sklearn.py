"""scikit-learn's multilayer perceptrons give the estimator's own outputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from fewlevels.errors import NetworksError
from fewlevels.networks.importers.sklearn import from_sklearn
from tests.support.onnx_models import assert_close

perceptrons = pytest.importorskip("sklearn.neural_network")

X = np.random.default_rng(0).normal(size=(60, 5))
BINARY = (X[:, 0] + X[:, 1] > 0).astype(int)
THREE = np.digitize(X[:, 0] * X[:, 1], [-0.3, 0.3])
LABELS = np.stack([X[:, 0] > 0, X[:, 1] > 0.3, X[:, 2] > 0], axis=1).astype(int)


def fitted(kind: str, y: np.ndarray, **options: Any) -> Any:
    estimator = getattr(perceptrons, kind)(hidden_layer_sizes=(7, 6), max_iter=30, random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_a_classifier_of_several_classes_gives_its_probabilities(activation: str) -> None:
    estimator = fitted("MLPClassifier", THREE, activation=activation)
    network = from_sklearn(estimator)
    assert_close(network.outputs(X), estimator.predict_proba(X))
    assert (estimator.classes_[network.predict(X)] == estimator.predict(X)).all()
    assert network.parameters.total == sum(w.size for w in (*estimator.coefs_, *estimator.intercepts_))


def test_a_binary_classifier_gives_the_probability_of_its_second_class() -> None:
    estimator = fitted("MLPClassifier", BINARY)
    network = from_sklearn(estimator)
    assert_close(network.outputs(X)[:, 0], estimator.predict_proba(X)[:, 1])
    assert (network.predict(X) == estimator.predict(X)).all()


@pytest.mark.parametrize("y", [X[:, 0] ** 2, X[:, :2] ** 2], ids=["one", "two"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_regressor_gives_its_predictions(y: np.ndarray, kind: type) -> None:
    estimator = perceptrons.MLPRegressor(hidden_layer_sizes=(7,), max_iter=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X.astype(kind), y.astype(kind))
    network = from_sklearn(estimator)
    assert network.outputs(X.astype(kind)).dtype == kind
    assert_close(network.outputs(X.astype(kind)), estimator.predict(X.astype(kind)).reshape(len(X), -1))


def test_a_regressor_of_counts_gives_its_predictions() -> None:
    try:
        estimator = fitted("MLPRegressor", np.round(np.abs(X[:, 0]) * 3), loss="poisson")
    except TypeError:
        pytest.skip("this scikit-learn has no such loss")
    assert_close(from_sklearn(estimator).outputs(X)[:, 0], estimator.predict(X))


def test_a_classifier_of_several_labels_is_refused() -> None:
    """Its labels do not exclude each other; a network's classes do."""
    with pytest.raises(NetworksError, match="labels"):
        from_sklearn(fitted("MLPClassifier", LABELS))


def test_what_is_no_fitted_perceptron_is_refused() -> None:
    with pytest.raises(NetworksError, match="not fitted"):
        from_sklearn(perceptrons.MLPClassifier())
    with pytest.raises(NetworksError, match="MLPClassifier or MLPRegressor is expected, got BernoulliRBM"):
        from_sklearn(perceptrons.BernoulliRBM())
