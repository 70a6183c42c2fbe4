"""Finish: what a study leaves once all its groups are there: weights for other programs, and the record of its run."""

from __future__ import annotations

import io
import json
import platform
import warnings
from dataclasses import asdict, dataclass

import numpy as np

from fewlevels.errors import FewlevelsWarning
from fewlevels.search.fewest import FewestLevels
from fewlevels.storage.folder import checksum, npz
from fewlevels.study.folder import Store

MAT_VARIABLE_BYTES = 2_000_000_000
"""Of the largest array that weights.mat holds; a MATLAB 5 file ends at 2^31 bytes a variable, its head included."""


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


def is_finished(store: Store, run: Run) -> bool:
    """Whether the weights that `finish` wrote in this run are there, undamaged."""
    return "weights.npz" in run.file_checksums and all(
        store.checksum_of(name) == expected for name, expected in run.file_checksums.items()
    )


def finish(store: Store, found: FewestLevels, wall_seconds: float, machine: dict[str, str]) -> Run:
    """Write the weights for NumPy and MATLAB, and run.json.

    Warns where weights.mat is left out because an array is too large for it.
    """
    arrays: dict[str, np.ndarray] = {
        f"W{layer}": w.astype(np.float32) for layer, w in enumerate(found.networks.weights, start=1)
    }
    arrays["q"] = found.q
    contents = {"weights.npz": npz(arrays)}
    largest = max(arrays, key=lambda name: arrays[name].nbytes)
    if arrays[largest].nbytes <= MAT_VARIABLE_BYTES:
        contents["weights.mat"] = _mat(arrays)
    else:
        warnings.warn(
            f"{store.path / 'weights.mat'} is left out: {largest} has {arrays[largest].nbytes / 1e9:.1f} GB, and a "
            f"MATLAB 5 file holds {MAT_VARIABLE_BYTES / 1e9:g} GB a variable; weights.npz and shards/ hold the same",
            FewlevelsWarning,
            stacklevel=2,
        )
    for name, content in contents.items():
        store.write(name, content)
    checksums = {name: checksum(content) for name, content in contents.items()}
    run = Run(wall_seconds=round(wall_seconds, 1), machine=machine, file_checksums=checksums)
    store.write("run.json", json.dumps(asdict(run), indent=1).encode())
    return run


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
