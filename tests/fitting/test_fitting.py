"""Fitting: the answer is the one its own numbers say, each advice holds when it is taken, and a stopped fit goes on."""

from __future__ import annotations

import io
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fewlevels import Networks, Samples, TrainingConfig, finetune, load_digits, train
from fewlevels.chips.mapping import map_network
from fewlevels.chips.variation import Conditions
from fewlevels.chips.yields import Yield, estimate_yield, measured_chip
from fewlevels.circuit.cell import Sinh
from fewlevels.common.progress import Progress
from fewlevels.devices import Device, MeasuredRetention, PolynomialSpread, RetentionTable, load_device
from fewlevels.engines.threads import Threads
from fewlevels.errors import ConfigError, DeviceError, MappingError, NetworksError, StoreError
from fewlevels.fitting.estimator import Estimator
from fewlevels.fitting.fit import Fit, fit_network
from fewlevels.fitting.problem import FitConfig, Problem
from fewlevels.fitting.store import stored_fit
from fewlevels.fitting.trial import PILOTS
from fewlevels.reporting.figures.fit import draw_fit
from fewlevels.reporting.fit import answer, remarks, sentence, write_fit_report
from fewlevels.search.finetuning_config import FinetuningConfig

SAMPLES = load_digits(5)
CALM = Device(name="calm", lowest_siemens=0.0, highest_siemens=100e-6, spread=PolynomialSpread(constant_siemens=0.2e-6))
TABLE = Device(
    name="table", level_siemens=(1e-6, 10e-6, 50e-6, 100e-6), level_sigma_siemens=(0.1e-6, 0.2e-6, 0.3e-6, 0.4e-6)
)
QUICK = FitConfig(chips=100, most_states=6)


@pytest.fixture(scope="module")
def network() -> Networks:
    trained = train(SAMPLES, TrainingConfig(steps=60_000), models=1, seed=2)
    return Networks(finetune(trained, SAMPLES).quantized_weights)  # -a, 0, a


@pytest.fixture(scope="module")
def unfinished() -> Networks:
    return train(SAMPLES, TrainingConfig(steps=200_000), models=1, seed=2)


def spread(factor: float) -> Device:
    return replace(CALM, name="rough", spread=PolynomialSpread(constant_siemens=factor * 0.2e-6))


def fresh(fit: Fit, **changes: object) -> Yield:
    """The yield of a fit's answer, estimated here, on the chips that confirm it."""
    config = fit.problem.config
    options = {"device": fit.problem.device, "conditions": config.conditions, **changes}
    chips = range(config.chips, 2 * config.chips)
    return estimate_yield(fit.best.mapping, samples=fit.problem.samples, chips=chips, alpha=config.alpha, **options)  # type: ignore[arg-type]


def test_a_ternary_network_needs_two_states(network: Networks) -> None:
    fit = fit_network(network, SAMPLES, CALM, QUICK)
    assert fit.feasible and fit.certain and fit.best.states == fit.needed_states == 2
    assert fit.best.chip_yield.value == 1.0 and fit.advice.sentences == ()
    np.testing.assert_allclose(fit.best.mapping.level_siemens, [1e-12, 100e-6], rtol=1e-12)
    assert np.array_equal(np.sign(fit.best.network.joint()), np.sign(network.joint()))


def test_a_level_table_is_used_as_it_is(unfinished: Networks) -> None:
    fit = fit_network(unfinished, SAMPLES, TABLE, QUICK)
    assert [t.states for t in fit.trials] == [2, 3, 4]
    for trial in fit.trials:
        assert set(trial.mapping.level_siemens) <= set(TABLE.level_siemens or ())
        assert len(trial.mapping.level_siemens) == trial.states


def test_no_more_states_are_tried_than_asked_for_or_than_the_device_has(unfinished: Networks) -> None:
    for device, most, tried in ((TABLE, 3, 3), (load_device("lee2018_taox"), 16, 4), (CALM, 5, 5)):
        fit = fit_network(unfinished, SAMPLES, device, replace(QUICK, chips=20, most_states=most))
        assert max(t.states for t in fit.trials) == tried
        assert all(len(t.mapping.level_siemens) == t.states for t in fit.trials)


