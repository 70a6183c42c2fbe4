"""Work: pieces that an engine computes, each a pure function of what a folder says, and that the folder keeps."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from fewlevels import __version__
from fewlevels.common.parallel import as_task
from fewlevels.common.progress import Progress
from fewlevels.common.words import printable
from fewlevels.engines.engine import Engine
from fewlevels.errors import ClusterError, StoreError
from fewlevels.storage.folder import Folder
from fewlevels.storage.provenance import Provenance

if TYPE_CHECKING:
    import pyarrow as pa

LOG = logging.getLogger("fewlevels")

PIECE_SECONDS = 60.0
"""Work of a core in each piece, about."""


class Piece(Protocol):
    """What is computed and stored together. name: of its table. size: how much of the progress it is."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...


Known = TypeVar("Known")
PieceType = TypeVar("PieceType", bound=Piece)


class Work(ABC, Generic[Known, PieceType]):
    """Computes and stores pieces of what a folder asks for, wherever it runs. Sent elsewhere, it is no more than the
    folder's name and the checksum of the file that says what is asked: the rest is read there, once. version: of
    fewlevels that sent it.

    FILE: the name of that file.
    """

    FILE: ClassVar[str]

    def __init__(
        self, path: Path, begun: str | None, known: Known | None = None, *, version: str = __version__
    ) -> None:
        self.path, self.begun, self._known, self.version = path, begun, known, version

    @classmethod
    def of(cls, store: Folder, known: Known) -> Work[Known, PieceType]:
        """For what is begun. known: what `read` reads in this folder."""
        return cls(store.path.absolute(), store.checksum_of(cls.FILE), known)

    @classmethod
    @abstractmethod
    def read(cls, path: Path) -> Known:
        """What is asked, from the folder."""

    @staticmethod
    @abstractmethod
    def made_of(known: Known, piece: PieceType) -> Provenance:
        """All that a piece depends on."""

    @staticmethod
    @abstractmethod
    def compute(known: Known, piece: PieceType) -> pa.Table:
        """A piece, on one thread."""

    def __reduce__(self) -> tuple[partial[Work[Known, PieceType]], tuple[Path, str | None]]:
        return partial(type(self), version=self.version), (self.path, self.begun)

    def __call__(self, piece: PieceType) -> str:
        """Returns the name of the piece's file, which is stored then.

        Raises StoreError where the folder does not hold what was asked, no more or not on this machine, or cannot be
        written; ClusterError where another version of fewlevels sent this; what computing raises.
        """
        if self.version != __version__:
            raise ClusterError(f"a worker has fewlevels {__version__}, this command {self.version}: use one version")
        store = Folder(self.path)
        if store.checksum_of(self.FILE) != self.begun:
            raise StoreError(
                f"{printable(self.path)} was removed or made anew while this ran; run the same command again, with "
                "workers that see this folder"
            )
        with as_task(), store.held():
            known: Known = self._known if self._known is not None else _known(type(self), self.path, self.begun)
            LOG.info("%s begins", piece.name)
            file = store.write_shard(piece.name, self.compute(known, piece), self.made_of(known, piece))
            LOG.info("%s is stored", piece.name)
            return file


@lru_cache(maxsize=1)
def _known(work: type[Work[Known, PieceType]], path: Path, begun: str | None) -> Known:
    """begun: only tells what is asked in this folder from what was asked in another of this name."""
    return work.read(path)


def run_missing(
    work: type[Work[Known, PieceType]],
    store: Folder,
    known: Known,
    pieces: Sequence[PieceType],
    engine: Engine,
    on_progress: Callable[[Progress], None],
) -> bool:
    """Compute and store those of the pieces that are missing; returns whether any was."""
    began = time.perf_counter()
    missing = [piece for piece in pieces if not store.has_shard(piece.name, work.made_of(known, piece))]
    total = sum(piece.size for piece in pieces)
    done = earlier = total - sum(piece.size for piece in missing)
    if pieces:
        on_progress(Progress(done=done, done_now=0, total=total, seconds=0.0))
    try:
        with closing(engine.run(work.of(store, known), missing)) as stored:
            for piece, file in stored:
                store.add_shard(file, work.made_of(known, piece))
                done += piece.size
                seconds = time.perf_counter() - began
                on_progress(Progress(done=done, done_now=done - earlier, total=total, seconds=seconds))
    finally:
        store.remember()
    return bool(missing)
