"""Networks loaded in a process of their own, whose memory and time are measured: python -m tests.support.limited FILE…

A line of JSON for each file: what was raised, or that it was loaded and run, in how many seconds of the processor, with
how many megabytes beyond those of before. The process ends with the file that breaks it.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ADDRESSES = 16 * 2**30
"""Bytes of address space, at most; a larger array is not even begun."""

LONGEST_SECONDS = 10
"""For one file, after which the process is ended."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What became of a file. kind: of the exception, empty where the network was loaded and run."""

    file: str
    kind: str
    said: str
    seconds: float
    megabytes: float


def loaded_in_limits(files: Sequence[Path], timeout: float = 600) -> list[Loaded]:
    """What became of each file; the last one's kind is 'broken' where it ended the process."""
    command = [sys.executable, "-m", "tests.support.limited"]
    done = subprocess.run(
        command, input="\n".join(map(str, files)), capture_output=True, text=True, timeout=timeout, check=False
    )
    found = [Loaded(**json.loads(line)) for line in done.stdout.splitlines()]
    if len(found) < len(files):
        broken = f"{done.returncode}: {done.stderr[-2000:]}"
        found.append(Loaded(file=str(files[len(found)]), kind="broken", said=broken, seconds=0, megabytes=0))
    return found


def _run(path: str) -> tuple[str, str]:
    from fewlevels.errors import FewlevelsError
    from fewlevels.networks.importers.load import load_network

    activations = ["relu", "linear"] if path.endswith((".npz", ".pt", ".safetensors")) else ()
    try:
        network = load_network(path, activations=activations)
        repr(network), network.parameters, [repr(layer) for layer in network.layers]
        network.outputs(np.zeros((2, *(size or 6 for size in network.input_shape)), np.float32))
    except FewlevelsError as error:
        return "FewlevelsError", str(error)
    except BaseException as error:
        return type(error).__name__, repr(error)[:2000]
    return "", ""


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def main() -> None:
    import h5py  # noqa: F401
    import onnx.inliner
    import onnxruntime  # noqa: F401
    import safetensors  # noqa: F401

    from fewlevels.networks.builder import chain
    from fewlevels.networks.network import Network

    Network.from_model(chain([np.ones((3, 2))], [None], ["relu"])).outputs(np.zeros((2, 3)))  # what is loaded but once
    onnx.checker.check_model(chain([np.ones((3, 2))], [None], ["relu"]))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    for file in sys.stdin.read().split("\n"):
        Path("/proc/self/clear_refs").write_text("5")  # the highest memory is counted from here on
        signal.alarm(LONGEST_SECONDS)
        before, start = _kilobytes("VmRSS"), time.process_time()
        kind, said = _run(file)
        row: dict[str, Any] = {"file": file, "kind": kind, "said": said, "seconds": time.process_time() - start}
        print(json.dumps({**row, "megabytes": (_kilobytes("VmHWM") - before) / 1024}), flush=True)


if __name__ == "__main__":
    main()
