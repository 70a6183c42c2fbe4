"""Run: a search whose pieces a folder keeps, so that it can be stopped, shared out and gone on with.

search/KEY/request.json                what is asked; KEY is its digest, so that searches do not meet
search/KEY/networks.npz, samples.npz   what is searched and on what, and test.npz where other samples judge; where
                                       other processes compute
search/KEY/shards/                     one Parquet file a piece
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from fewlevels import __version__
from fewlevels.common.checks import positive
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.npz import read_all
from fewlevels.common.places import matching, read
from fewlevels.common.progress import Progress, unless_quick
from fewlevels.common.words import printable
from fewlevels.engines.engine import Engine
from fewlevels.engines.parts import Part
from fewlevels.engines.work import PIECE_SECONDS, Work, run_missing
from fewlevels.errors import ClusterError, SearchError, StoreError
from fewlevels.networks.stacks import stack_arrays, stack_from
from fewlevels.samples.stored import as_arrays, read_samples, samples_digest
from fewlevels.search.contest import Contest, Tried
from fewlevels.search.finetuning_config import FinetuningConfig
from fewlevels.search.method import Method
from fewlevels.search.methods import MethodComparison
from fewlevels.search.pieces import Piece, joined, pieces_of, quantizer_key
from fewlevels.search.target import Target
from fewlevels.storage.columns import as_matrix, as_rows
from fewlevels.storage.files import failures
from fewlevels.storage.folder import Folder, checksum, npz
from fewlevels.storage.provenance import DIGEST, Provenance, digest

if TYPE_CHECKING:
    import pyarrow as pa

RESULTS_FORMAT = 1
"""Of what is stored; to be raised when the same request gives other numbers or other columns."""

KEY_DIGITS = 16

SEARCHES = "search"
"""The subfolder of searches' own folders."""

Known = tuple[Contest, Provenance]
"""What is asked, and what all pieces depend on."""


@dataclass(frozen=True, kw_only=True)
class Present:
    """How much of a search is in a folder: pieces, of all. methods: their names."""

    methods: tuple[str, ...]
    pieces: int
    all_pieces: int

    def __str__(self) -> str:
        return (
            f"{self.pieces} of {self.all_pieces} pieces of a search by {printable(', '.join(self.methods))} are there"
        )


def run_search(
    contest: Contest,
    methods: Sequence[Method],
    folder: Path,
    engine: Engine,
    *,
    piece_seconds: float = PIECE_SECONDS,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
    verify: bool = False,
) -> MethodComparison:
    """Run what is missing of a search, and keep its pieces below `folder`; returns what it found.

    Stopped at any instant, it loses at most the pieces in flight; the same call goes on. piece_seconds: work of a core
    in each piece, about; it changes no result. on_damaged, verify: see `run_study`. Progress is in how often networks
    are quantized and judged.
    Raises StoreError where the folder cannot be written, SearchError for seconds that are none.
    """
    asked = _Asked.of(contest, methods, piece_seconds)
    store = Folder(folder / SEARCHES / asked.key, on_damaged, verify=verify)
    with store.locked():
        asked.begin(store, engine)
        run_missing(SearchWork, store, asked.known, asked.pieces, engine, unless_quick(on_progress))
        tried = [joined(contest, method, _found(store, asked, method)) for method in methods]
    return MethodComparison.of(contest, methods, tried)


def run_search_part(
    contest: Contest,
    methods: Sequence[Method],
    folder: Path,
    engine: Engine,
    part: Part,
    *,
    piece_seconds: float = PIECE_SECONDS,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_damaged: Callable[[Path], None] = lambda _: None,
    verify: bool = False,
) -> Present:
    """Run what is missing of one part of a search; returns how much of the search is there then.

    Parts may run at the same time, in any order, and again, on any machines that see the folder and have one
    instruction set. Once all are there, `run_search` finishes the search. Raises what that raises.
    """
    asked = _Asked.of(contest, methods, piece_seconds)
    store = Folder(folder / SEARCHES / asked.key, on_damaged, verify=verify)
    with store.shared():
        asked.begin(store, engine)
        run_missing(SearchWork, store, asked.known, part.of(asked.pieces), engine, unless_quick(on_progress))
    return present(store.path)


def searches_in(folder: Path) -> list[Present]:
    """How much there is of each search below a folder."""
    with failures(f"read {folder}"):
        requests = matching(folder / SEARCHES, f"*/{SearchWork.FILE}")
    return [present(path.parent) for path in requests]


def present(path: Path) -> Present:
    """How much of the search in its own folder is there, by the names of files. Raises StoreError where nothing says
    what is searched.
    """
    request = _read_request(path)
    names = tuple(str(method["name"]) for method in request["methods"])
    return Present(methods=names, pieces=len(Folder(path).names()), all_pieces=int(request["pieces"]))


