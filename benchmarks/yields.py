"""Virtual chips: how fast they are drawn and solved, and whether an independent simulator finds the same yield.

    python benchmarks/yields.py [--repeats 5] [--chips 2000]

The network of the paper, 25x10 + 10x10 on differential pairs, ten inputs, ideal wires. The rival is aihwkit==1.1.0
(from PyPI, a wheel for Linux that brings torch): its noise model of Wan et al. (2022) perturbs the same quantized
weights, one chip after the other, and they are multiplied. Ours gets the very polynomial that aihwkit fitted. Without
aihwkit the comparison is left out and said to be.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import numpy as np
from scipy.stats import fisher_exact

import fewlevels
from fewlevels.chips.mapping import Mapping, map_network
from fewlevels.chips.variation import Conditions
from fewlevels.chips.yields import Yield, estimate_yield
from fewlevels.circuit.cell import Selector
from fewlevels.devices import MeasuredRetention, RetentionTable, load_device

CHIPS = 10_000
DAY = 86400.0


def mapped(networks: fewlevels.Networks, cell: Selector | None = None) -> Mapping:
    return map_network(networks, lowest_siemens=0.0, highest_siemens=40e-6, cell=cell)


def speed(networks: fewlevels.Networks, samples: fewlevels.Samples, repeats: int) -> None:
    device = load_device("wan2022_rram")
    print(f"{CHIPS} chips, ten inputs, {repeats} rounds\n\n| cells | median s | min to max |\n|---|---:|---|")
    cells = {"linear": mapped(networks), "with selector diodes": mapped(networks, fewlevels.Diode())}
    times: dict[str, list[float]] = {name: [] for name in cells}
    for _ in range(repeats):
        for name, mapping in cells.items():
            begin = time.perf_counter()
            estimate_yield(mapping, device, samples, chips=CHIPS)
            times[name].append(time.perf_counter() - begin)
    for name, values in times.items():
        print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} to {max(values):.2f} |")


def compare(networks: fewlevels.Networks, samples: fewlevels.Samples, chips: int) -> None:
    try:
        import aihwkit
        import torch
        from aihwkit.inference.noise.reram import ReRamWan2022NoiseModel
    except ImportError as error:
        print(f"\naihwkit is not here ({error}): no comparison")
        return
    torch.manual_seed(1)
    model = ReRamWan2022NoiseModel(g_max=40.0)
    relative = np.linspace(0, 1, 1001)
    tables = tuple(
        RetentionTable(
            after_seconds=seconds,
            conductance_siemens=tuple(40e-6 * relative),
            sigma_siemens=tuple(1e-6 * np.polynomial.polynomial.polyval(relative, model.coeff_dic[seconds])),
        )
        for seconds in (1.0, DAY)
    )
    device = replace(load_device("wan2022_rram"), retention=MeasuredRetention(table=tables))
    joint, shapes = networks.joint()[0], networks.shapes
    print(f"\naihwkit {aihwkit.__version__}, torch {torch.__version__}, {chips} chips\n")
    print("| after | simulator | digits recognised | chips that recognise all (95 % interval) | ms a chip |")
    print("|---|---|---:|---|---:|")
    for name, seconds in (("1 s", 1.0), ("1 day", DAY)):
        conditions = Conditions(after_seconds=seconds)
        begin = time.perf_counter()
        ours = estimate_yield(mapped(networks), device, samples, chips=chips, conditions=conditions)
        middle = time.perf_counter()
        drawn = torch.stack([model.apply_noise(torch.tensor(joint), seconds) for _ in range(chips)]).numpy()
        recognised = fewlevels.Networks.from_joint(drawn, shapes).recognised(samples)
        end = time.perf_counter()
        row(name, "fewlevels", ours.recognition, ours, (middle - begin) / chips)
        theirs = Yield(
            current_margin=np.where(recognised, 1.0, -1.0), pulses=np.zeros(chips), missed=np.zeros(chips), alpha=1.0
        )
        row(name, "aihwkit", theirs.recognition, theirs, (end - middle) / chips)
        p = fisher_exact([[each.passed, chips - each.passed] for each in (ours, theirs)]).pvalue
        print(f"| | same yield? | | p = {p:.2f} (Fisher) | |")


def row(after: str, simulator: str, recognition: np.ndarray, found: Yield, seconds: float) -> None:
    low, high = found.interval
    error = recognition.std() / np.sqrt(len(recognition))
    print(
        f"| {after} | {simulator} | {recognition.mean():.2%} ± {1.96 * error:.2%} | "
        f"{found.value:.2%} ({low:.2%} to {high:.2%}) | {1e3 * seconds:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--chips", type=int, default=2000)
    options = parser.parse_args()
    samples = fewlevels.load_digits(5)
    trained = fewlevels.train(samples, fewlevels.TrainingConfig(), models=96)
    found = fewlevels.fewest_levels(trained, samples)
    best = int(np.where(found.solved, found.q, found.q.max() + 1).argmin())
    speed(found.quantized(best), samples, options.repeats)
    compare(found.quantized(best), samples, options.chips)


if __name__ == "__main__":
    main()
