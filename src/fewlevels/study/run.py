"""Run: a study's groups, or a part of them, computed and stored; what is missing only."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fewlevels.common.progress import Progress
from fewlevels.engines.engine import Engine
from fewlevels.engines.parts import Part
from fewlevels.engines.work import run_missing
from fewlevels.samples.samples import Samples
from fewlevels.study.config import StudyConfig
from fewlevels.study.finish import finish, is_finished, read_run, this_machine
from fewlevels.study.folder import Store
from fewlevels.study.groups import groups_of
from fewlevels.study.present import Present, present
from fewlevels.study.result import StudyResult, read_study
from fewlevels.study.work import StudyWork, known_of
from fewlevels.training.sgd import require_instruction_set, require_trainable


def run_study(
    config: StudyConfig,
    folder: Path,
    engine: Engine,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
    verify: bool = False,
) -> StudyResult:
    """Run what is missing of a study and store it; returns the whole of it.

    Stopped at any instant, it loses at most the groups in flight; the same call goes on. The result depends on the
    configuration alone; where that names no instruction set, the folder's study goes on with its own, and a new one
    takes this processor's best. on_damaged: called with each file that is removed because it is damaged. verify: also
    files are read that have not changed since they were verified.
    Raises ConfigError where the folder holds a different study, TrainingError where a processor does not run the
    instruction set, StoreError where the folder cannot be written.
    """
    began = time.perf_counter()
    store, samples = _store(config, folder, on_damaged, verify)
    with store.locked():
        config = store.begin(config, samples)
        computed = run_missing(StudyWork, store, known_of(config, samples), groups_of(config), engine, on_progress)
        run = None if computed else read_run(store)
        result = read_study(store, config, samples, run)
        if run is None or not is_finished(store, config, samples, run):
            wall_seconds = run.wall_seconds if run else time.perf_counter() - began
            machine = run.machine if run else this_machine(config.instruction_set)
            run = finish(store, config, samples, result.search, wall_seconds=wall_seconds, machine=machine)
            result = replace(result, wall_seconds=run.wall_seconds, machine=run.machine)
        return result


def run_part(
    config: StudyConfig,
    folder: Path,
    engine: Engine,
    part: Part,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
    verify: bool = False,
) -> Present:
    """Run what is missing of one part of a study and store it; returns how much of the study is there then.

    Parts may run at the same time, on any machines that see the folder, in any order, and again: none waits for
    another. Once all are there, `run_study` finishes the study. Raises what that raises.
    """
    store, samples = _store(config, folder, on_damaged, verify)
    with store.shared():
        config = store.begin(config, samples)
        run_missing(StudyWork, store, known_of(config, samples), part.of(groups_of(config)), engine, on_progress)
    return present(Store(folder))


def _store(
    config: StudyConfig, folder: Path, on_damaged: Callable[[Path], None], verify: bool
) -> tuple[Store, Samples]:
    """The folder and the samples of a study that can be run."""
    store, samples = Store(folder, on_damaged, verify=verify), config.samples()
    config.training()  # what cannot be trained is refused here, before the folder is that study's
    require_trainable(samples)
    if not store.is_begun:
        require_instruction_set(config.instruction_set)
    return store, samples
