"""ONNX files, their external data within their folder included."""

from __future__ import annotations

import graphlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fewlevels.common.checks import shown
from fewlevels.common.extras import require
from fewlevels.common.files import name_of, open_regular
from fewlevels.common.words import printable
from fewlevels.errors import NetworksError

if TYPE_CHECKING:
    from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

LIBRARIES = ("onnx", "onnxruntime")
EXPECTED = "an ONNX file"

LARGEST_FILE = 2**31 - 1
"""Bytes of a message of protobuf, at most."""

MOST_NODES = 2**16
"""Nodes of a graph, its functions written out, at most; the largest networks in use have ten thousand."""

MOST_AXES = 64
"""Of a tensor, at most; NumPy has no more."""

PACKED_BITS = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "FLOAT6E2M3": 6, "FLOAT6E3M2": 6, "INT2": 2, "UINT2": 2}
"""Bits of an element, of types whose elements share bytes."""


def read_onnx(file: BinaryIO, called: str, folder: Path) -> ModelProto:
    """The model of an open file, checked. Nothing is allocated for what the file only claims to hold. called: the
    file's name, for errors. folder: where external data lie.

    Raises NetworksError where it is no ONNX model, is damaged, or names external data outside its folder.
    """
    require("networks", LIBRARIES, "an ONNX file", NetworksError)
    import onnx

    if os.fstat(file.fileno()).st_size > LARGEST_FILE:
        raise NetworksError(f"{called} is larger than 2 GB; keep its weights in external data")
    try:
        model = onnx.load_model_from_string(file.read())
    except Exception:  # protobuf's own kinds, which differ between its versions
        raise NetworksError(f"{called} is no ONNX model, or is damaged") from None
    return checked(model, called, folder)


def checked(model: ModelProto, name: str = "the ONNX model", folder: Path | None = None) -> ModelProto:
    """A model with all its data in memory. folder: where external data lie, if they may."""
    import onnx
    from onnx import inliner

    if not model.graph.node:
        raise NetworksError(f"{name} holds no network: its graph is empty")
    _require_few_nodes(model, name)
    taken: dict[Path, int] = {}
    for part in (model.graph, *model.functions):
        for tensor in _tensors(part, name):
            _require_whole(tensor, name, folder, taken)
    try:
        onnx.checker.check_model(model)
        if model.functions:
            model = inliner.inline_local_functions(model)
    except Exception as error:  # of many kinds, all of onnx's own
        raise NetworksError(f"{name} is no valid ONNX model: {printable(error)}") from None
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in stored]
    if len(inputs) != 1:
        raise NetworksError(f"{name} takes {len(inputs)} inputs, {printable(', '.join(inputs))}; one is expected")
    return _with_one_output(model, name)


