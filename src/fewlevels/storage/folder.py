"""Folder: where a command keeps its results. It can be stopped at any instant, and goes on from here.

NAME                             any file, there whole or not at all
shards/NAME-CHECKSUM.parquet     tables, each with what it was made of (its provenance) in its metadata
verified.json                    which of them were read and matched their checksum, and when they had last changed
lock                             held by the process that works here

The lock only saves work. Results are right without it, even if two processes write here at once: temporary names are
unique, a shard of the same content has the same name, and a rename replaces whole files.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fewlevels.common.places import is_local, names_in, read, remove, status, write_object
from fewlevels.common.words import printable
from fewlevels.errors import ConfigError, FewlevelsWarning, StoreError
from fewlevels.storage.columns import packed
from fewlevels.storage.files import failures, remove_unfinished, write_whole
from fewlevels.storage.lock import UNSUPPORTED, try_lock
from fewlevels.storage.provenance import Provenance, differences, digest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

CHECKSUM_DIGITS = 16
SHARD = re.compile(rf"(.+)-[0-9a-f]{{{CHECKSUM_DIGITS}}}\.parquet")
"""The name of a shard's file. Other files in shards/ belong to the user and are left alone."""

METADATA = b"fewlevels"
"""The key of a shard's provenance, as JSON, in the metadata of its Parquet schema."""

VERIFIED = "verified.json"
"""Of each shard's file its size in bytes, its time of change in ns and the digest of its provenance."""

FOLDERS = ("", "shards", "figures")
"""The subfolders that hold a command's files; '' is the folder itself."""


def checksum(content: bytes) -> str:
    """Of a file: the first digits of its SHA-256."""
    return hashlib.sha256(content).hexdigest()[:CHECKSUM_DIGITS]


