"""What `Network` adds to onnxruntime's own time on the unchanged network.

    python benchmarks/inference.py [--models FOLDER] [--repeats 15]

Each .onnx of the folder, and a small convolutional network made here, runs on 256 random samples on all cores: the
file in an onnxruntime session of the benchmark's own, and `Network.outputs`, in turn. Printed are the median of each,
the smallest and the largest, and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

import fewlevels as fl

SAMPLES = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    print(f"onnxruntime {onnxruntime.__version__}, {SAMPLES} samples, {options.repeats} runs of each, in turn")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made here.onnx")
        onnx.save(convolutional(), made)
        for path in [made, *sorted(options.models.glob("*.onnx") if options.models else [])]:
            compare(path, options.repeats)


def compare(path: Path, repeats: int) -> None:
    network = fl.load_network(path)
    shape = [size or 1 for size in network.input_shape]
    x = np.random.default_rng(1).normal(size=(SAMPLES, *shape)).astype(np.float32)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    own, other = network.outputs(x), session.run(None, {name: x})[0]
    difference = np.abs(own - other).max() / np.abs(other).max()
    runs: dict[str, Callable[[], object]] = {
        "onnxruntime": lambda: session.run(None, {name: x}),
        "fewlevels": lambda: network.outputs(x),
    }
    times: dict[str, list[float]] = {what: [] for what in runs}
    for _ in range(repeats):
        for what, run in runs.items():
            begin = time.perf_counter()
            run()
            times[what].append(1e3 * (time.perf_counter() - begin))
    print(f"\n{path.name}: outputs differ by at most {difference:.1e} of the largest")
    for what, found in times.items():
        print(f"  {what:12} {np.median(found):8.2f} ms  ({min(found):.2f} to {max(found):.2f})")
    print(f"  ratio of medians {np.median(times['fewlevels']) / np.median(times['onnxruntime']):.3f}", flush=True)


def convolutional() -> onnx.ModelProto:
    """Two convolutions of 16 and 32 channels on 3 x 32 x 32, each with a normalisation and a ReLU; a dense layer."""
    rng = np.random.default_rng(2)

    def normal(*shape: int) -> npt.NDArray[np.float32]:
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    nodes, stored, value = [], {"v": normal(32 * 16 * 16, 10)}, "x"
    for number, (inputs, outputs, stride) in enumerate([(3, 16, 1), (16, 32, 2)]):
        names = [f"{part}{number}" for part in ("w", "gain", "shift", "mean", "variance")]
        stored |= dict(zip(names, [normal(outputs, inputs, 3, 3), *np.ones((4, outputs), np.float32)], strict=True))
        nodes.append(
            onnx.helper.make_node("Conv", [value, names[0]], [f"c{number}"], pads=[1] * 4, strides=[stride] * 2)
        )
        nodes.append(onnx.helper.make_node("BatchNormalization", [f"c{number}", *names[1:]], [f"n{number}"]))
        value = f"r{number}"
        nodes.append(onnx.helper.make_node("Relu", [f"n{number}"], [value]))
    nodes += [onnx.helper.make_node("Flatten", [value], ["f"]), onnx.helper.make_node("MatMul", ["f", "v"], ["y"])]
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "made here",
        [onnx.helper.make_tensor_value_info("x", kind, ["n", 3, 32, 32])],
        [onnx.helper.make_tensor_value_info("y", kind, ["n", 10])],
        [onnx.numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


if __name__ == "__main__":
    main()
