"""`fewlevels devices`, in real subprocesses."""

import json

import pytest

from fewlevels import device_names
from tests.cli.test_cli import run


def test_the_list_names_every_device_and_what_it_offers():
    done = run("devices")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.split("\n\n")[0].splitlines()[1:]}
    assert max(map(len, done.stdout.splitlines())) <= 120
    assert tuple(sorted(rows)) == device_names()
    assert "5.3" in rows["wan2022_rram"] and "3.2 (2 days)" in rows["wan2022_rram"]
    listed = {device["name"]: device for device in json.loads(run("devices", "--json").stdout)}
    assert tuple(sorted(listed)) == device_names()
    assert [round(found["separable_levels"], 1) for found in listed["milo2021_hfo2"]["separability"]] == [9.4]
    assert listed["rao2023"]["separability"][0]["basis"] == "stated"


def test_one_device_is_set_against_what_a_network_needs(tmp_path):
    picture = tmp_path / "wan.png"
    done = run("devices", "wan2022_rram", "--needs", 4, "--after-seconds", 86400, "-o", picture)
    assert done.returncode == 0, done.stderr
    assert "needs 4, offers 3.2 after a day\n" in done.stdout and "Wan et al., Nature 608" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_window_alone_is_shown_but_not_compared(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('name = "mine"\nlowest_siemens = 1e-6\nhighest_siemens = 2e-6\n', encoding="utf-8")
    assert "1 to 2 µS" in run("devices", mine).stdout
    done = run("devices", mine, "--needs", 4)
    assert done.returncode == 2 and "neither spreads nor levels are known" in done.stderr


def test_a_device_of_ones_own_is_read_from_its_file(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'name = "mine"\n[levels]\nconductance_siemens = [1e-6, 5e-6, 6e-6]\nsigma_siemens = [1e-7, 2e-7, 2e-7]\n',
        encoding="utf-8",
    )
    found = json.loads(run("devices", mine, "--json").stdout)
    assert found["level_siemens"] == [1e-6, 5e-6, 6e-6]
    assert [at["separable_levels"] for at in found["separability"]] == [2]  # 6 uS is five spreads of 0.2 uS from 5 uS
    assert found["separability"][0]["level_siemens"] == [1e-6, 6e-6]  # further apart than 1 and 5 uS


def test_a_table_of_levels_is_shown_with_how_it_was_read(tmp_path):
    table = tmp_path / "chip7.csv"
    table.write_text("level;R (kOhm)\n1;1000\n2;200\n", encoding="utf-8")
    page = run("devices", table).stdout
    assert page.startswith("chip7\n") and "1, 5 µS, without their spreads" in page
    assert (
        "read:\n  chip7.csv: 2 rows, ';' between columns; level is 'level'; conductance_siemens is 'R (kOhm)'" in page
    )
    assert json.loads(run("devices", table, "--json").stdout)["level_siemens"] == [1e-6, 5e-6]
    table.write_text("20\n50\n", encoding="utf-8")
    done = run("devices", table)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "chip7.csv, line 1: '20' names no unit: it may be ohm or µS" in done.stderr


@pytest.mark.parametrize("law", ["sinh", "cubic"])
def test_json_names_each_law_as_a_file_does(tmp_path, law):
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'name = "mine"\nlowest_siemens = 1e-6\nhighest_siemens = 2e-6\n'
        '[spread]\nlaw = "polynomial"\nconstant_siemens = 1e-8\n'
        '[retention]\nlaw = "power"\nexponent = 0.01\nstart_seconds = 1\nlast_seconds = 10\n'
        f'[nonlinearity]\nlaw = "{law}"\nscale_volt = 0.4\n',
        encoding="utf-8",
    )
    found = json.loads(run("devices", mine, "--json").stdout)
    assert found["nonlinearity"] == {"law": law, "scale_volt": 0.4}
    assert (found["spread"]["law"], found["retention"]["law"]) == ("polynomial", "power")


def test_a_page_says_how_well_a_law_describes_the_curve_and_which_levels_there_are(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'name = "mine"\n[levels]\nconductance_siemens = [1e-6, 5e-6]\n[nonlinearity]\nlaw = "sinh"\ncsv = "iv.csv"\n',
        encoding="utf-8",
    )
    volt = [0.1 * step for step in range(11)]
    for curve, poor in ((lambda v: 1e-6 * v * (1 + v * v), False), (lambda v: 1e-6 * (v > 0.85), True)):
        rows = "".join(f"{v},{curve(v)}\n" for v in volt)
        (tmp_path / "iv.csv").write_text("volt,ampere\n" + rows, encoding="utf-8")
        page = run("devices", mine).stdout
        assert "1, 5 µS, without their spreads" in page and "I = G v0 sinh(V / v0), v0 = " in page
        assert ("poor: this law does not describe the measured curve" in page) is poor


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "a device is a .toml file, a table of its levels such as a .csv, or one of cmo_hfox"),
        (["--needs", "4"], "is for one device: name it"),
        (["sonos", "--needs", "0"], "--needs must be at least 1, got 0"),
        (["sonos", "--k-sigma", "-1"], "k_sigma must be positive, got -1"),
        (["sonos", "--after-seconds", "60"], "sonos: nothing is known of it after 60 s"),
        (["sonos", "-o", "figure.txt"], "--out must end in .png, .svg, .pdf, got figure.txt"),
    ],
)
def test_wrong_options_are_one_sentence_and_exit_code_2(arguments, said):
    done = run("devices", *arguments)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1
