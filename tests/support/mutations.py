"""Small valid files of every kind of network, and damaged copies of them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
from onnx.helper import make_attribute, make_node
from onnx.numpy_helper import from_array
from safetensors.numpy import save

from tests.support.onnx_models import model_of

EXTREMES = (
    0,
    1,
    -1,
    127,
    128,
    255,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63 - 1,
    -(2**31),
    -(2**63),
)

RNG = np.random.default_rng(0)


def _normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def _onnx() -> bytes:
    nodes = [
        make_node("Conv", ["x", "conv.weight"], ["a"], pads=[1, 0, 0, 1], auto_pad="NOTSET"),
        make_node("BatchNormalization", ["a", "g", "s", "m", "v"], ["b"]),
        make_node("Relu", ["b"], ["c"]),
        make_node("Reshape", ["c", "flat"], ["d"]),
        make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        make_node("MatMul", ["d", "t"], ["e"]),
        make_node("Add", ["e", "g"], ["f"]),
        make_node("Constant", [], ["h"], value_floats=[1.0, 2.0]),
        make_node("Mul", ["f", "h"], ["i"]),
        make_node("Softmax", ["i"], ["y"], axis=-1),
    ]
    stored = {name: _normal(2) for name in "gsm"} | {"v": _normal(2) ** 2, "flat": np.array([0, -1])}
    return model_of(
        nodes, {**stored, "conv.weight": _normal(2, 1, 2, 2), "w": _normal(2, 18)}, ["n", 1, 3, 3]
    ).SerializeToString()


LAYERS: list[dict[str, Any]] = [
    {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, 4, 4, 1]}},
    {
        "class_name": "Conv2D",
        "config": {
            "name": "conv",
            "use_bias": True,
            "strides": [1, 1],
            "dilation_rate": [1, 1],
            "padding": "same",
            "activation": "relu",
            "groups": 1,
        },
    },
    {
        "class_name": "MaxPooling2D",
        "config": {"name": "pool", "pool_size": [2, 2], "strides": None, "padding": "valid"},
    },
    {
        "class_name": "BatchNormalization",
        "config": {"name": "norm", "axis": -1, "epsilon": 0.001, "scale": True, "center": True},
    },
    {"class_name": "Flatten", "config": {"name": "flatten"}},
    {"class_name": "Dense", "config": {"name": "dense", "use_bias": True, "activation": "softmax"}},
]

ARRAYS = {"conv": [(3, 3, 1, 2), (2,)], "norm": [(2,), (2,), (2,), (2,)], "dense": [(8, 3), (3,)]}


def _functional() -> dict[str, Any]:
    layers, before = [], None
    for layer in LAYERS:
        name = layer["config"]["name"]
        layers.append({**layer, "name": name, "inbound_nodes": [[[before, 0, 0, {}]]] if before else []})
        before = name
    ends = {"input_layers": [["input", 0, 0]], "output_layers": [["dense", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "model", "layers": layers, **ends}}


def _keras() -> dict[str, bytes]:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, shapes in ARRAYS.items():
            group = file.create_group(f"layers/{name}/vars")
            group.attrs["name"] = name
            for number, shape in enumerate(shapes):
                group[str(number)] = np.abs(_normal(*shape))
    return {"config.json": json.dumps(_functional()).encode(), "model.weights.h5": buffer.getvalue()}


def _h5() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": LAYERS}})
        for name, shapes in ARRAYS.items():
            group = file.create_group(f"model_weights/{name}")
            group.attrs["weight_names"] = [f"{name}/{number}" for number in range(len(shapes))]
            for number, shape in enumerate(shapes):
                group.create_dataset(
                    f"{name}/{number}", data=np.abs(_normal(*shape)), compression="gzip" if number else None
                )
    return buffer.getvalue()


def _npz() -> dict[str, bytes]:
    found = {}
    for name, array in {"W1": _normal(4, 3), "b1": _normal(3), "W2": _normal(3, 2)}.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array)
        found[f"{name}.npy"] = buffer.getvalue()
    return found


def _torch() -> dict[str, bytes]:
    """What torch.save writes of {"0.weight": (3, 4), "2.weight": (2, 3)}."""
    pickled = b"\x80\x02}q\x00("
    for number, (key, shape) in enumerate({"0.weight": (3, 4), "2.weight": (2, 3)}.items()):
        elements = shape[0] * shape[1]
        pickled += b"X" + struct.pack("<I", len(key)) + key.encode() + b"q\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02("
        pickled += b"(X\x07\x00\x00\x00storageq\x03ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x00" + str(number).encode()
        pickled += b"q\x05X\x03\x00\x00\x00cpuq\x06K" + bytes([elements]) + b"tq\x07QK\x00K" + bytes([shape[0]])
        pickled += b"K" + bytes([shape[1]]) + b"\x86q\x08K" + bytes([shape[1]]) + b"K\x01\x86q\x09\x89ccollections\n"
        pickled += b"OrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0d"
    data = {f"archive/data/{number}": _normal(size).tobytes() for number, size in enumerate((12, 6))}
    return {"archive/data.pkl": pickled + b"u.", **data}


def valid_files() -> dict[str, bytes | dict[str, bytes]]:
    """By the ending of its name: its bytes, or those of its members where it is a zip."""
    return {
        ".onnx": _onnx(),
        ".keras": _keras(),
        ".h5": _h5(),
        ".npz": _npz(),
        ".safetensors": save({"0.weight": _normal(3, 4), "0.bias": _normal(3), "2.weight": _normal(2, 3)}),
        ".pt": _torch(),
    }


def zipped(members: dict[str, bytes], packed: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def mutated_files(folder: Path, count: int, seed: int) -> Iterator[Path]:
    """Writes so many damaged files, of each kind in turn. Of a zip either a member is damaged, or the zip itself."""
    rng = np.random.default_rng(seed)
    valid = valid_files()
    for number in range(count):
        ending = list(valid)[number % len(valid)]
        whole = valid[ending]
        if ending == ".onnx" and rng.random() < 0.7:
            content = changed_model(whole, rng)
        elif ending == ".keras" and rng.random() < 0.4:
            content = zipped({**whole, "config.json": changed_configuration(whole["config.json"], rng)})
        elif isinstance(whole, bytes):
            content = mutated(whole, rng)
        elif rng.random() < 0.3:
            content = mutated(zipped(whole), rng)
        else:
            name = str(rng.choice(list(whole)))
            content = zipped({**whole, name: mutated(whole[name], rng)}, packed=bool(rng.random() < 0.2))
        path = folder / f"{number}{ending}"
        path.write_bytes(content)
        yield path


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Some damages: bits, bytes, numbers, pieces that are cut, doubled, moved; numbers of a text."""
    found = bytearray(content)
    for _ in range(int(rng.geometric(0.4))):
        place = int(rng.integers(0, max(len(found), 1)))
        end = place + int(2 ** rng.uniform(0, 6))
        match int(rng.integers(0, 8)):
            case 0 if found:
                found[place] ^= 1 << int(rng.integers(0, 8))
            case 1 if found:
                found[place] = int(rng.choice([0, 1, 127, 128, 255, 91, 123, 34]))
            case 2:
                size = int(rng.choice([1, 2, 4, 8]))
                extreme = EXTREMES[int(rng.integers(0, len(EXTREMES)))] % 2 ** (8 * size)
                found[place : place + size] = extreme.to_bytes(size, "little")
            case 3:
                del found[place:end]
            case 4:
                found[place:place] = found[place:end]
            case 5:
                found[place:end] = rng.bytes(end - place)
            case 6:
                other = int(rng.integers(0, max(len(found), 1)))
                found[place:end] = found[other : other + end - place]
            case 7:
                digits = [at for at, byte in enumerate(found) if 48 <= byte <= 57]
                if digits:
                    at = int(rng.choice(digits))
                    found[at : at + 1] = str(EXTREMES[int(rng.integers(0, len(EXTREMES)))]).encode()
    if rng.random() < 0.05:
        del found[int(rng.integers(0, len(found) + 1)) :]
    return bytes(found)


