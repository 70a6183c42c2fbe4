"""Hostile files are refused in one sentence, within a second and 500 MB, and nothing in them runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.helper import make_node

from tests.support.limited import Loaded, loaded_in_limits

h5py = pytest.importorskip("h5py")
pytest.importorskip("safetensors")
if sys.platform != "linux":
    pytest.skip("memory is measured by Linux's /proc", allow_module_level=True)

MOST_SECONDS = 1.0
MOST_MEGABYTES = 500.0

MAKERS: dict[str, Callable[[Path], Path]] = {}
"""Each writes a file into a folder."""


def hostile(maker: Callable[[Path], Path]) -> Callable[[Path], Path]:
    MAKERS[maker.__name__] = maker
    return maker


def value(name: str, shape: Sequence[Any] | None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def stored(name: str, array: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


W = stored("w", np.ones((4, 4), np.float32))


def model_of(
    nodes: Sequence[onnx.NodeProto],
    tensors: Sequence[onnx.TensorProto] = (),
    shape: Sequence[Any] = ("n", 4),
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A dense layer of x, and then these nodes, from h to y."""
    graph = helper.make_graph(
        [make_node("Gemm", ["x", "w"], ["h"], "layer"), *nodes],
        "g",
        [value("x", shape)],
        [value("y", [None])],
        [W, *tensors],
    )
    domains = {node.domain for node in nodes} | {""}
    opsets = [helper.make_opsetid(domain, 1 if domain else 17) for domain in sorted(domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))


def written(folder: Path, model: onnx.ModelProto) -> Path:
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


def number(name: str, x: int | Sequence[int]) -> onnx.TensorProto:
    return stored(name, np.array(x, np.int64))


# Sizes in a graph


def oversized(*nodes: onnx.NodeProto, tensors: Sequence[onnx.TensorProto] = ()) -> Callable[[Path], Path]:
    """A value `big` is made of nothing, and summed up."""
    more = [make_node("ReduceSum", ["big"], ["b"], keepdims=0), make_node("Add", ["h", "b"], ["y"])]
    return lambda folder: written(folder, model_of([*nodes, *more], tensors))


FAR = 10**12
ONE_BY_ONE = stored("one", np.ones((1, 1), np.float32))
HIDDEN = [
    make_node("Exp", ["log"], ["exp"]),
    make_node("ReduceSum", ["h"], ["sum"], keepdims=0),
    make_node("Mul", ["sum", "zero"], ["nothing"]),
    make_node("Add", ["exp", "nothing"], ["far"]),
    make_node("Cast", ["far"], ["size"], to=TensorProto.INT64),
]
"""A size that only a run tells, and no constant: exp(log) + 0 x."""
HIDING = [stored("log", np.log(np.float32([FAR]))), stored("zero", np.float32(0))]

MAKERS |= {
    "constant_of_shape": oversized(make_node("ConstantOfShape", ["s"], ["big"]), tensors=[number("s", [FAR])]),
    "constant_of_shape_of_a_billion": oversized(
        make_node("ConstantOfShape", ["s"], ["big"]), tensors=[number("s", [10**9])]
    ),
    "expand": oversized(make_node("Expand", ["one", "s"], ["big"]), tensors=[ONE_BY_ONE, number("s", [10**6, 10**6])]),
    "tile": oversized(make_node("Tile", ["h", "s"], ["big"]), tensors=[number("s", [10**6, 10**6])]),
    "range": oversized(
        make_node("Range", ["from", "to", "step"], ["r"]),
        make_node("Cast", ["r"], ["big"], to=1),
        tensors=[number("from", 0), number("to", FAR), number("step", 1)],
    ),
    "pad": oversized(make_node("Pad", ["h", "s"], ["big"]), tensors=[number("s", [0, 0, 0, FAR])]),
    "resize": oversized(
        make_node("Reshape", ["h", "s"], ["i"]),
        make_node("Resize", ["i", "", "scales"], ["big"]),
        tensors=[number("s", [0, 1, 2, 2]), stored("scales", np.float32([1, 1, 1e6, 1e6]))],
    ),
    "one_hot": oversized(
        make_node("OneHot", ["i", "depth", "v"], ["big"]),
        tensors=[number("i", [0]), number("depth", FAR), stored("v", np.float32([0, 1]))],
    ),
    "eye_like": oversized(
        make_node("ConstantOfShape", ["s"], ["e"]),
        make_node("EyeLike", ["e"], ["big"]),
        tensors=[number("s", [10**6, 10**6])],
    ),
    "random": oversized(make_node("RandomNormal", [], ["big"], shape=[10**6, 10**6])),
    "a_size_that_is_computed": oversized(
        make_node("Mul", ["a", "a"], ["s"]),
        make_node("ConstantOfShape", ["s"], ["big"]),
        tensors=[number("a", [10**6])],
    ),
    "a_size_that_only_the_run_tells": oversized(
        *HIDDEN, make_node("ConstantOfShape", ["size"], ["big"]), tensors=HIDING
    ),
    "a_range_that_only_the_run_tells": oversized(
        *HIDDEN,
        make_node("Squeeze", ["size"], ["to"]),
        make_node("Range", ["from", "to", "step"], ["r"]),
        make_node("Cast", ["r"], ["big"], to=1),
        tensors=[*HIDING, number("from", 0), number("step", 1)],
    ),
    "an_expansion_that_only_the_run_tells": oversized(
        *HIDDEN, make_node("Expand", ["one", "size"], ["big"]), tensors=[*HIDING, ONE_BY_ONE]
    ),
    "a_tile_that_only_the_run_tells": oversized(
        *HIDDEN,
        make_node("Concat", ["k", "size"], ["times"], axis=0),
        make_node("Tile", ["h", "times"], ["big"]),
        tensors=[*HIDING, number("k", [1])],
    ),
    "a_pad_that_only_the_run_tells": oversized(
        *HIDDEN,
        make_node("Concat", ["k", "size"], ["pads"], axis=0),
        make_node("Pad", ["h", "pads"], ["big"]),
        tensors=[*HIDING, number("k", [0, 0, 0])],
    ),
    "sums_of_a_row_and_a_column": oversized(
        make_node("Unsqueeze", ["r", "k"], ["column"]),
        make_node("Add", ["r", "column"], ["big"]),
        tensors=[stored("r", np.ones(30000, np.float32)), number("k", [1])],
    ),
}


