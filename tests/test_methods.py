"""Methods side by side: what is parsed, what is counted, what is drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fewlevels import (
    FinetuningConfig,
    TrainingConfig,
    compare_methods,
    fewest_levels,
    load_digits,
    parse_methods,
    train,
)
from fewlevels.errors import DeviceError, SearchError

DIGITS = load_digits(5)
NETWORKS = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=20_000), models=12, seed=3)
KEYS = {"method", "solved", "q_min", "q_median", "q_p95", "distinct_weights_median", "states_per_device_median"}


def test_a_list_of_methods_is_read(tmp_path: Path) -> None:
    file = tmp_path / "levels.csv"
    file.write_text("1e-6\n2e-6\n1e-5\n")
    methods = parse_methods(f"paper, clipped,zero,kmeans,device:{file},qat:ternary,qat:device:{file}")
    assert [method.quantizer.name for method in methods] == [
        "midpoint", "clipped", "zero", "kmeans", "device", "ternary", "device",
    ]  # fmt: skip
    assert [method.finetuned for method in methods] == [False] * 5 + [True] * 2
    assert methods[-1].name == f"qat:device:{file}"


@pytest.mark.parametrize("text", ["", "papers", "qat:", "paper,,zero"])
def test_a_method_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(SearchError, match=r"methods are paper, .*; got"):
        parse_methods(text)


def test_bad_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="'zero' stands 2 times"):
        parse_methods("zero,paper,zero")
    with pytest.raises(DeviceError, match="cannot read"):
        parse_methods(f"device:{tmp_path / 'none.csv'}")
    with pytest.raises(SearchError, match="at least one method"):
        compare_methods(NETWORKS, DIGITS, [])


def test_methods_are_compared_on_the_same_networks() -> None:
    found = compare_methods(NETWORKS, DIGITS, parse_methods("paper,kmeans,qat:ternary,ternary"), q_max=10)
    paper = fewest_levels(NETWORKS, DIGITS, q_max=10)
    np.testing.assert_array_equal(found.results[0].q, paper.q)
    stored = json.loads(json.dumps(found.to_json(), allow_nan=False))
    rows = {row["method"]: row for row in stored["methods"]}
    assert all(set(row) >= KEYS for row in rows.values()) and stored["minimises"] == "requested levels"
    assert rows["paper"]["q_median"] == np.median(paper.q[paper.q > 0])
    assert rows["qat:ternary"]["solved"] == 1 and rows["qat:ternary"]["q_median"] == 2
    assert rows["qat:ternary"]["states_per_device_median"] == 2 and rows["qat:ternary"]["distinct_weights_median"] == 3
    assert rows["ternary"]["solved"] < 1
    for result in found.results:
        assert (result.networks.recognition(DIGITS) == 1).all() and len(result.networks) == (result.q > 0).sum()
    curves = found.figure().axes[0].lines
    assert [line.get_label() for line in curves] == ["paper", "kmeans", "qat:ternary", "ternary"]
    assert curves[2].get_ydata()[2] == 1.0


def test_fine_tuning_is_tried_at_every_number_of_levels() -> None:
    config = FinetuningConfig(steps=30)
    found = compare_methods(NETWORKS, DIGITS, parse_methods("qat:kmeans"), q_max=3, config=config).results[0]
    assert not np.isnan(found.recognition_trace).any() and found.recognition_trace.shape == (12, 3)


def test_what_is_minimised_is_named_and_least() -> None:
    methods = parse_methods("clipped,qat:kmeans")
    config = FinetuningConfig(steps=100)
    by_levels, by_states = (
        compare_methods(NETWORKS, DIGITS, methods, q_max=5, minimise=what, config=config)  # type: ignore[arg-type]
        for what in ("requested", "differential-pair")
    )
    assert by_states.to_json()["minimises"] == "states per device of a differential pair"
    for levels, states in zip(by_levels.results, by_states.results, strict=True):
        solved = levels.q > 0
        assert solved.any() and ((states.q > 0) == solved).all() and (states.q >= levels.q).all()
        fewer = states.differential_pair_states[solved] <= levels.differential_pair_states[solved]
        assert fewer.all()
