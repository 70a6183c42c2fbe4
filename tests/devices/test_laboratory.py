"""Laboratory: a device from files as instruments write them, its description, and what is said of both."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from fewlevels.circuit.cell import Diode, Sinh
from fewlevels.devices.description import description
from fewlevels.devices.files import LAWS, PLAIN, TEMPLATE, device_names, load_device
from fewlevels.devices.iv import fit_iv
from fewlevels.devices.laboratory import LaboratoryFiles, device_of_files
from fewlevels.devices.retention import MeasuredRetention, RetentionTable
from fewlevels.errors import DeviceError
from tests.cli.test_cli import run

NOMINAL = np.array([4.8, 20.0, 42.0, 90.0])
"""Levels that were meant, in µS."""


@pytest.fixture
def reads() -> np.ndarray:
    """Twenty of each level in µS."""
    return NOMINAL[:, None] * (1 + 0.02 * np.random.default_rng(3).standard_normal((4, 20)))


@pytest.fixture
def files(tmp_path: Path, reads: np.ndarray) -> LaboratoryFiles:
    """A spreadsheet of currents with decimal commas, a sweep there and back with an offset, and a retention."""
    rows = [
        f"{20 * level + read};L{level};{float(reads[level, read]) * 0.1!r};{read}"
        for level in range(4)
        for read in range(20)
    ]
    head = 'RRAM batch 7, wafer 3\n"measured in March; by K."\n\nIndex;Level;I [µA] @ 0.1 V;Time (s)\n'
    (tmp_path / "levels.csv").write_text(head + "\n".join(rows).replace(".", ","), encoding="utf-8")
    volt = np.concatenate([np.linspace(0, 1, 101), np.linspace(1, 0, 100)])
    ampere = Sinh(scale_volt=0.4).current(volt, np.float64(5e-5))[0] + 1e-10
    sweep = "\n".join(f"{at},{v},{i},{at / 10}" for at, (v, i) in enumerate(zip(volt, ampere, strict=True)))
    head = "Keithley 2400,S/N 123456\nCompliance,1e-3\n\nPoint,Voltage (V),Current (A),Time\n"
    (tmp_path / "iv.csv").write_text(head + sweep, encoding="utf-8")
    later = "\n".join(f"{hours},{g},{0.99 * g},{0.03 * g}" for hours in (1, 24) for g in NOMINAL)
    (tmp_path / "ret.csv").write_text(f"time (h),G (uS),mean (uS),sigma (uS)\n{later}\n", encoding="utf-8")
    paths = {
        name: tmp_path / f"{file}.csv" for name, file in (("levels", "levels"), ("iv", "iv"), ("retention", "ret"))
    }
    return LaboratoryFiles(**paths, stuck_on_rate=0.001, read_noise=0.005)


def test_a_device_is_what_its_files_say(files: LaboratoryFiles, reads: np.ndarray) -> None:
    device, understood = device_of_files(files, "mine")
    np.testing.assert_allclose(device.level_siemens, reads.mean(axis=1) * 1e-6, rtol=1e-14)
    np.testing.assert_allclose(device.level_sigma_siemens, reads.std(axis=1, ddof=1) * 1e-6, rtol=1e-12)
    assert isinstance(device.nonlinearity, Sinh) and device.nonlinearity.scale_volt == pytest.approx(0.4, rel=1e-4)
    assert (device.stuck_on_rate, device.stuck_off_rate, device.read_noise) == (0.001, 0.0, 0.005)
    assert isinstance(device.retention, MeasuredRetention)
    for table in device.retention.table:
        assert table.conductance_siemens == device.level_siemens
        np.testing.assert_allclose(table.mean_siemens, 0.99e-6 * NOMINAL, rtol=1e-14)
    said = "\n".join(understood)
    for each in (
        "levels.csv: 80 rows, ';' between columns, decimal commas, 2 lines of title left out, 'Index' and 'Time (s)'",
        "conductance_siemens is 'I [µA] @ 0.1 V', in μA, currents at 0.1 V",
        "4 levels of 20 reads; mean and standard deviation (n - 1) are taken",
        "iv.csv: 201 rows, commas between columns, 2 lines of title left out, 'Point' and 'Time' left out; volt is",
        "rms error of full scale by law: sinh 0.00%, cubic 0.",
        f"for levels (µS): 4.8 for {reads[0].mean():.4g}, 20 for {reads[1].mean():.4g}",
        "not told: devices stuck at the lowest one (--stuck-off)",
    ):
        assert each in said


def test_a_mean_that_nobody_measured_stays_at_the_level(files: LaboratoryFiles, tmp_path: Path) -> None:
    rows = "\n".join(f"24,{g},{0.03 * g}" for g in NOMINAL)
    (tmp_path / "ret.csv").write_text(f"time (h),G (uS),sigma (uS)\n{rows}\n", encoding="utf-8")
    device, _ = device_of_files(files, "mine")
    levels = np.array(device.level_siemens)
    np.testing.assert_array_equal(device.mean_siemens(levels, 86400), levels)


def test_reads_far_from_their_level_are_told_and_stay(tmp_path: Path) -> None:
    reads = np.array([1.0, 1.1, 0.9, 1.05, 0.95, 2.0])
    rows = "\n".join(f"{level},{float(g) * (1 + 9 * level)!r}" for level in (0, 1) for g in reads)
    (tmp_path / "levels.csv").write_text(f"level,G (uS)\n{rows}\n", encoding="utf-8")
    device, understood = device_of_files(LaboratoryFiles(levels=tmp_path / "levels.csv"), "far")
    assert "2 reads far from the others of the level (lines 7, 13); they count, too" in understood
    np.testing.assert_allclose(device.level_siemens, [reads.mean() * 1e-6, reads.mean() * 1e-5], rtol=1e-14)
    assert understood[-1].startswith(
        "not told: an I-V curve (--iv): cells obey Ohm's law; what time does (--retention)"
    )


@pytest.mark.parametrize(
    ("bend", "law", "said"),
    [
        (lambda v: v, None, "the curve is straight but for 0.00% of full scale: cells obey Ohm's law"),
        (lambda v: v * (1 + (v / 0.5) ** 2), "cubic", "cubic is taken"),
        (lambda v: np.where(v > 0.5, v, 1e-3 * v), "cubic", "poor: no law describes this curve"),
    ],
)
def test_the_law_that_fits_a_curve_best_is_taken(bend, law: str | None, said: str, tmp_path: Path) -> None:
    volt = np.linspace(0, 1, 41)
    rows = "\n".join(f"{v},{i}" for v, i in zip(volt, 1e-6 * bend(volt), strict=True))
    (tmp_path / "iv.csv").write_text(f"V (V),I (A)\n{rows}\n", encoding="utf-8")
    (tmp_path / "levels.csv").write_text("G (uS),sigma (uS)\n1,0.1\n5,0.1\n", encoding="utf-8")
    device, understood = device_of_files(LaboratoryFiles(levels=tmp_path / "levels.csv", iv=tmp_path / "iv.csv"), "x")
    assert (device.nonlinearity.name if device.nonlinearity else None) == law
    assert said in understood[2]


def test_points_of_an_offset_do_not_make_a_good_fit_read_as_a_bad_one() -> None:
    volt = np.concatenate([np.zeros(3), np.linspace(-1, 1, 200)])
    ampere = Sinh(scale_volt=0.4).current(volt, np.float64(5e-5))[0]
    ampere[:3] = 1e-10  # the meter's
    fit = fit_iv("sinh", volt, ampere)
    assert fit.rms_relative_error < 1e-5 and fit.rms_of_full_scale < 1e-6


@pytest.mark.parametrize("name", device_names())
def test_a_published_device_is_read_from_its_own_description(name: str, tmp_path: Path) -> None:
    device = load_device(name)
    (tmp_path / "again.toml").write_text(description(device, ["as it\nwas"]), encoding="utf-8")
    assert load_device(tmp_path / "again.toml") == device


def test_a_description_holds_all_that_a_device_is(files: LaboratoryFiles, tmp_path: Path) -> None:
    device, understood = device_of_files(files, 'a "name"\n\x1b[31m')
    (tmp_path / "mine.toml").write_text(description(device, understood), encoding="utf-8")
    assert load_device(tmp_path / "mine.toml") == dataclasses.replace(device, iv_fit=None)


def test_the_template_holds_every_key_and_is_a_device() -> None:
    assert load_device(TEMPLATE).name == "mine"
    text = TEMPLATE.read_text(encoding="utf-8")
    laws = {name: kind for section in LAWS.values() for name, kind in section.items()}
    kinds = {*laws.values(), RetentionTable, Diode}
    keys = {field.name for kind in kinds for field in dataclasses.fields(kind)} - {"table"}
    assert [key for key in (*PLAIN, *laws, *keys) if not re.search(rf"\b{key}\b", text)] == []


def test_the_command_writes_a_description_and_its_figure(files: LaboratoryFiles, tmp_path: Path) -> None:
    given = ("--from", files.levels, "--iv", files.iv, "--retention", files.retention, "--stuck-on", 0.001)
    done = run("devices", *given, "--needs", 4, "-o", tmp_path / "mine.toml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine\nmeasured: levels.csv, iv.csv, ret.csv\n")
    assert "\nneeds 4, offers 4 after a day\n" in done.stdout
    assert done.stdout.endswith(f"\ndescription: {tmp_path / 'mine.toml'}\nfigure: {tmp_path / 'mine.png'}\n")
    assert (tmp_path / "mine.png").read_bytes().startswith(b"\x89PNG")
    again = run("devices", tmp_path / "mine.toml", "--needs", 4)
    assert again.returncode == 0 and "\nneeds 4, offers 4 after a day\n" in again.stdout
    assert run("devices", "--template").stdout == TEMPLATE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("wan2022_rram", "--from", "levels.csv"), "'wan2022_rram' and --from both name a device; give one of them"),
        (("--iv", "iv.csv"), "--iv is for one device: name it, or its levels by --from"),
        (("--needs", "4"), "--needs is for one device: name it, or its levels by --from"),
        (("--from", "levels.csv", "-o", "mine.png"), "with --from, --out must end in .toml, got mine.png"),
        (("--from", "none.csv"), "cannot read none.csv: no such file or directory"),
        (("--from", "levels.csv", "--stuck-on", "3"), "stuck_on_rate must be in [0, 1], got 3"),
        (("--from", "bare.csv"), "'4.8' names no unit: it may be ohm or µS"),
        (("--from", "bare.csv", "--unit", "parsec"), "--unit must be one of a conductance, a resistance or a current"),
        (("--from", "bare.csv", "--unit", "uA"), "say at which voltage they were read"),
        (("--from", "bare.csv", "--unit", "uA", "--read-volt", "0"), "--read-volt must not be 0 and at most"),
        (("--from", "bare.csv", "--unit", "uA", "--read-volt", "nan"), "--read-volt must be a finite number, got nan"),
    ],
)
def test_what_makes_no_device_is_one_sentence(
    options: tuple[str, ...], said: str, files: LaboratoryFiles, tmp_path: Path
) -> None:
    (tmp_path / "bare.csv").write_text("G\n4.8\n20\n", encoding="utf-8")
    done = run("devices", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert not (tmp_path / "mine.png").exists()


@pytest.mark.parametrize(("unit", "volt", "factor"), [("uS", None, 1e-6), ("nS", None, 1e-9), ("uA", 0.1, 1e-5)])
def test_a_unit_that_the_file_does_not_name_may_be_given(
    unit: str, volt: float | None, factor: float, tmp_path: Path
) -> None:
    (tmp_path / "bare.csv").write_text("4.8\n20\n", encoding="utf-8")
    device, _ = device_of_files(LaboratoryFiles(levels=tmp_path / "bare.csv", unit=unit, read_volt=volt), "bare")
    np.testing.assert_allclose(device.level_siemens, [4.8 * factor, 20 * factor], rtol=1e-15)


def test_resistances_that_a_unit_tells_are_converted(tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("G\n5\n20\n", encoding="utf-8")
    device, _ = device_of_files(LaboratoryFiles(levels=tmp_path / "bare.csv", unit="kohm"), "bare")
    np.testing.assert_allclose(device.level_siemens, [1 / 20e3, 1 / 5e3], rtol=1e-15)


def test_a_voltage_of_no_current_is_refused(tmp_path: Path) -> None:
    (tmp_path / "at.csv").write_text("G (uS) @ 0.1 V\n5\n20\n", encoding="utf-8")
    with pytest.raises(DeviceError, match=r"column 1 is 'G \(uS\) @ 0\.1 V'"):
        device_of_files(LaboratoryFiles(levels=tmp_path / "at.csv"), "at")