@hostile
def constants_that_double(folder: Path) -> Path:
    """Each is the one before, twice; the last are the layer's weights."""
    nodes = [make_node("Concat", [f"c{n}", f"c{n}"], [f"c{n + 1}"], axis=0) for n in range(40)]
    return written(
        folder,
        model_of([*nodes, make_node("MatMul", ["h", "c40"], ["y"])], [stored("c0", np.ones((4, 4), np.float32))]),
    )


@hostile
def constants_of_a_row_and_a_column(folder: Path) -> Path:
    nodes = [make_node("Add", ["r", "c"], ["big"]), make_node("MatMul", ["h", "big"], ["y"])]
    tensors = [stored("r", np.ones((1, 2**15), np.float32)), stored("c", np.ones((2**15, 1), np.float32))]
    return written(folder, model_of(nodes, tensors))


@hostile
def constants_that_are_summed_again_and_again(folder: Path) -> Path:
    """Two to the power of sixty ways to the same stored tensor."""
    nodes = [make_node("Add", [f"c{n}", f"c{n}"], [f"c{n + 1}"]) for n in range(60)]
    tensors = [stored("c0", np.full((4, 4), np.inf, np.float32))]
    return written(folder, model_of([*nodes, make_node("MatMul", ["h", "c60"], ["y"])], tensors))


@hostile
def a_long_chain_of_constants(folder: Path) -> Path:
    nodes = [make_node("Identity", [f"c{n}"], [f"c{n + 1}"]) for n in range(5000)]
    return written(
        folder,
        model_of([*nodes, make_node("MatMul", ["h", "c5000"], ["y"])], [stored("c0", np.ones((4, 4), np.float32))]),
    )


@hostile
def a_constant_that_cannot_be_computed(folder: Path) -> Path:
    nodes = [make_node("Reshape", ["c", "s"], ["r"]), make_node("MatMul", ["h", "r"], ["y"])]
    return written(folder, model_of(nodes, [stored("c", np.ones(7, np.float32)), number("s", [4, 4])]))


@hostile
def an_input_of_absurd_size(folder: Path) -> Path:
    return written(folder, model_of([make_node("Relu", ["h"], ["y"])], shape=[10**6, 10**9]))


@hostile
def a_batch_of_absurd_size(folder: Path) -> Path:
    return written(folder, model_of([make_node("Relu", ["h"], ["y"])], shape=[10**10, 4]))


# Structure


@hostile
def a_circle_of_nodes(folder: Path) -> Path:
    nodes = [make_node("Add", ["h", "b"], ["a"]), make_node("Relu", ["a"], ["b"]), make_node("Relu", ["b"], ["y"])]
    return written(folder, model_of(nodes))


@hostile
def a_circle_of_constants(folder: Path) -> Path:
    nodes = [
        make_node("Identity", ["b"], ["a"]),
        make_node("Identity", ["a"], ["b"]),
        make_node("MatMul", ["h", "b"], ["y"]),
    ]
    return written(folder, model_of(nodes))


@hostile
def graphs_within_graphs(folder: Path) -> Path:
    inner = helper.make_graph([make_node("Relu", ["h"], ["d"])], "g", [], [value("d", [None, 4])])
    for _ in range(2000):
        node = helper.NodeProto(op_type="If", input=["yes"], output=["d"], name="if")
        content = inner.SerializeToString()
        attribute = b"\x0a\x0bthen_branch" + b"\x32" + varint(len(content)) + content + b"\xa0\x01\x05"
        graph = node.SerializeToString() + b"\x2a" + varint(len(attribute)) + attribute
        inner = Raw(b"\x0a" + varint(len(graph)) + graph)
    content = inner.SerializeToString()
    (folder / "m.onnx").write_bytes(b"\x08\x08\x3a" + varint(len(content)) + content)
    return folder / "m.onnx"


