"""The best of many settings by bounds: against quantizing and judging every setting."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from fewlevels import Clipped, DeadZone, KMeans, Midpoint, Networks, Samples, fewest_levels, load_digits
from fewlevels.common.arrays import FloatArray
from fewlevels.networks.forward import recognised
from fewlevels.quantization import PowersOfTwo
from fewlevels.quantization.cutting import Cuts, CuttingQuantizer
from fewlevels.quantization.layout import Layout, Share
from fewlevels.quantization.protocol import Quantizer, searchable
from fewlevels.search.contenders import best_settings, can_be_screened
from tests.support.instruction_sets import use_instruction_set
from tests.support.oracles import ISAS
from tests.support.quantizer_contracts import ROWS


@dataclass(frozen=True)
class Rounded(CuttingQuantizer):
    """A user's own: a grid of some step, its levels and thresholds given, one of them below the step's own."""

    step: float | None = None

    @property
    def name(self) -> str:
        return "rounded"

    def cuts(self, weights: FloatArray, levels: int) -> Cuts:
        assert self.step is not None
        grid = np.abs(weights).max(axis=1, keepdims=True) * self.step * np.arange(levels)
        return Cuts(grid, grid[:, 1:] * 0.9)

    def settings(self) -> tuple[Quantizer, ...]:
        return tuple(replace(self, step=step) for step in (0.3, 0.02, 0.1, 0.5, 0.02, 0.9))


SCREENED = [
    quantizer
    for quantizer in [*ROWS.values(), Rounded()]
    if can_be_screened(quantizer, np.ones((1, 4)), Layout(((2, 2),)))
]


def of_all(
    joint: FloatArray, layout: Layout, quantizer: CuttingQuantizer, q: int, samples: Samples
) -> tuple[FloatArray, FloatArray, np.ndarray]:
    """Recognition, margin and index of each model's best setting, from every setting in full."""
    best = np.full(len(joint), -1.0), np.full(len(joint), -np.inf), np.zeros(len(joint), int)
    for index, setting in enumerate(quantizer.settings()):
        values, _ = layout.quantize(joint, setting, q)
        margins = np.empty((len(joint), len(samples)))
        recognition = recognised(values, layout.shapes, samples, margins).mean(axis=1)
        margin = margins.min(axis=1)
        better = (recognition > best[0]) | ((recognition == best[0]) & (margin > best[1]))
        best[0][better], best[1][better], best[2][better] = recognition[better], margin[better], index
    return best


@pytest.mark.parametrize("quantizer", SCREENED, ids=lambda quantizer: quantizer.name)
@hypothesis.settings(max_examples=8, deadline=None)
@hypothesis.given(
    seed=st.integers(0, 2**32),
    layers=st.lists(st.integers(1, 13), min_size=1, max_size=3),
    outputs=st.integers(2, 11),
    models=st.integers(1, 9),
    share=st.sampled_from(["network", "layer", "column"]),
    real=st.booleans(),
    isa=st.sampled_from(ISAS),
    spread=st.sampled_from([1e-3, 1.0, 20.0, 1e4, 1e200]),
    samples=st.integers(1, 12),
)
def test_the_best_setting_is_that_of_trying_all_byte_for_byte(
    quantizer: CuttingQuantizer,
    seed: int,
    layers: list[int],
    outputs: int,
    models: int,
    share: Share,
    real: bool,
    isa: str,
    spread: float,
    samples: int,
) -> None:
    rng = np.random.default_rng(seed)
    sizes = [*layers, outputs]
    layout = Layout(tuple(itertools.pairwise(sizes)), share)
    joint = spread * rng.standard_t(2, (models, sum(a * b for a, b in layout.shapes)))
    joint[rng.random(joint.shape) < 0.1] = 0.0
    x = rng.normal(size=(samples, sizes[0])) if real else rng.integers(0, 2, (samples, sizes[0])).astype(float)
    classes = tuple(f"class {k}" for k in range(sizes[-1]))
    data = Samples(x, rng.integers(0, sizes[-1], samples), classes)
    numbers = quantizer.numbers(4)
    with pytest.MonkeyPatch.context() as patch:
        use_instruction_set(isa, patch.setattr)
        found = best_settings(joint, layout, quantizer, numbers, data)
        for q, best in zip(numbers, found, strict=True):
            for one, other in zip(best, of_all(joint, layout, quantizer, q, data), strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", [5, 7])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("quantizer", [Clipped(), DeadZone()], ids=lambda quantizer: quantizer.name)
def test_networks_that_tell_digits_have_the_setting_of_trying_all(
    quantizer: CuttingQuantizer, size: int, isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fewlevels import TrainingConfig, train

    digits = load_digits(size)
    networks = train(digits, TrainingConfig(steps=30_000), models=10, seed=2)
    use_instruction_set(isa, monkeypatch.setattr)
    numbers, layout = (2, 4, 7, 12), Layout.of(networks)
    found = best_settings(networks.joint(), layout, quantizer, numbers, digits)
    for q, best in zip(numbers, found, strict=True):
        expected = of_all(networks.joint(), layout, quantizer, q, digits)
        assert len(set(expected[2].tolist())) > 1
        for one, other in zip(best, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_cannot_be_screened_is_searched_setting_by_setting() -> None:
    layout, joint = Layout(((2, 2),)), np.array([[1.0, -2.0, 3.0, 0.5]])
    for quantizer in (Midpoint(), KMeans(), KMeans(signed=True), Clipped(clip=0.5)):
        assert not can_be_screened(quantizer, joint, layout)
    assert can_be_screened(Clipped(), joint, layout)
    names = ["clipped", "clipped-zero", "zero", "pow2", "apot", "ternary", "device", "rounded"]
    assert [quantizer.name for quantizer in SCREENED] == names
    tiny = joint * 1e-300
    assert not can_be_screened(Clipped(), tiny * 1e-20, layout)
    pair = Samples(np.eye(2), np.array([0, 1]), ("a", "b"))
    networks = Networks.from_joint(tiny * 1e-20, layout.shapes)
    found = fewest_levels(networks, pair, quantizer=Clipped(), q_max=3)
    assert found.setting_trace is not None and np.isfinite(found.output_margin_trace).all()  # type: ignore[arg-type]


def test_clips_of_a_search_hold_those_of_least_error_and_ten_between_each_two() -> None:
    from fewlevels.quantization.clipped import CLIPS, SEARCHED_CLIPS

    assert SEARCHED_CLIPS[::11] == CLIPS and len(SEARCHED_CLIPS) == 298
    steps = np.diff(np.log(SEARCHED_CLIPS))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    for quantizer in (Clipped(), Clipped(zero=True), PowersOfTwo()):
        assert tuple(one.clip for one in searchable(quantizer).settings()) == SEARCHED_CLIPS  # type: ignore[attr-defined]
