"""What several test files need: small studies, and a choice of the kernels' instruction set."""

from pathlib import Path

import pytest

from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.engines.threads import Threads
from fewlevels.study.config import make_config
from fewlevels.study.result import StudyResult
from fewlevels.study.run import run_study
from tests.support.instruction_sets import use_instruction_set

SMALL = {
    "seeds": 5,
    "repeats": 40,
    "epochs": 300,
    "q_max": 24,
    "zones": {"models": 12, "epochs": 100, "every_epochs": 50},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--instruction-set", default=INSTRUCTION_SET, help="of the kernels that tests run")


def pytest_configure(config: pytest.Config) -> None:
    use_instruction_set(config.getoption("--instruction-set"))


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyResult]:
    """A complete study of 200 models with short training, and its result; not to be written to."""
    folder = tmp_path_factory.mktemp("study") / "small"
    return folder, run_study(make_config(SMALL, "test"), folder, Threads(2))
