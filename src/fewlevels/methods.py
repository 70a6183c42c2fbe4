"""Methods: several ways to few levels on the same networks, and the table, JSON and figure that compare them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fewlevels.devices.files import load_device_levels
from fewlevels.errors import SearchError
from fewlevels.finetuning import FinetuningConfig, finetune
from fewlevels.networks import Networks, recognised
from fewlevels.quantization import METHOD_QUANTIZERS, Quantizer
from fewlevels.quantization.protocol import searchable
from fewlevels.quantization.sharing import COUNTS, Minimise, Share, check_minimise, count_states
from fewlevels.samples import FloatArray, Samples
from fewlevels.search import NEVER, check_search, fewest_levels, first_and_stable, least_count, reaches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER_NAMES = {"paper": "midpoint", "paper-signed": "midpoint-signed"}
"""Names of methods that are not their quantizer's own."""

FINETUNED_LEVELS = 4
"""Levels up to which a fine-tuning method is tried where its quantizer has no limit of its own."""


@dataclass(frozen=True)
class Method:
    """A quantizer, searched as it is or fine-tuned for (`finetuned`), under the name it was asked for."""

    name: str
    quantizer: Quantizer
    finetuned: bool = False


@dataclass(frozen=True)
class MethodResult:
    """What one method reached, for each model.

    q: (models,), fewest levels; 0 where unsolved, as in the counts. recognition_trace, margin_trace: (models, q_max).
    networks: the solved models at their fewest levels, in order.
    """

    method: Method
    q: npt.NDArray[np.intp]
    stable_q: npt.NDArray[np.intp]
    occupied: npt.NDArray[np.intp]
    distinct_weights: npt.NDArray[np.intp]
    differential_pair_states: npt.NDArray[np.intp]
    offset_column_states: npt.NDArray[np.intp]
    recognition_trace: FloatArray
    margin_trace: FloatArray
    networks: Networks


@dataclass(frozen=True)
class MethodComparison:
    """Methods on the same networks. trained: (models,), whether a network reaches alpha before quantizing.

    Every summary is over the trained networks, each at the number of levels q that has least of what is minimised.
    """

    results: tuple[MethodResult, ...]
    trained: npt.NDArray[np.bool_]
    alpha: float
    q_max: int
    share: Share
    minimise: Minimise

    def rows(self) -> list[dict[str, object]]:
        """One row a method: `method`, `solved` (a fraction), quantiles of q over the solved, and hardware counts;
        None where nothing is solved.
        """
        return [self._row(result) for result in self.results]

    def to_json(self) -> dict[str, object]:
        """Plain numbers and lists, ready for `json.dumps`."""
        return {
            "models": len(self.trained), "trained": int(self.trained.sum()), "alpha": self.alpha, "q_max": self.q_max,
            "share": self.share, "minimises": COUNTS[self.minimise], "methods": self.rows(),
        }  # fmt: skip

    def figure(self) -> Figure:
        """The fraction of trained networks that at most q levels solve, against q, one curve a method."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        numbers = np.arange(self.q_max + 1)
        for result in self.results:
            q = result.q[self.trained]
            solved = [(q[q > 0] <= number).sum() / max(len(q), 1) for number in numbers]
            axes.step(numbers, solved, where="post", label=result.method.name)
        axes.set(xlabel="levels q", ylabel="networks solved with at most q levels")
        axes.set(xlim=(0, self.q_max), ylim=(0, 1.02))
        axes.legend(frameon=False)
        return figure

    def _row(self, result: MethodResult) -> dict[str, object]:
        these = self.trained & (result.q > 0)

        def quantile(values: npt.NDArray[np.intp], at: float) -> float | None:
            return float(np.quantile(values[these], at)) if these.any() else None

        return {
            "method": result.method.name,
            "solved": float(these.sum() / max(self.trained.sum(), 1)),
            "q_min": int(result.q[these].min()) if these.any() else None,
            "q_median": quantile(result.q, 0.5),
            "q_p95": quantile(result.q, 0.95),
            "occupied_median": quantile(result.occupied, 0.5),
            "distinct_weights_median": quantile(result.distinct_weights, 0.5),
            "states_per_device_median": quantile(result.differential_pair_states, 0.5),
            "states_per_device_offset_column_median": quantile(result.offset_column_states, 0.5),
        }


def parse_methods(text: str) -> list[Method]:
    """Methods from 'paper,clipped,zero,kmeans,device:levels.csv,qat:ternary': quantizers by name, a device
    after 'device:' (see load_device_levels), and 'qat:' before any of these to fine-tune for it.

    Raises SearchError for a name that there is not or that stands twice, QuantizationError for a file not valid.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if names.count(name) > 1:
            raise SearchError(f"each method can be asked for once, {name!r} stands {names.count(name)} times")
    return [_parse_method(name) for name in names]


