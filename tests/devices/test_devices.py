"""Device descriptions: what they say, at any time that was measured, and what they refuse."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest

from fewlevels import (
    Device,
    FitConfig,
    Networks,
    Samples,
    device_levels,
    device_names,
    load_device,
    load_device_levels,
    parse_methods,
)
from fewlevels.chips.mapping import map_network
from fewlevels.chips.variation import Conditions
from fewlevels.circuit import Cubic, Diode, Sinh
from fewlevels.circuit.network.resistances import Window
from fewlevels.devices import MeasuredRetention, PolynomialSpread, PowerLawDrift, RetentionTable, TableSpread
from fewlevels.devices.iv import fit_iv
from fewlevels.errors import CircuitError, DeviceError, UsageError
from fewlevels.fitting.problem import Problem
from fewlevels.quantization.device_table import OPEN_SIEMENS
from tests.support.oracles import given

DAY = 86400.0
WINDOW = 'name = "mine"\nlowest_siemens = 1e-6\nhighest_siemens = 2e-6\n'
DOCS = Path(__file__).parents[2] / "docs" / "devices.md"


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", device_names())
def test_every_published_device_names_itself_and_says_where_it_was_read(name):
    device = load_device(name)
    assert device.name == name and re.search(r"20\d\d", device.citation) and device.sources


def test_wan_has_the_spreads_of_its_table_at_each_time():
    device, targets = load_device("wan2022_rram"), np.array([[0, 5e-6], [10e-6, 40e-6]])
    np.testing.assert_allclose(device.sigma_siemens(targets) * 1e6, [[0.35, 1.75], [2.26, 1.10]], rtol=1e-12)
    np.testing.assert_allclose(device.sigma_siemens(targets, DAY) * 1e6, [[0.70, 2.76], [3.72, 2.65]], rtol=1e-12)
    np.testing.assert_allclose(device.sigma_siemens(targets, 2 * DAY)[1, 1] * 1e6, 2.68, rtol=1e-12)
    np.testing.assert_array_equal(device.mean_siemens(targets, DAY), targets)


def test_between_two_times_a_spread_is_straight_in_the_logarithm_of_time():
    device = load_device("wan2022_rram")
    at = [device.sigma_siemens(20e-6, seconds) for seconds in (1, DAY**0.25, DAY)]
    np.testing.assert_allclose(at[1], 0.75 * at[0] + 0.25 * at[2], rtol=1e-12)


def test_a_power_law_takes_mean_and_spread_down_by_the_same_factor():
    device = Device(
        name="pcm",
        lowest_siemens=1e-6,
        highest_siemens=9e-6,
        spread=TableSpread(conductance_siemens=(1e-6, 9e-6), sigma_siemens=(1e-7, 5e-7)),
        retention=PowerLawDrift(exponent=0.5, start_seconds=4.0, last_seconds=1e4),
    )
    assert device.mean_siemens(5e-6, 16.0) == pytest.approx(2.5e-6, rel=1e-12)  # (16 / 4)^-0.5 = 1/2
    assert device.sigma_siemens(5e-6, 16.0) == pytest.approx(1.5e-7, rel=1e-12)
    assert device.mean_siemens(5e-6, 4.0) == device.mean_siemens(5e-6) == 5e-6


def test_level_means_and_spreads_follow_their_measured_tables():
    def table(seconds: float, *mean: float) -> RetentionTable:
        return RetentionTable(
            after_seconds=seconds, conductance_siemens=(1e-6, 2e-6), mean_siemens=mean, sigma_siemens=(0.1e-6, 0.2e-6)
        )

    device = Device(
        name="two",
        level_siemens=(1e-6, 2e-6),
        level_sigma_siemens=(0.01e-6, 0.02e-6),
        retention=MeasuredRetention(table=(table(10, 1e-6, 2e-6), table(1000, 0.8e-6, 1.4e-6))),
    )
    assert (device.lowest_siemens, device.highest_siemens) == (1e-6, 2e-6)
    np.testing.assert_allclose(device.mean_siemens([1e-6, 2e-6], 100), [0.9e-6, 1.7e-6], rtol=1e-12)
    np.testing.assert_allclose(device.sigma_siemens([1e-6, 2e-6], 100), [0.1e-6, 0.2e-6], rtol=1e-12)
    np.testing.assert_allclose(device.sigma_siemens([1e-6, 2e-6]), [0.01e-6, 0.02e-6], rtol=1e-12)
    only = MeasuredRetention(table=(table(1000, 0.8e-6, 1.4e-6),))
    later = replace(device, level_sigma_siemens=None, retention=only)  # the first table stands for what was programmed
    np.testing.assert_allclose(later.mean_siemens([1e-6, 2e-6]), [0.8e-6, 1.4e-6], rtol=1e-12)
    np.testing.assert_allclose(later.sigma_siemens([1e-6, 2e-6]), [0.1e-6, 0.2e-6], rtol=1e-12)


def test_outside_what_was_measured_it_refuses():
    wan, taox, rao = (load_device(name) for name in ("wan2022_rram", "lee2018_taox", "rao2023"))
    refused = {
        r"wan2022_rram: it was measured after 1 to 172800 s, got 259200 s": lambda: wan.mean_siemens(1e-6, 3 * DAY),
        r"wan2022_rram: it was measured after 1 to 172800 s, got 0 s": lambda: wan.sigma_siemens(1e-6, 0.0),
        r"conductances must lie in the measured 0 to 4e-05 S, got 4.1e-05 S": lambda: wan.sigma_siemens([1e-6, 41e-6]),
        r"got nan S": lambda: wan.mean_siemens(np.nan),
        r"lee2018_taox: no spread of its conductances is known": lambda: taox.sigma_siemens(1e-6),
        r"lee2018_taox: nothing is known of it after 1 s": lambda: taox.mean_siemens(1e-6, 1.0),
        r"rao2023: no conductance window is known": lambda: rao.mean_siemens(1e-6),
    }
    for said, asked in refused.items():
        with pytest.raises(DeviceError, match=said):
            asked()


def test_rounding_at_the_end_of_the_window_is_not_outside_it():
    device = load_device("joshi2020_pcm")
    assert device.mean_siemens(25e-6 * (1 + 1e-12)) == 25e-6
    for outside in (25e-6 * (1 + 1e-6), 0.25e-6 - 25e-12):
        with pytest.raises(DeviceError, match=r"conductances must lie in the measured 2.5e-07 to 2.5e-05 S"):
            device.mean_siemens(outside)


def test_a_level_table_says_nothing_of_the_window_beyond_its_levels_nor_of_other_times():
    table = RetentionTable(after_seconds=10.0, conductance_siemens=(2e-6, 4e-6), sigma_siemens=(0.1e-6, 0.2e-6))
    later = replace(table, after_seconds=1000.0)
    device = Device(
        name="table",
        lowest_siemens=1e-6,
        highest_siemens=5e-6,
        level_siemens=(2e-6, 4e-6),
        level_sigma_siemens=(0.1e-6, 0.2e-6),
        retention=MeasuredRetention(table=(table, later)),
    )
    assert device.sigma_siemens(4e-6) == device.sigma_siemens(4e-6, 1000.0) == 0.2e-6
    for outside in (1e-6, 5e-6):
        for seconds in (None, 10.0):
            with pytest.raises(DeviceError, match="must lie in the measured 2e-06 to 4e-06 S"):
                device.sigma_siemens(outside, seconds)
    for seconds in (9.9, 1000.1):
        for asked in (device.mean_siemens, device.sigma_siemens):
            with pytest.raises(DeviceError, match="table: it was measured after 10 to 1000 s"):
                asked(2e-6, seconds)


def test_the_example_of_the_docs_loads(tmp_path):
    example = re.search(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    device = load_device(written(tmp_path, example[1]))
    assert device == Device(
        name="mine",
        citation="Ours, 2026",
        sources="4-kbit array, room temperature, read at 0.2 V",
        lowest_siemens=1e-6,
        highest_siemens=100e-6,
        level_siemens=(2e-6, 10e-6, 40e-6, 90e-6),
        level_sigma_siemens=(0.3e-6, 1e-6, 2e-6, 3e-6),
        read_noise=0.005,
        stuck_on_rate=0.001,
        stuck_off_rate=0.002,
        retention=PowerLawDrift(exponent=0.01, exponent_sigma=0.002, start_seconds=1.0, last_seconds=1e6),
        nonlinearity=Sinh(scale_volt=0.4),
    )
    assert device.cell == Sinh(scale_volt=0.4)


def test_a_selector_is_the_cell(tmp_path):
    text = 'name = "mine"\nstates = 4\n[selector]\nsaturation_ampere = 1e-12\nideality = 1.5\nseries_ohm = 10.0\n'
    assert load_device(written(tmp_path, text)).cell == Diode(saturation_ampere=1e-12, ideality=1.5, series_ohm=10.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WINDOW + "lowest_ohm = 3\n", "line 4: lowest_ohm is not a key of a device; the keys are name, citation"),
        (WINDOW + "[drift]\n", "line 4: drift is not a key of a device"),
        (WINDOW + '[spread]\nlaw = "cubic"\n', "line 5: law must be one of table, polynomial, saturating, got 'cubic'"),
        (WINDOW + "[spread]\nlaw = [1]\n", r"line 5: law must be one of table, polynomial, saturating, got \[1\]"),
        (WINDOW + '[spread]\nlaw = "saturating"\namplitude_siemens = 1\n', "line 4: scale_siemens is missing"),
        (WINDOW + '[spread]\nlaw = "saturating"\namplitude_siemens = 1e-7\nscale_siemens = 0\n', "line 7: scale_sie"),
        (WINDOW + '[spread]\nlaw = "polynomial"\nconstant_siemens = -1e-7\n', "line 4: spread must be at least 0"),
        (
            WINDOW + '[spread]\nlaw = "table"\nconductance_siemens = [1.2e-6, 2e-6]\nsigma_siemens = [1e-7, 1e-7]\n',
            "line 4: spread must be measured everywhere from 1e-06 to 2e-06 S",
        ),
        (
            WINDOW + '[retention]\nlaw = "measured"\n[[retention.table]]\nafter_seconds = 1\n'
            "conductance_siemens = [1e-6, 2e-6]\nsigma_siemens = [0.0, 0.0]\n[[retention.table]]\nafter_seconds = 2\n"
            "conductance_siemens = [1e-6, 2e-6]\nsigma_siemens = [0.0, -1.0]\n",
            "line 13: sigma_siemens must be",
        ),
        (WINDOW + "stuck_on_rate = 1.5\n", r"line 4: stuck_on_rate must be in \[0, 1\], got 1.5"),
        (WINDOW + 'read_noise = "1 %"\n', "line 4: read_noise must be a finite number, got '1 %'"),
        (WINDOW + "states = 2.5\n", "line 4: states must be a whole number, got 2.5"),
        ('name = "x"\nlowest_siemens = 2\nhighest_siemens = 1\n', "line 2: lowest_siemens must be below 1 S"),
        ('name = "x"\n[levels]\nconductance_siemens = [2e-6, 1e-6]\n', "line 3: conductance_siemens must ascend"),
        ('name = "x"\n[levels]\ncsv = 3\n', "line 3: csv must be the name of a file, got 3"),
        ('name = "x"\n[selector]\nideality = -1\n', "line 3: a diode's ideality must be positive"),
        ('name = "x"\n[selector]\n[nonlinearity]\nlaw = "sinh"\nscale_volt = 1\n', "nonlinearity and selector cannot"),
        ('name = "x"\n[nonlinearity]\nlaw = "sinh"\nscale_volt = 0\n', "line 4: the scale_volt of a sinh law"),
        ("states = 4\n", "name is missing"),
        ("name = \n", "is not valid TOML"),
    ],
)
def test_a_wrong_description_is_one_sentence_with_line_and_key(tmp_path, text, said):
    with pytest.raises(DeviceError, match=said) as raised:
        load_device(written(tmp_path, text))
    assert "mine.toml" in str(raised.value) and "\n" not in str(raised.value)


def test_a_device_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(DeviceError, match=r"one of cmo_hfox, .*, wan2022_rram_authors, got 'wan'"):
        load_device("wan")
    with pytest.raises(DeviceError, match=r"cannot read .*none.toml: no such file"):
        load_device(tmp_path / "none.toml")


def test_levels_come_from_a_csv_of_spreads_or_of_single_reads(tmp_path):
    mine, levels = written(tmp_path, 'name = "mine"\n[levels]\ncsv = "levels.csv"\n'), tmp_path / "levels.csv"
    levels.write_text("level,conductance_siemens,sigma_siemens\nhigh,3e-6,2e-7\nlow,1e-6,1e-7\n", encoding="utf-8")
    device = load_device(mine)
    assert (device.level_siemens, device.level_sigma_siemens) == ((1e-6, 3e-6), (1e-7, 2e-7))
    levels.write_text("level,conductance_siemens\n0,1e-6\n1,4e-6\n0,3e-6\n1,4e-6\n1,7e-6\n", encoding="utf-8")
    device = load_device(mine)
    np.testing.assert_allclose(device.level_siemens, (2e-6, 5e-6), rtol=1e-12)
    np.testing.assert_allclose(device.level_sigma_siemens, (2**0.5 * 1e-6, 3**0.5 * 1e-6), rtol=1e-12)
    levels.write_text("level,conductance_siemens\n0,1e-6\n1,2e-6\n", encoding="utf-8")
    assert not load_device(mine).spread_is_known


@pytest.mark.parametrize(
    "text",
    [
        "level,conductance_siemens,sigma_siemens\n1,2e-6,1e-7\n2,10e-6,1e-7\n3,40e-6,1e-7\n",
        "level,conductance_siemens\n1,1e-6\n2,9e-6\n3,40e-6\n1,3e-6\n2,11e-6\n3,40e-6\n",
        "2e-6\n10e-6\n\n40e-6\n",
        "\ufeffconductance_siemens\n2e-6\n10e-6\n40e-6\n",
    ],
    ids=["with spreads", "reads", "bare", "from a spreadsheet"],
)
def test_a_quantizer_takes_its_levels_from_any_table_of_conductances(tmp_path, text):
    (tmp_path / "levels.csv").write_text(text, encoding="utf-8")
    np.testing.assert_allclose(load_device_levels(tmp_path / "levels.csv").table, (0.0, 8e-6, 38e-6), rtol=1e-12)
    mine = written(tmp_path, 'name = "mine"\n[levels]\ncsv = "levels.csv"\n')
    assert load_device_levels(mine).table == load_device_levels(tmp_path / "levels.csv").table


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\n2e-6\n", "line 1: '1' names no unit: it may be ohm or µS"),
        ("1e-6\n", "must hold at least two levels, got 1"),
        ("level,conductance_siemens\n1,2e-6\n2,2e-6\n", "line 3: the level of line 2 has the same cond"),
        ("level,conductance_siemens\n0,-1e-6\n1,2e-6\n", "line 2: a conductance must be at least 0 and below 1 S"),
        ("1e-6\nhigh\n", "line 2: conductance_siemens must be a finite number, got 'high'"),
        ("", "holds no table: it is empty"),
    ],
)
def test_a_wrong_list_of_levels_is_refused(tmp_path, text, said):
    (tmp_path / "levels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said) as raised:
        load_device_levels(tmp_path / "levels.csv")
    assert "levels.csv" in str(raised.value)


def test_every_way_to_a_list_of_levels_reads_it_by_the_same_rules(tmp_path):
    """Any order, and 0 S for an open device, as what stands for it in a circuit."""
    (tmp_path / "levels.csv").write_text("5e-6\n0\n2e-6\n", encoding="utf-8")
    mine = written(tmp_path, 'name = "x"\n[levels]\ncsv = "levels.csv"\n')
    assert load_device(mine).level_siemens == load_device(tmp_path / "levels.csv").level_siemens == (0, 2e-6, 5e-6)
    tables = [
        load_device_levels(mine).table,
        load_device_levels(tmp_path / "levels.csv").table,
        device_levels([5e-6, 0, 2e-6]).table,
        device_levels(np.array([5e-6, 0, 2e-6])).table,
    ]
    tables += [method.quantizer.table for method in parse_methods(f"device:{mine},qat:device:{tmp_path}/levels.csv")]
    assert all(table == (0.0, 2e-6 - OPEN_SIEMENS, 5e-6 - OPEN_SIEMENS) for table in tables)
    (tmp_path / "levels.csv").write_text("20000\n50000\n", encoding="utf-8")
    for source in (mine, tmp_path / "levels.csv"):
        for ask in (load_device, load_device_levels, lambda each: parse_methods(f"device:{each}")):
            with pytest.raises(DeviceError, match="line 1: '20000' names no unit: it may be ohm or µS"):
                ask(source)


def test_a_network_of_searched_levels_goes_on_the_device_that_has_them():
    """Also where one level is an open device: what a search gives, a fit takes."""
    device, quantizer = Device(name="x", level_siemens=(0.0, 2e-6, 5e-6)), device_levels([0.0, 2e-6, 5e-6])
    values = quantizer.quantize(np.array([[1.0, -0.4, 0.1, 0.02]]), 3).values.reshape(1, 2, 2)
    network, samples = Networks((values,)), Samples(x=np.eye(2), y=np.arange(2), classes=("a", "b"))
    mapping = Problem(network=network, samples=samples, data=samples, device=device, config=FitConfig()).put_on(network)
    np.testing.assert_allclose(mapping.level_siemens, (OPEN_SIEMENS, 2e-6, 5e-6), rtol=1e-12)


@pytest.mark.parametrize("source", ["", "wan"])
def test_levels_of_what_is_no_file_are_refused_with_the_files_that_there_are(source):
    with pytest.raises(DeviceError, match=rf"a device is a \.toml file, a table .* such as a \.csv, .* got '{source}'"):
        load_device_levels(source)


def test_a_device_without_a_list_of_levels_gives_no_quantizer(tmp_path):
    with pytest.raises(DeviceError, match="milo2021_hfo2 gives no list of conductances"):
        load_device_levels("milo2021_hfo2")
    with pytest.raises(DeviceError, match=r"cannot read .*none.csv"):
        load_device_levels(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "level,henry\n0,1\n",
            r"line 1: the first line must name the columns \[level\], \[sigma_siemens\], conductance_siemens, as in "
            r"'level,conductance \(uS\),sigma \(uS\)', but column 2 is a text of 5 characters",
        ),
        ("level,conductance_siemens\n", "no row stands below the columns"),
        (
            "level,conductance_siemens\n0,1e-6\n1,low\n",
            "line 3: conductance_siemens must be a finite number, got a text of 3 characters",
        ),
        ("level,conductance_siemens\n0,1e-6,3\n", "line 2: 2 values expected, got 3"),
        (
            "level,conductance_siemens,sigma_siemens\n0,1e-6,1e-7\n1,2e-6,-1e-7\n",
            "levels.csv, line 3: sigma_siemens must be at least 0, got -1e-07",
        ),
        ("level,conductance_siemens\n0,1e-6\n0,2e-6\n1,3e-6\n", "line 4: this level has neither sigma_siemens"),
        (
            "level,conductance_siemens,sigma_siemens\n0,1e-6,1e-7\n0,2e-6,1e-7\n",
            "line 3: the level of this row stands in several rows",
        ),
    ],
)
def test_a_wrong_level_csv_is_refused_with_its_line(tmp_path, text, said):
    (tmp_path / "levels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DeviceError, match=said):
        load_device(written(tmp_path, 'name = "mine"\n[levels]\ncsv = "levels.csv"\n'))


@given(
    law=st.sampled_from(["sinh", "cubic"]),
    scale_volt=st.floats(0.15, 3.0),
    log_siemens=st.floats(-9.0, -3.0),
    sign=st.sampled_from([0.0, -1.0]),
)
def test_a_fit_finds_the_law_that_made_the_curve(law, scale_volt, log_siemens, sign):
    made = {"sinh": Sinh, "cubic": Cubic}[law](scale_volt=scale_volt)
    volt = np.linspace(sign, 1.0, 41)
    ampere, _ = made.current(volt, np.float64(10**log_siemens))
    fit = fit_iv(law, volt, ampere)
    assert fit.law.scale_volt == pytest.approx(scale_volt, rel=1e-4)
    assert fit.conductance_siemens == pytest.approx(10**log_siemens, rel=1e-4)
    assert fit.r_squared > 1 - 1e-8 and fit.largest_volt == 1.0


def test_the_quality_of_a_fit_is_that_of_its_errors(tmp_path):
    rng = np.random.default_rng(1)
    volt = np.linspace(0, 1, 400)
    ampere = Sinh(scale_volt=0.3).current(volt, np.float64(1e-6))[0] * (1 + 0.02 * rng.standard_normal(400))
    rows = "\n".join(f"{v},{i}" for v, i in zip(volt, ampere, strict=True))
    (tmp_path / "iv.csv").write_text(f"volt,ampere\n{rows}\n", encoding="utf-8")
    device = load_device(written(tmp_path, WINDOW + '[nonlinearity]\nlaw = "sinh"\ncsv = "iv.csv"\n'))
    assert device.iv_fit is not None and device.cell == device.iv_fit.law
    assert device.iv_fit.law.scale_volt == pytest.approx(0.3, rel=0.02)
    assert device.iv_fit.rms_relative_error == pytest.approx(0.02, rel=0.1)  # the noise that was put in
    assert 0.99 < device.iv_fit.r_squared < 1


def test_r_squared_is_about_the_mean_and_the_largest_voltage_that_of_either_sign():
    volt = np.linspace(-0.8, -0.2, 13)
    ampere = 1e-6 * (volt + volt**3) * (1 + 0.05 * (-1.0) ** np.arange(13))
    fit = fit_iv("cubic", volt, ampere)
    fitted = fit.conductance_siemens * volt * (1 + (volt / fit.law.scale_volt) ** 2)
    assert fit.r_squared == pytest.approx(1 - np.var(fitted - ampere) / np.var(ampere), abs=1e-4)
    assert 1 - ((fitted - ampere) ** 2).sum() / (ampere**2).sum() > fit.r_squared + 1e-3
    assert fit.largest_volt == 0.8


@pytest.mark.parametrize("law", ["sinh", "cubic"])
def test_a_straight_or_flattening_curve_is_not_fitted(law):
    volt = np.linspace(0, 1, 20)
    for ampere in (1e-6 * volt, 1e-6 * np.tanh(volt)):
        with pytest.raises(DeviceError, match=f"does not bend upwards as a {law} law does"):
            fit_iv(law, volt, ampere)


def test_a_device_checks_itself_without_a_file():
    device = load_device("milo2021_hfo2")
    with pytest.raises(DeviceError, match="spread must be at least 0 everywhere"):
        replace(device, spread=PolynomialSpread(constant_siemens=1e-6, slope=-0.01))
    with pytest.raises(DeviceError, match="level_sigma_siemens must hold 2 spreads, one a level, got 1"):
        Device(name="x", level_siemens=(1e-6, 2e-6), level_sigma_siemens=(1e-7,))
    with pytest.raises(DeviceError, match="level_siemens must be below 1 S, got 2; 2 µS is 2e-6"):
        Device(name="x", level_siemens=(2.0, 90.0))
    with pytest.raises(DeviceError, match=r"must sum to at most 1, got 1.25"):
        replace(device, stuck_on_rate=0.5, stuck_off_rate=0.75)


LEVELS = 'name = "x"\n[levels]\nconductance_siemens = [1e-6, 9e-6]\n'
POWER = '[retention]\nlaw = "power"\nexponent = 0.05\nstart_seconds = 1\nlast_seconds = 1e6\n'
KEPT = (
    '[retention]\nlaw = "measured"\n[[retention.table]]\nafter_seconds = 60\nconductance_siemens = [1e-6, 2e-6]\n'
    "sigma_siemens = [1e-7, 1e-7]\nmean_siemens = [1e-6, 2e-6]\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WINDOW + "read_noise = 5\n", "line 4: read_noise must be in [0, 1], got 5; 5 % is 0.05"),
        (WINDOW + "stuck_off_rate = 2\n", "line 4: stuck_off_rate must be in [0, 1], got 2; 5 % is 0.05"),
        (LEVELS + "sigma_siemens = [3, 3]\n", "line 4: sigma_siemens must be below 1 S, got 3; 2 µS is 2e-6"),
        (LEVELS + "sigma_siemens = [1e-7, 1e-4]\n", "line 4: sigma_siemens must be at most the highest"),
        (LEVELS + "sigma_siemens = [1e-7, 1e-320]\n", "line 4: sigma_siemens must be 0 or at least 1e-30 S"),
        (LEVELS.replace("1e-6", "1e-320"), "line 3: conductance_siemens must be 0 or at least 1e-30 S"),
        (LEVELS.replace("9e-6", "9"), "line 3: conductance_siemens must be below 1 S, got 9; 2 µS is 2e-6"),
        (
            WINDOW + '[spread]\nlaw = "polynomial"\nslope = 5\n',
            "line 4: spread must be at most the highest conductance, 2e-06 S, got 1e-05 S; 2 µS is 2e-6, and 5 % of a",
        ),
        (WINDOW + '[spread]\nlaw = "polynomial"\nconstant_siemens = 3\n', "line 4: spread must be at most the highest"),
        (WINDOW + '[spread]\nlaw = "polynomial"\nconstant_siemens = 1e-320\n', "line 4: spread must be 0 or at lea"),
        (
            WINDOW + '[spread]\nlaw = "saturating"\namplitude_siemens = 1e-7\nscale_siemens = 20\n',
            "line 7: scale_siemens must be below 1 S, got 20; 2 µS is 2e-6",
        ),
        (
            WINDOW + '[spread]\nlaw = "table"\nconductance_siemens = [1e-6, 2e-6]\nsigma_siemens = [0.1, 0.1]\n',
            "line 4: spread must be at most the highest conductance",
        ),
        (WINDOW + POWER.replace("0.05", "5"), "line 6: exponent must be from -1 to 1, which takes"),
        (WINDOW + POWER.replace("= 1\n", "= -1\n"), "line 7: start_seconds must be positive, in seconds"),
        (WINDOW + POWER.replace("= 1\n", "= 1e-320\n"), "line 7: start_seconds must be positive"),
        (WINDOW + POWER.replace("1e6", "1e300"), "line 8: last_seconds must be positive, in seconds"),
        (
            WINDOW + KEPT.replace("mean_siemens = [1e-6, 2e-6]", "mean_siemens = [1e-6, 100]"),
            "line 10: mean_siemens must be below 1 S, got 100; 2 µS is 2e-6",
        ),
        (
            WINDOW + KEPT.replace("mean_siemens = [1e-6, 2e-6]", "mean_siemens = [1e-6, 1e-3]"),
            "line 4: retention must keep means up to 2e-05 S, 10 times the highest conductance, got 0.001 S",
        ),
        (WINDOW + KEPT.replace("= 60", "= -60"), "line 7: after_seconds must be positive"),
        (WINDOW + KEPT.replace("[1e-7, 1e-7]", "[1e-7, 0.1]"), "line 4: retention must be at most the highest"),
        (
            WINDOW + '[nonlinearity]\nlaw = "sinh"\nscale_volt = 400\n',
            "line 4: scale_volt of the nonlinearity must be from 0.001 to 100 V, got 400; 400 mV is 0.4",
        ),
        (
            WINDOW + "[selector]\nsaturation_ampere = 10\n",
            "line 4: saturation_ampere of the selector must be below 1, got 10.0; 10 pA is 1e-11",
        ),
        (WINDOW + "[selector]\nthreshold_volt = 650\n", "must be below 100, got 650.0; 650 mV is 0.65"),
        (f"{WINDOW}read_noise = {'7' * 400}\n", "mine.toml: read_noise must be at most 1.8e308, got 777"),
        (f"{WINDOW}states = {'7' * 400}\n", "mine.toml: states must be at most 1.8e308, got 777"),
        (
            'name = "x"\n[levels]\nconductance_siemens = [1e-6, ' + "7" * 400 + "]\n",
            "levels.conductance_siemens must be at most 1.8e308",
        ),
        ('name = "x"\n[levels]\nconductance_siemens = "1e-6"\n', "must be a list of finite numbers, got '1e-6'"),
    ],
)
def test_what_no_device_is_is_refused_with_what_was_meant(tmp_path, text, said):
    with pytest.raises(DeviceError) as raised:
        load_device(written(tmp_path, text))
    message = str(raised.value)
    assert said in message and "\n" not in message and len(message) < 300 + len(str(tmp_path))


def test_a_device_of_python_refuses_the_same():
    for wrong, said in (
        ({"read_noise": 5}, "5 % is 0.05"),
        ({"read_noise": "5"}, "read_noise must be a finite number, got '5'"),
        ({"level_siemens": "12"}, "level_siemens must be a list of finite numbers, got '12'"),
        ({"level_siemens": ("1e-6", "2e-6")}, "level_siemens must be a list of finite numbers, got ('1e-6"),
        ({"level_siemens": (1e-6, 1j)}, "level_siemens must be a list of finite numbers"),
        ({"states": 2.5}, "whole number"),
    ):
        with pytest.raises(DeviceError, match=re.escape(said)):
            Device(name="x", **wrong)
    arrays = Device(name="x", level_siemens=np.array([1e-6, 2e-6]), level_sigma_siemens=[np.float32(0), 1e-7])  # type: ignore
    assert arrays == Device(name="x", level_siemens=(1e-6, 2e-6), level_sigma_siemens=(0.0, 1e-7))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"stuck_rate": 5}, "stuck_rate must be in [0, 1], got 5; 5 % is 0.05"),
        ({"tolerance_siemens": 3}, "tolerance_siemens must be below 1 S, got 3; 2 µS is 2e-6"),
        ({"after_seconds": -60.0}, "after_seconds must be positive"),
        ({"after_seconds": 0}, "after_seconds must be"),
        ({"input_volt": 200.0}, "input_volt must be positive and at most 100 V, got 200; 400 mV is 0.4"),
        ({"input_volt": -1.0}, "input_volt must be positive"),
        ({"input_volt": "1"}, "input_volt must be a finite"),
    ],
)
def test_conditions_that_cannot_be_are_refused_with_what_was_meant(wrong, said):
    with pytest.raises(DeviceError, match=re.escape(said)):
        Conditions(**wrong)


def test_a_wire_is_no_megohm_and_a_window_no_milliohm():
    with pytest.raises(DeviceError, match=r"wire_ohm must be from 0 to 1e\+06, got 1000000000.0; it is of one segment"):
        FitConfig(wire_ohm=1e9)
    with pytest.raises(CircuitError, match=r"a window needs 1 < r_min_ohm < r_max_ohm, got 0\.01 and"):
        Window(r_min_ohm=0.01)


@pytest.mark.parametrize("name", device_names())
def test_a_device_prints_one_line_and_its_content_tells_two_apart(name):
    device = load_device(name)
    assert repr(device).startswith(f"<Device {name}: ") and len(repr(device)) < 120
    other = replace(device, read_noise=0.25)
    assert "read noise" in repr(other) and other.content != device.content == load_device(name).content
    assert all(repr(getattr(device, field.name)) in device.content for field in fields(device))


def test_a_selector_says_what_it_costs(tmp_path):
    """A diode of emission coefficient 2 drops about twice the voltage; the word lines are raised by what is stated."""
    text = WINDOW + "[selector]\nsaturation_ampere = 1e-14\nideality = 2.0\nthreshold_volt = 1.3\n"
    device = load_device(written(tmp_path, text))
    mapping = map_network(
        Networks.from_weights([np.eye(2)]), lowest_siemens=1e-6, highest_siemens=2e-6, cell=device.cell
    )
    assert mapping.circuit.threshold_volt == 1.3
    assert load_device(written(tmp_path, text.replace("threshold_volt = 1.3\n", ""))).selector.threshold_volt == 0.65
