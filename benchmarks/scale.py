"""Studies beyond one machine: what Dask costs beside threads, and how long a million models take to read.

    python benchmarks/scale.py [--repeats 3]

The first part runs one study of eight groups, each about 10 s of work, on two threads and on two Dask workers of this
machine, in turn; then tasks that do nothing. The second part stores a million models as 10 417 shards of 96, all copies
of 96 that were trained, under the names and with the provenance of their own, and times the commands on them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fewlevels.engines.dask import dask_at
from fewlevels.engines.engine import Engine
from fewlevels.engines.threads import Threads
from fewlevels.study.config import StudyConfig, make_config
from fewlevels.study.folder import Store
from fewlevels.study.groups import compute, groups_of, provenances
from fewlevels.study.run import run_study

WORKERS = 2
EMPTY_TASKS = 2000
SHORT_ZONES = {"models": 1, "epochs": 25}
SHARED = {"seeds": 8, "repeats": 1344, "group_models": 1344, "q_max": 64, "zones": SHORT_ZONES}
MILLION = {"seeds": 10_000, "repeats": 100, "epochs": 20, "group_models": 96, "zones": SHORT_ZONES}


def nothing(number: int) -> int:
    return number


def engines(repeats: int) -> None:
    config = make_config(SHARED, "benchmark")
    seconds: dict[str, list[float]] = {"two threads": [], "two Dask workers": []}
    with dask_at("", WORKERS, lambda _: None) as dask, tempfile.TemporaryDirectory() as scratch:
        rivals: dict[str, Engine] = {"two threads": Threads(WORKERS), "two Dask workers": dask}
        for number in range(repeats):
            for name, engine in rivals.items():
                began = time.perf_counter()
                run_study(config, Path(scratch, f"{name} {number}"), engine)
                seconds[name].append(time.perf_counter() - began)
        began = time.perf_counter()
        assert sum(1 for _ in dask.run(nothing, range(EMPTY_TASKS))) == EMPTY_TASKS
        empty = (time.perf_counter() - began) / EMPTY_TASKS
    print(f"{config.models} networks in 8 groups, 500 000 backpropagations, {repeats} rounds\n")
    print("| engine | median s | min to max |\n|---|---:|---|")
    for name, each in seconds.items():
        print(f"| {name} | {statistics.median(each):.1f} | {min(each):.1f} to {max(each):.1f} |")
    one, other = (statistics.median(each) for each in seconds.values())
    print(f"\nDask takes {100 * (other / one - 1):+.1f} %. A task that does nothing takes {1e3 * empty:.1f} ms.\n")


def copies(config: StudyConfig, store: Store) -> None:
    """Shards of all models, copies of the first."""
    samples = config.samples()
    with store.locked():
        config = store.begin(config, samples)
        made_of = provenances(config, samples)
        groups = groups_of(config)
        first = compute(config, samples, groups[0])
        for group in groups:
            table = compute(config, samples, group) if group.zone is not None else first.slice(0, len(group.models))
            store.write_shard(group.name, table, made_of[group.name])


def timed(what: str, *command: str) -> None:
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "fewlevels.cli", *command], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, command
    print(f"| {what} | {time.perf_counter() - began:.1f} | {used.ru_maxrss / 1e6:.2f} |", flush=True)


def million() -> None:
    config = make_config(MILLION, "benchmark")
    with tempfile.TemporaryDirectory() as scratch:
        folder, part = Path(scratch, "study"), ["--part", "1/1", "--quiet"]
        file = Path(scratch, "study.toml")
        file.write_text(config.to_toml(), encoding="utf-8")
        copies(config, Store(folder))
        study = ["study", "--config", str(file), "--out", str(folder)]
        shards = len(list((folder / "shards").iterdir()))
        print(f"{config.models} models in {shards} shards\n\n| command | s | GB |\n|---|---:|---:|")
        timed("summary, nothing verified yet", "show", str(folder))
        timed("study --part: start, and verify all", *study, *part)
        timed("study --part: start again", *study, *part)
        timed("summary", "show", str(folder))
        timed("study: summary, figures and report", *study, "--quiet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    engines(options.repeats)
    million()


if __name__ == "__main__":
    main()
