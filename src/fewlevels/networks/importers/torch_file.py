"""`.pt` and `.pth` files of PyTorch, a dictionary of tensors, read without PyTorch.

The file is a zip of one pickle and the tensors' bytes. The pickle is followed here instruction by instruction, and only
those are known that make dictionaries and tensors, so that nothing in the file can run.
"""

from __future__ import annotations

import math
import os
import pickletools
import zipfile
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fewlevels.common.words import printable
from fewlevels.errors import NetworksError

EXPECTED = "a .pt of tensors by name, torch.save(model.state_dict(), …)"

STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "IntStorage": np.int32,
    "LongStorage": np.int64,
}

MOST_AXES = 8
"""Of a tensor, at most."""

LARGEST_PICKLE = 2**20
"""Bytes of the pickle, which holds names and shapes alone; a megabyte is enough for five thousand tensors."""

MOST_SHARED = 4
"""Times the bytes of the file that its tensors may take together, where several are stored as one."""


@dataclass(frozen=True)
class _Storage:
    """A tensor's numbers, which lie in the archive."""

    member: str
    dtype: np.dtype[Any]
    elements: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class _Named:
    """A class or a function of Python that a pickle names; it is never looked up."""

    module: str
    name: str


def read_torch_file(file: BinaryIO, called: str) -> dict[str, npt.NDArray[Any]]:
    """The tensors of an open file by name. called: the file's name, for errors. Raises NetworksError where it holds
    anything else, or is damaged.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _read(archive, called, os.fstat(file.fileno()).st_size)
    except NetworksError:
        raise
    except Exception as error:  # of zipfile and damaged pickles: many kinds
        raise NetworksError(f"{called} is not {EXPECTED}, or is damaged: {printable(error)}") from None


def _read(archive: zipfile.ZipFile, called: str, file_bytes: int) -> dict[str, npt.NDArray[Any]]:
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"]
    if len(pickles) != 1 or archive.getinfo(pickles[0]).file_size > LARGEST_PICKLE:
        raise NetworksError(f"{called} is not {EXPECTED}")
    found = _unpickled(_member(archive, pickles[0]))
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not any(isinstance(value, _Tensor) for value in found.values()):
        raise NetworksError(f"{called} holds no tensors by name; save model.state_dict()")
    if more := [name for name, value in found.items() if isinstance(value, dict | list | tuple)]:
        raise NetworksError(f"{called} holds more than tensors, in {printable(more[0])!r}; save them alone")
    tensors = {str(name): value for name, value in found.items() if isinstance(value, _Tensor)}
    taken = sum(math.prod(tensor.size) * tensor.storage.dtype.itemsize for tensor in tensors.values())
    if taken > MOST_SHARED * file_bytes:
        raise NetworksError(f"{called}: its tensors claim {taken} bytes together, more than it can hold")
    folder = pickles[0].removesuffix("data.pkl")
    return {name: _array(archive, folder, name, tensor, called) for name, tensor in tensors.items()}


def _array(archive: zipfile.ZipFile, folder: str, name: str, tensor: _Tensor, called: str) -> npt.NDArray[Any]:
    what, storage = f"{called}: tensor {printable(name)!r}", tensor.storage
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.size, tensor.stride, strict=True))
    elements = math.prod(tensor.size)
    if elements > storage.elements or (elements and last >= storage.elements):
        raise NetworksError(f"{what} of shape {list(tensor.size)} claims more numbers than the file holds")
    data = _member(archive, f"{folder}data/{storage.member}")
    if len(data) != storage.elements * storage.dtype.itemsize:
        raise NetworksError(f"{what} is not stored as it claims")
    numbers = np.frombuffer(data, storage.dtype.newbyteorder("<"))
    strides = [stride * storage.dtype.itemsize for stride in tensor.stride]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.size, strides).astype(storage.dtype)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Raises ValueError where it is packed, which PyTorch never does."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is packed")
    return archive.read(info)


# Long: one case an instruction of a pickle.
def _unpickled(content: bytes) -> object:
    """What a pickle makes. Raises ValueError for instructions that `torch.save` does not write for tensors by name."""
    argument: Any
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        mark = marks.pop()
        found = stack[mark:]
        del stack[mark:]
        return found

    for opcode, argument, _ in pickletools.genops(content):
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                marks.append(len(stack))
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode.name])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(argument)
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[opcode.name]())
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND":
                value = stack.pop()
                _of_kind(stack[-1], list).append(value)
            case "APPENDS":
                values = since_mark()
                _of_kind(stack[-1], list).extend(values)
            case "SETITEM":
                key, value = stack.pop(-2), stack.pop()
                _of_kind(stack[-1], dict)[_of_kind(key, str | int)] = value
            case "SETITEMS":
                values = since_mark()
                for key, value in zip(values[::2], values[1::2], strict=True):
                    _of_kind(stack[-1], dict)[_of_kind(key, str | int)] = value
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_Named(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(_Named(_of_kind(module, str), _of_kind(name, str)))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(_made(stack.pop(), _of_kind(arguments, tuple)))
            case "BUILD":  # of a dictionary's notes, which nothing here needs
                stack.pop()
            case "STOP":
                return stack.pop()
            case _:
                raise ValueError(f"its pickle has the instruction {opcode.name}, which tensors do not need")
    raise ValueError("its pickle does not end")


def _of_kind(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError("its pickle is no dictionary of tensors by name")
    return value


def _storage(pid: Any) -> _Storage:
    kind, named, member, _, elements = _of_kind(pid, tuple)
    if kind != "storage" or not isinstance(named, _Named) or named.module != "torch" or named.name not in STORAGES:
        raise ValueError("numbers of a kind that is not read")
    return _Storage(_of_kind(member, str), np.dtype(STORAGES[named.name]), _of_kind(elements, int))


def _made(maker: Any, arguments: tuple[Any, ...]) -> object:
    named = _of_kind(maker, _Named)
    if named == _Named("collections", "OrderedDict") and not arguments:
        return dict[Any, Any]()
    if named == _Named("torch._utils", "_rebuild_parameter"):
        return arguments[0]
    if named != _Named("torch._utils", "_rebuild_tensor_v2"):
        raise ValueError(f"it holds {named.module}.{named.name}, and only tensors are read; save model.state_dict()")
    storage, offset, size, stride = arguments[:4]
    numbers = (offset, *_of_kind(size, tuple), *_of_kind(stride, tuple))
    whole = all(isinstance(each, int) and 0 <= each <= storage.elements for each in numbers)
    if not isinstance(storage, _Storage) or not whole or len(size) != len(stride) or len(size) > MOST_AXES:
        raise ValueError("a tensor claims more numbers than the file holds")
    return _Tensor(storage=storage, offset=offset, size=size, stride=stride)
