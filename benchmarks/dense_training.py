"""A dense network for a user without a framework: train_dense against scikit-learn and PyTorch at the same size.

    python benchmarks/dense_training.py [--seeds 5] [--epochs 20] [--sets digits8 mnist5000]

For each seed (of the split, the start and the batches) a network of one hidden layer of ReLUs, with biases and a
softmax, is trained by Adam on batches of 50. fewlevels takes its defaults, also with 16 networks side by side, of which
the time is that of one. scikit-learn's MLPClassifier and PyTorch (where installed) take the learning rate, of 0.001,
0.003 and 0.01, that is best on the first seed's test samples, which favours them. All run on one thread. Printed are
the median of the test accuracy over the seeds, the smallest and the largest, and the median of the seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import fewlevels as fl
from fewlevels.common.machine import INSTRUCTION_SET

HIDDEN = {"digits8": 32, "mnist5000": 64}
RATES = (0.001, 0.003, 0.01)
BATCH = 50
SIDE_BY_SIDE = 16

Run = tuple[float, float]
"""Test accuracy and seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--sets", nargs="+", choices=list(HIDDEN), default=list(HIDDEN))
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="Stochastic Optimizer")
    rivals = {"scikit-learn": with_sklearn} | ({"PyTorch": with_torch} if importlib.util.find_spec("torch") else {})
    print(f"instruction set {INSTRUCTION_SET}, {options.seeds} seeds, {options.epochs} epochs")
    for name in options.sets:
        print(f"\n{name}, {HIDDEN[name]} hidden units")
        row("fewlevels", [with_fewlevels(name, seed, options.epochs, 1) for seed in seeds(options)])
        row("fewlevels, of 16", [with_fewlevels(name, seed, options.epochs, SIDE_BY_SIDE) for seed in seeds(options)])
        for rival, run in rivals.items():
            best = max(RATES, key=lambda rate, run=run: run(name, 1, options.epochs, rate)[0])  # type: ignore[misc]
            row(f"{rival}, rate {best}", [run(name, seed, options.epochs, best) for seed in seeds(options)])


def seeds(options: argparse.Namespace) -> range:
    return range(1, options.seeds + 1)


def row(what: str, runs: list[Run]) -> None:
    accuracy, seconds = np.array(runs).T
    print(
        f"  {what:26} {np.median(accuracy):.4f}  ({accuracy.min():.4f} to {accuracy.max():.4f})  "
        f"{np.median(seconds):6.2f} s",
        flush=True,
    )


def with_fewlevels(name: str, seed: int, epochs: int, models: int) -> Run:
    training, test = fl.load_dataset(name, seed=seed)
    config = fl.DenseConfig(hidden=(HIDDEN[name],), epochs=epochs, batch=BATCH)
    networks, seconds = timed(lambda: fl.train_dense(training, config, models=models, seed=seed, jobs=1))
    return float(networks.recognition(test)[0]), seconds / models


def with_sklearn(name: str, seed: int, epochs: int, rate: float) -> Run:
    training, test = fl.load_dataset(name, seed=seed)
    model = MLPClassifier(
        (HIDDEN[name],), max_iter=epochs, batch_size=BATCH, learning_rate_init=rate, random_state=seed
    )
    with threadpool_limits(1):
        _, seconds = timed(lambda: model.fit(training.x, training.y))
    return float(model.score(test.x, test.y)), seconds


def with_torch(name: str, seed: int, epochs: int, rate: float) -> Run:
    import torch

    training, test = fl.load_dataset(name, seed=seed)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = torch.nn.Sequential(
        torch.nn.Linear(training.inputs, HIDDEN[name]), torch.nn.ReLU(), torch.nn.Linear(HIDDEN[name], 10)
    )
    x, y = torch.tensor(training.x, dtype=torch.float32), torch.tensor(training.y, dtype=torch.int64)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)

    def run() -> None:
        for _ in range(epochs):
            for chosen in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x[chosen]), y[chosen]).backward()
                optimizer.step()

    _, seconds = timed(run)
    with torch.no_grad():
        decided = model(torch.tensor(test.x, dtype=torch.float32)).argmax(dim=1).numpy()
    return float((decided == test.y).mean()), seconds


def timed(make: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    return make(), time.perf_counter() - begin


if __name__ == "__main__":
    main()
