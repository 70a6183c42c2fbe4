"""One table of quantizers and one of checks; tests/quantization/test_contracts.py crosses them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from fewlevels import device_levels
from fewlevels.errors import QuantizationError
from fewlevels.quantization import QUANTIZERS
from fewlevels.quantization.protocol import SearchableQuantizer, searchable

DEVICE = device_levels([1e-6, 2e-6, 5e-6, 2.5e-5, 1e-4])

ROWS: dict[str, SearchableQuantizer] = QUANTIZERS | {"device": DEVICE}
"""Every quantizer by its name: those of the registry, which a new one joins, and that of a file."""

rows = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 3), st.integers(1, 12)), elements=st.floats(-50, 50, width=32).map(float)
)
rows_far_from_the_ends_of_float64 = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 2), st.integers(1, 12)),
    elements=st.one_of(st.just(0.0), st.floats(1e-6, 50), st.floats(-50, -1e-6)),
)


def it_is_listed_by_its_name(quantizer: SearchableQuantizer) -> None:
    assert ROWS[quantizer.name] is quantizer


@settings(max_examples=30, deadline=None)
@given(weights=rows)
def quantized_weights_are_levels_and_rows_never_touch(quantizer: SearchableQuantizer, weights: np.ndarray) -> None:
    for one in (quantizer, quantizer.settings()[-1]):
        for q in quantizer.numbers(5):
            quantized = one.quantize(weights, q)
            assert quantized.levels.shape == (len(weights), q)
            assert (np.diff(quantized.levels, axis=1) >= 0).all()
            signed = getattr(quantizer, "signed", False)
            taken = np.take_along_axis(quantized.levels, quantized.assignment, axis=1)
            np.testing.assert_array_equal(quantized.values if signed else np.abs(quantized.values), taken)
            alone = one.quantize(weights[-1:], q)
            np.testing.assert_array_equal(alone.values, quantized.values[-1:])


def a_sweep_is_quantize_for_each_number(quantizer: SearchableQuantizer) -> None:
    weights = np.random.default_rng(1).normal(size=(3, 40))
    numbers = quantizer.numbers(8)
    for q, swept in zip(numbers, quantizer.sweep(weights, numbers), strict=True):
        np.testing.assert_allclose(swept, quantizer.quantize(weights, q).values, rtol=1e-13)


def a_search_tries_settings_that_leave_nothing_open(quantizer: SearchableQuantizer) -> None:
    tried = quantizer.settings()
    assert all(searchable(one).settings() == (one,) and one.name == quantizer.name for one in tried)
    assert set(quantizer.tried_in_full()) <= set(range(len(tried)))


def numbers_of_levels_that_it_does_not_give_are_refused(quantizer: SearchableQuantizer) -> None:
    beyond = [] if quantizer.most_levels is None else [quantizer.most_levels + 1, 10**3]
    for levels in (quantizer.least_levels - 1, -1, 1.5, *beyond):
        with pytest.raises(QuantizationError, match=f"number of levels of '{quantizer.name}' must be .* got {levels}"):
            quantizer.quantize(np.ones((1, 3)), levels)  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(weights=rows_far_from_the_ends_of_float64, exponent=st.integers(-900, 900))
def weights_times_a_power_of_two_have_values_times_it(
    quantizer: SearchableQuantizer, weights: np.ndarray, exponent: int
) -> None:
    for one in (quantizer, quantizer.settings()[-1]):
        for q in quantizer.numbers(4):
            plain, scaled = one.quantize(weights, q), one.quantize(np.ldexp(weights, exponent), q)
            np.testing.assert_array_equal(scaled.values, np.ldexp(plain.values, exponent))
            np.testing.assert_array_equal(scaled.levels, np.ldexp(plain.levels, exponent))
            np.testing.assert_array_equal(scaled.assignment, plain.assignment)
            swept = next(iter(searchable(one).sweep(np.ldexp(weights, exponent), [q])))
            np.testing.assert_allclose(swept, scaled.values, rtol=1e-13, atol=0)


def the_largest_and_the_smallest_weights_are_quantized(quantizer: SearchableQuantizer) -> None:
    for largest in (1.7e308, 5e-324):
        found = quantizer.quantize(np.array([[0.0, largest / 2, largest]]), quantizer.least_levels)
        assert np.isfinite(found.values).all() and (np.abs(found.values) <= largest).all()


def weights_that_are_not_finite_are_refused(quantizer: SearchableQuantizer) -> None:
    with pytest.raises(QuantizationError, match="weights must be finite, got -inf"):
        quantizer.quantize(np.array([[1.0, -np.inf]]), quantizer.least_levels)


CHECKS = {
    check.__name__: check
    for check in (
        it_is_listed_by_its_name,
        quantized_weights_are_levels_and_rows_never_touch,
        a_sweep_is_quantize_for_each_number,
        a_search_tries_settings_that_leave_nothing_open,
        numbers_of_levels_that_it_does_not_give_are_refused,
        weights_times_a_power_of_two_have_values_times_it,
        the_largest_and_the_smallest_weights_are_quantized,
        weights_that_are_not_finite_are_refused,
    )
}