class Folder:
    """A folder of results. Raises StoreError where it cannot be read or written.

    The shards are listed once, when one is first asked for, and again when work in the folder begins. One that was
    verified and has not changed since, by its size and its time of change, is not verified again.
    on_damaged: called with every shard that `find_shard` removes because it is damaged. verify: all are verified.
    """

    def __init__(
        self, path: Path, on_damaged: Callable[[Path], None] = lambda _: None, *, verify: bool = False
    ) -> None:
        self.path, self.on_damaged, self.verify = path, on_damaged, verify
        self.shards = path / "shards"
        self._held: list[tuple[int, Path]] = []
        self._listing: dict[str, list[Path]] | None = None
        self._verified: dict[str, Verified] | None = None
        self._tidied: set[Path] = set()
        self._said: set[Path] = set()  # that were left aside

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, made where it is missing, for this process; see also `held`. What writers that were killed
        left in it is removed.

        Raises StoreError where another process holds it. Warns, and goes on, where the file system has no locks. An
        object store has none, and nothing unfinished.
        """
        if not is_local(self.path):
            with self.shared():
                yield
            return
        with failures(f"write in {self.path}"):
            self.shards.mkdir(parents=True, exist_ok=True)
            file = open(self.path / "lock", "a+b")  # noqa: SIM115  (held until the work ends)
        with file, self.shared():
            try:
                taken = try_lock(file.fileno())
            except OSError as error:
                if error.errno not in UNSUPPORTED:
                    raise StoreError(f"cannot lock {self.path}: {(error.strerror or str(error)).lower()}") from None
                taken = True
                warnings.warn(
                    f"the file system of {self.path} has no locks ({error.strerror}); results stay right, but a second "
                    "command in this folder would do the same work again",
                    FewlevelsWarning,
                    stacklevel=3,
                )
            if not taken:
                raise StoreError(f"another process works in {self.path}; wait for it, or use another folder")
            self._held.append((file.fileno(), self.path / "lock"))
            for folder in FOLDERS:
                with failures(f"read {self.path / folder}"):
                    remove_unfinished(self.path / folder)
            yield

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Work in the folder, made where it is missing, beside others that may do so, too; see also `held`."""
        if is_local(self.path):
            with failures(f"write in {self.path}"):
                self.shards.mkdir(parents=True, exist_ok=True)
        with self.held():
            self._listing = self._verified = None
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within this context a write raises StoreError if the folder has been removed or made anew since it began."""
        with ExitStack() as last:
            last.callback(setattr, self, "_held", self._held)
            self._held = list(self._held)
            if hasattr(os, "O_DIRECTORY") and is_local(
                self.path
            ):  # elsewhere the open lock keeps a folder from being removed
                with failures(f"write in {self.path}"):
                    descriptor = os.open(self.path, os.O_DIRECTORY)  # open, its number is not given to another folder
                last.callback(os.close, descriptor)
                self._held.append((descriptor, self.path))
            yield

    def write(self, name: str, content: bytes, *, only_new: bool = False) -> bool:
        """Write a file so that it is there whole or not at all, even if the machine stops.

        only_new: a file that another process has written meanwhile stays. Returns whether this content is there.

        The first write to a folder also removes unfinished files there whose writers were killed.
        """
        path = self.path / name
        for descriptor, held in self._held:
            if not _is_same(descriptor, held):
                raise StoreError(f"{held} was removed or made anew while this ran; run the same command again")
        with failures(f"write {path}"):
            if not is_local(path):
                return write_object(path, content, only_new=only_new)
            path.parent.mkdir(parents=not self._held, exist_ok=True)
            if path.parent not in self._tidied:
                remove_unfinished(path.parent)
                self._tidied.add(path.parent)
            return write_whole(path, content, only_new=only_new)

    def checksum_of(self, name: str) -> str | None:
        """The checksum of a file as it is now; None where it cannot be read."""
        try:
            return checksum(read(self.path / name))
        except OSError:
            return None

    def write_npz(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        self.write(name, npz(arrays))

    def write_shard(self, name: str, table: pa.Table, made_of: Provenance) -> str:
        """Store a table, with what it was made of. Returns the name of its file."""
        metadata = {METADATA: json.dumps(_plain(name, made_of)).encode()}
        content = packed(table.replace_schema_metadata(metadata))
        file = f"{name}-{checksum(content)}.parquet"
        self.write(f"shards/{file}", content)
        if self._listing is not None:
            self.add_shard(file, made_of)
        return file

    def add_shard(self, file: str, made_of: Provenance) -> None:
        """Know of a shard that another one has just written by `write_shard`, which gave this name of its file."""
        name, path = file.rpartition("-")[0], self.shards / file
        paths = self._paths().setdefault(name, [])
        paths += [path] if path not in paths else []
        with suppress(OSError):  # not seen here yet: read when it is needed
            self._known[file] = Verified.now(path, _plain(name, made_of))

    def has_shard(self, name: str, made_of: Provenance) -> bool:
        """Whether `find_shard` finds one. It is not opened where it was verified and has not changed."""
        return self._find(name, made_of) is not None

    def read_shard(self, name: str, made_of: Provenance, columns: Sequence[str] | None = None) -> pa.Table:
        """The table of this name that was made of this, or these columns of it.

        Raises StoreError where it is missing or damaged, ConfigError, which says what differs, where only one that was
        made of something else is there.
        """

        def refuse(path: Path) -> None:
            raise StoreError(f"{path} is damaged, its checksum does not match; run the same command again to mend it")

        chosen = self._found(name, _plain(name, made_of), refuse)
        if chosen is None:
            raise StoreError(f"{self.path} is not complete: {name} is missing; run the same command again to go on")
        return chosen.read(columns)

    def find_shard(self, name: str, made_of: Provenance) -> pa.Table | None:
        """As `read_shard`, for who can make the table again: None where it is missing. A damaged one is removed."""
        found = self._find(name, made_of)
        return None if found is None else found.read(None)

    def remember(self) -> None:
        """Store which shards were verified."""
        there = {path.name for paths in self._paths().values() for path in paths}
        stored = _read_verified(self.path)
        known = {file: each for file, each in (stored | self._known).items() if file in there}
        if known != stored:
            lines = ",\n".join(f"{json.dumps(file)}: {json.dumps(known[file])}" for file in sorted(known))
            self.write(VERIFIED, f"{{\n{lines}\n}}\n".encode())

    def names(self) -> list[str]:
        """Of all shards that are there."""
        return list(self._paths())

    def _paths(self) -> dict[str, list[Path]]:
        if self._listing is None:
            self._listing = {}
            with failures(f"read {self.shards}"), suppress(FileNotFoundError):
                for match in filter(None, map(SHARD.fullmatch, names_in(self.shards))):
                    self._listing.setdefault(match[1], []).append(self.shards / match[0])
        return self._listing

    @property
    def _known(self) -> dict[str, Verified]:
        if self._verified is None:
            self._verified = {} if self.verify else _read_verified(self.path)
        return self._verified

    def _find(self, name: str, made_of: Provenance) -> _Shard | None:
        def discard(path: Path) -> None:
            with failures(f"remove {path}"):
                remove(path)
            self._paths()[name].remove(path)
            self.on_damaged(path)

        return self._found(name, _plain(name, made_of), discard)

    def _found(self, name: str, wanted: Provenance, damaged: Callable[[Path], None]) -> _Shard | None:
        """The shard of this provenance; None where there is none. damaged: called with each that is."""
        paths = self._paths().get(name, [])
        if len(paths) == 1 and (known := self._known.get(paths[0].name)):
            with suppress(OSError):
                if known == Verified.now(paths[0], wanted):
                    return _Shard(path=paths[0], provenance=wanted)
        shards = dict[Path, _Shard]()
        for path in list(paths):
            if (shard := _opened(path)) is None:
                damaged(path)
            else:
                shards[path] = shard
        return self._chosen(wanted, shards)

    def _chosen(self, wanted: Provenance, shards: dict[Path, _Shard]) -> _Shard | None:
        """The first shard of this provenance. Of others it warns where they can be left aside, else it raises."""
        differing = {path: differences(shard.provenance, wanted) for path, shard in shards.items()}
        chosen = next((shards[path] for path, differs in differing.items() if not differs), None)
        if chosen is not None and chosen.verified is not None:
            self._known[chosen.path.name] = chosen.verified
        for path, differs in differing.items():
            there = shards[path].provenance
            if not there and chosen is None:
                raise StoreError(f"{path} comes from an earlier version and does not say of what; use another folder")
            if "shard" in there and there["shard"] != wanted["shard"]:
                differs = [f"it is of {there['shard']}"]
            elif differs and chosen is None:
                raise ConfigError(
                    f"{self.path} holds results of something else: {'; '.join(differs)} ({path.name}); put back what "
                    "was changed, or use another folder"
                )
            if differs and path not in self._said:
                self._said.add(path)
                warnings.warn(f"{path} is left aside: {'; '.join(differs)}", FewlevelsWarning, stacklevel=1)
        return chosen


class Verified(NamedTuple):
    """What a file was like when its content matched its checksum."""

    bytes: int
    changed_ns: int
    provenance: str

    @classmethod
    def now(cls, path: Path, provenance: Provenance) -> Verified:
        return cls(*status(path), digest(provenance))


@dataclass(frozen=True, kw_only=True)
class _Shard:
    """content, verified: None where it was verified earlier, and is read when it is needed."""

    path: Path
    provenance: Provenance
    content: bytes | None = None
    verified: Verified | None = None

    def read(self, columns: Sequence[str] | None) -> pa.Table:
        import pyarrow as pa

        try:
            source = self.path if self.content is None and is_local(self.path) else self.content or read(self.path)
            return _parquet(source).read(columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise StoreError(
                f"{self.path} cannot be read: {printable(error)}; run the same command with --verify to mend it"
            ) from None


def _opened(path: Path) -> _Shard | None:
    """A shard that was read; None where its content does not match its name. Without provenance, that is empty."""
    import pyarrow as pa

    with failures(f"read {path}"):
        at, content = status(path), read(path)
    if not path.stem.endswith(f"-{checksum(content)}"):
        return None
    try:
        metadata = _parquet(content).schema_arrow.metadata or {}
        provenance = json.loads(metadata.get(METADATA, b"{}"))
    except (pa.ArrowException, ValueError):
        return None
    provenance = provenance if isinstance(provenance, dict) else {}
    verified = Verified(*at, digest(provenance))
    return _Shard(path=path, provenance=provenance, content=content, verified=verified)


def _parquet(source: Path | bytes) -> pq.ParquetFile:
    """Opened without threads of Arrow's: one that holds the content when the interpreter ends aborts the process."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source)


def _read_verified(folder: Path) -> dict[str, Verified]:
    """What is known of a folder's shards; nothing where that cannot be read."""
    try:
        stored = json.loads(read(folder / VERIFIED))
        return {file: Verified(int(each[0]), int(each[1]), str(each[2])) for file, each in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return {}


def _plain(name: str, made_of: Provenance) -> Provenance:
    """The provenance of a shard as JSON gives it back, its names in order."""
    return json.loads(json.dumps({"shard": name, **made_of}, sort_keys=True))


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    """Arrays as the content of a NumPy .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the stubs take the keys for allow_pickle
    return buffer.getvalue()
