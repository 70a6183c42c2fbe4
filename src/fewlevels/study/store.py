"""Store: a study's folder. Shards are Parquet files, written whole or not at all, named by their checksum.

study.toml    the configuration
samples.npz   the samples it ran on
shards/       one Parquet file per group of models: GROUP-CHECKSUM.parquet
weights.npz, weights.mat, run.json, figures/, report.html   made when all shards are there
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fewlevels.common.npz import npz_names, read_npz
from fewlevels.errors import ConfigError, SamplesError, StoreError
from fewlevels.samples import Samples
from fewlevels.study.config import StudyConfig, make_config, read_config

if TYPE_CHECKING:
    import pyarrow as pa

CHECKSUM_DIGITS = 16


class Store:
    """The folder of one study. Raises StoreError where it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards = folder / "shards"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises StoreError where another process holds it."""
        with _failures(f"write in {self.folder}"):
            self.shards.mkdir(parents=True, exist_ok=True)
            file = open(self.folder / "lock", "a+b")  # noqa: SIM115  (held until the study ends)
        with file:
            if not _try_lock(file.fileno()):
                raise StoreError(f"another process works in {self.folder}; wait for it, or use another folder")
            yield

    def begin(self, config: StudyConfig, samples: Samples) -> None:
        """Write what is studied, or check that it is the study already there; ConfigError says what differs."""
        if (self.folder / "study.toml").exists():
            stored = self.config()
            differing = [
                f"{key} is {old!r} there and {new!r} here"
                for (key, old), new in zip(stored.model_dump().items(), config.model_dump().values(), strict=True)
                if old != new
            ]
            if not differing and not _same_samples(self.samples(), samples):
                differing = [f"the content of {config.dataset} has changed"]
            if differing:
                raise ConfigError(
                    f"{self.folder} holds a different study: {'; '.join(differing)}; use another folder for this one"
                )
            return
        if any(self.shards.iterdir()):
            raise StoreError(f"{self.folder} holds results but no study.toml to say of what; use another folder")
        arrays: dict[str, np.ndarray] = {"x": samples.x, "y": samples.y, "classes": np.array(samples.classes)}
        if samples.shape:
            arrays["shape"] = np.array(samples.shape)
        self.write_npz("samples.npz", arrays)
        self.write("study.toml", config.to_toml().encode())

    def config(self) -> StudyConfig:
        path = self.folder / "study.toml"
        if not path.is_file():
            raise ConfigError(f"{self.folder} is not a study: it holds no study.toml; make one with 'fewlevels study'")
        return make_config(read_config(path), str(path))

    def samples(self) -> Samples:
        path = self.folder / "samples.npz"
        try:
            names = ["x", "y", "classes", *({"shape"} & set(npz_names(path, StoreError)))]
            arrays: dict[str, Any] = {name: array.tolist() if name in ("classes", "shape") else array
                      for name, array in read_npz(path, names, StoreError).items()}  # fmt: skip
            return Samples(**arrays)
        except (StoreError, SamplesError) as error:
            raise StoreError(f"{path} cannot be read: {error}; without it nothing says what the results are of: put "
                             "it back, or use another folder") from None  # fmt: skip

    def write_shard(self, group: str, table: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd")
        content = buffer.getvalue().to_pybytes()
        self.write(f"shards/{group}-{_checksum(content)}.parquet", content)

    def read_shard(self, group: str) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._paths().get(group)
        if path is None:
            raise StoreError(f"{self.folder} is not complete: {group} is missing; run the study again to go on")
        with _failures(f"read {path}"):
            content = path.read_bytes()
        if not path.stem.endswith(_checksum(content)):
            raise StoreError(f"{path} is damaged, its checksum does not match; run the study again to mend it")
        # Not pq.read_table: a thread of Arrow's that holds `content` when the interpreter ends aborts the process.
        return pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)

    def discard_damaged(self) -> list[Path]:
        """Remove shards whose content does not match their checksum, and unfinished files; returns the shards."""
        for unfinished in self.folder.rglob("*.partial"):
            unfinished.unlink()
        damaged = [path for path in self._paths().values() if not path.stem.endswith(_checksum(path.read_bytes()))]
        for path in damaged:
            path.unlink()
        return damaged

    def missing(self, groups: list[str]) -> list[str]:
        """The groups that have no shard yet."""
        present = self._paths()
        return [group for group in groups if group not in present]

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that it is there whole or not at all, whenever the machine stops."""
        path = self.folder / name
        partial = path.with_name(path.name + ".partial")
        with _failures(f"write {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(partial, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)  # there only where writing failed
            if hasattr(os, "O_DIRECTORY"):
                directory = os.open(path.parent, os.O_DIRECTORY)
                os.fsync(directory)
                os.close(directory)

    def write_npz(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        import io

        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the stubs take the keys for allow_pickle
        self.write(name, buffer.getvalue())

    def _paths(self) -> dict[str, Path]:
        return {path.stem[: -CHECKSUM_DIGITS - 1]: path for path in sorted(self.shards.glob("*.parquet"))}


def as_rows(matrix: np.ndarray) -> pa.FixedSizeListArray:
    """An array (rows, …) as a column of one fixed-size list per row."""
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix[0].size)


def as_matrix(column: pa.ChunkedArray) -> np.ndarray:
    """The inverse of as_rows: (rows, list size)."""
    lists = column.combine_chunks()
    return lists.flatten().to_numpy().reshape(len(column), -1)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:CHECKSUM_DIGITS]


def _same_samples(one: Samples, other: Samples) -> bool:
    same_arrays = np.array_equal(one.x, other.x) and np.array_equal(one.y, other.y)
    return same_arrays and (one.classes, one.shape) == (other.classes, other.shape)


@contextmanager
def _failures(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "; free some space and run the same command again" if error.errno == errno.ENOSPC else ""
        raise StoreError(f"cannot {action}: {(error.strerror or str(error)).lower()}{hint}") from None


def _try_lock(descriptor: int) -> bool:
    """Lock a file for this process; the system lets go of it however the process ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
