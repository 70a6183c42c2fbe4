"""The one safe reader of `.npz` files: plain arrays only, and none that is larger than its file can hold."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fewlevels.common.files import name_of, open_regular
from fewlevels.common.words import printable
from fewlevels.errors import FewlevelsError

FREE_BYTES = 2**30
"""An array of up to this many bytes is read, however small its packed form is."""

MOST_UNPACKED = 500
"""How many times its packed size a larger array may have. Real data stay far below; deflate can reach 1032."""

EXPECTED = "a NumPy .npz of plain arrays"
HOW = "save plain arrays by numpy.savez or numpy.savez_compressed"

LAST_LETTER = 0x10FFFF

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}

DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    RecursionError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)
"""What zipfile and NumPy raise for files that were damaged, by chance or on purpose."""


def npz_names(path: str | Path, error: type[FewlevelsError]) -> list[str]:
    """The names of a file's arrays. Raises `error` where it is no `.npz`, or a name stands twice."""
    with open_regular(path, error, EXPECTED) as file:
        return list(Npz(file, name_of(path), error).members)


def read_npz(
    path: str | Path, names: Collection[str], error: type[FewlevelsError], *, optional: Collection[str] = ()
) -> dict[str, npt.NDArray[Any]]:
    """These arrays of a `.npz`, as `Npz.read` reads them. Raises `error` also where it is no `.npz`."""
    with open_regular(path, error, EXPECTED) as file:
        return Npz(file, name_of(path), error).read(names, optional=optional)


def read_all(path: str | Path, error: type[FewlevelsError]) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a `.npz`, else as `read_npz`."""
    with open_regular(path, error, EXPECTED) as file:
        npz = Npz(file, name_of(path), error)
        return npz.read(npz.members)


class Npz:
    """An open `.npz`. called: its name, for errors. members: what it holds, by the names of the arrays.

    Raises `error` where it is no `.npz`, or a name stands twice.
    """

    def __init__(self, file: BinaryIO, called: str, error: type[FewlevelsError]) -> None:
        self.called, self.error = called, error
        self.members: dict[str, zipfile.ZipInfo] = {}
        try:
            self._archive = zipfile.ZipFile(file)
            for member in self._archive.infolist():
                name = member.filename.removesuffix(".npy")
                if name in self.members:
                    raise ValueError(f"{printable(name)} stands twice")
                self.members[name] = member
        except DAMAGED as failure:
            file.seek(0)
            single = " (a single array has no name: it is a .npy)" if file.read(6) == b"\x93NUMPY" else ""
            raise error(f"{called} cannot be read as {EXPECTED}{single}: {printable(failure)}; {HOW}") from None

    def read(self, names: Collection[str], *, optional: Collection[str] = ()) -> dict[str, npt.NDArray[Any]]:
        """These arrays, in C order and the machine's byte order; read-only.

        optional: names of arrays that the file need not hold.
        Raises `error` where one is missing, no plain array, packed otherwise than NumPy does, or larger than its file.
        """
        arrays = {}
        for name in (*names, *(each for each in optional if each in self.members)):
            if name not in self.members:
                raise self.error(f"{self.called} holds no {name}, it holds {listed(self.members)}")
            try:
                arrays[name] = _array(self._archive, self.members[name])
            except DAMAGED as failure:
                why = printable(failure) or type(failure).__name__
                raise self.error(f"{self.called}: {printable(name)} cannot be read: {why}; {HOW}") from None
        return arrays


def listed(names: Collection[str]) -> str:
    """Names of arrays as a sentence shows them."""
    return printable(", ".join(sorted(names))) or "nothing"


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """The array of one member of the archive. Raises one of DAMAGED where it is no plain array."""
    if member.flag_bits & 1:
        raise ValueError("it is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is packed otherwise than by deflate")
    if member.file_size > max(FREE_BYTES, MOST_UNPACKED * member.compress_size):
        raise ValueError(f"it unpacks {member.compress_size} bytes to {member.file_size}")
    with archive.open(member) as content:
        version = np.lib.format.read_magic(content)
        if version not in HEADERS:
            raise ValueError(f"it is an array of format {version[0]}.{version[1]}")
        shape, fortran, dtype = HEADERS[version](content)
        if dtype.hasobject:
            raise ValueError("Object arrays are no plain arrays")
        promised, held = math.prod(shape) * dtype.itemsize, member.file_size - content.tell()
        if promised != held or (dtype.itemsize == 0 and math.prod(shape) > held):
            raise ValueError(f"its header promises {promised} bytes, it holds {held}")
        data = content.read()
    if len(data) != promised:
        raise ValueError(f"its header promises {promised} bytes, it holds {len(data)}")
    letters = np.frombuffer(data if dtype.kind == "U" else b"", np.dtype(np.uint32).newbyteorder(dtype.byteorder))
    if letters.max(initial=0) > LAST_LETTER:  # which NumPy cannot make text of
        raise ValueError("it holds what is no text")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return np.ascontiguousarray(array, dtype.newbyteorder("=")).reshape(shape)
