"""Ternary weights on digits8 (64-32-10) and mnist5000 (784-64-10), against what a user would pick instead.

    python benchmarks/ternary_datasets.py [--seeds 5] [--epochs 20] [--sets digits8 mnist5000]
                                          [--units sigmoid relu] [--json FILE]

For each seed (of the split, the start and the batches) one float network is trained for EPOCHS epochs (Adam, batches
of 50, cross-entropy): of sigmoids without biases, as the paper's, or of ReLUs with biases and a softmax. Biases stay
float. From it, at three signed levels a layer:
  float, as long      EPOCHS more epochs without a quantizer: the reference
  k-means             optimal one-dimensional k-means of each layer, no training
  threshold           ternary by least squared error, no training
  fewlevels           EPOCHS epochs of fewlevels.finetune with Ternary
  Brevitas            EPOCHS epochs of quantization-aware training in PyTorch: 2 bit, narrow range (three levels)
Brevitas runs where it is installed (`pip install torch brevitas`), with the largest magnitude or the least squared
error as its scale and at five learning rates; of these ten networks the one best on the training samples counts. The
table gives the test accuracy's mean over the seeds, its smallest and largest, and the mean's ratio to the reference. It
ends with the fewest levels that keep 99 % of a network's unquantized test accuracy, settings chosen on the training
samples.

Nothing is chosen on a seed's test samples. But fewlevels' settings (threshold 0.7, ramp, rates and limits) were found
on digits8 with splits of other seeds, and every split divides the same 1797 or 5000 images: splits overlap, so that
those settings have seen most of these test images, and five seeds are not five independent data sets.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fewlevels as fl
from fewlevels.common.arrays import FloatArray
from fewlevels.quantization.protocol import Quantized, SearchableQuantizer
from fewlevels.search.finetuning_config import BATCH, config_for

HIDDEN = {"digits8": 32, "mnist5000": 64}


@dataclass(frozen=True)
class Unquantized(SearchableQuantizer):
    """Any weight is its own level: fine-tuning becomes training."""

    name = "float"

    def quantize(self, weights: FloatArray, levels: int) -> Quantized:
        return Quantized(np.zeros((len(weights), 1)), np.zeros(weights.shape, np.intp), weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--sets", nargs="+", choices=list(HIDDEN), default=list(HIDDEN))
    parser.add_argument("--units", nargs="+", choices=["sigmoid", "relu"], default=["sigmoid", "relu"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    packages = ("numpy", "scikit-learn", "mlxtend", "torch", "brevitas")
    results: dict[str, object] = {"versions": {name: version(name) for name in ("fewlevels", *packages)}}
    print(results["versions"])
    for name, units in itertools.product(options.sets, options.units):
        runs = [one_seed(name, units, seed, options.epochs) for seed in range(1, options.seeds + 1)]
        reference = np.mean([run["float, as long"][0] for run in runs])
        rows: dict[str, object] = {}
        print(f"\n{name}, {HIDDEN[name]} hidden units, {units}, {options.seeds} seeds, {options.epochs} epochs")
        for contender in runs[0]:
            accuracy = [run[contender][0] for run in runs]
            seconds = float(np.mean([run[contender][1] for run in runs]))
            rows[contender] = {"test": accuracy, "ratio": float(np.mean(accuracy) / reference), "seconds": seconds}
            print(
                f"  {contender:24} {np.mean(accuracy):.4f}  ({min(accuracy):.4f} to {max(accuracy):.4f})  "
                f"{np.mean(accuracy) / reference:7.2%} of float  {seconds:6.1f} s",
                flush=True,
            )
        rows["fewest levels"] = few = [fewest(name, units, seed, options.epochs) for seed in range(1, 3)]
        print(f"  fewest levels at 99 % of the unquantized test accuracy, two seeds: {few}", flush=True)
        results[f"{name}, {units}"] = rows
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def one_seed(name: str, units: str, seed: int, epochs: int) -> dict[str, tuple[float, float]]:
    training, test = fl.load_dataset(name, seed=seed)
    start, _ = timed(lambda: float_networks(name, units, seed, epochs))

    def accuracy(make: Callable[[], fl.Networks]) -> tuple[float, float]:
        networks, seconds = timed(make)
        return float(networks.recognition(test)[0]), seconds

    least = fl.Ternary(threshold=None)
    found = {
        "float": accuracy(lambda: start),
        "float, as long": accuracy(lambda: trained(start, training, seed + 100, epochs)),
        "k-means": accuracy(lambda: fl.quantize_networks(start, fl.KMeans(signed=True), 3, share="layer").networks),
        "threshold": accuracy(lambda: fl.quantize_networks(start, least, 2, share="layer").networks),
        "fewlevels": accuracy(lambda: ternary(start, training, seed + 100, epochs)),
    }
    if version("brevitas"):
        found["Brevitas"] = accuracy(lambda: best_brevitas(start, training, seed, epochs))
    return found


def float_networks(name: str, units: str, seed: int, epochs: int) -> fl.Networks:
    training, _ = fl.load_dataset(name, seed=seed)
    if units == "relu":
        return fl.train_dense(training, fl.DenseConfig(hidden=(HIDDEN[name],), epochs=epochs, batch=BATCH), seed=seed)
    rng = np.random.default_rng(seed)
    sizes = (training.inputs, HIDDEN[name]), (HIDDEN[name], 10)
    start = fl.Networks.from_weights([rng.normal(0, fan_in**-0.5, (1, fan_in, fan_out)) for fan_in, fan_out in sizes])
    return trained(start, training, seed, epochs)


def ternary(start: fl.Networks, training: fl.Samples, seed: int, epochs: int) -> fl.Networks:
    """What finetune does by default with many samples; found on digits8 with the splits of seeds 101 to 116."""
    config = config_for(start, training, epochs=epochs)
    return tuned(start, training, fl.Ternary(threshold=0.7), 2, config, seed)


def trained(start: fl.Networks, training: fl.Samples, seed: int, epochs: int) -> fl.Networks:
    steps = epochs * (len(training) // BATCH)
    config = fl.FinetuningConfig(
        steps=steps, batch=BATCH, learning_rate=0.1, final_rate=0.02, latent_limit=1e6, check_every=steps
    )
    return tuned(start, training, Unquantized(), 1, config, seed)


def tuned(
    start: fl.Networks,
    training: fl.Samples,
    quantizer: fl.Quantizer,
    levels: int,
    config: fl.FinetuningConfig,
    seed: int,
) -> fl.Networks:
    found = fl.finetune(start, training, quantizer=quantizer, levels=levels, share="layer", config=config, seed=seed)
    return found.quantized.networks


def best_brevitas(start: fl.Networks, training: fl.Samples, seed: int, epochs: int) -> fl.Networks:
    candidates = {
        (scale, rate): brevitas(start, training, seed, epochs, scale, rate)
        for scale in ("Int8WeightPerTensorFloat", "Int8WeightPerTensorFloatMSE")
        for rate in (0.001, 0.003, 0.01, 0.03, 0.1)
    }
    best = max(candidates, key=lambda key: candidates[key].recognition(training)[0])
    print(f"  Brevitas, seed {seed}: {best[0]}, rate {best[1]}", flush=True)
    return candidates[best]


def brevitas(start: fl.Networks, training: fl.Samples, seed: int, epochs: int, scale: str, rate: float) -> fl.Networks:
    """The same network, loss, batches and steps in PyTorch; returns the weights that its layers multiply by."""
    import brevitas.quant
    import torch
    from brevitas.nn import QuantLinear

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    layers = []
    for w, b in zip(start.weights, start.biases, strict=True):
        weight_quant = getattr(brevitas.quant, scale)
        layer = QuantLinear(*w.shape[1:], bias=b is not None, weight_quant=weight_quant, weight_bit_width=2)
        layer.weight.data = torch.tensor(w[0].T, dtype=torch.float32)
        if b is not None:
            layer.bias.data = torch.tensor(b[0], dtype=torch.float32)
        layers.append(layer)
    model = torch.nn.Sequential(layers[0], torch.nn.Sigmoid() if start.plain else torch.nn.ReLU(), layers[1])
    x = torch.tensor(training.x, dtype=torch.float32)
    target = torch.nn.functional.one_hot(torch.tensor(training.y, dtype=torch.int64), 10).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    steps = epochs * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.02 * rate)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
            optimizer.zero_grad()
            if start.plain:  # the sum over the ten outputs, as fewlevels has it
                loss = 10 * torch.nn.functional.binary_cross_entropy_with_logits(model(x[chosen]), target[chosen])
            else:
                loss = torch.nn.functional.cross_entropy(model(x[chosen]), target[chosen])
            loss.backward()
            optimizer.step()
            schedule.step()
    quantized = [layer.quant_weight().value.detach().numpy().T.astype(float) for layer in layers]
    assert all(len(np.unique(w)) <= 3 for w in quantized), "Brevitas was asked for three levels"
    biases = [None if layer.bias is None else layer.bias.detach().numpy().astype(float) for layer in layers]
    return fl.Networks.from_weights(quantized, biases=biases, activations=start.activations)


def fewest(name: str, units: str, seed: int, epochs: int) -> dict[str, int]:
    """By method, the fewest levels up to 8, each layer's its own, that keep 99 % of the unquantized test accuracy; 0:
    none."""
    training, test = fl.load_dataset(name, seed=seed)
    methods = fl.parse_methods("paper,clipped,zero,kmeans,ternary")
    found = fl.compare_methods(
        float_networks(name, units, seed, epochs),
        training,
        methods,
        alpha=0.99,
        relative=True,
        test=test,
        q_max=8,
        share="layer",
    )
    return {method: q[0] for method, q in found.levels().items()}


def timed(make: Callable[[], fl.Networks]) -> tuple[fl.Networks, float]:
    begin = time.perf_counter()
    return make(), time.perf_counter() - begin


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
