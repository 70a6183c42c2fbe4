"""Mapping: targets of devices worked by hand, circuits that compute the matrix product, tables there and back."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from fewlevels import Networks
from fewlevels.chips.mapping import Mapping, map_network
from fewlevels.chips.schemes import SCHEMES
from fewlevels.errors import MappingError

W1 = np.array([[2.0, -1.0], [0.0, 1.0]])
W2 = np.array([[-2.0, 0.0, 1.0], [1.0, -1.0, 2.0]])


def mapped(scheme: str = "differential-pair", **changes: object) -> Mapping:
    options = {"lowest_siemens": 1e-6, "highest_siemens": 9e-6, "scheme": scheme, **changes}
    return map_network(Networks.from_weights([W1, W2]), **options)  # type: ignore[arg-type]


def test_a_positive_weight_rests_its_negative_device_at_the_lowest_conductance() -> None:
    first, second = mapped().target_siemens
    np.testing.assert_allclose(first, 1e-6 * np.array([[9, 1, 1, 5], [1, 1, 5, 1]]), rtol=1e-12)
    np.testing.assert_allclose(second, 1e-6 * np.array([[1, 9, 1, 1, 5, 1], [5, 1, 1, 5, 9, 1]]), rtol=1e-12)
    np.testing.assert_allclose(mapped().level_siemens, [1e-6, 5e-6, 9e-6], rtol=1e-12)


def test_a_balanced_pair_keeps_its_sum() -> None:
    first, _ = mapped("balanced-pair").target_siemens
    np.testing.assert_allclose(first, 1e-6 * np.array([[9, 1, 3, 7], [5, 5, 7, 3]]), rtol=1e-12)


def test_an_offset_column_holds_weight_zero() -> None:
    first, _ = mapped("offset-column").target_siemens  # weights -2 … 2 on 1 … 9 uS: 5 uS is zero
    np.testing.assert_allclose(first, 1e-6 * np.array([[9, 3, 5], [5, 7, 5]]), rtol=1e-12)


def test_the_reference_of_a_bias_column_is_not_programmed() -> None:
    assert [mask.all(axis=0).tolist() for mask in mapped("bias-column").programmed] == [
        [True, True, False],
        [True, True, True, False],
    ]
    assert all(mask.all() for mask in mapped("offset-column").programmed)


@pytest.mark.parametrize("header", ["state", "level"], ids=["of today", "of version 0.1.0"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_table_comes_back_as_it_was_written(scheme: str, header: str, tmp_path: Path) -> None:
    mapping, path = mapped(scheme), tmp_path / "mapping.csv"
    path.write_text(mapping.to_csv().replace(",state,", f",{header},"))
    for got, target in zip(mapping.read_csv(path), mapping.target_siemens, strict=True):
        assert np.array_equal(got, target)


def test_a_table_names_every_device_with_its_state() -> None:
    lines = mapped().to_csv().splitlines()
    assert lines[0] == "layer,row,column,polarity,state,target_siemens,target_ohm"
    assert len(lines) == 1 + 2 * (W1.size + W2.size)
    layer, row, column, polarity, state, siemens, ohm = lines[1].split(",")
    assert (layer, row, column, polarity, state) == ("1", "0", "0", "+", "2")
    assert float(siemens) == pytest.approx(9e-6, rel=1e-12) and float(ohm) == pytest.approx(1 / 9e-6, rel=1e-12)


def test_the_column_that_others_are_compared_with_is_named_and_programmed_only_where_it_is_devices() -> None:
    last = {(row.layer, row.column) for row in mapped("offset-column").rows() if row.polarity == "reference"}
    assert last == {(1, 2), (2, 3)}
    assert {row.polarity for row in mapped("bias-column").rows()} == {"+"}
    assert len(list(mapped("offset-column").rows())) - len(list(mapped("bias-column").rows())) == 4


def test_measured_conductances_take_the_place_of_targets(tmp_path: Path) -> None:
    mapping, path = mapped(), tmp_path / "measured.csv"
    lines = mapping.to_csv().splitlines()
    cells = lines[1].split(",")
    path.write_text("\ufeff" + "\n".join([lines[0], ",".join([*cells[:5], "8.5e-6", ""]), *lines[2:]]))
    assert mapping.read_csv(path)[0][0, 0] == 8.5e-6


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: lines[:-1], "lacks 1 of the devices"),
        (lambda lines: [*lines, lines[1]], "stands twice"),
        (
            lambda lines: [lines[0], lines[1].replace(",+,", ",?,"), *lines[2:]],
            r"\(1, 0, 0, '\?'\) is no device of this mapping",
        ),
        (lambda lines: [lines[0].replace("target_siemens", "gain"), *lines[1:]], "no column is target_siemens"),
        (lambda lines: [lines[0], "1,0,0,+,2,-1e-6,", *lines[2:]], "must be positive"),
        (lambda lines: [lines[0], "one,0,0,+,2,1e-6,", *lines[2:]], "line 2: layer must be a finite number, got 'one'"),
    ],
)
def test_a_table_of_other_devices_is_refused(change, says: str, tmp_path: Path) -> None:
    mapping, path = mapped(), tmp_path / "mapping.csv"
    path.write_text("\n".join(change(mapping.to_csv().splitlines())))
    with pytest.raises(MappingError, match=says):
        mapping.read_csv(path)


def test_numbers_of_a_table_are_short() -> None:
    """A level is written as it was meant: not 1.4815000000000003e-05."""
    levels = [1e-6, 1.4815e-05, 3.3e-05, 9.1e-05]
    mapping = map_network(
        Networks.from_weights([np.array([[level - 1e-6 for level in levels]])]),
        lowest_siemens=1e-6,
        highest_siemens=9.1e-05,
    )
    rows = [line.split(",") for line in mapping.to_csv().splitlines()[1:]]
    assert {row[5] for row in rows} == {"1e-06", "1.4815e-05", "3.3e-05", "9.1e-05"}
    assert max(len(row[6]) for row in rows) <= 13


def exported(lines: list[str], delimiter: str, change: str) -> str:
    """A table as a spreadsheet gives it back."""
    rows = [line.split(",") for line in lines]
    if change == "floats":
        rows = [rows[0], *([f"{each}.0" for each in row[:3]] + row[3:] for row in rows[1:])]
    if change == "empty rows":
        rows = [[], rows[0], [""] * 7, *rows[1:3], ["", ""], *rows[3:], [""] * 7, []]
    if change == "decimal commas":
        rows = [rows[0], *(row[:5] + [cell.replace(".", ",") for cell in row[5:]] for row in rows[1:])]
    if change == "microsiemens":
        rows = [
            [*rows[0][:5], "target (µS)", "notes"],
            *([*row[:5], f"{1e6 * float(row[5]):.12g}", "ok"] for row in rows[1:]),
        ]
    if change == "another order":
        rows = [row[::-1] for row in [rows[0], *rows[:0:-1]]]
    return "".join(delimiter.join(row) + "\r\n" for row in rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("change", ["none", "floats", "empty rows", "decimal commas", "microsiemens", "another order"])
def test_a_table_comes_back_from_a_spreadsheet(tmp_path: Path, delimiter: str, change: str) -> None:
    mapping, path = mapped(lowest_siemens=1.3e-6), tmp_path / "mapping.csv"
    if (delimiter, change) == (",", "decimal commas"):
        pytest.skip("commas would be both")
    path.write_text(exported(mapping.to_csv().splitlines(), delimiter, change), encoding="utf-8")
    for got, target in zip(mapping.read_csv(path), mapping.target_siemens, strict=True):
        assert np.array_equal(got, target)


def test_a_table_of_targets_and_measured_conductances_is_not_guessed_at(tmp_path: Path) -> None:
    mapping, path = mapped(), tmp_path / "mapping.csv"
    lines = mapping.to_csv().splitlines()
    path.write_text("\n".join([f"{lines[0]},measured (uS)", *(f"{line},5" for line in lines[1:])]), encoding="utf-8")
    with pytest.raises(MappingError, match=r"'target_siemens' and 'measured \(uS\)' both give target_siemens"):
        mapping.read_csv(path)
    path.write_text("\n".join([lines[0].replace("target_siemens", "measured (uS)"), *lines[1:]]), encoding="utf-8")
    assert mapping.read_csv(path)[0].max() == pytest.approx(9e-12)


def test_a_device_that_stands_between_two_is_none(tmp_path: Path) -> None:
    mapping, path = mapped(), tmp_path / "mapping.csv"
    path.write_text(mapping.to_csv().replace("1,0,0,+", "1,0.5,0,+"), encoding="utf-8")
    with pytest.raises(MappingError, match=r"mapping.csv, line 2: \(1, 0.5, 0, '\+'\) is no device of this mapping"):
        mapping.read_csv(path)


def test_a_window_in_microsiemens_is_refused_with_what_was_meant() -> None:
    with pytest.raises(MappingError, match=r"needs lowest < highest < 1 S, got 1e-06 and 20.0 S; 20 µS is 2e-5"):
        mapped(lowest_siemens=1e-6, highest_siemens=20)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"cannot read .*none.csv: no such file"):
        mapped().read_csv(tmp_path / "none.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(MappingError, match=r"cannot read .*pipe.csv: a folder, a device or a pipe is no file"):
        mapped().read_csv(tmp_path / "pipe.csv")


def test_targets_are_the_very_levels_of_a_table() -> None:
    levels = [1e-6, 5e-6, 9e-6]
    mapping = mapped(available_siemens=levels)
    assert mapping.level_siemens.tolist() == levels
    for other in (4e-6, 5.009e-6, 5.00001e-6):
        with pytest.raises(MappingError, match="the device holds 3 conductances and 5e-06 S is none of them"):
            mapped(available_siemens=[1e-6, other, 9e-6])


def test_targets_that_differ_by_more_than_rounding_are_levels_of_their_own() -> None:
    near = map_network(
        Networks.from_weights([[[1.0, 1 - 1e-3, 0.5, 0.5 * (1 + 1e-14)]]]), lowest_siemens=1e-6, highest_siemens=9e-6
    )
    assert len(near.level_siemens) == 4


@pytest.mark.parametrize("options", [{"scheme": "triple"}, {"lowest_siemens": 2e-5}, {"highest_siemens": np.inf}])
def test_what_cannot_be_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(MappingError):
        mapped(**options)


def test_a_conductance_of_zero_is_an_open_device() -> None:
    first, _ = mapped(lowest_siemens=0.0).target_siemens
    assert first.min() == pytest.approx(1e-12)
