"""Study configuration: every number of a study, read from TOML and written back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fewlevels.common.checks import shown
from fewlevels.common.machine import INSTRUCTION_SETS
from fewlevels.common.toml import read_toml
from fewlevels.errors import ConfigError
from fewlevels.quantization import PAPER_QUANTIZERS
from fewlevels.quantization.protocol import MOST_LEVELS
from fewlevels.samples.datasets import NAMES, samples_of
from fewlevels.samples.samples import Samples
from fewlevels.training.config import TrainingConfig, parse_init

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]  # so that products of two of them are 64-bit numbers

FEWEST_GROUP_MODELS = 96
"""The least that a group is given: a multiple of what a kernel trains at a time. Also the size of every group of a
study that does not say it."""

GROUP_SECONDS = 60.0
MODEL_SECONDS = 1e-10
"""About what one weight's share of one step costs on a core of an old processor."""

FEWEST_GROUPS = 64
"""So many groups a study has before they grow, for they are what cores and machines share out."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ZonesConfig(_Strict):
    """The five starts of growing weight range whose training Figure 5 follows at a fixed number of levels."""

    starts: list[str] = ["normal:0,0.5", "normal:0,1", "normal:0,2", "normal:0,4", "normal:0,7"]
    models: Count = 100
    epochs: Count = 1000
    every_epochs: Count = 25
    levels: Count = 4

    @field_validator("starts")
    @classmethod
    def _starts_must_parse(cls, starts: list[str]) -> list[str]:
        if not starts:
            raise ConfigError("starts must name at least one start", field="starts")
        for start in starts:
            parse_init(start)
        return starts

    @field_validator("every_epochs")
    @classmethod
    def _last_epoch_is_seen(cls, every: int, info: Any) -> int:
        if info.data.get("epochs", every) % every:
            raise ConfigError(
                f"every_epochs must divide epochs ({info.data['epochs']}), got {every}", field="every_epochs"
            )
        return every

    @property
    def at_epochs(self) -> list[int]:
        return list(range(0, self.epochs + 1, self.every_epochs))


class StudyConfig(_Strict):
    """What a study trains and how it searches; the defaults are the paper's (section 2 and 3.1).

    dataset: a name of `samples_of`, of a set that is split its training part, or the path of a glyph file or .npz.
    seeds x repeats models, each trained for epochs x iterations backpropagations. seed: the root of all randomness.
    instruction_set: that training uses and its rounding depends on; None: of this processor the best.
    group_models: models that are computed and stored together; no result depends on it. None: about a minute's work.
    keep_weights: whether weights are stored; else a network is trained again when it is asked for.
    """

    dataset: str = "digits5"
    seed: Annotated[int, Field(ge=0, lt=2**128)] = 1
    seeds: Count = 60
    repeats: Count = 100
    epochs: Count = 5000
    iterations: Count = 100
    hidden: Count = 10
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    init: str = "uniform:0,1"
    alpha: Annotated[float, Field(gt=0, le=1)] = 1.0
    q_max: Annotated[int, Field(ge=1, le=MOST_LEVELS)] = 64
    quantizer: str = "midpoint"
    instruction_set: str | None = None
    group_models: Count | None = None
    keep_weights: bool = True
    zones: ZonesConfig = ZonesConfig()

    @field_validator("init")
    @classmethod
    def _init_is_known(cls, init: str) -> str:
        parse_init(init)
        return init

    @field_validator("quantizer")
    @classmethod
    def _quantizer_is_known(cls, name: str) -> str:
        if name not in PAPER_QUANTIZERS:
            known = ", ".join(PAPER_QUANTIZERS)
            raise ConfigError(f"quantizer must be one of {known}, got {name!r}", field="quantizer")
        return name

    @field_validator("instruction_set")
    @classmethod
    def _instruction_set_is_known(cls, name: str | None) -> str | None:
        if name not in (None, *INSTRUCTION_SETS):
            known = ", ".join(INSTRUCTION_SETS)
            raise ConfigError(f"instruction_set must be one of {known}, got {name!r}", field="instruction_set")
        return name

    @property
    def models(self) -> int:
        return self.seeds * self.repeats

    def weights(self, samples: Samples) -> int:
        """The weights of each model."""
        return self.hidden * (samples.inputs + len(samples.classes))

    def minute_of_models(self, samples: Samples) -> int:
        """The models of a group by default: about a minute's work of a core, and less where a study has few models."""
        wanted = GROUP_SECONDS / (MODEL_SECONDS * self.weights(samples) * self.epochs * self.iterations)
        models = int(min(wanted, self.models / FEWEST_GROUPS))
        return max(models // FEWEST_GROUP_MODELS, 1) * FEWEST_GROUP_MODELS

    def training(self) -> TrainingConfig:
        return TrainingConfig(
            hidden=self.hidden, learning_rate=self.learning_rate, init=self.init, steps=self.epochs * self.iterations
        )

    def samples(self) -> Samples:
        """The samples that `dataset` names. Raises SamplesError where it cannot be read."""
        return samples_of(self.dataset)

    def to_toml(self) -> str:
        return tomlkit.dumps(self.model_dump(exclude_none=True))


PRESETS: dict[str, dict[str, object]] = {
    "paper": {},
    "quick": {"repeats": 10},  # one tenth of the models, each trained in full
}


def make_config(values: dict[str, object], source: str) -> StudyConfig:
    """A configuration from plain values; ConfigError names every key that is wrong. source: where they come from."""
    try:
        return StudyConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: " + "; ".join(map(_in_words, error.errors()))) from None


def read_config(path: Path) -> dict[str, object]:
    """The values of a study.toml, not yet validated. Raises ConfigError where it is not a readable TOML file."""
    return read_toml(path, ConfigError)


def found_beside(values: dict[str, object], folder: Path) -> dict[str, object]:
    """The values of a file in this folder; samples that lie beside it by their full path, found from any folder."""
    named = values.get("dataset")
    if isinstance(named, str) and named not in NAMES and (folder / named).is_file():
        return values | {"dataset": str((folder / named).resolve())}
    return values


def _in_words(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known = ZonesConfig if key.startswith("zones.") else StudyConfig
        return f"{key} is not a key of a study; the keys are {', '.join(known.model_fields)}"
    if error["type"] == "value_error":  # one of our validators
        refused = error["ctx"]["error"]
        return f"{refused}" if refused.field == key else f"{key}: {refused}"
    message = error["msg"]
    return f"{key}: {message[0].lower()}{message[1:]}, got {shown(error['input'])}"
