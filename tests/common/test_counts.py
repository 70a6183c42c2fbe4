"""A number with its noun."""

import dataclasses

import pytest

from fewlevels.common.counts import counted
from fewlevels.reporting.study import summary_rows
from fewlevels.study.analysis import summarise
from tests.support.handmade import handmade_study


@pytest.mark.parametrize(("number", "words"), [(0, "0 networks"), (1, "1 network"), (2, "2 networks")])
def test_one_of_a_thing_is_singular(number, words):
    assert counted(number, "network") == words


def test_an_irregular_plural_is_given():
    assert [counted(number, "class", "classes") for number in (1, 2)] == ["1 class", "2 classes"]


def test_a_summary_counts_one_model_in_the_singular():
    summary = summarise(handmade_study([4, 5, 6, 7]))
    assert dict(summary_rows(summary))["fewest levels requested, q"] == "4 (1 model)"
    two = dataclasses.replace(summary, models_at_q_min=2)
    assert dict(summary_rows(two))["fewest levels requested, q"] == "4 (2 models)"
