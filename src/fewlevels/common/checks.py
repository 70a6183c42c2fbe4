"""Checks of arguments: each returns what it checked as Python's own type, or raises the caller's error in one sentence.

Numbers of NumPy's types are numbers here; True and False are not. The error carries `name` as its field.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt

from fewlevels.common.words import printable
from fewlevels.errors import FewlevelsError

Thing = TypeVar("Thing")
LONGEST = 80
"""The most characters of a value that an error shows."""


def whole_number(
    name: str, value: object, error: type[FewlevelsError], *, least: int = 0, most: int | None = None
) -> int:
    """`value` as an int. Raises `error` where it is no whole number from `least` to `most`."""
    if not is_whole(value) or value < least or (most is not None and value > most):
        wanted = f"at least {least}" if most is None else f"{least} to {most}"
        raise error(f"{name} must be a whole number of {wanted}, got {shown(value)}", field=name)
    return int(value)


def jobs_or_all(jobs: object, error: type[FewlevelsError]) -> int | None:
    """How many threads, or None, which stands for all cores. Raises `error` for less than one."""
    return None if jobs is None else whole_number("jobs", jobs, error, least=1)


def number(name: str, value: object, error: type[FewlevelsError]) -> float:
    """`value` as a float. Raises `error` where it is no finite number."""
    if is_number(value):
        return float(value)
    raise error(f"{name} must be a finite number, got {shown(value)}", field=name)


def positive(name: str, value: object, error: type[FewlevelsError], *, field: str = "") -> float:
    """`value` as a float. Raises `error` where it is no finite number above 0. field: where `name` says more."""
    if not (is_number(value) and value > 0):
        raise error(f"{name} must be positive, got {shown(value)}", field=field or name)
    return float(value)


def not_negative(name: str, value: object, error: type[FewlevelsError], *, field: str = "") -> float:
    """`value` as a float. Raises `error` where it is no finite number of at least 0. field: where `name` says more."""
    if not (is_number(value) and value >= 0):
        raise error(f"{name} must be at least 0, got {shown(value)}", field=field or name)
    return float(value)


def fraction(name: str, value: object, error: type[FewlevelsError], hint: str = "") -> float:
    """`value` as a float. Raises `error` where it is no number in (0, 1]."""
    if not (is_number(value) and 0 < value <= 1):
        raise error(f"{name} must be in (0, 1], got {shown(value)}{hint}", field=name)
    return float(value)


def instance(name: str, value: object, kind: type[Thing], error: type[FewlevelsError]) -> Thing:
    """`value` itself. Raises `error` where it is of another kind."""
    if not isinstance(value, kind):
        raise error(f"{name} must be {kind.__name__}, got {shown(value)}", field=name)
    return value


def one_of(name: str, value: object, known: Collection[str], error: type[FewlevelsError]) -> None:
    """Raises `error` where `value` is none of these texts."""
    if not isinstance(value, str) or value not in known:
        raise error(f"{name} must be one of {', '.join(known)}, got {shown(value)}", field=name)


def real_array(name: str, value: object, error: type[FewlevelsError]) -> npt.NDArray[np.float64]:
    """`value` as an array of float64, in C order. It is copied only where type or order must change.

    Raises `error` where it holds anything but real numbers: text, objects, complex numbers, rows of different lengths.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError) as failure:
        raise error(f"{name} must be an array of numbers: {printable(failure)}", field=name) from None
    if array.dtype.kind == "O":  # whole numbers beyond 64 bits become objects
        try:
            array = np.array([number(name, each, error) for each in array.ravel().tolist()]).reshape(array.shape)
        except FewlevelsError:
            raise error(f"{name} must be an array of numbers, got {shown(value)}", field=name) from None
    if array.dtype.kind not in "buif":
        given = f"{array.dtype} {array.shape}" if array.ndim else shown(value)
        raise error(f"{name} must be an array of numbers, got {given}", field=name)
    with np.errstate(over="ignore"):  # of a wider type than float64: infinite, which callers refuse
        return np.ascontiguousarray(array, np.float64).reshape(array.shape)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether this is a whole number, of Python's type or NumPy's; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Whether this is a real number, finite as a float; True and False are not."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def shown(value: object) -> str:
    """A value as an error shows it: in one line, and no longer than a line."""
    try:
        return printable(" ".join(repr(value).split()) if isinstance(value, np.ndarray) else repr(value), LONGEST)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits" if isinstance(value, Integral) else f"a {type(value).__name__}"
