"""Training and search against a plain NumPy loop: what a model and backpropagation costs, and what a study costs.

    python benchmarks/training.py [--repeats 7] [--study] [--json FILE]

Each round runs every contender once, so that all see the same machine; the table gives the median over the rounds and
the spread (minimum to maximum). Both run the same step: one model, one random sample, 25-10-10 or 49-10-10.
Where JAX is installed it runs too, on one thread, in float32, jitted, many networks at once: `JAX` takes the step as it
is written, `JAX, dual` in the kernel's own form. Batch and unrolling are the best that were found.
`--study` also times the full paper study of both digit sets, search, figures and report included, with its memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import fewlevels
from fewlevels import _kernels

STEPS_NUMPY, STEPS_KERNEL, MODELS = 3000, 20_000, 64
STEPS_JAX, MODELS_JAX = 1000, 32


def numpy_loop(samples: fewlevels.Samples, steps: int) -> None:
    """One network, one random sample a step, as its authors describe it."""
    rng = np.random.default_rng(0)
    w1, w2 = rng.random((samples.inputs, 10)), rng.random((10, 10))
    targets = np.eye(10)
    for _ in range(steps):
        index = rng.integers(10)
        x = samples.x[index]
        h = 1 / (1 + np.exp(-(x @ w1)))
        o = 1 / (1 + np.exp(-(h @ w2)))
        d2 = (targets[index] - o) * o * (1 - o)
        d1 = (w2 @ d2) * h * (1 - h)
        w2 += np.outer(h, d2)
        w1 += np.outer(x, d1)


def kernel(samples: fewlevels.Samples, isa: str, models: int = MODELS) -> None:
    rng = np.random.default_rng(0)
    w1 = rng.random((models, samples.inputs, 10), dtype=np.float32)
    w2 = rng.random((models, 10, 10), dtype=np.float32)
    streams = rng.integers(1, 2**32, (models, 4), dtype=np.uint32)
    none = np.zeros(0, np.int64), np.empty((0, *w1.shape), np.float32), np.empty((0, *w2.shape), np.float32)
    x = samples.x.astype(np.float32)
    _kernels.train(x, samples.y, w1, w2, streams, 1.0, STEPS_KERNEL, *none, isa)


def jax_steps(samples: fewlevels.Samples, *, dual: bool) -> Callable[[], object]:
    """STEPS_JAX steps of MODELS_JAX networks, compiled."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    import jax
    import jax.numpy as jnp

    x, targets = jnp.asarray(samples.x, jnp.float32), jnp.eye(10)
    rng = np.random.default_rng(0)
    w1 = rng.random((MODELS_JAX, samples.inputs, 10), dtype=np.float32)
    w2 = rng.random((MODELS_JAX, 10, 10), dtype=np.float32)

    def one_network(key: jax.Array, w1: jax.Array, w2: jax.Array) -> tuple[jax.Array, jax.Array]:
        def step(weights: tuple[jax.Array, jax.Array], index: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
            w1, w2 = weights
            h = jax.nn.sigmoid(x[index] @ w1)
            o = jax.nn.sigmoid(h @ w2)
            d2 = (targets[index] - o) * o * (1 - o)
            d1 = (w2 @ d2) * h * (1 - h)
            return (w1 + jnp.outer(x[index], d1), w2 + jnp.outer(h, d2)), None

        return jax.lax.scan(step, (w1, w2), jax.random.randint(key, (STEPS_JAX,), 0, 10), unroll=2)[0]

    Dual = tuple[jax.Array, jax.Array, jax.Array]

    def all_networks(key: jax.Array, w1: jax.Array, w2: jax.Array) -> tuple[jax.Array, jax.Array]:  # networks last
        overlaps = x @ x.T

        def step(state: Dual, index: jax.Array) -> tuple[Dual, None]:
            p, a, w2 = state  # p = x w1, a: the sum of the updates made on each sample
            target = (jnp.arange(10)[:, None] == index).astype(jnp.float32)
            h = jax.nn.sigmoid(jnp.sum(jnp.where(target[:, None] == 1, p, 0), 0))
            o = jax.nn.sigmoid(jnp.sum(h[:, None] * w2, 0))
            d2 = (target - o) * o * (1 - o)
            d1 = jnp.sum(w2 * d2, 1) * h * (1 - h)
            return (p + overlaps[:, index][:, None] * d1, a + target[:, None] * d1, w2 + h[:, None] * d2), None

        start = jnp.einsum("si,ijm->sjm", x, w1)
        drawn = jax.random.randint(key, (STEPS_JAX, MODELS_JAX), 0, 10)
        _, a, w2 = jax.lax.scan(step, (start, jnp.zeros_like(start), w2), drawn)[0]
        return w1 + jnp.einsum("si,sjm->ijm", x, a), w2

    key = jax.random.key(0)
    if dual:
        run = jax.jit(all_networks)
        arguments = jax.device_put((key, np.moveaxis(w1, 0, 2), np.moveaxis(w2, 0, 2)))
    else:
        run = jax.jit(jax.vmap(one_network))
        arguments = jax.device_put((jax.random.split(key, MODELS_JAX), w1, w2))
    jax.block_until_ready(run(*arguments))
    return lambda: jax.block_until_ready(run(*arguments))


def train_on(samples: fewlevels.Samples, jobs: int, range_limit: float | None = None) -> None:
    config = fewlevels.TrainingConfig(steps=STEPS_KERNEL, range_limit=range_limit)
    fewlevels.train(samples, config, models=8 * MODELS, jobs=jobs)


def seconds(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--study", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    digits = {size: fewlevels.load_digits(size) for size in (5, 7)}
    shapes = {5: "25-10-10", 7: "49-10-10"}
    contenders: dict[str, tuple[Callable[[], object], float]] = {}  # name: (call, model-steps in one call)
    for size, samples in digits.items():
        contenders[f"NumPy loop, {shapes[size]}"] = partial(numpy_loop, samples, STEPS_NUMPY), STEPS_NUMPY
        for isa in _kernels.instruction_sets():
            name = f"kernel {isa}, one thread, {shapes[size]}"
            contenders[name] = partial(kernel, samples, isa), MODELS * STEPS_KERNEL
        if importlib.util.find_spec("jax"):
            for form, dual in (("JAX", False), ("JAX, dual", True)):
                call = jax_steps(samples, dual=dual)
                contenders[f"{form}, {shapes[size]}"] = call, MODELS_JAX * STEPS_JAX
    for jobs in (1, 2):
        contenders[f"train(jobs={jobs}), 25-10-10"] = partial(train_on, digits[5], jobs), 8 * MODELS * STEPS_KERNEL
    for size, samples in digits.items():
        name = f"train(jobs=1) held to a range, {shapes[size]}"
        contenders[name] = partial(train_on, samples, 1, range_limit=8.0), 8 * MODELS * STEPS_KERNEL

    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.repeats):
        for name, (run, steps) in contenders.items():
            times[name].append(seconds(run) / steps * 1e9)

    print(f"{platform.processor() or platform.machine()}, {options.repeats} rounds; ns per model and backpropagation\n")
    print(f"| {'contender':<40} | median ns | min to max       | times NumPy |")
    print(f"|{'-' * 42}|----------:|------------------|------------:|")
    for name, values in times.items():
        rival = f"NumPy loop, {name.rsplit(', ', 1)[1]}"
        ratio = statistics.median(n / v for n, v in zip(times[rival], values, strict=True))
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"| {name:<40} | {statistics.median(values):>9.1f} | {spread:<16} | {ratio:>11.0f} |")
    both = zip(times["train(jobs=1), 25-10-10"], times["train(jobs=2), 25-10-10"], strict=True)
    print(f"\ntwo threads over one: {statistics.median(one / two for one, two in both):.2f} times")

    other = {"search, 6000 models": search_times(digits), "fewlevels --help": help_times()}
    for name, by_case in other.items():
        for case, values in by_case.items():
            print(f"{name}, {case}: median {statistics.median(values):.2f} s, {min(values):.2f} to {max(values):.2f}")
    study = study_time() if options.study else None
    if study:
        print(f"both full paper studies: {study['seconds']:.0f} s, {study['megabytes']:.0f} MB at most")
    if options.json:
        options.json.write_text(json.dumps({"ns": times, "s": other, "study": study}, indent=1), encoding="utf-8")


def search_times(digits: dict[int, fewlevels.Samples]) -> dict[str, list[float]]:
    """Full traces to q = 64 of 6000 networks, trained for a tenth of the paper's steps."""
    config = fewlevels.TrainingConfig(steps=50_000)
    networks = {size: fewlevels.train(samples, config, models=6000) for size, samples in digits.items()}
    return {
        f"{size}x{size}": [seconds(partial(fewlevels.fewest_levels, networks[size], digits[size])) for _ in range(3)]
        for size in digits
    }


def help_times() -> dict[str, list[float]]:
    command = [str(Path(sys.executable).with_name("fewlevels")), "--help"]
    return {"process": [seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(7)]}


def study_time() -> dict[str, float]:
    command = str(Path(sys.executable).with_name("fewlevels"))
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for dataset in ("digits5", "digits7"):
            subprocess.run(
                [command, "study", "--quiet", "--dataset", dataset, "--out", f"{folder}/{dataset}"], check=True
            )
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    return {"seconds": time.perf_counter() - begin, "megabytes": megabytes}


if __name__ == "__main__":
    main()
