"""One table of activations, and what each must be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fewlevels.networks.activations import SIGMOID, Activation

ACTIVATIONS = {activation.name: activation for activation in (SIGMOID,)}


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_the_slope_is_the_derivative_of_the_value(activation: Activation) -> None:
    z, step = np.linspace(-6, 6, 121), 1e-5
    rise = (activation.value(z + step) - activation.value(z - step)) / (2 * step)
    np.testing.assert_allclose(activation.slope(activation.value(z)), rise, rtol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_an_activation_rises_and_is_finite_however_large_its_sum(activation: Activation) -> None:
    value = activation.value(np.array([-1e300, -1e4, -1.0, 0.0, 1.0, 1e4, 1e300]))
    assert np.isfinite(value).all() and (np.diff(value) >= 0).all()


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("z", [-30.0, -0.5, 0.0, 2.5])
def test_the_expression_of_spice_is_the_value(activation: Activation, z: float) -> None:
    expression = activation.spice(f"0.5*({2 * z!r})")
    assert eval(expression, {"exp": math.exp}) == pytest.approx(activation.value(np.array(z)), rel=1e-14)


def test_the_sigmoid_is_a_half_at_0_and_rises_by_a_quarter_there() -> None:
    assert SIGMOID.value(np.zeros(1)) == 0.5 and SIGMOID.slope(np.array(0.5)) == 0.25
