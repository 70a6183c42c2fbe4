"""Fewest levels by every method, on the networks of the paper's study and on symmetric starts.

    python benchmarks/levels.py [--models 6000] [--q-max 8] [--repeats 3] [--json FILE] [--figures FOLDER]

Trains the networks, runs every method on them, fine-tunes to ternary and times it, times the longest search and every
quantizer on the joint weights at one number of levels (medians of REPEATS), measures recognition with flipped pixels
before and after quantizing, holds training to weight ranges, and says how far binary weights go. `--models 600
--figures docs/results` draws docs/results/methods, range and binary.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import fewlevels as fl
from fewlevels import _kernels
from fewlevels.common.machine import INSTRUCTION_SET
from fewlevels.common.proportions import wilson
from fewlevels.quantization import QUANTIZERS
from fewlevels.quantization.layout import Share
from fewlevels.reporting.figures.methods import levels_by_method
from fewlevels.reporting.figures.style import ACCENT, GREY, INK, STYLE, WIDTH_INCHES

STARTS = {
    "paper": fl.TrainingConfig(),
    "symmetric": fl.TrainingConfig(init="normal:0,0.5", learning_rate=0.3),
    "symmetric, range 3": fl.TrainingConfig(init="normal:0,0.5", learning_rate=0.3, range_limit=3.0),
}
CONDUCTANCES = tuple(float(g) for g in np.geomspace(1e-6, 1e-4, 16) * (1 + 0.1 * np.sin(np.arange(16.0) ** 2)))
"""Sixteen unevenly spaced conductances over two decades, in siemens."""

METHODS = (
    "paper,paper-signed,clipped,clipped-zero,zero,kmeans,kmeans-signed,pow2,apot,device:{},ternary,binary,qat:ternary"
)
SHARES: tuple[Share, Share] = ("network", "layer")
RANGES = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=6000)
    parser.add_argument("--q-max", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 7])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--searches", action="store_true", help="time the searches of one set, and nothing else")
    options = parser.parse_args()
    digits = fl.load_digits(options.sizes[0])
    if options.searches:
        searched_by_name = search_speeds(
            fl.train(digits, STARTS["paper"], models=options.models), digits, options.repeats
        )
        return table(f"searches of {options.models} networks to q = 16, one thread", searched_by_name)
    results: dict[str, object] = {"version": fl.__version__, "machine": platform.processor(), "models": options.models}
    networks = {
        (size, start): fl.train(fl.load_digits(size), config, models=options.models)
        for size in options.sizes
        for start, config in STARTS.items()
    }
    for (size, start), trained in networks.items():
        samples, name = fl.load_digits(size), f"{size}x{size} {start} start"
        compared, seconds = compare(trained, samples, options.q_max)
        results[name] = {**compared.to_json(), "seconds": seconds}
        table(f"{name}: {len(trained)} networks, {compared.trained.sum()} trained, {seconds:.0f} s", compared.rows())
        save(levels_by_method(compared.levels(), options.q_max), options.figures, f"methods/{size}x{size} {start}")
        for part, rows in (
            ("finetuning", finetuning(trained, samples, options.repeats)),
            ("flipped pixels", flipped(trained, samples)),
        ):
            results[f"{name}, {part}"] = rows
            table(f"{name}, {part}", rows)
    first = next(iter(networks.values()))
    searched = timed(
        lambda: fl.fewest_levels(first, digits, quantizer=fl.DeadZone(), q_max=options.q_max), options.repeats
    )
    results["zero, search"] = searched
    print(f"\nzero, search to q = {options.q_max}, 512 settings: {searched:.1f} s")
    results["searches"] = searches = search_speeds(first, digits, options.repeats)
    table(f"searches of {options.models} networks to q = 16, one thread", searches)
    speeds = quantizer_speeds(first, options.repeats)
    results["quantizers"] = speeds
    table(f"quantizers on {options.models} networks at 8 levels (ternary: 2, binary: 1)", speeds)
    for size, start in itertools.product(options.sizes, ("paper", "symmetric")):
        study = fl.study_range(fl.load_digits(size), STARTS[start], RANGES, models=min(600, options.models))
        name = f"{size}x{size} {start}"
        results[f"{name} start, enforced range"] = study.rows()
        table(f"{name} start, enforced weight range, the paper's quantizer", study.rows())
        save(study.figure(), options.figures, f"range/{name}")
    results["binary"] = binary = list(binary_weights(min(600, options.models)))
    table("5x5, binary weights, fine-tuned", binary)
    save(binary_figure(binary), options.figures, "binary/5x5")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def compare(networks: fl.Networks, samples: fl.Samples, q_max: int) -> tuple[fl.MethodComparison, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "levels.csv"
        file.write_text("".join(f"{g}\n" for g in CONDUCTANCES), encoding="utf-8")
        methods = fl.parse_methods(METHODS.format(file))
    begin = time.perf_counter()
    return fl.compare_methods(networks, samples, methods, q_max=q_max), time.perf_counter() - begin


SEARCHED = ("paper", "clipped", "zero", "kmeans", "qat:ternary")
"""Methods whose searches are timed beside the paper's."""