def _graphs_of(attribute: AttributeProto) -> list[GraphProto]:
    return [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _nodes(part: GraphProto | FunctionProto) -> Iterator[NodeProto]:
    """Of a graph or a function, and of the graphs within."""
    for node in part.node:
        yield node
        for attribute in node.attribute:
            for graph in _graphs_of(attribute):
                yield from _nodes(graph)


def _require_few_nodes(model: ModelProto, name: str) -> None:
    """Raises NetworksError where the graph has too many nodes once its functions, which may call others, are written
    out, or where functions call each other in a circle.
    """
    bodies = {(one.domain, one.name): [(node.domain, node.op_type) for node in _nodes(one)] for one in model.functions}
    counts: dict[tuple[str, str], int] = {}
    try:
        order = graphlib.TopologicalSorter({key: bodies.keys() & set(calls) for key, calls in bodies.items()})
        for key in order.static_order():
            counts[key] = sum(counts.get(call, 1) for call in bodies[key])
    except graphlib.CycleError:
        raise NetworksError(f"{name} holds functions that call each other in a circle") from None
    found = sum(counts.get((node.domain, node.op_type), 1) for node in _nodes(model.graph))
    if found > MOST_NODES:
        raise NetworksError(f"{name} has more than {MOST_NODES} nodes")


def _tensors(part: GraphProto | FunctionProto, name: str) -> Iterator[TensorProto]:
    """Those that a graph or a function stores, and its nodes, and the graphs within."""
    sparse = len(getattr(part, "sparse_initializer", ()))
    yield from getattr(part, "initializer", ())
    for node in part.node:
        for attribute in node.attribute:
            yield from ([attribute.t] if attribute.HasField("t") else [])
            yield from attribute.tensors
            sparse += attribute.HasField("sparse_tensor") + len(attribute.sparse_tensors)
            for graph in _graphs_of(attribute):
                yield from _tensors(graph, name)
    if sparse:
        raise NetworksError(f"{name} holds sparse tensors, which are not read; save its weights as plain tensors")


def _require_whole(tensor: TensorProto, name: str, folder: Path | None, taken: dict[Path, int]) -> None:
    """Reads external data in. Raises NetworksError unless the tensor holds what its shape asks for. taken: bytes read
    of each file with external data until here.
    """
    from onnx import TensorProto, helper
    from onnx.numpy_helper import to_array

    what = f"{name}: tensor {printable(tensor.name)!r}"
    if len(tensor.dims) > MOST_AXES or any(size < 0 for size in tensor.dims):
        raise NetworksError(f"{what} has a negative size or more than {MOST_AXES} axes")
    try:
        kind = TensorProto.DataType.Name(tensor.data_type)
        bits = PACKED_BITS.get(kind, 8 * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
        if tensor.data_location == TensorProto.EXTERNAL:
            wanted = -(-math.prod(tensor.dims) * bits // 8)
            tensor.raw_data = _external(tensor, wanted, what, folder, taken)
            tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
        if kind != "STRING":
            to_array(tensor)
        elif len(tensor.string_data) != math.prod(tensor.dims):
            raise ValueError(f"{len(tensor.string_data)} texts")
    except NetworksError:
        raise
    except Exception as error:  # of NumPy and onnx: many kinds
        raise NetworksError(
            f"{what} of shape {list(tensor.dims)} does not hold what its shape and its type ask for: {printable(error)}"
        ) from None


def _external(tensor: TensorProto, wanted: int, what: str, folder: Path | None, taken: dict[Path, int]) -> bytes:
    if folder is None:
        raise NetworksError(f"{what} lies in another file; save the model as one file")
    entries = {each.key: each.value for each in tensor.external_data}
    location = entries.get("location", "")
    file = _within_folder(folder, location)
    if file is None:
        raise NetworksError(f"{what} lies in {printable(location)!r}, which is not within the folder of the model")
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries.get("length") or wanted)
    except ValueError:
        raise NetworksError(f"{what} names a place in {printable(location)!r} that is no number") from None
    with open_regular(file, NetworksError, "the model's external data") as data:
        size = os.fstat(data.fileno()).st_size
        taken[file] = taken.get(file, 0) + wanted
        if length != wanted or not 0 <= offset <= size - length or taken[file] > size:
            raise NetworksError(
                f"{what} takes {wanted} bytes; {shown(length)} from {shown(offset)} are named, and {name_of(file)} "
                f"holds {size} for all tensors"
            )
        data.seek(offset)
        return data.read(length)


def _within_folder(folder: Path, location: str) -> Path | None:
    """The file of external data; None unless it lies within the folder of the model, without links."""
    try:
        folder = folder.resolve()
        file = folder / location
        inside = location and not os.path.isabs(location) and file.resolve() == file
        return file if inside and file.is_relative_to(folder) and file != folder else None
    except (OSError, ValueError, RuntimeError):  # a name with a NUL, one that is too long, links in a circle
        return None


def _with_one_output(model: ModelProto, name: str) -> ModelProto:
    """With the outputs that are real numbers alone; labels beside them are left out."""
    from onnx import ModelProto, TensorProto

    real = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.UNDEFINED)
    outputs = [
        value
        for value in model.graph.output
        if value.type.HasField("tensor_type") and value.type.tensor_type.elem_type in real
    ]
    if len(outputs) != 1:
        names = printable(", ".join(value.name for value in outputs))
        raise NetworksError(f"{name} gives {len(outputs)} outputs of real numbers, {names}; one is expected")
    single = ModelProto()
    single.CopyFrom(model)
    del single.graph.output[:]
    single.graph.output.extend(outputs)
    return single
