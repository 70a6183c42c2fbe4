"""Session: an ONNX model run by onnxruntime, a batch at a time."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.parallel import threads_for
from fewlevels.common.words import printable
from fewlevels.errors import NetworksError

if TYPE_CHECKING:
    from onnx import ModelProto

BATCH = 64
"""Samples run together, at most, where the model takes any number; what comes out does not depend on how many."""

BATCH_ELEMENTS = 2**26
"""Elements of the largest value within the model, for all samples that are run together, at most."""

MOST_MEMORY = 2**32
"""Bytes that all models of this process may take for what they compute. A value whose size only the run tells is
refused where it would take more.
"""

QUIET = 4
"""onnxruntime's own level of what it prints: fatal errors alone. What fails is raised."""

TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


class Session:
    """A model ready to run. Its first input takes the samples; others have values of their own in the file."""

    def __init__(
        self, model: ModelProto, also: Collection[str] = (), *, largest: int = 1, jobs: int | None = None
    ) -> None:
        """also: values within the model that `run` gives, too. largest: elements of the largest value within the model,
        for one sample. Raises NetworksError where onnxruntime refuses it.
        """
        import onnxruntime

        if also:
            from onnx import ModelProto, helper

            watched = ModelProto()
            watched.CopyFrom(model)
            there = {value.name for value in model.graph.output}
            watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in also if name not in there)
            model = watched
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads_for(jobs)
        options.inter_op_num_threads = 1
        options.log_severity_level = QUIET
        options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            _limit_memory()
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            self._input = self._session.get_inputs()[0]
            shape = self._input.shape
        except Exception as error:  # of many kinds, all of onnxruntime's own
            raise NetworksError(f"onnxruntime refuses the network: {_in_one_line(error)}") from None
        batch = shape[0] if shape else None
        self.batch = batch if isinstance(batch, int) else None
        self._together = self.batch or max(1, min(BATCH, BATCH_ELEMENTS // max(largest, 1)))
        self.sample_shape = tuple(size if isinstance(size, int) else None for size in shape[1:])

    def run(self, x: npt.NDArray[Any], names: Sequence[str]) -> list[npt.NDArray[Any]]:
        """These values for all samples of x, (samples, …), in the model's own precision, each (samples, …)."""
        kind = TYPES.get(self._input.type)
        if kind is None:
            raise NetworksError(f"the network takes {self._input.type}, and samples are real numbers")
        step = self._together
        parts: list[list[npt.NDArray[Any]]] = []
        for begin in range(0, len(x), step):
            part = np.ascontiguousarray(x[begin : begin + step], dtype=kind)
            samples = len(part)
            if self.batch:
                part = np.concatenate([part, np.zeros((step - samples, *part.shape[1:]), kind)])
            try:
                values = self._session.run(list(names), {self._input.name: part})
            except Exception as error:
                raise NetworksError(f"onnxruntime cannot run the network: {_in_one_line(error)}") from None
            parts.append([_of_samples(np.asarray(value), samples, len(part)) for value in values])
        return [np.concatenate(each) for each in zip(*parts, strict=True)]


@functools.cache
def _limit_memory() -> None:
    """Of all sessions of this process, once."""
    import onnxruntime

    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    exactly_as_asked = 1
    arena = onnxruntime.OrtArenaCfg({"max_mem": MOST_MEMORY, "arena_extend_strategy": exactly_as_asked})
    onnxruntime.create_and_register_allocator(memory, arena)


def _of_samples(value: npt.NDArray[Any], samples: int, run: int) -> npt.NDArray[Any]:
    """Without what belongs to samples that only fill a batch. A layer may see several rows of each sample."""
    if value.ndim == 0 or len(value) % run:
        raise NetworksError(f"the network gives a value of shape {value.shape} for {run} samples")
    return value[: len(value) // run * samples]


def _in_one_line(error: Exception) -> str:
    return printable(" ".join(str(error).split()), 300)
