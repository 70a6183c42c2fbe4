"""Figures and report of a stored study."""

import base64
import dataclasses
import html
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from fewlevels import flip_pixels, recognition_under_flips
from fewlevels.cli.main import main
from fewlevels.engines.threads import Threads
from fewlevels.errors import StoreError
from fewlevels.reporting.figures import circuit as circuit_figures, study as figures
from fewlevels.reporting.study import summary_json, summary_rows, write_report
from fewlevels.study.analysis import summarise
from fewlevels.study.circuits import CircuitOptions, simulate_model
from fewlevels.study.claims import applies, claims
from fewlevels.study.config import make_config
from fewlevels.study.result import load_study
from fewlevels.study.run import run_study
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def report(small_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "study"
    shutil.copytree(small_study[0], folder)
    return write_report(folder, small_study[1])


def test_every_figure_is_written_as_png_and_svg(report):
    for name in ("figure1", "figure2", "figure3", "figure4", "figure5", "figure6a", "figure6b", "solved_at"):
        for kind, magic in (("png", b"\x89PNG"), ("svg", b"<?xml")):
            (path,) = (report.parent / "figures").glob(f"{name}*.{kind}")
            assert path.read_bytes().startswith(magic)


def test_the_report_holds_its_figures_and_needs_no_network(report):
    text = report.read_text(encoding="utf-8")
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(images) == 11
    assert all(base64.b64decode(image).startswith(b"\x89PNG") for image in images)
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!data:)', text)
    assert "@import" not in text
    assert "url(" not in text


def test_the_report_is_well_formed_and_says_how_to_repeat_it(report):
    open_tags: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img"):
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    text = report.read_text(encoding="utf-8")
    Balance().feed(text)
    assert open_tags == []
    assert "fewlevels study --config study.toml" in text
    assert "paper says" in text
    assert "seeds = 5" in text


def test_the_report_ends_with_commands_to_go_on_with_that_run_in_its_folder(report, monkeypatch, capsys):
    _, end = report.read_text(encoding="utf-8").split("<h2>Go on</h2>")
    commands = [html.unescape(each) for each in re.findall("<code>(fewlevels .*?)</code>", end)]
    assert [each.split()[1] for each in commands] == ["fit", "devices", "search", "report", "simulate"]
    monkeypatch.chdir(report.parent)
    simulate = commands[-1].split()
    monkeypatch.setattr("sys.argv", simulate)
    with pytest.raises(SystemExit) as end_of:
        main()
    assert not end_of.value.code
    assert "recognition" in capsys.readouterr().out


def test_the_report_holds_every_claim_with_its_verdict_and_the_machine_it_ran_on(report, small_study):
    _, result = small_study
    rows = re.findall("<tr>(.*?)</tr>", report.read_text(encoding="utf-8"), re.DOTALL)
    rows = [html.unescape(re.sub("<[^>]+>", " ", row)) for row in rows]
    for claim in claims(result):
        cells = claim.where, claim.says, claim.found, claim.verdict, claim.rule
        assert any(all(cell in row for cell in cells) for row in rows), claim
    for key, value in result.machine.items():
        assert any(key in row and value in row for row in rows), key
    assert set(result.machine) >= {"processor", "instruction_set", "system", "python", "fewlevels", "numpy"}


def test_each_verdict_of_the_report_has_its_own_mark_and_what_the_run_cannot_say_has_none(report, small_study):
    text = report.read_text(encoding="utf-8")
    marked = dict(re.findall(r'\.([a-z-]+)::before \{ content: "([^"]+) "; \}', text))
    assert marked == {"reproduced": "✓", "reproduced-with-other-starts": "(✓)", "partly": "~", "not-reproduced": "✗"}
    shown = re.findall(r'<td class="verdict ([a-z-]+)">([^<]+)<', text)
    assert [verdict for _, verdict in shown] == [claim.verdict for claim in claims(small_study[1])]
    assert all(mark == verdict.replace(" ", "-") for mark, verdict in shown)