class Raw:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def SerializeToString(self) -> bytes:
        return self.content


def varint(n: int) -> bytes:
    found = b""
    while n > 127:
        found, n = found + bytes([n & 127 | 128]), n >> 7
    return found + bytes([n])


def function(name: str, *calls: str) -> onnx.FunctionProto:
    nodes = [make_node(call, ["a"], [f"v{n}"], domain="own") for n, call in enumerate(calls)]
    nodes.append(make_node("Identity", ["v0" if calls else "a"], ["c"]))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["c"], nodes, opsets)


@hostile
def functions_that_multiply(folder: Path) -> Path:
    """Each calls the next twice: a billion nodes once they are written out."""
    functions = [function(f"f{n}", f"f{n + 1}", f"f{n + 1}") for n in range(30)] + [function("f30")]
    return written(folder, model_of([make_node("f0", ["h"], ["y"], domain="own")], functions=functions))


@hostile
def functions_in_a_circle(folder: Path) -> Path:
    functions = [function("f", "g"), function("g", "f")]
    return written(folder, model_of([make_node("f", ["h"], ["y"], domain="own")], functions=functions))


@hostile
def a_function_that_calls_itself(folder: Path) -> Path:
    return written(folder, model_of([make_node("f", ["h"], ["y"], domain="own")], functions=[function("f", "f")]))


@hostile
def a_hundred_thousand_nodes(folder: Path) -> Path:
    nodes = [
        make_node("Relu", ["h" if n == 0 else f"r{n}"], [f"r{n + 1}" if n < 99_999 else "y"]) for n in range(100_000)
    ]
    return written(folder, model_of(nodes))


@hostile
def an_operator_that_does_not_exist(folder: Path) -> Path:
    return written(folder, model_of([make_node("\x1b[31mNoSuch", ["h"], ["y"], "name\x1b]0;\u202ename\n")]))


