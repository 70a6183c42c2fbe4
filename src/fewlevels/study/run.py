"""Run: a study's groups computed and stored, what is missing only."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.progress import Progress
from fewlevels.engines.engine import Engine
from fewlevels.study.config import StudyConfig
from fewlevels.study.finish import finish, is_finished, read_run, this_machine
from fewlevels.study.folder import Store
from fewlevels.study.groups import compute, groups_of, provenances
from fewlevels.study.result import StudyResult, load
from fewlevels.training.sgd import require_instruction_set, require_trainable

if TYPE_CHECKING:
    pass


def run_study(
    config: StudyConfig,
    folder: Path,
    engine: Engine,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
) -> StudyResult:
    """Run what is missing of a study and store it; returns the whole of it.

    Stopped at any instant, it loses at most the groups in flight; the same call goes on. The result depends on the
    configuration alone; where that names no instruction set, the folder's study goes on with its own, and a new one
    takes this processor's best. Raises ConfigError where the folder holds a different study, TrainingError where this
    processor does not run the instruction set, StoreError where it cannot write.
    """
    began = time.perf_counter()
    store, samples = Store(folder), config.samples()
    config.training()  # what cannot be trained is refused here, before the folder is that study's
    require_trainable(samples)
    if not store.is_begun:
        require_instruction_set(config.instruction_set)
    if config.instruction_set is None:
        stored = store.config().instruction_set if store.is_begun else None
        config = config.model_copy(update={"instruction_set": stored or INSTRUCTION_SET})
    with store.locked():
        groups, made_of = {group.name: group for group in groups_of(config)}, provenances(config, samples)
        store.begin(config, samples, made_of)
        for path in store.discard_damaged():
            on_damaged(path)
        missing = [groups[name] for name in store.missing(made_of)]
        if missing:
            require_instruction_set(config.instruction_set)
        total = sum(len(group.models) for group in groups.values())
        done = earlier = total - sum(len(group.models) for group in missing)
        on_progress(Progress(done, 0, total, 0.0))
        with closing(engine.run(lambda group: compute(config, samples, group), missing)) as computed:
            for group, table in computed:
                store.write_shard(group.name, table, made_of[group.name])
                done += len(group.models)
                on_progress(Progress(done, done - earlier, total, time.perf_counter() - began))
        result = load(store)
        if missing or not is_finished(store):
            known = None if missing else read_run(store)
            seconds = known.seconds if known else time.perf_counter() - began
            run = finish(store, result.found, seconds, known.machine if known else this_machine(config.instruction_set))
            result = replace(result, seconds=run.seconds, machine=run.machine)
        return result