def test_figures_are_the_same_bytes_when_made_again(report):
    before = {path.name: path.read_bytes() for path in (report.parent / "figures").iterdir()}
    page = report.read_bytes()
    write_report(report.parent, load_study(report.parent))
    assert {path.name: path.read_bytes() for path in (report.parent / "figures").iterdir()} == before
    assert report.read_bytes() == page


def test_figure_4_shows_every_solved_model_and_the_papers_points(small_study):
    _, result = small_study
    figure = figures.levels_against_range(result)
    axes = figure.axes[0]
    used = result.search.trained & result.search.solved
    shown = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_array_equal(shown[:, 1], result.search.q[used])
    np.testing.assert_array_equal(shown[:, 0], result.search.networks.weight_range()[used])
    points = {(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() in "Ds"}
    assert points == {(32, 8), (62, 25)}
    assert not axes.texts  # which would lie on models
    assert axes.get_xlabel().startswith("weight range")
    assert axes.get_ylabel() == "fewest levels q"


def test_flipped_pixels_are_those_of_the_best_model_before_and_after(small_study):
    _, result = small_study
    best = int(summarise(result).best_model)
    axes = figures.under_flips(result).axes[0]
    before, after = axes.lines
    seen = recognition_under_flips(
        result.search.networks[best], result.search.quantized(best), result.samples, flips=range(6), copies=500
    )
    np.testing.assert_array_equal([before.get_ydata(), after.get_ydata()], [seen.before[0], seen.after[0]])
    assert before.get_ydata()[0] == after.get_ydata()[0] == 1
    assert (
        "every choice of up to 2 pixels, 500 random choices for each sample beyond"
        in axes.get_title() + axes.get_title(loc="left")
    )
    intervals = [segment[0][0] for each in axes.collections for segment in each.get_segments()]
    assert sorted(intervals) == [3, 3, 4, 4, 5, 5]  # of what is drawn at random alone
    grey = dataclasses.replace(result.samples, x=result.samples.x / 2)
    drawn = figures.under_flips(dataclasses.replace(result, samples=grey))
    assert "only binary samples" in drawn.texts[0].get_text()


def test_an_incomplete_study_is_refused(report, tmp_path):
    shutil.copytree(report.parent, tmp_path / "study")
    sorted((tmp_path / "study" / "shards").iterdir())[0].unlink()
    with pytest.raises(StoreError, match="is not complete: models-000000 is missing"):
        write_report(tmp_path / "study", load_study(tmp_path / "study"))


def test_a_statistic_that_does_not_exist_is_null_and_none(small_study):
    _, result = small_study
    nothing = dataclasses.replace(result.search, q=np.zeros_like(result.search.q))
    summary = summarise(dataclasses.replace(result, search=nothing))
    assert summary_json(summary)["q_median"] is None
    assert summary_json(summary)["rank_correlation_interval"] == [None, None]
    assert dict(summary_rows(summary))["median of levels requested, q"] == "none"
    for figure in figures.draw(dataclasses.replace(result, search=nothing)).values():
        figure.canvas.draw()


def test_of_a_recognition_below_the_papers_the_report_says_nothing_from_the_paper(small_study):
    _, result = small_study
    lower = dataclasses.replace(result, config=result.config.model_copy(update={"alpha": 0.8}))
    assert applies(result)
    assert not applies(lower)


def test_of_other_data_the_report_says_nothing_from_the_paper(report, tmp_path):
    rng = np.random.default_rng(1)
    y = np.repeat(np.arange(3), 10)
    np.savez(tmp_path / "own.npz", X=np.clip(np.eye(3, 9)[y] + rng.normal(0, 0.1, (30, 9)), 0, 1), y=y)
    config = make_config({**SMALL, "seeds": 1, "repeats": 12, "dataset": str(tmp_path / "own.npz")}, "test")
    result = run_study(config, tmp_path / "own", Threads(2))
    own, papers = (path.read_text(encoding="utf-8") for path in (write_report(tmp_path / "own", result), report))
    for words in ("paper says", "Kim et al.", "27 %"):
        assert words in papers
        assert words not in own
    drawn = figures.draw(result)
    assert drawn["figure1_digits_and_network"].subfigs[0].axes[0].images[0].get_array().shape == (3, 3)
    for name in ("figure4_levels_against_range", "figure5_starts"):
        axes = drawn[name].axes
        assert axes
        assert not [label for each in axes for label in each.get_legend_handles_labels()[1] if "paper" in label]
        assert not [text for each in axes for text in each.texts if "paper" in text.get_text()]
    ranges = result.search.networks.weight_range()
    titles = [axes.get_title(loc="left") for axes in drawn["figure4_levels_against_range"].axes[1:]]
    assert [
        f"model {model}" in title for model, title in zip((ranges.argmin(), ranges.argmax()), titles, strict=True)
    ] == [True, True]


def test_an_agreement_is_shown_with_the_circuit_it_is_of_and_a_damaged_one_is_named(report):
    stored = {
        "model": 7,
        "ngspice_version": "39",
        "tolerance": 1e-9,
        "design": "single",
        "r_min_ohm": 2e4,
        "wire_ohm": 3.0,
        "off_pixels": "threshold",
        "rows": [{"input_volt": 5.0, "layer": 2, "relative_difference": 3.21e-11}],
    }
    file = report.parent / "agreement.json"
    try:
        file.write_text(json.dumps(stored), encoding="utf-8")
        text = " ".join(write_report(report.parent, load_study(report.parent)).read_text(encoding="utf-8").split())
        assert (
            "ngspice 39: model 7, design &#39;single&#39;, smallest resistor 20000 Ω, 3 Ω in every wire segment" in text
        )
        assert "<td>5 V</td><td>2</td><td>3.2e-11</td>" in text
        file.write_text(json.dumps(stored | {"design": None, "rows": [{}]}), encoding="utf-8")
        with pytest.raises(StoreError, match=r"agreement\.json is damaged"):
            write_report(report.parent, load_study(report.parent))
    finally:
        file.unlink()


def test_the_circuits_figures_show_no_cause_and_no_wire_that_it_does_not_have_unless_they_say_so(small_study):
    _, result = small_study
    for options, wires in ((CircuitOptions(), False), (CircuitOptions(wire_ohm=2.0), True)):
        simulation = simulate_model(result, result.best, options)
        drawn = circuit_figures.draw_circuit(result, result.best, simulation, options)
        labels = {text.get_text() for text in drawn["current_gap_by_cause"].legends[0].get_texts()}
        assert ("without wires" in labels) is wires
        assert {"without quantization", "without diode"} < labels
        assert "without loading" not in labels
        title = drawn["currents_and_voltages_with_wires"].get_suptitle()
        assert title.startswith("What if" if not wires else "Layer 1 with 2 Ω")


def test_of_many_samples_figure_6b_shows_the_median_of_each_class(small_study):
    _, result = small_study
    simulation = result.circuit(result.best)
    one = circuit_figures.gap_by_digit(simulation, result).axes[0]
    np.testing.assert_array_equal(one.lines[0].get_ydata(), np.abs(simulation.voltages[0].current_gap))
    assert one.get_xlabel() == "digit shown"
    noisy = flip_pixels(result.samples, 1, 3, np.random.default_rng(1))
    many = dataclasses.replace(result, samples=noisy)
    simulation = many.circuit(result.best)
    axes = circuit_figures.gap_by_digit(simulation, many).axes[0]
    gaps = np.abs(simulation.voltages[0].current_gap).reshape(10, 3)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), np.median(gaps, axis=1))
    assert [label.get_text() for label in axes.get_xticklabels()] == list("0123456789")
