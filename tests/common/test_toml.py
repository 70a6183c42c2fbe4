"""Errors name the field that they speak of, and a TOML file's reader says its line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fewlevels.circuit.cell import Diode, Sinh
from fewlevels.common.checks import fraction, number, whole_number
from fewlevels.common.toml import line_of
from fewlevels.devices import Device
from fewlevels.errors import DeviceError, FewlevelsError, UsageError
from fewlevels.training.config import TrainingConfig

LINES = """
name = "x"
[levels]
csv = "x.csv"
[retention]
law = "measured"
[[retention.table]]
after_seconds = 1
[[retention.table]]
after_seconds = 2
""".splitlines()


@pytest.mark.parametrize(
    ("section", "key", "line"),
    [
        ("", "name", 2),
        ("", "levels", 3),
        ("levels", "csv", 4),
        ("levels", "sigma_siemens", 3),
        ("retention", "table", 7),
        ("retention.table.1", "after_seconds", 10),
        ("spread", "law", 0),
    ],
)
def test_a_key_s_line_is_its_own_or_its_section_s(section: str, key: str, line: int) -> None:
    assert line_of(LINES, section, key) == line


@pytest.mark.parametrize(
    ("refused", "field"),
    [
        (lambda: number("volt", "much", UsageError), "volt"),
        (lambda: whole_number("chips", 0, UsageError, least=1), "chips"),
        (lambda: fraction("alpha", 2, UsageError), "alpha"),
        (lambda: TrainingConfig(init="normal:0"), "init"),
        (lambda: Diode(ideality=-1), "ideality"),
        (lambda: Sinh(scale_volt=0), "scale_volt"),
        (lambda: Device(name="x", read_noise=2), "read_noise"),
        (lambda: Device(name="x", highest_siemens=1e-6), "highest_siemens"),
        (lambda: Device(name="x", level_siemens=(1e-6, 2e-6), states=4), "states"),
        (lambda: Device(name="x", level_siemens=(1e-6, 2e-6)).mean_siemens([1.0]), ""),
    ],
)
def test_an_error_carries_the_field_that_it_speaks_of(refused: Callable[[], object], field: str) -> None:
    with pytest.raises(FewlevelsError) as error:
        refused()
    assert error.value.field == field
    assert isinstance(error.value, UsageError | DeviceError)