OPERATORS = [
    "Abs",
    "Add",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "CumSum",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Einsum",
    "Erf",
    "Exp",
    "Expand",
    "EyeLike",
    "Flatten",
    "Gather",
    "GatherND",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "If",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "LogSoftmax",
    "Loop",
    "LpPool",
    "LSTM",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mul",
    "Multinomial",
    "Neg",
    "NonZero",
    "OneHot",
    "PRelu",
    "Pad",
    "Pow",
    "QuantizeLinear",
    "RandomNormalLike",
    "Range",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "ScatterND",
    "Selu",
    "Shape",
    "Sigmoid",
    "Size",
    "Slice",
    "Softmax",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "TopK",
    "Transpose",
    "Unsqueeze",
    "Upsample",
    "Where",
]


def changed_model(content: bytes, rng: np.random.Generator) -> bytes:
    """A model that is still one of protobuf: other operators, attributes, sizes, names, orders, numbers."""
    model = onnx.load_model_from_string(content)
    graph = model.graph

    def one_of(things: Any) -> Any:
        return things[int(rng.integers(0, len(things)))]

    names = [value for node in graph.node for value in (*node.input, *node.output)] + ["", "none"]
    for _ in range(int(rng.geometric(0.5))):
        node, tensor = one_of(graph.node), one_of(graph.initializer)
        extreme = int(np.clip(one_of(EXTREMES), -(2**63), 2**63 - 1))
        match int(rng.integers(0, 11)):
            case 0:
                node.op_type = one_of(OPERATORS)
            case 1 if node.input:
                node.input[int(rng.integers(0, len(node.input)))] = one_of(names)
            case 2:
                node.input.append(one_of(names))
            case 3 if node.attribute:
                attribute = one_of(node.attribute)
                attribute.i = extreme
                attribute.ints[:] = [extreme, *attribute.ints[1:]]
            case 4:
                name = one_of(["axis", "axes", "group", "strides", "pads", "dilations", "kernel_shape", "to", "perm"])
                node.attribute.append(make_attribute(name, one_of([extreme, [extreme], [1, 1], 1, 1.5, "a"])))
            case 5 if tensor.dims:
                tensor.dims[int(rng.integers(0, len(tensor.dims)))] = extreme
            case 6:
                tensor.raw_data = mutated(tensor.raw_data, rng)
            case 7:
                tensor.data_type = int(rng.integers(0, 24))
            case 8:
                shape = one_of([*graph.input, *graph.output]).type.tensor_type.shape
                one_of(shape.dim).dim_value = extreme
            case 9:
                array = np.array(rng.choice(np.array(EXTREMES[:14], np.int64), int(rng.integers(0, 4))))
                graph.initializer.append(from_array(array, f"new {len(graph.initializer)}"))
                names.append(graph.initializer[-1].name)
                node.input.append(names[-1])
            case 10:
                graph.node.add().CopyFrom(node)
    return model.SerializeToString()


def changed_configuration(content: bytes, rng: np.random.Generator) -> bytes:
    """A text that is still JSON: some value within is another."""
    whole = json.loads(content)
    for _ in range(int(rng.geometric(0.6))):
        place = whole
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = keys[int(rng.integers(0, len(keys)))]
            if isinstance(place[key], dict | list) and rng.random() < 0.9:
                place = place[key]
                continue
            others = [
                None,
                True,
                "",
                "relu",
                "same",
                [],
                {},
                [1],
                -1,
                0,
                1.5,
                1e300,
                10**30,
                [[1, 2], [3, 4]],
                EXTREMES[-3],
            ]
            place[key] = others[int(rng.integers(0, len(others)))]
            break
    return json.dumps(whole).encode()


def assert_valid(folder: Path) -> None:
    """The files that are damaged are whole before."""
    from fewlevels.networks.importers.load import load_network

    for ending, content in valid_files().items():
        path = folder / f"valid{ending}"
        path.write_bytes(content if isinstance(content, bytes) else zipped(content))
        activations = ["relu", "linear"] if ending in (".npz", ".pt", ".safetensors") else ()
        network = load_network(path, activations=activations)
        network.outputs(np.ones((2, *(size or 1 for size in network.input_shape)), np.float32))
