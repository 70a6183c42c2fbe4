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
    weight_limit: float = 0.0,
) -> None: ...
def recognise(
    weights: npt.NDArray[np.float64],
    sizes: Sequence[int],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.integer[Any]],
    recognised: npt.NDArray[np.bool_],
    isa: str,
    margin: npt.NDArray[np.float64] | None = None,
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
def cells(
    volt: npt.NDArray[np.float64],
    conductance: npt.NDArray[np.float64],
    law: npt.NDArray[np.float64],
    ampere: npt.NDArray[np.float64],
    siemens: npt.NDArray[np.float64],
    isa: str,
) -> None: ...
def columns(
    conductance: npt.NDArray[np.float64],
    input: npt.NDArray[np.float64],
    reference_ohm: float,
    law: npt.NDArray[np.float64],
    output: npt.NDArray[np.float64],
    foot: npt.NDArray[np.float64],
    residual: npt.NDArray[np.float64],
    converged: npt.NDArray[np.bool_],
    steps: npt.NDArray[np.int32],
    threads: int,
    isa: str,
) -> None: ...
def wired(
    conductance: npt.NDArray[np.float64],
    word_ohm: float,
    bit_ohm: float,
    foot_ohm: float,
    law: npt.NDArray[np.float64],
    word_modes: npt.NDArray[np.float64],
    word_values: npt.NDArray[np.float64],
    bit_modes: npt.NDArray[np.float64],
    bit_values: npt.NDArray[np.float64],
    tolerance: float,
    max_steps: int,
    max_iterations: int,
    input: npt.NDArray[np.float64],
    u: npt.NDArray[np.float64] | None,
    b: npt.NDArray[np.float64] | None,
    output: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    residual: npt.NDArray[np.float64],
    converged: npt.NDArray[np.bool_],
    threads: int,
    isa: str,
) -> None: ...
def transfer(
    conductance: npt.NDArray[np.float64],
    word_siemens: float,
    bit_siemens: float,
    foot_siemens: float,
    found: npt.NDArray[np.float64],
    threads: int,
    isa: str,
) -> None: ...
def assign_levels(
    weights: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    thresholds: npt.NDArray[np.float64],
    magnitudes: bool,
    means: bool,
    assignment: npt.NDArray[np.int64] | None,
    values: npt.NDArray[np.float64] | None,
    squared_error: npt.NDArray[np.float64] | None,
    isa: str,
) -> None: ...
def screen(
    sizes: Sequence[int],
    group: npt.NDArray[np.int32],
    rank: npt.NDArray[np.float64],
    ordered: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
    levels: Sequence[int],
    level: Sequence[npt.NDArray[np.float64] | None],
    threshold: Sequence[npt.NDArray[np.float64] | None],
    means: bool,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.integer[Any]],
    contender: npt.NDArray[np.bool_],
    isa: str,
) -> None: ...
def cluster(sorted: npt.NDArray[np.float64], centres: npt.NDArray[np.float64], isa: str) -> None: ...
def choose_levels(
    sorted: npt.NDArray[np.float64],
    table: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
    chosen: npt.NDArray[np.int64],
    squared_error: npt.NDArray[np.float64],
    isa: str,
) -> None: ...
def dense_gradient(
    sizes: Sequence[int],
    activation: Sequence[int],
    slope: Sequence[float],
    weights: npt.NDArray[np.float32],
    biases: npt.NDArray[np.float32] | None,
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.integer[Any]],
    loss: int,
    noise: float,
    streams: npt.NDArray[np.uint32],
    gradient: npt.NDArray[np.float32],
    bias_gradient: npt.NDArray[np.float32] | None,
    recognised: npt.NDArray[np.int32],
    isa: str,
) -> None: ...
def adam_step(
    latent: npt.NDArray[np.float64],
    gradient: npt.NDArray[np.float32],
    first: npt.NDArray[np.float32],
    second: npt.NDArray[np.float32],
    rate: npt.NDArray[np.float64],
    step: npt.NDArray[np.int64],
    isa: str,
) -> None: ...
