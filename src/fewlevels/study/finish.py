"""Finish: what a study leaves once all its groups are there: weights for other programs, and the record of its run."""

from __future__ import annotations

import io
import json
import platform
import warnings
from dataclasses import asdict, dataclass

import numpy as np

from fewlevels.errors import FewlevelsWarning
from fewlevels.samples.samples import Samples
from fewlevels.search.fewest import FewestLevels
from fewlevels.storage.folder import checksum, npz
from fewlevels.study.config import StudyConfig
from fewlevels.study.folder import Store

WEIGHTS = "weights.npz", "weights.mat"

WEIGHTS_BYTES = 1_000_000_000
"""Of the weights of all models, as float32, that go in one file each for NumPy and MATLAB; of more, shards/ is the only
place. No variable of a MATLAB 5 file may have 2^31 bytes."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """run.json. wall_seconds: of the run that completed the study. machine: where that was. file_checksums: of the
    files of weights."""

    wall_seconds: float
    machine: dict[str, str]
    file_checksums: dict[str, str]


def read_run(store: Store) -> Run | None:
    """When and where the study ran, as `finish` wrote it; None where that is missing or damaged.

    Version 0.1.0 called the keys `seconds` and `files`.
    """
    try:
        run = json.loads((store.path / "run.json").read_text(encoding="utf-8"))
        wall_seconds = float(run["seconds"] if "seconds" in run else run["wall_seconds"])
        checksums = dict(run.get("file_checksums", run.get("files", {})))
        return Run(wall_seconds=wall_seconds, machine=dict(run["machine"]), file_checksums=checksums)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def is_finished(store: Store, config: StudyConfig, samples: Samples, run: Run) -> bool:
    """Whether the weights that `finish` wrote in this run are there, undamaged."""
    wanted = set(WEIGHTS) if in_files(config, samples) else set()
    return wanted <= run.file_checksums.keys() and all(
        store.checksum_of(name) == expected for name, expected in run.file_checksums.items()
    )


def finish(
    store: Store,
    config: StudyConfig,
    samples: Samples,
    found: FewestLevels,
    *,
    wall_seconds: float,
    machine: dict[str, str],
) -> Run:
    """Write the weights for NumPy and MATLAB, and run.json.

    Warns where weights are left out because they are too many for one file.
    """
    contents = dict[str, bytes]()
    if in_files(config, samples):
        arrays: dict[str, np.ndarray] = {
            f"W{layer}": w.astype(np.float32) for layer, w in enumerate(found.networks.weights, start=1)
        }
        arrays["q"] = found.q
        contents = dict(zip(WEIGHTS, (npz(arrays), _mat(arrays)), strict=True))
    elif config.keep_weights:
        warnings.warn(
            f"{' and '.join(WEIGHTS)} are left out of {store.path}: the weights have "
            f"{weight_bytes(config, samples) / 1e9:.1f} GB; shards/ holds them, for NumPy, MATLAB and "
            "DuckDB to read part by part",
            FewlevelsWarning,
            stacklevel=2,
        )
    for name, content in contents.items():
        store.write(name, content)
    checksums = {name: checksum(content) for name, content in contents.items()}
    run = Run(wall_seconds=round(wall_seconds, 1), machine=machine, file_checksums=checksums)
    store.write("run.json", json.dumps(asdict(run), indent=1).encode())
    return run


def in_files(config: StudyConfig, samples: Samples) -> bool:
    """Whether the weights of a study go into the files WEIGHTS."""
    return config.keep_weights and weight_bytes(config, samples) <= WEIGHTS_BYTES


def weight_bytes(config: StudyConfig, samples: Samples) -> int:
    """Of the weights of all models, as float32."""
    return 4 * config.models * config.weights(samples)


def this_machine(instruction_set: str | None) -> dict[str, str]:
    """Where a study runs, and on which versions of what."""
    from importlib.metadata import version

    return {
        "processor": _processor(),
        "instruction_set": str(instruction_set),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{package: version(package) for package in ("fewlevels", "numpy", "scipy", "pyarrow")},
    }


def _mat(arrays: dict[str, np.ndarray]) -> bytes:
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, arrays, do_compression=True)
    buffer.seek(0)
    buffer.write(b"MATLAB 5.0 MAT-file, written by fewlevels".ljust(116))  # in place of a header with the time of day
    return buffer.getvalue()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