@hostile
def a_padding_that_is_no_text(folder: Path) -> Path:
    node = make_node("Conv", ["x", "k"], ["y"], auto_pad=b"\xff\xfe")
    graph = helper.make_graph(
        [node], "g", [value("x", ["n", 1, 4])], [value("y", [None] * 3)], [stored("k", np.ones((1, 1, 2), np.float32))]
    )
    return written(folder, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


@hostile
def an_axis_whose_name_is_no_text(folder: Path) -> Path:
    model = model_of([make_node("Relu", ["h"], ["y"])], shape=["batch", 4])
    (folder / "m.onnx").write_bytes(model.SerializeToString().replace(b"batch", b"b\xeetch"))
    return folder / "m.onnx"


@hostile
def weights_of_no_elements(folder: Path) -> Path:
    return written(
        folder, model_of([make_node("MatMul", ["h", "e"], ["y"])], [stored("e", np.ones((4, 0), np.float32))])
    )


# Tensors


def tensor_in_graph(tensor: onnx.TensorProto) -> onnx.ModelProto:
    return model_of([make_node("MatMul", ["h", "t"], ["y"])], [tensor])


def plain(**fields: Any) -> onnx.TensorProto:
    return TensorProto(name="t", data_type=TensorProto.FLOAT, **fields)


MAKERS |= {
    f"a_tensor_that_{name}": (lambda folder, tensor=tensor: written(folder, tensor_in_graph(tensor)))
    for name, tensor in {
        "promises_terabytes": plain(dims=[10**6, 10**6], raw_data=b"\0" * 64),
        "promises_terabytes_in_a_list": plain(dims=[10**6, 10**6], float_data=[1.0]),
        "holds_half": plain(dims=[4, 4], float_data=[1.0] * 8),
        "holds_twice": plain(dims=[4, 4], float_data=[1.0] * 32),
        "holds_nothing": plain(dims=[4, 4]),
        "has_a_negative_size": plain(dims=[-4, -4], raw_data=b"\0" * 64),
        "has_a_hundred_thousand_axes": plain(dims=[2**62] * 100_000, raw_data=b"\0" * 64),
        "has_sizes_that_overflow": plain(dims=[2**32, 2**32, 4], raw_data=b"\0" * 64),
        "is_of_no_type": TensorProto(name="t", data_type=99, dims=[4, 4], raw_data=b"\0" * 64),
        "is_text": TensorProto(name="t", data_type=TensorProto.STRING, dims=[10**12], string_data=[b"a"]),
        "is_one_long_text": TensorProto(
            name="t", data_type=TensorProto.STRING, dims=[100_000], string_data=[b"a" * 10**6] + [b""] * 99_999
        ),
        "is_a_segment": plain(dims=[4, 4], raw_data=b"\0" * 64, segment=TensorProto.Segment(begin=0, end=10**12)),
        "is_packed_in_four_bits": TensorProto(name="t", data_type=TensorProto.INT4, dims=[10**12], raw_data=b"\0"),
    }.items()
}


@hostile
def sparse_weights(folder: Path) -> Path:
    model = model_of([make_node("MatMul", ["h", "t"], ["y"])])
    sparse = helper.make_sparse_tensor(stored("t", np.ones(1, np.float32)), number("", [0]), [10**6, 10**6])
    model.graph.sparse_initializer.append(sparse)
    return written(folder, model)


@hostile
def a_sparse_constant(folder: Path) -> Path:
    sparse = helper.make_sparse_tensor(stored("t", np.ones(1, np.float32)), number("", [0]), [10**6, 10**6])
    return written(
        folder,
        model_of([make_node("Constant", [], ["t"], sparse_value=sparse), make_node("MatMul", ["h", "t"], ["y"])]),
    )


# External data


def external(place: Mapping[str, Any], dims: Sequence[int] = (4, 4)) -> onnx.TensorProto:
    tensor = plain(dims=dims, data_location=TensorProto.EXTERNAL)
    for key, each in place.items():
        tensor.external_data.add(key=key, value=str(each))
    return tensor


def beside(place: Mapping[str, Any], dims: Sequence[int] = (4, 4)) -> Callable[[Path], Path]:
    """A model in a folder of its own; `secret` lies outside, `data` inside, with links from within to without."""

    def make(folder: Path) -> Path:
        inside = folder / "inside"
        inside.mkdir()
        for file in (folder / "secret", inside / "data"):
            file.write_bytes(np.full(64, 7, np.float32).tobytes())
        (inside / "link").symlink_to(folder / "secret")
        (inside / "link to data").symlink_to(inside / "data")
        (inside / "folder").symlink_to(folder)
        (inside / "circle").symlink_to(inside / "circle")
        os.mkfifo(inside / "pipe")
        named = {key: str(each).replace("FOLDER", str(folder)) for key, each in place.items()}
        return written(inside, tensor_in_graph(external(named, dims)))

    return make


MAKERS |= {
    f"external_data_{name}": beside(place)
    for name, place in {
        "above": {"location": "../secret"},
        "above_and_back": {"location": "../inside/../secret"},
        "absolute": {"location": "FOLDER/secret"},
        "through_a_link": {"location": "link"},
        "through_a_link_within": {"location": "link to data"},
        "through_a_folder": {"location": "folder/secret"},
        "through_a_circle": {"location": "circle"},
        "of_the_system": {"location": "/etc/passwd"},
        "of_a_process": {"location": "/proc/self/environ"},
        "of_a_device": {"location": "/dev/zero"},
        "of_a_pipe": {"location": "pipe"},
        "of_the_folder": {"location": "."},
        "of_memory": {"location": "*/_ORT_MEM_ADDR_/*", "offset": 4096, "length": 64},
        "of_windows": {"location": "..\\secret"},
        "by_a_name_with_a_nul": {"location": "da\0ta"},
        "by_a_name_that_is_too_long": {"location": "a" * 5000},
        "by_no_name": {"offset": 0},
        "that_is_missing": {"location": "none"},
        "before_the_start": {"location": "data", "offset": -64},
        "beyond_the_end": {"location": "data", "offset": 10**18},
        "of_a_negative_length": {"location": "data", "length": -1},
        "of_another_length": {"location": "data", "length": 4},
        "at_no_number": {"location": "data", "offset": "first"},
        "at_a_number_of_many_digits": {"location": "data", "offset": "9" * 10_000},
    }.items()
} | {"external_data_of_terabytes": beside({"location": "data"}, [10**6, 10**6])}


@hostile
def external_data_that_many_tensors_share(folder: Path) -> Path:
    (folder / "data").write_bytes(bytes(2**23))
    tensors = [external({"location": "data"}, [2**21]) for _ in range(500)]
    for n, tensor in enumerate(tensors):
        tensor.name = f"t{n}"
    return written(folder, model_of([make_node("Concat", [f"t{n}" for n in range(500)], ["y"], axis=0)], tensors))


@hostile
def external_data_of_a_function(folder: Path) -> Path:
    (folder / "secret").write_bytes(bytes(64))
    constant = make_node("Constant", [], ["t"], value=external({"location": "../secret"}))
    inside = helper.make_function(
        "own", "f", ["a"], ["c"], [constant, make_node("MatMul", ["a", "t"], ["c"])], [helper.make_opsetid("", 17)]
    )
    return written(folder, model_of([make_node("f", ["h"], ["y"], domain="own")], functions=[inside]))


@hostile
def external_data_of_a_graph_within(folder: Path) -> Path:
    branches = {
        name: helper.make_graph(
            [make_node("Identity", [name], ["o" + name])],
            name,
            [],
            [value("o" + name, [4, 4])],
            [external({"location": "/etc/passwd"})],
        )
        for name in ("a", "b")
    }
    for name, graph in branches.items():
        graph.initializer[0].name = name
    node = make_node("If", ["yes"], ["y"], then_branch=branches["a"], else_branch=branches["b"])
    return written(folder, model_of([node], [stored("yes", True)]))


@hostile
def external_data_of_a_node(folder: Path) -> Path:
    node = make_node("ConstantOfShape", ["s"], ["y"], value=external({"location": "/etc/passwd"}))
    return written(folder, model_of([node], [number("s", [4])]))


# PyTorch


def torch_file(folder: Path, pickled: bytes, data: bytes = bytes(64), **options: Any) -> Path:
    with zipfile.ZipFile(folder / "m.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickled, **options)
        archive.writestr("archive/data/0", data)
    return folder / "m.pt"


def state(size: Sequence[int], stride: Sequence[int], elements: int = 16, offset: int = 0, names: int = 1) -> bytes:
    """The pickle of tensors of this size and stride."""

    def whole(n: int) -> bytes:
        content = n.to_bytes(9, "little", signed=True)
        return b"\x8a" + bytes([len(content)]) + content

    def sizes(numbers: Sequence[int]) -> bytes:
        return b"(" + b"".join(map(whole, numbers)) + b"t"

    found = b"\x80\x02}"
    for n in range(names):
        name = f"{n}.weight".encode()
        found += b"X" + struct.pack("<I", len(name)) + name + b"ctorch._utils\n_rebuild_tensor_v2\n("
        found += b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu" + whole(elements) + b"tQ"
        found += whole(offset) + sizes(size) + sizes(stride) + b"\x89ccollections\nOrderedDict\n)RtRs"
    return found + b"."


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.folder / 'executed'}",)


MAKERS |= {
    f"a_torch_file_{name}": (lambda folder, pickled=pickled: torch_file(folder, pickled))
    for name, pickled in {
        "of_400_gigabytes_by_strides": state([10**5, 10**6], [0, 0]),
        "beyond_its_end": state([4, 4], [4, 1], offset=1),
        "with_long_strides": state([4, 4], [2**40, 1]),
        "with_negative_strides": state([4, 4], [-4, 1], offset=12),
        "with_a_negative_size": state([-4, -4], [4, 1]),
        "with_a_negative_offset": state([4, 4], [4, 1], offset=-4),
        "with_more_elements_than_bytes": state([4, 4], [4, 1], elements=10**12),
        "with_too_many_axes": state([1] * 20_000, [1] * 20_000),
        "with_too_few_strides": state([4, 4], [1]),
        "with_a_far_memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
        "with_a_long_text": b"\x80\x04\x8d" + (2**40).to_bytes(8, "little") + b"a.",
        "with_a_long_number": b"\x80\x02\x8b" + (2**31 - 1).to_bytes(4, "little") + b"a.",
        "with_keys_in_keys": b"\x80\x02}" + b")" + b"2\x86" * 60 + b"Ns.",
        "with_a_changed_class": b"\x80\x02ccollections\nOrderedDict\nN}X\x05\0\0\0itemsNs\x86b.",
        "with_nothing_on_its_stack": b"\x80\x02tR.",
        "with_marks_alone": b"\x80\x02" + b"(" * 100_000 + b".",
        "that_does_not_end": b"\x80\x02}",
        "that_is_no_pickle": b"\xff" * 100,
        "that_is_empty": b"",
        "of_a_module_by_name": b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.",
        "of_builtins": b"\x80\x02cbuiltins\neval\nX\x01\0\0\x001\x85R.",
        "of_an_instance": b"(X\x01\0\0\x001ios\nsystem\n.",
        "by_a_name_with_an_escape": b"\x80\x02cos\x1b[31m\nsystem\n)R.",
    }.items()
}


@hostile
def a_torch_file_that_runs(folder: Path) -> Path:
    return torch_file(folder, pickle.dumps({"0.weight": Bomb(folder)}, protocol=2))


@hostile
def a_torch_file_of_new_pickles_that_runs(folder: Path) -> Path:
    return torch_file(folder, pickle.dumps({"0.weight": Bomb(folder)}, protocol=5))


@hostile
def a_torch_file_whose_pickle_is_packed(folder: Path) -> Path:
    pickled = b"\x80\x02" + b"}" * 2**19 + b"."
    return torch_file(folder, pickled, compress_type=zipfile.ZIP_DEFLATED)


@hostile
def a_torch_file_whose_pickle_is_long(folder: Path) -> Path:
    return torch_file(folder, b"\x80\x02" + b"}" * 2**25 + b".")


@hostile
def a_torch_file_of_many_names_for_the_same_numbers(folder: Path) -> Path:
    return torch_file(folder, state([2**10, 2**10], [2**10, 1], elements=2**20, names=5000), bytes(2**22))


@hostile
def a_torch_file_that_is_shorter_than_it_says(folder: Path) -> Path:
    """Its directory says how long the numbers are, and that they take less room than that."""
    path = torch_file(folder, state([1000, 1000], [1000, 1], elements=10**6), bytes(64))
    content = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.rindex(signature)
        content[place + at : place + at + 4] = struct.pack("<I", 4 * 10**6)
    path.write_bytes(bytes(content))
    return path


# NumPy and safetensors


def header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode("latin1")


def npz(folder: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(folder / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return folder / "m.npz"


MAKERS |= {
    f"arrays_{name}": (lambda folder, content=content: npz(folder, W1=content))
    for name, content in {
        "that_promise_terabytes": header("(1000000, 1000000)") + bytes(64),
        "of_no_width": header("(1000000, 1000000)", "'<U0'"),
        "of_objects": header("(1,)", "'|O'") + pickle.dumps([1]),
        "of_a_negative_size": header("(-4, -4)") + bytes(64),
        "of_a_deep_header": header("(" * 200 + ")" * 200) + bytes(64),
        "of_complex_numbers": header("(2, 2)", "'<c8'") + bytes(32),
        "of_text": header("(2, 2)", "'<U1'") + bytes(16),
        "of_no_magic": bytes(100),
        "of_nan": header("(2, 2)") + b"\xff" * 16,
    }.items()
}


@hostile
def arrays_that_unpack_to_a_quarter_gigabyte(folder: Path) -> Path:
    return npz(folder, W1=header("(8192, 8192)") + bytes(2**28))


@hostile
def many_arrays_that_unpack_to_a_third_of_a_gigabyte(folder: Path) -> Path:
    return npz(folder, **{f"W{n}": header("(2048, 2048)") + bytes(2**24) for n in range(1, 20)})


@hostile
def arrays_of_objects_that_run(folder: Path) -> Path:
    with open(folder / "m.npz", "wb") as file:
        np.savez(file, W1=np.array([Bomb(folder)], dtype=object))
    return folder / "m.npz"


def safetensors(folder: Path, text: str | bytes, data: bytes = bytes(64), length: int | None = None) -> Path:
    content = text if isinstance(text, bytes) else text.encode()
    path = folder / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(content) if length is None else length) + content + data)
    return path


def entry(shape: Sequence[int], end: int = 64, dtype: str = "F32", begin: int = 0) -> str:
    return json.dumps({"0.weight": {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}})


MAKERS |= {
    f"safetensors_{name}": (lambda folder, text=text: safetensors(folder, text))
    for name, text in {
        "that_promise_terabytes": entry([10**6, 10**6], 4 * 10**12),
        "that_overflow": entry([2**62, 4]),
        "of_another_size": entry([4, 5]),
        "that_go_backwards": entry([4, 4], 0, begin=64),
        "of_a_negative_size": entry([-4, -4]),
        "of_half_numbers_of_brains": entry([4, 8], dtype="BF16"),
        "of_eight_bits": entry([8, 8], dtype="F8_E4M3"),
        "of_whole_numbers_of_one_axis": entry([16], dtype="I32"),
        "of_no_known_type": entry([4, 4], dtype="\x1b[31m"),
        "of_a_deep_header": "[" * 100_000,
        "of_no_text": b"\xff\xfe" * 100,
        "of_names_with_escapes": json.dumps(
            {"a\x1b[31m\n": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]}}
        ),
        "of_nothing": "{}",
    }.items()
}


