"""Small studies that several test files read."""

from pathlib import Path

import pytest

from fewlevels.study.config import make_config
from fewlevels.study.engine import Threads
from fewlevels.study.run import StudyResult, run_study

SMALL = {
    "seeds": 5,
    "repeats": 40,
    "epochs": 300,
    "q_max": 24,
    "zones": {"models": 12, "epochs": 100, "every_epochs": 50},
}


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyResult]:
    """A complete study of 200 models with short training, and its result; not to be written to."""
    folder = tmp_path_factory.mktemp("study") / "small"
    return folder, run_study(make_config(SMALL, "test"), folder, Threads(2))
