"""Studies made by hand: every model's levels, weight range and traces are given, nothing is trained or searched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fewlevels import load_digits
from fewlevels.networks.networks import Networks
from fewlevels.quantization import Midpoint
from fewlevels.search.fewest import FewestLevels
from fewlevels.search.target import Target
from fewlevels.study.config import make_config
from fewlevels.study.result import StudyResult

SHAPES = [(25, 10), (10, 10)]
EPOCHS = range(0, 1001, 200)


def handmade_study(
    q: Sequence[int],
    ranges: Sequence[float] | None = None,
    *,
    recognition: Sequence[float] | None = None,
    q_max: int = 64,
    weights: np.ndarray | None = None,
    zone_ranges: np.ndarray | None = None,
    zone_recognition: np.ndarray | None = None,
    zone_recognition_before: np.ndarray | None = None,
    zones: dict[str, object] | None = None,
    **found: np.ndarray,
) -> StudyResult:
    """A study of the 5 x 5 digits of len(q) models with 350 weights each, of these fewest levels and weight ranges.

    recognition: before quantizing, 1 where None. weights: (models, 350), in place of `ranges`. found: further fields of
    FewestLevels; by default a model recognises half the digits below its q, and all of them from its q on.
    """
    models, levels = len(q), np.array(q)
    if weights is None:
        half = np.array(ranges if ranges is not None else np.linspace(10, 20, models)) / 2
        weights = np.random.default_rng(5).uniform(-0.9, 0.9, (models, 350)) * half[:, None]
        weights[:, 7], weights[:, 300] = half, -half
    reached = (np.arange(1, q_max + 1) >= levels[:, None]) & (levels > 0)[:, None]
    fields = {
        "stable_q": levels,
        "occupied": levels,
        "recognition": np.ones(models) if recognition is None else np.array(recognition),
        "recognition_trace": np.where(reached, 1.0, 0.5),
    }
    config = make_config(
        {
            "seeds": 1,
            "repeats": models,
            "q_max": q_max,
            "zones": {"models": 2, "epochs": EPOCHS[-1], "every_epochs": EPOCHS.step} | (zones or {}),
        },
        "test",
    )
    networks = Networks.from_joint(weights, SHAPES)
    half_of_them, all_of_them = np.full((5, 2, len(EPOCHS)), 0.5), np.ones((5, 2, len(EPOCHS)))
    return StudyResult(
        config=config,
        samples=load_digits(5),
        search=FewestLevels(networks=networks, quantizer=Midpoint(), target=Target(1.0), q=levels, **(fields | found)),
        wall_seconds=12.5,
        machine={"processor": "by hand"},
        zone_ranges=np.outer([1, 2, 3, 4, 5], [10.0, 11.0]) if zone_ranges is None else zone_ranges,
        zone_recognition=half_of_them if zone_recognition is None else zone_recognition,
        zone_recognition_before=all_of_them if zone_recognition_before is None else zone_recognition_before,
    )