@hostile
def safetensors_with_a_header_of_terabytes(folder: Path) -> Path:
    return safetensors(folder, entry([4, 4]), length=2**42)


@hostile
def safetensors_with_a_header_that_overflows(folder: Path) -> Path:
    return safetensors(folder, entry([4, 4]), length=2**64 - 1)


# Keras


DENSE = {
    "class_name": "Dense",
    "module": "keras.layers",
    "config": {"name": "dense", "use_bias": False, "activation": "linear", "units": 4},
}
INPUT = {"class_name": "InputLayer", "module": "keras.layers", "config": {"name": "input", "batch_shape": [None, 4]}}
SEQUENTIAL = {"class_name": "Sequential", "config": {"name": "m", "layers": [INPUT, DENSE]}}


def weights(fill: Callable[[Any, Path], None] | None = None, folder: Path = Path()) -> bytes:
    """What a `.keras` keeps of its weights. fill: puts them into layers/dense/vars."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("layers/dense/vars")
        if fill is None:
            group["0"] = np.ones((4, 4), np.float32)
        else:
            fill(group, folder)
    return buffer.getvalue()


def keras(folder: Path, config: Any = SEQUENTIAL, content: bytes | None = None, packed: bool = False) -> Path:
    with zipfile.ZipFile(folder / "m.keras", "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        archive.writestr("config.json", config if isinstance(config, str | bytes) else json.dumps(config))
        archive.writestr("model.weights.h5", weights() if content is None else content)
    return folder / "m.keras"


def h5(folder: Path, fill: Callable[[Any, Path], None], config: Any = SEQUENTIAL) -> Path:
    with h5py.File(folder / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights/dense")
        group.attrs["weight_names"] = ["0"]
        fill(group, folder)
    return folder / "m.h5"


def elsewhere(folder: Path) -> Path:
    path = folder / "elsewhere.h5"
    with h5py.File(path, "w") as file:
        file["0"] = np.ones((4, 4), np.float32)
    return path


def external_link(group: Any, folder: Path) -> None:
    group["0"] = h5py.ExternalLink(str(elsewhere(folder)), "/0")


def soft_link(group: Any, folder: Path) -> None:
    group.file["other"] = np.ones((4, 4), np.float32)
    group["0"] = h5py.SoftLink("/other")


def link_in_a_circle(group: Any, folder: Path) -> None:
    group["0"] = h5py.SoftLink(f"{group.name}/0")


def virtual(group: Any, folder: Path) -> None:
    layout = h5py.VirtualLayout((4, 4), "<f4")
    layout[:] = h5py.VirtualSource(str(elsewhere(folder)), "0", (4, 4))
    group.create_virtual_dataset("0", layout)


def external_storage(group: Any, folder: Path) -> None:
    (folder / "raw").write_bytes(bytes(64))
    group.create_dataset("0", (4, 4), "<f4", external=[(str(folder / "raw"), 0, 64)])


def of_nothing(group: Any, folder: Path) -> None:
    group.create_dataset("0", (10**6, 10**6), "<f4", chunks=(1024, 1024), fillvalue=1.0)


def unallocated(group: Any, folder: Path) -> None:
    group.create_dataset("0", (10**6, 10**6), "<f4")


def packed(group: Any, folder: Path) -> None:
    group.create_dataset(
        "0", (2**14, 2**14), "<f4", chunks=(2**12, 2**12), compression="gzip", data=np.zeros((2**14, 2**14), "<f4")
    )


def of_objects(group: Any, folder: Path) -> None:
    group.create_dataset("0", (4, 4), h5py.vlen_dtype(np.float32))


def of_records(group: Any, folder: Path) -> None:
    group["0"] = np.zeros((4, 4), [("a", "<f4")])


def of_complex_numbers(group: Any, folder: Path) -> None:
    group["0"] = np.zeros((4, 4), np.complex64)


def a_folder(group: Any, folder: Path) -> None:
    group.create_group("0")


def a_type(group: Any, folder: Path) -> None:
    group["0"] = np.dtype("<f4")


def of_no_number(group: Any, folder: Path) -> None:
    group["first"] = np.ones((4, 4), np.float32)


FILLS = (
    external_link,
    soft_link,
    link_in_a_circle,
    virtual,
    external_storage,
    of_nothing,
    unallocated,
    packed,
    of_objects,
    of_records,
    of_complex_numbers,
    a_folder,
    a_type,
    of_no_number,
)
MAKERS |= {
    f"weights_of_keras_{fill.__name__}": (lambda folder, fill=fill: keras(folder, content=weights(fill, folder)))
    for fill in FILLS
} | {f"weights_of_h5_{fill.__name__}": (lambda folder, fill=fill: h5(folder, fill)) for fill in FILLS}


def groups_in_a_circle(group: Any, folder: Path) -> None:
    group.parent["again"] = group.parent.parent


def groups_that_double(group: Any, folder: Path) -> None:
    for _ in range(40):
        inner = group.parent.create_group("a")
        group.parent["b"] = inner
        group = inner.create_group("vars")


MAKERS |= {
    f"weights_of_keras_{fill.__name__}": (lambda folder, fill=fill: keras(folder, content=weights(fill, folder)))
    for fill in (groups_in_a_circle, groups_that_double)
}


def dense(**changes: Any) -> dict[str, Any]:
    return {
        **SEQUENTIAL,
        "config": {"name": "m", "layers": [INPUT, {**DENSE, "config": {**DENSE["config"], **changes}}]},
    }


def layers(*found: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(found)}}


def named(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "module": "keras.layers", "config": {"name": "more", **config}}


DEEP: Any = SEQUENTIAL
for _ in range(300):
    DEEP = {"class_name": "Sequential", "config": {"name": "m", "layers": [DEEP]}}

MAKERS |= {
    f"a_configuration_{name}": (lambda folder, config=config: keras(folder, config))
    for name, config in {
        "of_deep_json": "[" * 100_000,
        "of_deep_models": DEEP,
        "of_a_long_number": '{"class_name": ' + "9" * 10_000 + "}",
        "of_no_json": b"\xff\xfe\x00",
        "of_a_list": [],
        "of_nothing": {},
        "of_null": "null",
        "whose_name_is_a_list": dense(name=[1]),
        "whose_name_has_escapes": dense(name="a\x1b[31m\n\u202e"),
        "whose_activation_has_escapes": dense(activation="a\x1b[31m\n\u202e"),
        "whose_activation_is_a_lambda": dense(activation={"class_name": "__lambda__", "config": {"value": "4wAAAA"}}),
        "of_a_lambda": layers(INPUT, DENSE, named("Lambda", function={"class_name": "__lambda__", "config": {}})),
        "of_huge_padding": layers(
            INPUT,
            DENSE,
            named("Reshape", target_shape=[4, 1]),
            {**named("ZeroPadding1D", padding=[10**12, 0]), "config": {"name": "p", "padding": [10**12, 0]}},
        ),
        "of_a_huge_shape": layers(INPUT, DENSE, named("Reshape", target_shape=[10**12, -1])),
        "of_a_number_beyond_64_bits": layers(INPUT, DENSE, named("Reshape", target_shape=[10**30])),
        "of_a_float_beyond_its_range": layers(INPUT, DENSE, named("ELU", alpha=10**400)),
        "of_a_huge_input": layers({**INPUT, "config": {"name": "input", "batch_shape": [None, 10**12]}}, DENSE),
        "of_a_hundred_thousand_axes": layers(
            {**INPUT, "config": {"name": "input", "batch_shape": [None] + [2] * 100_000}}, DENSE
        ),
    }.items()
}


@hostile
def a_configuration_of_layers_in_reverse_order(folder: Path) -> Path:
    """Five thousand, each of which waits for the one after it; then one that is not read."""

    def call(name: str) -> list[Any]:
        return [[[name, 0, 0, {}]]]

    found = [
        {
            **named("Activation", activation="relu"),
            "name": f"l{n}",
            "inbound_nodes": call(f"l{n - 1}" if n else "dense"),
        }
        for n in range(5000)
    ]
    for layer in found:
        layer["config"] = {"name": layer["name"], "activation": "relu"}
    found.append({**named("NoSuch"), "name": "last", "inbound_nodes": call("l4999")})
    found.reverse()
    first = [
        {**DENSE, "name": "dense", "inbound_nodes": call("input")},
        {**INPUT, "name": "input", "inbound_nodes": []},
    ]
    config = {
        "name": "m",
        "layers": [*found, *first],
        "input_layers": [["input", 0, 0]],
        "output_layers": [["last", 0, 0]],
    }
    return keras(folder, {"class_name": "Functional", "config": config})


@hostile
def a_configuration_that_unpacks_to_a_quarter_gigabyte(folder: Path) -> Path:
    return keras(folder, b"[" + b" " * 2**28 + b"]", packed=True)


@hostile
def a_configuration_of_many_lists(folder: Path) -> Path:
    return keras(folder, b"[" + b"{}," * 2**23 + b"1]", packed=True)


@hostile
def weights_of_keras_that_unpack_to_a_quarter_gigabyte(folder: Path) -> Path:
    return keras(folder, content=bytes(2**28), packed=True)


@hostile
def weights_of_keras_packed_by_lzma(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "m.keras", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("config.json", json.dumps(SEQUENTIAL))
        archive.writestr("model.weights.h5", weights())
    return folder / "m.keras"


@hostile
def weights_of_keras_that_are_no_h5(folder: Path) -> Path:
    return keras(folder, content=b"\x89HDF\r\n\x1a\n" + bytes(1000))


@hostile
def a_directory_that_says_more_than_there_is(folder: Path) -> Path:
    path = keras(folder)
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 2**31)
    path.write_bytes(bytes(content))
    return path


@hostile
def one_array_at_many_places_of_an_h5(folder: Path) -> Path:
    def fill(group: Any, folder: Path) -> None:
        data = group.create_dataset("0", data=np.ones((2**10, 2**10), np.float32))
        for n in range(1, 2000):
            group[str(n)] = data
        group.attrs["weight_names"] = [str(n) for n in range(2000)]

    return h5(folder, fill)


def with_heap(folder: Path, heap: bytes) -> Path:
    """An `.h5` whose heap of texts begins so."""
    path = h5(folder, lambda group, folder: None)
    content = bytearray(path.read_bytes())
    place = content.index(b"GCOL") + 16
    content[place : place + len(heap)] = heap
    path.write_bytes(bytes(content))
    return path


@hostile
def texts_of_an_h5_that_do_not_end(folder: Path) -> Path:
    """HDF5 itself reads free room of no size for ever."""
    return with_heap(folder, bytes(16))


@hostile
def texts_of_an_h5_that_overlap(folder: Path) -> Path:
    """Each of a hundred thousand heaps reaches to the end."""
    path = with_heap(folder, struct.pack("<HHIQ", 0, 0, 0, 16))
    with path.open("ab") as file:
        file.write((b"GCOL\x01\0\0\0" + struct.pack("<Q", 2**40)) * 100_000)
    return path


# Files that are none


@hostile
def an_empty_file(folder: Path) -> Path:
    (folder / "m.onnx").write_bytes(b"")
    return folder / "m.onnx"


@hostile
def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "m.onnx")
    return folder / "m.onnx"


@hostile
def a_device(folder: Path) -> Path:
    (folder / "m.onnx").symlink_to("/dev/zero")
    return folder / "m.onnx"


@hostile
def a_file_of_zeros(folder: Path) -> Path:
    (folder / "m.onnx").write_bytes(bytes(10**6))
    return folder / "m.onnx"


@hostile
def a_name_with_escapes(folder: Path) -> Path:
    (folder / "m\x1b[31m\u202e.onnx").write_bytes(b"none")
    return folder / "m\x1b[31m\u202e.onnx"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Path, Loaded]]]:
    """What became of each file; after one that breaks the process the rest goes on in a new one."""
    files: dict[str, Path] = {}
    for name, maker in MAKERS.items():
        folder = tmp_path_factory.mktemp("hostile")
        files[name] = maker(folder)
    found: list[Loaded] = []
    while len(found) < len(files):
        found += loaded_in_limits(list(files.values())[len(found) :])
    yield {name: (path, result) for (name, path), result in zip(files.items(), found, strict=True)}


@pytest.mark.parametrize("name", MAKERS)
def test_it_is_refused_in_a_sentence_within_a_second_and_500_megabytes(
    name: str, results: dict[str, tuple[Path, Loaded]]
) -> None:
    path, result = results[name]
    assert result.kind == "FewlevelsError", result.said
    assert result.said.isprintable() and len(result.said) < 1500
    assert result.seconds < MOST_SECONDS and result.megabytes < MOST_MEGABYTES
    assert not list(path.parent.rglob("executed"))
