"""Images: a folder of pictures of one size, their classes the names of the folders within it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.extras import require
from fewlevels.common.files import name_of
from fewlevels.common.words import printable
from fewlevels.errors import SamplesError

ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def read_images(folder: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.str_] | None]:
    """Pixels from 0 to 1, (samples, rows, columns) of grey pictures, (samples, rows, columns, 3) of others; and the
    names of their classes, where the pictures lie in folders of their own.

    Hidden files and folders are left out. Raises SamplesError where there is no picture, one cannot be read, or their
    sizes differ.
    """
    require("images", ("PIL",), "a folder of images", SamplesError)
    files = sorted(_pictures(folder))
    if not files:
        raise SamplesError(f"{name_of(folder)} holds no images ({', '.join(sorted(ENDINGS))})")
    _require_one_size(files)
    pictures = [_pixels(path) for path in files]
    if any(picture.ndim == 3 for picture in pictures):
        pictures = [np.stack([p] * 3, axis=-1) if p.ndim == 2 else p for p in pictures]
    names = [path.relative_to(folder).parts[0] for path in files if len(path.relative_to(folder).parts) > 1]
    if names and len(names) < len(files):
        raise SamplesError(f"of the images in {name_of(folder)} some lie in folders of classes and others do not")
    return np.stack(pictures).astype(np.float32) / np.float32(255), np.array(names) if names else None


def _pictures(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]  # hidden ones are not entered
        for path in (Path(place, name) for name in names if not name.startswith(".")):
            if path.suffix.lower() in ENDINGS and path.is_file():
                yield path


def _require_one_size(files: Sequence[Path]) -> None:
    """Raises SamplesError where sizes differ, as the files' heads say them, before any picture is unpacked."""
    first = _opened(files[0], lambda picture: picture.size)
    for path in files:
        if (size := _opened(path, lambda picture: picture.size)) != first:
            raise SamplesError(
                f"images must be of one size; {name_of(files[0])} is {first[::-1]} and {name_of(path)} is {size[::-1]}"
            )


def _pixels(path: Path) -> npt.NDArray[Any]:
    return _opened(path, lambda it: np.asarray(it.convert("L" if it.mode in ("1", "L", "LA") else "RGB")))


def _opened(path: Path, of: Callable[[Any], Any]) -> Any:
    """Something of a picture. Raises SamplesError where it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return of(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SamplesError(f"{name_of(path)} is no image that can be read: {printable(error)}") from None
