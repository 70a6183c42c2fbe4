from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

def instruction_sets() -> list[str]: ...
def train(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.int32],
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
    weights: Sequence[npt.NDArray[np.float64]],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.int32],
    recognised: npt.NDArray[np.bool_],
    isa: str,
) -> None: ...