@pytest.mark.parametrize("scheme", ["balanced-pair", "offset-column", "bias-column"])
def test_signs_take_states_of_their_own_where_no_device_rests(network: Networks, scheme: str) -> None:
    config = replace(QUICK, scheme=scheme, most_states=4)  # type: ignore[arg-type]
    fit = fit_network(network, SAMPLES, CALM, config)
    assert fit.feasible and fit.best.states == len(fit.best.mapping.level_siemens) == 3
    taox = fit_network(network, SAMPLES, load_device("lee2018_taox"), replace(config, most_states=16))
    assert max(t.states for t in taox.trials) <= 4


def test_the_fewest_states_that_yield_enough_twice_are_taken(unfinished: Networks) -> None:
    fit = fit_network(unfinished, SAMPLES, CALM, replace(QUICK, most_states=12))
    enough = [t.states for t in fit.trials if t.chip_yield.value >= 0.95]
    assert fit.feasible and fit.best.states in enough
    assert np.array_equal(fresh(fit).current_margin, fit.best.chip_yield.current_margin)


class Scripted(Estimator):
    """Yields that depend on the number of states and on which chips are asked for."""

    def __init__(self, at_first: dict[int, float], confirmed: dict[int, float]) -> None:
        super().__init__()
        self.at_first, self.confirmed, self.asked = at_first, confirmed, list[range]()

    def __call__(self, problem: Problem, mapping, chips: range) -> Yield:  # type: ignore[no-untyped-def]
        self.asked.append(chips)
        states = len(mapping.level_siemens)
        share = (self.at_first if chips.start == 0 else self.confirmed).get(states, 0.0)
        margin = np.where(np.arange(len(chips)) < round(share * len(chips)), 1.0, -1.0)
        return Yield(
            current_margin=np.repeat(margin[:, None], 10, axis=1),
            pulses=np.zeros(len(chips)),
            missed=np.zeros(len(chips)),
            alpha=1.0,
        )


@pytest.mark.parametrize(
    ("at_first", "confirmed", "states", "value"),
    [
        ({3: 0.95, 4: 1.0}, {3: 0.95, 4: 1.0}, 3, 0.95),  # exactly enough
        ({3: 0.96, 4: 1.0}, {3: 0.94, 4: 0.97}, 4, 0.97),  # luck does not count
        ({3: 0.94, 4: 0.97}, {3: 1.0, 4: 0.97}, 4, 0.97),
        ({3: 0.8, 4: 0.9}, {3: 0.8, 4: 0.85}, 4, 0.85),  # none: the highest yield
    ],
)
def test_the_answer_is_decided_by_chips_that_chose_no_candidate(
    unfinished: Networks, at_first: dict[int, float], confirmed: dict[int, float], states: int, value: float
) -> None:
    estimate = Scripted(at_first, confirmed)
    fit = fit_network(unfinished, SAMPLES, CALM, replace(QUICK, most_states=4), estimate=estimate)
    assert (fit.best.states, fit.best.chip_yield.value) == (states, value)
    assert fit.feasible == (value >= 0.95) and fit.certain != (0.87 < value < 0.99)
    first, confirming = range(100), range(100, 200)
    pilots = [chips for chips in estimate.asked if chips.start > 1000]
    assert first in estimate.asked and confirming in estimate.asked and pilots
    assert not any(set(pilot) & {*first, *confirming} for pilot in pilots)
    assert fit.advice.sentences == (
        ()
        if fit.feasible
        else (
            "none of up to 4 states that were tried suffices: the best is 4",
            "fine-tuning the network for the device does not suffice: with 4 states 90.0 % of chips recognise "
            "(trained on 10 samples, judged on the same samples)",
        )
    )