def search_speeds(networks: fl.Networks, samples: fl.Samples, repeats: int) -> list[dict[str, object]]:
    """Processor seconds of each search up to 16 levels, and times the paper's own of the same round: medians with the
    smallest and the largest of some rounds, with each instruction set.
    """
    rows: list[dict[str, object]] = []
    best = INSTRUCTION_SET
    for isa in _kernels.instruction_sets()[:-1] or _kernels.instruction_sets():
        use(isa)
        seconds: dict[str, list[float]] = {name: [] for name in SEARCHED}
        for name in [*SEARCHED] * repeats:
            begin = time.process_time()
            fl.compare_methods(networks, samples, name, q_max=16, jobs=1)
            seconds[name].append(time.process_time() - begin)
        for name, own in seconds.items():
            times = [one / paper for one, paper in zip(own, seconds["paper"], strict=True)]
            rows.append(
                {
                    "instruction set": isa,
                    "method": name,
                    "processor seconds": spread(own),
                    "times paper's": spread(times),
                }
            )
    use(best)
    return rows


def use(isa: str) -> None:
    """Let every module that calls kernels use this instruction set."""
    for name, module in list(sys.modules.items()):
        if name.startswith("fewlevels.") and hasattr(module, "INSTRUCTION_SET"):
            module.INSTRUCTION_SET = isa  # type: ignore[attr-defined]


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def finetuning(networks: fl.Networks, samples: fl.Samples, repeats: int) -> list[dict[str, object]]:
    rows = []
    for share in SHARES:
        finetune = partial(fl.finetune, networks, samples, share=share)
        found, seconds = finetune(), timed(finetune, repeats)
        steps = np.quantile(found.steps[found.solved], (0.5, 0.95, 1.0))
        rows.append(
            {
                "levels shared by": share,
                "seconds": round(seconds, 1),
                "solved": float(found.solved.mean()),
                "steps_median": steps[0],
                "steps_p95": steps[1],
                "steps_max": steps[2],
                "states_per_device": int(found.quantized.differential_pair_states.max()),
            }
        )
    return rows


def flipped(networks: fl.Networks, samples: fl.Samples) -> list[dict[str, object]]:
    few = networks[:600]
    rows: list[dict[str, object]] = []
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
        means = zip(seen.flips, seen.before.mean(axis=0), seen.after.mean(axis=0), strict=True)
        rows.append({"quantized": name, **{f"{k} flipped": f"{old:.3f} -> {new:.3f}" for k, old, new in means}})
    return rows


def quantizer_speeds(networks: fl.Networks, repeats: int) -> list[dict[str, object]]:
    joint, rows = networks.joint(), []
    for quantizer in [*QUANTIZERS.values(), fl.device_levels(CONDUCTANCES)]:
        levels = min(8, quantizer.most_levels or 8)
        seconds = timed(partial(quantizer.quantize, joint, levels), repeats)
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


def binary_weights(models: int) -> Iterator[dict[str, Any]]:
    """{-a, +a}: the start, levels of a layer's own, hidden units, and a pixel that is always on in place of a bias."""
    plain = fl.load_digits(5)
    biased = fl.Samples(np.pad(plain.x, ((0, 0), (0, 1)), constant_values=1.0), plain.y, plain.classes)
    config = fl.FinetuningConfig(steps=5000, learning_rate=0.005, latent_limit=3.0)
    for samples, start, hidden in itertools.product((plain, biased), STARTS, (10, 16, 32)):
        trained = fl.train(samples, replace(STARTS[start], hidden=hidden), models=models)
        for share in SHARES:
            begin = time.perf_counter()
            found = fl.finetune(trained, samples, quantizer=fl.Binary(), config=config, share=share)
            yield {
                "start": start,
                "scale of a": share,
                "hidden": hidden,
                "bias pixel": samples is biased,
                "solved": float(found.solved.mean()),
                "recognition_mean": float(found.recognition.mean()),
                "before_fine_tuning": float(found.recognition_before.mean()),
                "models": models,
                "seconds": round(time.perf_counter() - begin, 1),
            }


def binary_figure(rows: list[dict[str, Any]]) -> Figure:
    """The share solved against the hidden units, with its 95 % interval, without and with the bias pixel."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 3.0), layout="constrained")
        for axes, bias in zip(figure.subplots(1, 2, sharey=True), (False, True), strict=True):
            looks = itertools.product((INK, ACCENT, GREY), (("o", "-"), ("s", "--")))
            for (start, share), (color, (marker, line)) in zip(
                itertools.product(STARTS, ("network", "layer")), looks, strict=True
            ):
                own = [r for r in rows if (r["start"], r["scale of a"], r["bias pixel"]) == (start, share, bias)]
                hidden, solved = (np.array([r[key] for r in own]) for key in ("hidden", "solved"))
                low, high = wilson(np.rint(solved * own[0]["models"]), own[0]["models"])
                axes.errorbar(
                    hidden,
                    solved,
                    (solved - low, high - solved),
                    capsize=2,
                    color=color,
                    marker=marker,
                    linestyle=line,
                    markersize=4,
                    linewidth=1,
                    label=f"{start}: one scale a {share}",
                )
            axes.set(
                title="with a bias pixel" if bias else "without a bias",
                xlabel="hidden units",
                ylim=(-0.02, 1.04),
                xticks=hidden,
            )
        figure.axes[0].set_ylabel("binary networks at 100 %")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return figure


def save(figure: Figure, folder: Path | None, name: str) -> None:
    if folder:
        file = folder / f"{name.replace(', ', ' ').replace(' ', '_')}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=150)


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
