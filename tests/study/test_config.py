"""Study configuration: presets, TOML and refusals."""

import tomllib

import pytest

from fewlevels.errors import ConfigError
from fewlevels.study.config import PRESETS, StudyConfig, make_config, read_config


def test_the_paper_preset_is_the_papers_study():
    config = make_config(PRESETS["paper"], "test")
    assert config.models == 60 * 100
    assert config.training().steps == 500_000
    assert (config.learning_rate, config.init, config.alpha, config.hidden) == (1.0, "uniform:0,1", 1.0, 10)


def test_the_quick_preset_is_a_tenth_of_the_models_trained_in_full():
    paper, quick = make_config(PRESETS["paper"], "test"), make_config(PRESETS["quick"], "test")
    assert quick.models * 10 == paper.models
    assert quick.training() == paper.training()


def test_toml_written_back_reads_as_the_same_study(tmp_path):
    config = make_config({"seeds": 3, "init": "normal:0,0.5", "zones": {"starts": ["uniform:0,2"]}}, "test")
    (tmp_path / "study.toml").write_text(config.to_toml(), encoding="utf-8")
    assert make_config(read_config(tmp_path / "study.toml"), "test") == config
    assert tomllib.loads(config.to_toml())["zones"]["starts"] == ["uniform:0,2"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"seeeds": 3}, "seeeds is not a key of a study; the keys are dataset, seed, seeds"),
        ({"zones": {"epoch": 3}}, "zones.epoch is not a key of a study; the keys are starts"),
        ({"seeds": 0}, "seeds: input should be greater than or equal to 1, got 0"),
        ({"seeds": 2.5}, "seeds: .*, got 2.5"),
        ({"seeds": "many"}, "seeds: .*, got 'many'"),
        ({"q_max": 0}, "q_max: .*, got 0"),
        ({"alpha": 1.2}, "alpha: input should be less than or equal to 1, got 1.2"),
        ({"alpha": float("nan")}, "alpha: .*, got nan"),
        ({"learning_rate": float("inf")}, "learning_rate: .*, got inf"),
        ({"init": "uniform:1,0"}, "^study.toml: init must be 'uniform:LOW,HIGH'.*got 'uniform:1,0'"),
        ({"quantizer": "best"}, "quantizer must be one of midpoint, midpoint-signed, got 'best'"),
        ({"zones": {"epochs": 100, "every_epochs": 30}}, "every_epochs must divide epochs"),
        ({"zones": {"starts": []}}, "at least one start"),
        ({"seeds": 0, "alpha": 0}, "seeds: .*; alpha: "),
    ],
)
def test_a_wrong_value_is_refused_by_name(values, said):
    with pytest.raises(ConfigError, match=said):
        make_config(values, "study.toml")


def test_broken_toml_is_refused_with_its_line(tmp_path):
    (tmp_path / "study.toml").write_text("seeds = \n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"is not valid TOML: .*line 1"):
        read_config(tmp_path / "study.toml")


def test_defaults_are_the_paper_preset():
    assert make_config(PRESETS["paper"], "test") == StudyConfig()


@pytest.mark.parametrize(
    ("values", "group_models"),
    [
        ({}, 96),  # the paper's 6000 models: 63 groups
        ({"repeats": 1}, 96),
        ({"repeats": 100_000}, 3360),  # of 17.5 ms: 59 s
        ({"repeats": 100_000, "hidden": 1000}, 96),
        ({"repeats": 20_000, "epochs": 1000}, 17_088),  # of 3.5 ms: 60 s
        ({"repeats": 20_000, "epochs": 1}, 18_720),  # 65 groups
    ],
)
def test_a_group_is_about_a_minutes_work(values, group_models):
    config = make_config(values, "test")
    assert config.minute_of_models(config.samples()) == group_models
