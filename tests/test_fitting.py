"""Fitting: the answer is the one its own numbers say, each advice holds when it is taken, and a stopped fit goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewlevels import Networks, Samples, TrainingConfig, finetune, load_digits, train
from fewlevels.devices import Device, PolynomialSpread, load_device
from fewlevels.devices.variation import Conditions
from fewlevels.errors import ConfigError, DeviceError, MappingError, NetworksError, StoreError
from fewlevels.fitting.fit import Fit, fit_network
from fewlevels.fitting.placement import (
    FitConfig,
    best_quantized,
    most_states,
    put_on,
    quantizers,
)
from fewlevels.fitting.report import sentence, write_fit_report
from fewlevels.fitting.store import stored_fit
from fewlevels.progress import Progress
from fewlevels.yields import estimate_yield

SAMPLES = load_digits(5)
CALM = Device(
    name="calm", lowest_siemens=0.0, highest_siemens=100e-6, spread=PolynomialSpread(constant_siemens=0.2e-6)
)  # fmt: skip
TABLE = Device(
    name="table", level_siemens=(1e-6, 10e-6, 50e-6, 100e-6), level_sigma_siemens=(0.1e-6, 0.2e-6, 0.3e-6, 0.4e-6)
)  # fmt: skip
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


def test_a_ternary_network_needs_two_states(network: Networks) -> None:
    fit = fit_network(network, SAMPLES, CALM, QUICK)
    assert fit.feasible and fit.best.states == fit.needed_states == 2
    assert fit.best.found.value == 1.0 and fit.advice.sentences == ()
    np.testing.assert_allclose(fit.best.mapping.level_siemens, [1e-12, 100e-6], rtol=1e-12)
    assert np.array_equal(np.sign(fit.best.networks.joint()), np.sign(network.joint()))


def test_a_level_table_is_used_as_it_is(network: Networks) -> None:
    fit = fit_network(network, SAMPLES, TABLE, QUICK)
    assert [t.states for t in fit.trials] == [2, 3, 4]
    for trial in fit.trials:
        assert set(trial.mapping.level_siemens) <= set(TABLE.level_siemens or ())
        assert len(trial.mapping.level_siemens) <= trial.states


def test_the_fewest_states_that_yield_enough_are_taken(unfinished: Networks) -> None:
    fit = fit_network(unfinished, SAMPLES, CALM, replace(QUICK, most_states=12))
    enough = [t.states for t in fit.trials if t.found.value >= 0.95]
    assert fit.feasible == bool(enough) and (not enough or fit.best.states == min(enough))


@pytest.mark.parametrize("device", [CALM, TABLE, load_device("lee2018_taox")], ids=lambda d: d.name)
def test_every_trial_s_yield_is_that_of_its_own_mapping(network: Networks, device: Device) -> None:
    for trial in fit_network(network, SAMPLES, device, QUICK).trials:
        again = estimate_yield(trial.mapping, device, SAMPLES, chips=100)
        assert np.array_equal(again.margin, trial.found.margin)


def test_where_the_spread_vanishes_states_lie_evenly_only(network: Networks) -> None:
    proportional = replace(CALM, name="proportional", spread=PolynomialSpread(slope=0.02))
    fit = fit_network(network, SAMPLES, proportional, QUICK)
    assert fit.feasible and {trial.placement for trial in fit.trials} == {"even, dead zone"}


def test_advice_on_the_spread_holds_when_it_is_taken(network: Networks) -> None:
    rough = spread(60.0)
    fit = fit_network(network, SAMPLES, rough, QUICK)
    assert not fit.feasible and fit.limiting_factor == "spread"
    assert f"no number of states up to 6 suffices: the best is {fit.best.states}" in fit.advice.sentences
    factor = float(fit.advice.sentences[0].split("spread is ")[1].split()[0])
    assert 0 < factor < 1
    for times, does in ((factor, True), (factor + 0.03, False)):
        value = estimate_yield(
            fit.best.mapping, rough, SAMPLES, chips=100, conditions=Conditions(sigma_factor=times)
        ).value
        assert (value >= 0.95) is does


def test_advice_on_added_levels_holds_when_it_is_taken(unfinished: Networks) -> None:
    levels, sigma = (1e-6, 30e-6, 100e-6), 0.01e-6
    three = Device(name="three", level_siemens=levels, level_sigma_siemens=(sigma,) * 3)
    fit = fit_network(unfinished, SAMPLES, three, QUICK)
    assert not fit.feasible
    said = next(sentence for sentence in fit.advice.sentences if " levels instead of 3" in sentence)
    count = int(said.split()[1])
    between = tuple(np.interp(np.linspace(0, 2, count), range(3), levels).tolist())
    finer = replace(three, level_siemens=between, level_sigma_siemens=(sigma,) * count)
    assert fit_network(unfinished, SAMPLES, finer, QUICK).feasible


def test_a_fine_tuned_network_that_is_offered_does_fit(unfinished: Networks) -> None:
    taox = load_device("lee2018_taox")
    fit = fit_network(unfinished, SAMPLES, taox, QUICK)
    assert not fit.feasible and fit.limiting_factor == "levels"
    assert fit.advice.finetuned is not None
    assert fit_network(fit.advice.finetuned, SAMPLES, taox, QUICK).feasible


def test_what_is_switched_off_is_what_limits(network: Networks) -> None:
    faulty = replace(CALM, stuck_on_rate=0.05, read_noise=0.001)
    fit = fit_network(network, SAMPLES, faulty, QUICK)
    assert set(fit.limits) == {"spread", "read noise", "stuck devices"}
    assert fit.limiting_factor == "stuck devices"
    assert fit.limits["stuck devices"][0] > fit.best.found.value
    assert not fit.feasible and f"without stuck devices {fit.limits['stuck devices'][0]:.1%}" in fit.advice.sentences[0]


def test_no_more_states_are_tried_than_a_device_has() -> None:
    assert most_states(load_device("lee2018_taox"), FitConfig()) == 4
    assert most_states(TABLE, FitConfig(most_states=2)) == 4
    assert most_states(CALM, FitConfig(most_states=9)) == 9


@pytest.mark.parametrize("scheme", ["differential-pair", "balanced-pair", "offset-column", "bias-column"])
def test_without_variation_every_scheme_keeps_what_the_quantized_network_recognises(
    network: Networks, scheme: str
) -> None:
    still = replace(CALM, spread=None)
    config = replace(QUICK, scheme=scheme)  # type: ignore[arg-type]
    _, quantizer = next(quantizers(still, 2, None))
    quantized = best_quantized(network, SAMPLES, quantizer, 2)
    found = estimate_yield(put_on(quantized, still, config), still, SAMPLES, chips=1)
    assert found.recognition[0] == quantized.recognition(SAMPLES)[0] == 1.0


@pytest.mark.parametrize(
    ("scheme", "states"), [("differential-pair", 2), ("balanced-pair", 3), ("offset-column", 3), ("bias-column", 3)]
)
def test_a_ternary_network_needs_a_state_of_each_sign_where_there_is_no_resting_device(
    network: Networks, scheme: str, states: int
) -> None:
    fit = fit_network(network, SAMPLES, CALM, replace(QUICK, scheme=scheme, most_states=2))  # type: ignore[arg-type]
    assert fit.best.states == len(fit.best.mapping.level_siemens) == states


class Stopped(Exception):
    pass


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_fit_that_was_stopped_goes_on_and_ends_with_the_same_bytes(unfinished: Networks, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    stored_fit(unfinished, SAMPLES, CALM, QUICK, whole, jobs=1)
    stopped, seen = tmp_path / "stopped", []

    def stop(trial: object) -> None:
        seen.append(trial)
        if len(seen) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        stored_fit(unfinished, SAMPLES, CALM, QUICK, stopped, on_trial=stop)
    shards = set((stopped / "shards").iterdir())
    assert len(shards) == 3
    progress: list[Progress] = []
    stored_fit(unfinished, SAMPLES, CALM, QUICK, stopped, on_progress=progress.append)
    assert folder_bytes(stopped) == folder_bytes(whole)
    first, last = progress[0], progress[-1]
    assert (first.done, first.done_now) == (QUICK.chips, 0)
    assert last.done == last.total and 0 < last.done_now <= last.done - 3 * QUICK.chips
    assert [p.done for p in progress] == sorted(p.done for p in progress) and all(p.done <= p.total for p in progress)


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
    with pytest.raises(ConfigError, match="device_content is"):
        stored_fit(network, SAMPLES, replace(CALM, read_noise=0.5), QUICK, tmp_path)
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
    stored = json.loads((tmp_path / "fit.json").read_text())
    assert stored["feasible"] is True and stored["q"] == 2 and stored["yield"] == fit.best.found.value
    with np.load(tmp_path / "network.npz") as arrays:
        assert Networks.from_weights([arrays["W1"], arrays["W2"]]).recognition(SAMPLES)[0] == 1.0
    targets = fit.best.mapping.read_csv(tmp_path / "mapping.csv")
    assert all(np.array_equal(a, b) for a, b in zip(targets, fit.best.mapping.target_siemens, strict=True))


def test_a_report_shows_the_answer(network: Networks, tmp_path: Path) -> None:
    fit = fit_network(network, SAMPLES, CALM, QUICK)
    page = write_fit_report(fit, SAMPLES, tmp_path).read_text()
    assert sentence(fit).replace("'", "&#39;") in page and "Fits: calm" in page
    assert f"Limiting factor: {fit.limiting_factor}." in page
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
    still = Samples(SAMPLES.x, SAMPLES.y, SAMPLES.classes)
    with pytest.raises(MappingError, match="all weights become 0"):
        best_quantized(Networks.from_weights([np.zeros((25, 10)), np.zeros((10, 10))]), still, next(
            quantizers(CALM, 2, None))[1], 2)  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [{"alpha": 0.0}, {"yield_target": 1.5}, {"chips": 0}, {"most_states": 1}, {"seed": -1}, {"wire_ohm": -1.0}],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(DeviceError, match=next(iter(values))):
        FitConfig(**values)  # type: ignore[arg-type]


def test_an_answer_is_plain_json(network: Networks) -> None:
    fit: Fit = fit_network(network, SAMPLES, TABLE, QUICK)
    answer = json.loads(json.dumps(fit.as_dict(), allow_nan=False))
    assert {"feasible", "q", "yield", "yield_interval", "separable_levels", "limiting_factor"} <= set(answer)
