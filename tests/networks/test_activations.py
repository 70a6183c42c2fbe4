"""One table of activations, and what each must be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fewlevels import Networks
from fewlevels.errors import NetworksError
from fewlevels.networks.activations import (
    ACTIVATIONS as OF_LAST,
    SIGMOID,
    SOFTMAX,
    UNIT_ACTIVATIONS as ACTIVATIONS,
    Activation,
    UnitActivation,
)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_the_slope_is_the_derivative_of_the_value(activation: UnitActivation) -> None:
    z, step = np.linspace(-6, 6, 120), 1e-5  # not 0, where some have a corner
    rise = (activation.value(z + step) - activation.value(z - step)) / (2 * step)
    np.testing.assert_allclose(activation.slope(activation.value(z)), rise, rtol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_an_activation_rises_and_is_finite_however_large_its_sum(activation: Activation) -> None:
    value = activation.value(np.array([-1e300, -1e4, -1.0, 0.0, 1.0, 1e4, 1e300]))
    assert np.isfinite(value).all() and (np.diff(value) >= 0).all()


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("z", [-30.0, -0.5, 0.0, 2.5])
def test_the_expression_of_spice_is_the_value(activation: UnitActivation, z: float) -> None:
    expression = activation.spice(f"0.5*({2 * z!r})")
    assert eval(expression, {"exp": math.exp, "tanh": math.tanh, "max": max}) == pytest.approx(
        activation.value(np.array(z)), rel=1e-14
    )


def test_the_sigmoid_is_a_half_at_0_and_rises_by_a_quarter_there() -> None:
    assert SIGMOID.value(np.zeros(1)) == 0.5 and SIGMOID.slope(np.array(0.5)) == 0.25


def test_softmax_shares_one_out_and_keeps_order_however_large_the_sums() -> None:
    values = SOFTMAX.value(np.array([[0.0, np.log(3.0)], [1e300, -1e300], [1e4, 1e4]]))
    np.testing.assert_allclose(values, [[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]], rtol=1e-15)


@pytest.mark.parametrize("activation", OF_LAST.values(), ids=OF_LAST)
def test_what_keeps_order_gives_different_sums_different_values(activation: Activation) -> None:
    values = activation.value(np.array([[-1.0, -0.5, 0.25, 2.0]]))[0]
    assert bool((np.diff(values) > 0).all()) == activation.keeps_order


def test_softmax_of_a_hidden_layer_and_names_that_are_none_are_refused() -> None:
    layers = [np.ones((2, 3)), np.ones((3, 2))]
    for activations, where in ((["softmax", "sigmoid"], "a hidden"), (["relu", "maxout"], "the last")):
        with pytest.raises(NetworksError, match=f"the activation of {where} layer must be sigmoid, relu"):
            Networks.from_weights(layers, activations=activations)
    with pytest.raises(NetworksError, match="activations must be a list of 2, one a layer"):
        Networks.from_weights(layers, activations=["relu"])