def compare_methods(
    networks: Networks, samples: Samples, methods: Sequence[Method], *, alpha: float = 1.0, q_max: int = 16,
    share: Share = "network", minimise: Minimise = "requested", config: FinetuningConfig | None = None, seed: int = 1,
    jobs: int | None = None,
) -> MethodComparison:  # fmt: skip
    """Run each method over the same networks, with its whole trace over q = 1 .. q_max.

    A fine-tuning method is run at every number of levels that its quantizer gives, at most FINETUNED_LEVELS where
    it gives any. minimise: as in `fewest_levels`. config, seed: of fine-tuning.
    Raises SearchError for no method or arguments out of range.
    """
    check_search(alpha, q_max)
    check_minimise(minimise)
    if not methods:
        raise SearchError("methods must name at least one method, got none")
    results = tuple(
        _finetuned(networks, samples, method, alpha, q_max, share, minimise, config, seed, jobs) if method.finetuned
        else _searched(networks, samples, method, alpha, q_max, share, minimise, jobs)
        for method in methods
    )  # fmt: skip
    trained = reaches(networks.recognition(samples), alpha)
    return MethodComparison(results, trained, alpha, q_max, share, minimise)


def _parse_method(name: str) -> Method:
    if name.startswith("qat:"):
        return replace(_parse_method(name.removeprefix("qat:")), name=name, finetuned=True)
    if name.startswith("device:"):
        return Method(name, load_device_levels(name.removeprefix("device:")))
    quantizer = METHOD_QUANTIZERS.get(PAPER_NAMES.get(name, name))
    if quantizer is None:
        known = ", ".join([*PAPER_NAMES, *METHOD_QUANTIZERS, "device:LEVELS.csv|DEVICE.toml|NAME", "qat:METHOD"])
        raise SearchError(f"methods are {known}; got {name!r}")
    return Method(name, quantizer)


def _searched(
    networks: Networks, samples: Samples, method: Method, alpha: float, q_max: int, share: Share, minimise: Minimise,
    jobs: int | None,
) -> MethodResult:  # fmt: skip
    found = fewest_levels(
        networks, samples, quantizer=method.quantizer, alpha=alpha, q_max=q_max, share=share, minimise=minimise,
        jobs=jobs,
    )  # fmt: skip
    quantized = found.all_quantized()
    counts = np.zeros((3, len(networks)), np.intp)
    counts[:, found.solved] = count_states(quantized.joint(), networks.shapes, share)
    margins = np.full_like(found.recognition_trace, np.nan) if found.margin_trace is None else found.margin_trace
    return MethodResult(method, found.q, found.stable_q, found.occupied, counts[0], counts[1], counts[2],
                        found.recognition_trace, margins, quantized)  # fmt: skip


def _finetuned(
    networks: Networks, samples: Samples, method: Method, alpha: float, q_max: int, share: Share,
    minimise: Minimise, config: FinetuningConfig | None, seed: int, jobs: int | None,
) -> MethodResult:  # fmt: skip
    quantizer = searchable(method.quantizer)
    most = min(q_max, quantizer.most_levels or FINETUNED_LEVELS)
    trace, margins = np.full((2, len(networks), q_max), np.nan)
    runs = {
        q: finetune(networks, samples, quantizer=quantizer, levels=q, alpha=alpha, share=share, config=config,
                    seed=seed, jobs=jobs)
        for q in range(quantizer.least_levels, most + 1)
    }  # fmt: skip
    least = np.full(trace.shape, NEVER)
    for q, run in runs.items():
        trace[:, q - 1] = run.recognition
        margin = np.empty((len(networks), len(samples)))
        recognised(run.quantized.networks.joint(), networks.shapes, samples, margin)
        margins[:, q - 1] = margin.min(axis=1)
        least[:, q - 1] = np.where(run.solved, run.quantized.counts()[minimise], NEVER)
    chosen, stable = least_count(least, margins), first_and_stable(trace, alpha)[1]
    counts = np.zeros((4, len(networks)), np.intp)
    joint = networks.joint()
    for q, run in runs.items():
        these = chosen == q
        joint[these] = run.quantized.networks.joint()[these]
        counts[:, these] = [count[these] for count in list(run.quantized.counts().values())[1:]]
    return MethodResult(method, chosen, stable, counts[0], counts[1], counts[2], counts[3], trace, margins,
                        Networks.from_joint(joint[chosen > 0], networks.shapes))  # fmt: skip
