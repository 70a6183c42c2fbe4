"""scikit-learn: multilayer perceptrons, of an estimator in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from fewlevels.errors import NetworksError
from fewlevels.networks.builder import chain
from fewlevels.networks.network import Network


def from_sklearn(estimator: Any) -> Network:
    """The network of a fitted `MLPClassifier` or `MLPRegressor`, in the precision of its weights.

    Outputs are those of `predict_proba`, of a binary classifier class 1 alone, or of `predict`. Class k is
    `estimator.classes_[k]`. Raises NetworksError for any other estimator, one that is not fitted, or one that
    tells several labels.
    """
    if not all(hasattr(estimator, name) for name in ("hidden_layer_sizes", "activation")):
        raise NetworksError(f"an MLPClassifier or MLPRegressor is expected, got {type(estimator).__name__}")
    if not hasattr(estimator, "coefs_"):
        raise NetworksError(f"the {type(estimator).__name__} is not fitted; fit it first")
    if estimator.out_activation_ == "logistic" and estimator.n_outputs_ > 1:
        raise NetworksError(f"the {type(estimator).__name__} tells several labels of one sample; one class is expected")
    hidden = len(estimator.coefs_) - 1
    activations = [estimator.activation] * hidden + [estimator.out_activation_]
    dtype = np.float64 if estimator.coefs_[0].dtype == np.float64 else np.float32
    return Network.from_model(chain(estimator.coefs_, estimator.intercepts_, activations, dtype))
