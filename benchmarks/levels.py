"""Fewest levels by every method, on the networks of the paper's study and on symmetric starts.

    python benchmarks/levels.py [--models 6000] [--q-max 8] [--repeats 3] [--json FILE] [--figures FOLDER]

Trains the networks, runs every method on them, fine-tunes to ternary and times it, times the longest search and every
quantizer on the joint weights at one number of levels (medians of REPEATS), measures recognition with flipped pixels
before and after quantizing, holds training to weight ranges, and says how far binary weights go.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import fewlevels as fl
from fewlevels.quantization import METHOD_QUANTIZERS
from fewlevels.quantization.protocol import searchable

STARTS = {
    "paper": fl.TrainingConfig(),
    "symmetric": fl.TrainingConfig(init="normal:0,0.5", learning_rate=0.3),
}
CONDUCTANCES = tuple(float(g) for g in np.geomspace(1e-6, 1e-4, 16) * (1 + 0.1 * np.sin(np.arange(16.0) ** 2)))
"""Sixteen unevenly spaced conductances over two decades, in siemens."""

METHODS = "paper,paper-signed,clipped,clipped-zero,zero,kmeans,kmeans-signed,pow2,apot,device:{},qat:ternary"
RANGES = (2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=6000)
    parser.add_argument("--q-max", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 7])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    results: dict[str, object] = {"version": fl.__version__, "machine": platform.processor(), "models": options.models}
    networks = {
        (size, start): fl.train(fl.load_digits(size), config, models=options.models)
        for size in options.sizes for start, config in STARTS.items()
    }  # fmt: skip
    for (size, start), trained in networks.items():
        samples, name = fl.load_digits(size), f"{size}x{size} {start} start"
        compared, seconds = compare(trained, samples, options.q_max)
        results[name] = {**compared.to_json(), "seconds": seconds}
        table(f"{name}: {len(trained)} networks, {compared.trained.sum()} trained, {seconds:.0f} s", compared.rows())
        save(compared.figure(), options.figures, f"methods-{size}-{start}")
        for part, rows in (
            ("finetuning", finetuning(trained, samples, options.repeats)),
            ("flipped pixels", flipped(trained, samples)),
        ):
            results[f"{name}, {part}"] = rows
            table(f"{name}, {part}", rows)
    first = next(iter(networks.values()))
    digits = fl.load_digits(options.sizes[0])
    searched = timed(
        lambda: fl.fewest_levels(first, digits, quantizer=fl.DeadZone(), q_max=options.q_max), options.repeats
    )
    results["zero, search"] = searched
    print(f"\nzero, search to q = {options.q_max}, 512 settings: {searched:.1f} s")
    speeds = quantizer_speeds(first, options.repeats)
    results["quantizers"] = speeds
    table(f"quantizers on {options.models} networks at 8 levels (ternary: 2, binary: 1)", speeds)
    for start, config in STARTS.items():
        study = fl.study_range(fl.load_digits(5), config, RANGES, models=min(600, options.models))
        results[f"enforced range, {start} start"] = study.rows()
        table(f"5x5 {start} start, enforced weight range, the paper's quantizer", study.rows())
        save(study.figure(), options.figures, f"range-{start}")
    results["binary"] = binary = list(binary_weights(min(600, options.models)))
    table("binary weights, fine-tuned", binary)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def compare(networks: fl.Networks, samples: fl.Samples, q_max: int) -> tuple[fl.MethodComparison, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "levels.csv"
        file.write_text("".join(f"{g}\n" for g in CONDUCTANCES), encoding="utf-8")
        methods = fl.parse_methods(METHODS.format(file))
    begin = time.perf_counter()
    return fl.compare_methods(networks, samples, methods, q_max=q_max), time.perf_counter() - begin


def finetuning(networks: fl.Networks, samples: fl.Samples, repeats: int) -> list[dict[str, object]]:
    rows = []
    for share in ("network", "layer"):
        found = fl.finetune(networks, samples, share=share)  # type: ignore[arg-type]
        seconds = timed(lambda own=share: fl.finetune(networks, samples, share=own), repeats)
        steps = np.quantile(found.steps[found.solved], (0.5, 0.95, 1.0))
        rows.append({
            "levels shared by": share, "seconds": round(seconds, 1), "solved": float(found.solved.mean()),
            "steps_median": steps[0], "steps_p95": steps[1], "steps_max": steps[2],
            "states_per_device": int(found.quantized.differential_pair_states.max()),
        })  # fmt: skip
    return rows


def flipped(networks: fl.Networks, samples: fl.Samples) -> list[dict[str, object]]:
    few = networks[:600]
    rows = []
    contenders = {
        "paper's fewest levels": None,
        "ternary": fl.FinetuningConfig(),
        "ternary, 10 % weight noise": fl.FinetuningConfig(noise=0.1, latent_limit=2.0),
    }
    for name, config in contenders.items():
        if config is None:
            found = fl.fewest_levels(few, samples)
            before, after = few[found.solved], found.all_quantized()
        else:
            before, after = few, fl.finetune(few, samples, config=config).quantized.networks
        seen = fl.recognition_under_flips(before, after, samples)
        rows.append({"quantized": name} | {
            f"{k} flipped": f"{old:.3f} -> {new:.3f}"
            for k, old, new in zip(seen.flips, seen.before.mean(axis=0), seen.after.mean(axis=0), strict=True)
        })  # fmt: skip
    return rows


def quantizer_speeds(networks: fl.Networks, repeats: int) -> list[dict[str, object]]:
    joint, rows = networks.joint(), []
    for quantizer in map(searchable, [*METHOD_QUANTIZERS.values(), fl.device_levels(CONDUCTANCES)]):
        levels = min(8, quantizer.most_levels or 8)
        seconds = timed(lambda own=quantizer, q=levels: own.quantize(joint, q), repeats)
        rows.append({"quantizer": quantizer.name, "levels": levels, "seconds": round(seconds, 3)})
    return rows


def timed(function: Callable[[], object], repeats: int) -> float:
    """The median seconds of some calls."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def binary_weights(models: int) -> Iterator[dict[str, object]]:
    """{-a, +a}: the start, levels of a layer's own, hidden units and a pixel that is always on."""
    plain = fl.load_digits(5)
    biased = fl.Samples(np.pad(plain.x, ((0, 0), (0, 1)), constant_values=1.0), plain.y, plain.classes)
    variants = [("paper", "network", 10, plain), ("paper", "layer", 10, plain), ("symmetric", "network", 10, plain),
                ("symmetric", "layer", 10, plain), ("symmetric", "layer", 10, biased),
                ("symmetric", "layer", 16, plain), ("symmetric", "layer", 32, plain),
                ("symmetric", "network", 32, plain)]  # fmt: skip
    config = fl.FinetuningConfig(steps=5000, learning_rate=0.005, latent_limit=3.0)
    for start, share, hidden, samples in variants:
        settings = fl.TrainingConfig(init=STARTS[start].init, learning_rate=STARTS[start].learning_rate, hidden=hidden)
        trained = fl.train(samples, settings, models=models)
        begin = time.perf_counter()
        quantizer = fl.Binary()
        found = fl.finetune(trained, samples, quantizer=quantizer, config=config, share=share)  # type: ignore
        yield {
            "start": start, "levels shared by": share, "hidden": hidden, "bias pixel": samples is biased,
            "solved": float(found.solved.mean()), "recognition_mean": float(found.recognition.mean()),
            "seconds": round(time.perf_counter() - begin, 1),
        }  # fmt: skip


def save(figure: object, folder: Path | None, name: str) -> None:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{name}.svg")  # type: ignore[attr-defined]


def table(title: str, rows: list[dict[str, object]]) -> None:
    print(f"\n{title}")
    cells = [list(rows[0]), *([show(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), flush=True)


def show(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return "device" if text.startswith("device:") else text


if __name__ == "__main__":
    main()