class SearchWork(Work[Known, Piece]):
    """Computes and stores pieces of a search."""

    FILE = "request.json"

    @classmethod
    def read(cls, path: Path) -> Known:
        request = _read_request(path)
        if request["instruction_set"] != INSTRUCTION_SET:
            raise ClusterError(
                f"this search runs on {request['instruction_set']}, a worker's processor on {INSTRUCTION_SET}: use "
                "workers of one kind"
            )
        test = read_samples(path / "test.npz") if request["test_digest"] else None
        contest = Contest(
            networks=stack_from(read_all(path / "networks.npz", StoreError)),
            samples=read_samples(path / "samples.npz"),
            test=test,
            target=Target(request["alpha"], request["relative"]),
            **{name: request[name] for name in PLAIN},
            config=None if request["finetuning"] is None else FinetuningConfig(**request["finetuning"]),
        )
        return contest, _common(request)

    @staticmethod
    def made_of(known: Known, piece: Piece) -> Provenance:
        return {**known[1], "method": piece.method.name, "quantizer": quantizer_key(piece.method)}

    @staticmethod
    def compute(known: Known, piece: Piece) -> pa.Table:
        import pyarrow as pa

        tried = known[0].tried(piece.method, piece.models, piece.numbers)
        held = {field.name: getattr(tried, field.name) for field in fields(tried)}
        return pa.table({name: as_rows(values) for name, values in held.items() if values is not None})


PLAIN = "q_max", "share", "minimise", "seed"
"""Of a contest, as request.json has them."""

OF_PIECES = "methods", "piece_seconds", "pieces"
"""Of request.json: what no piece depends on, or has of its own."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A search as it is asked for. request: request.json. arrays: of the other files, by their names."""

    request: dict[str, Any]
    arrays: dict[str, dict[str, npt.NDArray[Any]]]
    pieces: list[Piece]
    known: Known

    @classmethod
    def of(cls, contest: Contest, methods: Sequence[Method], piece_seconds: float) -> _Asked:
        piece_seconds = positive("piece_seconds", piece_seconds, SearchError)
        pieces = pieces_of(contest, methods, piece_seconds)
        stack = stack_arrays(contest.networks)
        arrays = {"networks.npz": stack, "samples.npz": as_arrays(contest.samples)}
        arrays |= {} if contest.test is None else {"test.npz": as_arrays(contest.test)}
        request = {
            "results_format": RESULTS_FORMAT,
            "fewlevels_version": __version__,
            "instruction_set": INSTRUCTION_SET,
            "networks_digest": digest(sorted(stack), *(stack[name] for name in sorted(stack))),
            "samples_digest": samples_digest(contest.samples),
            "test_digest": None if contest.test is None else samples_digest(contest.test),
            "alpha": contest.target.alpha,
            "relative": contest.target.relative,
            **{name: getattr(contest, name) for name in PLAIN},
            "finetuning": None if contest.config is None else asdict(contest.config),
            "methods": [{"name": method.name, "quantizer": quantizer_key(method)} for method in methods],
            "piece_seconds": piece_seconds,
            "pieces": len(pieces),
        }
        known = contest, _common(request)
        return cls(request=request, arrays=arrays, pieces=pieces, known=known)

    @property
    def key(self) -> str:
        """The name of the folder of this search."""
        return digest(self.request).removeprefix(DIGEST)[:KEY_DIGITS]

    def begin(self, store: Folder, engine: Engine) -> None:
        """Write what is asked, with networks and samples where other processes need them; what is whole stays."""
        files = {name: npz(arrays) for name, arrays in self.arrays.items()} if engine.elsewhere else {}
        for name, content in {**files, SearchWork.FILE: json.dumps(self.request, indent=1).encode()}.items():
            if store.checksum_of(name) != checksum(content):
                store.write(name, content)


def _common(request: dict[str, Any]) -> Provenance:
    """What every piece depends on."""
    common = {name: value for name, value in request.items() if name not in OF_PIECES}
    return {"results_format": RESULTS_FORMAT, "version": __version__, "request": digest(common)}


def _read_request(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(read(path / SearchWork.FILE)))
    except (OSError, ValueError, TypeError, RecursionError):
        raise StoreError(f"{path / SearchWork.FILE} is damaged; run the same command again to mend it") from None


def _found(store: Folder, asked: _Asked, method: Method) -> list[tuple[Piece, Tried]]:
    own = [piece for piece in asked.pieces if piece.method is method]
    return [(piece, _tried(store, piece, SearchWork.made_of(asked.known, piece))) for piece in own]


def _tried(store: Folder, piece: Piece, made_of: Provenance) -> Tried:
    table, shape = store.read_shard(piece.name, made_of), (len(piece.models), len(piece.numbers))
    arrays: dict[str, Any] = {name: as_matrix(table[name]).reshape(*shape, -1) for name in table.column_names}
    return Tried(**{name: each if name in ("weights", "biases") else each[..., 0] for name, each in arrays.items()})
