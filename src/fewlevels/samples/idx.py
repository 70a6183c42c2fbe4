"""IDX: the format of MNIST and its kin (LeCun et al., 1998), images and labels in a file each."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.files import name_of, open_regular
from fewlevels.errors import SamplesError

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
EXPECTED = "an IDX file, as of MNIST"
GZIP = b"\x1f\x8b"

LARGEST_BYTES = 2**31
"""Of the numbers of a file, unpacked."""


def is_idx(path: Path, start: bytes) -> bool:
    """Whether a file that begins so is one; packed by gzip its name must say so."""
    packed = start.startswith(GZIP) and "idx" in path.name
    return packed or (start[:2] == b"\0\0" and len(start) > 3 and start[2] in TYPES and 0 < start[3] < 9)


def read_idx(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Inputs (samples, …) and, where the file of labels lies beside that of images, labels (samples,).

    Bytes are pixels and become 0 to 1. Raises SamplesError where the file is damaged.
    """
    found = _numbers(path)
    if found.ndim < 2:
        raise SamplesError(f"{name_of(path)} holds labels alone; name the file of images")
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = _numbers(beside).astype(np.int64) if beside != path and beside.is_file() else None
    return (found / np.float32(255) if found.dtype == np.uint8 else found), labels


def _numbers(path: Path) -> npt.NDArray[Any]:
    with open_regular(path, SamplesError, EXPECTED) as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        content = gzip.GzipFile(fileobj=file) if packed else file
        try:
            head = content.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES:
                raise ValueError("its first bytes are of no IDX file")
            sizes = np.frombuffer(content.read(4 * head[3]), ">u4").tolist()
            kind = np.dtype(TYPES[head[2]])
            promised = math.prod(sizes) * kind.itemsize
            if len(sizes) != head[3] or promised > LARGEST_BYTES:
                raise ValueError(f"it promises {promised} bytes")
            data = content.read(promised + 1)
            if len(data) != promised:
                raise ValueError(
                    f"it promises {promised} bytes and holds {'more' if len(data) > promised else len(data)}"
                )
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise SamplesError(f"{name_of(path)} is damaged: {error}") from None
    return np.frombuffer(data, kind).reshape(sizes).astype(kind.newbyteorder("="))
