from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

def instruction_sets() -> list[str]: ...
def train(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.integer[Any]],
    w1: npt.NDArray[np.float32],
    w2: npt.NDArray[np.float32],
    streams: npt.NDArray[np.uint32],
    learning_rate: float,
    steps: int,
    snapshot_steps: npt.NDArray[np.int64],
    snapshot_w1: npt.NDArray[np.float32],
    snapshot_w2: npt.NDArray[np.float32],
    isa: str,
) -> None: ...
def recognise(
    weights: npt.NDArray[np.float64],
    sizes: Sequence[int],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.integer[Any]],
    recognised: npt.NDArray[np.bool_],
    isa: str,
) -> None: ...
def quantize(
    weights: npt.NDArray[np.float64],
    low: npt.NDArray[np.float64],
    interval: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    magnitudes: bool,
    assignment: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    isa: str,
) -> None: ...