def test_added_levels_that_do_not_suffice_are_said_not_to(
    unfinished: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fewlevels.fitting.advice.FINETUNED_STATES", ())
    two = Device(name="two", level_siemens=(1e-6, 100e-6), level_sigma_siemens=(0.01e-6,) * 2)
    fit = fit_network(unfinished, SAMPLES, two, QUICK, estimate=Scripted({4: 0.9, 7: 0.94, 9: 0.94}, {}))
    assert fit.advice.sentences[0] == (
        "more levels in the same window do not suffice: of 3 to 10 the best is 7, with 94.0 % of chips"
    )


class Bearing(Estimator):
    """Every chip recognises up to a spread of so many times the device's, none beyond."""

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def __call__(self, problem: Problem, mapping, chips: range) -> Yield:  # type: ignore[no-untyped-def]
        margin = 1.0 if problem.config.conditions.sigma_factor <= self.most else -1.0
        return Yield(
            current_margin=np.full((len(chips), 10), margin),
            pulses=np.zeros(len(chips)),
            missed=np.zeros(len(chips)),
            alpha=1.0,
        )


def test_the_spread_to_reach_is_that_of_the_time_asked_for_times_what_was_asked(
    network: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.375 of twice the spread after a day; the widest of what is programmed, 0 and 40 uS, is 2.65 uS."""
    noises: list[float] = []

    def finetuned(networks: Networks, *_: object, config: FinetuningConfig, **__: object) -> SimpleNamespace:
        noises.append(config.noise)
        nothing = Networks.from_joint(0 * networks.joint(), networks.shapes)
        return SimpleNamespace(quantized=SimpleNamespace(networks=nothing))

    monkeypatch.setattr("fewlevels.fitting.advice.finetune", finetuned)
    wan, conditions = load_device("wan2022_rram"), Conditions(after_seconds=86400.0, sigma_factor=2.0)
    config = replace(QUICK, most_states=2, conditions=conditions)
    fit = fit_network(network, SAMPLES, wan, config, estimate=Bearing(0.75))
    relative = 2 * wan.sigma_siemens(np.linspace(0, 40e-6, 33), 86400.0).mean() / 20e-6
    assert noises == pytest.approx([relative, 2 * relative] * 2)  # of each placement
    assert "without variation the network needs 2, and the device offers 3.2 after a day" in sentence(fit)
    assert fit.advice.sentences[0].endswith(
        f"the spread is 0.37 times what it is, or less: a standard deviation of {0.37 * 2 * 2.65:.2g} µS where it is "
        "widest"
    )


def test_at_alpha_below_one_a_chip_may_fail_some_samples(network: Networks) -> None:
    rough = spread(60.0)
    strict, lenient = (fit_network(network, SAMPLES, rough, replace(QUICK, alpha=alpha)) for alpha in (1.0, 0.8))
    assert lenient.best.chip_yield.value > strict.best.chip_yield.value
    assert lenient.best.chip_yield.value == (fresh(lenient).recognition >= 0.8 - 1e-12).mean()


def test_settings_are_chosen_on_the_data_and_chips_judged_on_the_samples(unfinished: Networks) -> None:
    wrong = Samples(SAMPLES.x, np.roll(SAMPLES.y, 1), SAMPLES.classes)
    same, judged = (fit_network(unfinished, samples, CALM, QUICK, data=SAMPLES) for samples in (SAMPLES, wrong))
    for one, other in zip(same.trials, judged.trials, strict=True):
        assert np.array_equal(one.network.joint(), other.network.joint())
    assert judged.recognition == judged.best.chip_yield.value == 0.0 and same.feasible


@pytest.mark.parametrize("device", [CALM, TABLE, load_device("lee2018_taox")], ids=lambda d: d.name)
def test_every_trial_s_yield_is_that_of_its_own_mapping(network: Networks, device: Device) -> None:
    for trial in fit_network(network, SAMPLES, device, QUICK).trials:
        again = estimate_yield(trial.mapping, device, SAMPLES, chips=100)
        assert np.array_equal(again.current_margin, trial.chip_yield.current_margin)


def test_where_the_spread_vanishes_states_lie_where_the_weights_are(network: Networks) -> None:
    proportional = replace(CALM, name="proportional", spread=PolynomialSpread(slope=0.02))
    fit = fit_network(network, SAMPLES, proportional, QUICK)
    assert fit.feasible and {trial.placement for trial in fit.trials} == {"dead zone"}


def test_advice_on_the_spread_holds_when_it_is_taken(network: Networks) -> None:
    fit = fit_network(network, SAMPLES, spread(60.0), QUICK)
    assert not fit.feasible and fit.limiting_factor == "spread"
    assert f"none of up to 6 states that were tried suffices: the best is {fit.best.states}" in fit.advice.sentences
    factor = float(fit.advice.sentences[0].split("spread is ")[1].split()[0])
    assert 0 < factor < 1
    micro = float(fit.advice.sentences[0].split("standard deviation of ")[1].split()[0])
    assert micro == pytest.approx(factor * 60 * 0.2, rel=0.05)
    for times, does in ((factor, True), (factor + 0.03, False)):
        assert (fresh(fit, conditions=Conditions(sigma_factor=times)).value >= 0.95) is does


def test_what_limits_is_the_spread_where_the_states_suffice_without_it(unfinished: Networks) -> None:
    fit = fit_network(unfinished, SAMPLES, spread(100.0), replace(QUICK, most_states=8))
    assert fit.needed_states is not None and fit.limiting_factor == "spread"
    assert any("standard deviation of" in each for each in fit.advice.sentences)


def test_advice_on_added_levels_holds_when_it_is_taken(unfinished: Networks) -> None:
    levels, sigma = (1e-6, 100e-6), 0.01e-6
    two = Device(name="two", level_siemens=levels, level_sigma_siemens=(sigma,) * 2)
    fit = fit_network(unfinished, SAMPLES, two, QUICK)
    assert not fit.feasible and fit.limiting_factor == "levels"
    said = next(sentence for sentence in fit.advice.sentences if " levels instead of 2" in sentence)
    count = int(said.split()[1])
    between = tuple(np.interp(np.linspace(0, 1, count), range(2), levels).tolist())
    finer = replace(two, level_siemens=between, level_sigma_siemens=(sigma,) * count)
    assert fit_network(unfinished, SAMPLES, finer, QUICK).feasible
    assert (
        count == 3
        or not fit_network(
            unfinished,
            SAMPLES,
            replace(
                two,
                level_siemens=tuple(np.interp(np.linspace(0, 1, count - 1), range(2), levels).tolist()),
                level_sigma_siemens=(sigma,) * (count - 1),
            ),
            QUICK,
        ).feasible
    )


def test_a_network_that_misses_alpha_by_itself_is_said_to(unfinished: Networks) -> None:
    wrong = Samples(SAMPLES.x, np.array([1, 0, *range(2, 10)]), SAMPLES.classes)
    fit = fit_network(unfinished, wrong, CALM, QUICK)
    assert (fit.limiting_factor, fit.recognition, fit.needed_states) == ("network", 0.8, None)
    assert fit.advice.sentences[0].startswith("the network itself recognises 80.00 % of the samples")


def test_a_fine_tuned_network_that_is_offered_does_fit(unfinished: Networks) -> None:
    two = replace(load_device("lee2018_taox"), states=2)
    fit = fit_network(unfinished, SAMPLES, two, QUICK)
    assert not fit.feasible and fit.limiting_factor == "levels"
    assert fit.advice.finetuned is not None
    assert "trained on 10 samples, judged on the same samples" in fit.advice.sentences[-1]
    assert fit_network(fit.advice.finetuned, SAMPLES, two, QUICK).feasible


def test_what_is_switched_off_is_what_limits(network: Networks) -> None:
    faulty = replace(CALM, stuck_on_rate=0.05, read_noise=0.001)
    fit = fit_network(network, SAMPLES, faulty, QUICK)
    assert set(fit.limits) == {"spread", "read_noise", "stuck_devices"}
    assert fit.limiting_factor == "stuck_devices"
    without = fit.limits["stuck_devices"].value
    assert without > fit.best.chip_yield.value
    assert not fit.feasible and f"without stuck devices {100 * without:.1f} %" in fit.advice.sentences[0]
    assert "limiting factor: stuck devices" in answer(fit)


def test_each_limit_is_the_yield_without_that_alone(network: Networks) -> None:
    """Spread, drift, wires and a bend together; each yield again from its own description."""
    three = Samples(SAMPLES.x[:3], SAMPLES.y[:3], SAMPLES.classes)  # wires take their time
    ends = (0.0, 100e-6)
    tables = tuple(
        RetentionTable(after_seconds=t, conductance_siemens=ends, sigma_siemens=(s, s), mean_siemens=(0.0, m))
        for t, s, m in ((1.0, 1e-6, 100e-6), (100.0, 4e-6, 70e-6))
    )
    device = replace(CALM, spread=None, retention=MeasuredRetention(table=tables), nonlinearity=Sinh(scale_volt=0.6))
    conditions = Conditions(after_seconds=100.0)
    config = replace(QUICK, chips=10, most_states=2, wire_ohm=50.0, conditions=conditions)
    fit = fit_network(network, three, device, config)
    assert set(fit.limits) == {"spread", "drift", "wires", "cell_nonlinearity"}

    def again(device: Device, wire_ohm: float, conditions: Conditions) -> np.ndarray:
        mapping = map_network(
            fit.best.network,
            lowest_siemens=0.0,
            highest_siemens=100e-6,
            cell=device.cell,
            word_wire_ohm=wire_ohm,
            bit_wire_ohm=wire_ohm,
        )
        return estimate_yield(mapping, device, three, chips=range(10, 20), conditions=conditions).current_margin

    expected = {
        "spread": again(device, 50.0, replace(conditions, sigma_factor=0.0)),
        "drift": again(device, 50.0, Conditions()),
        "wires": again(device, 0.0, conditions),
        "cell_nonlinearity": again(replace(device, nonlinearity=None), 50.0, conditions),
    }
    for name, margin in expected.items():
        assert np.array_equal(fit.limits[name].current_margin, margin)
    assert len({margin.tobytes() for margin in expected.values()}) == 4


def test_the_yield_is_told_against_spread_faults_and_time(network: Networks) -> None:
    wan = load_device("wan2022_rram")
    fit = fit_network(network, SAMPLES, wan, replace(QUICK, most_states=2))
    assert set(fit.against) == {"spread_factor", "stuck_rate", "after_seconds"}
    for name, condition in (
        ("spread_factor", "sigma_factor"),
        ("stuck_rate", "stuck_rate"),
        ("after_seconds", "after_seconds"),
    ):
        for value, found in fit.against[name]:
            again = fresh(fit, conditions=Conditions(**{condition: value}))
            assert np.array_equal(found.current_margin, again.current_margin)
    spreads = [found.value for _, found in fit.against["spread_factor"]]
    assert spreads[0] == 1.0 and spreads == sorted(spreads, reverse=True)
    unknown = fit_network(network, SAMPLES, load_device("lee2018_taox"), QUICK)
    assert set(unknown.against) == {"spread_window_percent", "stuck_rate"}
    assert any(each.startswith("it would bear a spread of") for each in remarks(unknown))


class Stopped(Exception):
    pass


def folder_bytes(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "verified.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_fit_that_was_stopped_goes_on_and_ends_with_the_same_bytes(unfinished: Networks, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    stored_fit(unfinished, SAMPLES, CALM, QUICK, whole, Threads(1))
    stopped, seen = tmp_path / "stopped", []

    def stop(trial: object) -> None:
        seen.append(trial)
        if len(seen) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        stored_fit(unfinished, SAMPLES, CALM, QUICK, stopped, on_trial=stop)
    progress: list[Progress] = []
    stored_fit(unfinished, SAMPLES, CALM, QUICK, stopped, on_progress=progress.append)
    assert folder_bytes(stopped) == folder_bytes(whole)
    stages = {p.stage: [q for q in progress if q.stage == p.stage] for p in progress}
    assert list(stages) == ["trying states", "confirming", "what limits"]
    for told in stages.values():
        assert told[0].done == 0 and told[-1].done == told[-1].total
        assert [p.done for p in told] == sorted(p.done for p in told) and len({p.total for p in told[:-1]}) == 1
    tried = stages["trying states"]
    assert 0 < tried[1].done <= PILOTS and tried[1].done_now == 0
    assert 0 < tried[-1].done_now <= tried[-1].done - 3 * QUICK.chips


def test_a_damaged_shard_is_computed_again(network: Networks, tmp_path: Path) -> None:
    stored_fit(network, SAMPLES, CALM, QUICK, tmp_path)
    before = folder_bytes(tmp_path)
    shard = sorted((tmp_path / "shards").iterdir())[0]
    shard.write_bytes(shard.read_bytes()[:-7])
    named: list[Path] = []
    stored_fit(network, SAMPLES, CALM, QUICK, tmp_path, on_damaged=named.append)
    assert folder_bytes(tmp_path) == before and named == [shard]


def test_a_different_fit_in_the_same_folder_is_refused_and_nothing_is_lost(network: Networks, tmp_path: Path) -> None:
    stored_fit(network, SAMPLES, CALM, QUICK, tmp_path)
    before = folder_bytes(tmp_path)
    chips = replace(QUICK, chips=QUICK.chips + 1)
    with pytest.raises(ConfigError, match=f"holds a different fit: chips is {QUICK.chips} there and {chips.chips}"):
        stored_fit(network, SAMPLES, CALM, chips, tmp_path)
    stuck = replace(QUICK, conditions=Conditions(stuck_rate=0.1))
    shifted = replace(SAMPLES, x=SAMPLES.x[:, ::-1].copy())
    double = Networks.from_joint(2 * network.joint(), network.shapes)
    for other, said in (
        ((network, SAMPLES, replace(CALM, read_noise=0.5), QUICK), "the device's description has changed"),
        ((double, SAMPLES, CALM, QUICK), "the network has changed"),
        ((network, shifted, CALM, QUICK, SAMPLES), "what chips are judged on has changed"),
        ((network, SAMPLES, CALM, QUICK, shifted), "what settings are chosen on has changed"),
        ((network, SAMPLES, CALM, stuck), "stuck_rate is None there and 0.1 here"),
    ):
        with pytest.raises(ConfigError, match=f"holds a different fit: {said}; use another folder"):
            stored_fit(*other[:4], tmp_path, data=other[4] if len(other) > 4 else None)  # type: ignore[arg-type, misc]
    assert folder_bytes(tmp_path) == before


def test_a_folder_whose_fit_was_refused_takes_the_right_one(network: Networks, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="nothing is known"):
        stored_fit(network, SAMPLES, CALM, replace(QUICK, conditions=Conditions(after_seconds=10.0)), tmp_path)
    assert stored_fit(network, SAMPLES, CALM, QUICK, tmp_path).feasible


def test_a_study_is_not_written_over(network: Networks, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("")
    with pytest.raises(StoreError, match="folder of its own"):
        stored_fit(network, SAMPLES, CALM, QUICK, tmp_path)


def test_the_files_of_a_fit_hold_what_it_found(network: Networks, tmp_path: Path) -> None:
    fit = stored_fit(network, SAMPLES, CALM, QUICK, tmp_path)
    for name, points in fit_network(network, SAMPLES, CALM, QUICK).against.items():
        assert [found.value for _, found in fit.against[name]] == [found.value for _, found in points]
    stored = json.loads((tmp_path / "fit.json").read_text())
    assert stored["feasible"] is True and stored["states"] == 2 and stored["yield"] == fit.best.chip_yield.value
    with np.load(tmp_path / "network.npz") as arrays:
        assert Networks.from_weights([arrays["W1"], arrays["W2"]]).recognition(SAMPLES)[0] == 1.0
    targets = fit.best.mapping.read_csv(tmp_path / "mapping.csv")
    assert all(np.array_equal(a, b) for a, b in zip(targets, fit.best.mapping.target_siemens, strict=True))


def test_a_chip_is_read_back_as_the_page_says_where_the_highest_level_is_not_used(
    network: Networks, tmp_path: Path
) -> None:
    """The highest level spreads so much that the one below carries the largest weight."""
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[levels]\nconductance_siemens = [1e-6, 20e-6, 60e-6]\nsigma_siemens = [1e-7, 2e-7, 4e-5]\n'
        '[nonlinearity]\nlaw = "sinh"\nscale_volt = 0.4\n',
        encoding="utf-8",
    )
    fit = stored_fit(network, SAMPLES, load_device(tmp_path / "mine.toml"), QUICK, tmp_path / "mine")
    page = (Path(__file__).parents[2] / "docs" / "fit.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    found: dict[str, Any] = {}
    exec(code.replace("wan2022_rram", f"{tmp_path}/mine.toml").replace("wan_finetuned", f"{tmp_path}/mine"), found)
    expected = measured_chip(fit.best.mapping, fit.best.mapping.target_siemens, SAMPLES)
    assert fit.best.mapping.level_siemens.tolist() == [1e-6, 20e-6]
    np.testing.assert_allclose(found["chip"].current_margin, expected.current_margin, rtol=1e-12)


@pytest.fixture(scope="module")
def imperfect(network: Networks) -> Fit:
    """On a device that spreads, fails and forgets."""
    device = replace(load_device("wan2022_rram"), stuck_on_rate=0.02, read_noise=0.05)
    return fit_network(network, SAMPLES, device, replace(QUICK, most_states=2, yield_target=0.01))


def test_a_figure_draws_the_very_yields_and_the_margin_without_variation(imperfect: Fit) -> None:
    panels = {axes.get_title("left")[:3]: axes for axes in draw_fit(imperfect).axes}
    assert list(imperfect.against) == ["spread_factor", "stuck_rate", "after_seconds"]
    words = ("times the device's", "stuck devices", "time after programming (s)")
    for letter, points, word in zip("efg", imperfect.against.values(), words, strict=True):
        axes = panels[f"({letter})"]
        drawn, ends = axes.lines[0].get_xydata(), [bar.tolist() for bar in axes.collections[0].get_segments()]
        np.testing.assert_allclose(drawn, [(value, found.value) for value, found in points])
        np.testing.assert_allclose(
            ends, [[(value, end) for end in found.interval] for value, found in points], atol=1e-12
        )
        assert word in axes.get_xlabel()
    calm = replace(imperfect.problem.device, stuck_on_rate=0.0, read_noise=0.0)
    (quiet,) = fresh(imperfect, device=calm, conditions=Conditions(sigma_factor=0.0)).chip_margin[:1]
    assert quiet > 0 and panels["(b)"].lines[0].get_xdata() == pytest.approx([quiet] * 2, rel=1e-9)


def test_a_legend_names_only_what_is_drawn(network: Networks, unfinished: Networks) -> None:
    for own, found in ((network, False), (unfinished, True)):
        states = draw_fit(fit_network(own, SAMPLES, CALM, replace(QUICK, chips=20, most_states=3))).axes[0]
        named = [text.get_text() for text in states.get_legend().get_texts()]
        assert ("not able" in named) is found and "chosen, confirmed" in named


def test_long_names_of_classes_do_not_run_into_each_other(network: Networks) -> None:
    for names in (
        tuple("0123456789"),
        tuple(f"{digit} of a bridge with arches" for digit in range(10)),
        ("x" * 9,) * 10,
    ):
        named = replace(SAMPLES, classes=names)
        figure = draw_fit(fit_network(network, named, CALM, replace(QUICK, chips=20, most_states=2)))
        figure.savefig(io.BytesIO())  # lays it out
        axes = next(axes for axes in figure.axes if axes.get_title("left").startswith("(c)"))
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert all(one.x1 <= other.x0 for one, other in itertools.pairwise(boxes))
        assert axes.get_window_extent().height > 100


def test_a_report_shows_the_answer(imperfect: Fit, tmp_path: Path) -> None:
    fit = imperfect
    page = write_fit_report(fit, tmp_path, {"network": "mine.npz"}, "fewlevels fit --out here").read_text()
    assert sentence(fit).replace("'", "&#39;") in page and "Fits: wan2022_rram" in page
    rows = re.findall("<td>(.*)</td><td>(.*) %</td><td>(.*)</td></tr>", page)
    assert rows == [
        (name.replace("_", " "), f"{100 * found.value:.1f}", f"{found.median_margin:.3f}")
        for name, found in {"(as it is)": fit.best.chip_yield, **fit.limits}.items()
    ]
    assert len({row[1:] for row in rows}) == len(rows) == 4
    assert "mine.npz" in page and "fewlevels fit --out here" in page
    assert f"Limiting factor: {fit.limiting_factor.replace('_', ' ')}." in page
    assert (tmp_path / "figures" / "fit.svg").stat().st_size > 10_000


def test_what_cannot_be_fitted_is_refused(network: Networks) -> None:
    with pytest.raises(MappingError, match="choose one"):
        fit_network(network[np.zeros(2, np.intp)], SAMPLES, CALM, QUICK)
    with pytest.raises(DeviceError, match="no conductance window"):
        fit_network(network, SAMPLES, load_device("rao2023"), QUICK)
    with pytest.raises(DeviceError, match="nothing is known"):
        fit_network(network, SAMPLES, CALM, replace(QUICK, conditions=Conditions(after_seconds=10.0)))
    with pytest.raises(NetworksError, match="networks of 25 inputs and 10 outputs"):
        fit_network(network, load_digits(7), CALM, QUICK)
    with pytest.raises(MappingError, match="offset-column puts zero between the levels of table"):
        fit_network(network, SAMPLES, TABLE, replace(QUICK, scheme="offset-column"))
    with pytest.raises(MappingError, match="all zero: it recognises nothing and cannot be mapped"):
        fit_network(Networks.from_weights([np.zeros((25, 10)), np.zeros((10, 10))]), SAMPLES, CALM, QUICK)


@pytest.mark.parametrize("scheme", ["differential-pair", "balanced-pair", "offset-column", "bias-column"])
def test_a_network_that_was_not_quantized_is_refused(unfinished: Networks, scheme: str) -> None:
    problem = Problem(
        network=unfinished,
        samples=SAMPLES,
        data=SAMPLES,
        device=CALM,
        config=replace(QUICK, scheme=scheme),  # type: ignore[arg-type]
    )
    with pytest.raises(MappingError, match="states per device, not the 16"):
        problem.put_on(unfinished, 16)


@pytest.mark.parametrize("values", [{"alpha": 0.0}, {"chips": 0}, {"most_states": 1}, {"seed": -1}, {"wire_ohm": -1.0}])
def test_settings_that_cannot_be_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(DeviceError, match=next(iter(values))):
        FitConfig(**values)  # type: ignore[arg-type]
    with pytest.raises(DeviceError, match=r"the yield must be in \(0, 1\], got 95; 95 % is 0.95"):
        FitConfig(yield_target=95)


def test_an_answer_is_plain_json(network: Networks) -> None:
    fit: Fit = fit_network(network, SAMPLES, TABLE, QUICK)
    plain = json.loads(json.dumps(fit.as_dict(), allow_nan=False))
    assert {"feasible", "states", "yield", "yield_interval", "separable_levels", "limiting_factor"} <= set(plain)
