"""Methods: several ways to few levels on the same networks, and the table and JSON that compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, shown, whole_number
from fewlevels.devices.files import load_device_levels
from fewlevels.errors import SearchError
from fewlevels.networks.forward import recognised
from fewlevels.networks.networks import Networks
from fewlevels.quantization import METHOD_QUANTIZERS, Quantizer, Ternary
from fewlevels.quantization.protocol import searchable
from fewlevels.quantization.sharing import COUNTS, Minimise, Share, check_minimise, counts_of
from fewlevels.samples.samples import Samples
from fewlevels.search.fewest import fewest_levels
from fewlevels.search.finetuning import FinetuningConfig, finetune
from fewlevels.search.target import check_classes, check_search, reaches, targets
from fewlevels.search.trace import NEVER, first_and_stable, least_count

PAPER_NAMES = {"paper": "midpoint", "paper-signed": "midpoint-signed"}
"""Names of methods that are not their quantizer's own."""

FINETUNED_QUANTIZERS: dict[str, Quantizer] = {"ternary": Ternary()}
"""Quantizers that fine-tune best with their control fixed: ternary solves all networks, with a free threshold 89 %."""

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

    q, stable_q, recognition_trace, margin_trace: as in FewestLevels. counts: what the hardware needs at q, by its name
    in COUNTS, (models,); 0 where unsolved. networks: the solved models at their fewest levels, in order.
    """

    method: Method
    q: npt.NDArray[np.intp]
    stable_q: npt.NDArray[np.intp]
    counts: dict[Minimise, npt.NDArray[np.intp]]
    recognition_trace: FloatArray
    margin_trace: FloatArray
    networks: Networks

    @property
    def recognition(self) -> FloatArray:
        """Recognition at q, (models,); NaN where unsolved."""
        at_q = np.take_along_axis(self.recognition_trace, np.maximum(self.q, 1)[:, None] - 1, axis=1)[:, 0]
        return np.where(self.q > 0, at_q, np.nan)


@dataclass(frozen=True)
class MethodComparison:
    """Methods on the same networks.

    recognition: (models,), before quantizing, of the samples that alpha is judged on. alpha, relative: the target.
    Every summary is over the networks that are trained to it, each at the number of levels q that has least of what is
    minimised.
    """

    results: tuple[MethodResult, ...]
    recognition: FloatArray
    alpha: float
    relative: bool
    q_max: int
    share: Share
    minimise: Minimise

    @property
    def trained(self) -> npt.NDArray[np.bool_]:
        """Whether a network reaches its target before quantizing, (models,)."""
        return reaches(self.recognition, targets(self.recognition, self.alpha, self.relative))

    def levels(self) -> dict[str, list[int]]:
        """q of every trained network, 0 where unsolved, by method."""
        return {result.method.name: result.q[self.trained].tolist() for result in self.results}

    def rows(self) -> list[dict[str, object]]:
        """One row a method: `method`, `solved` (a fraction of the trained networks), and over the solved ones the mean
        recognition before and after quantizing, quantiles of q and the medians of what the hardware needs; None where
        nothing is solved.
        """
        return [self._row(result) for result in self.results]

    def to_json(self) -> dict[str, object]:
        """Plain numbers and lists, ready for `json.dumps`."""
        return {
            "models": len(self.trained),
            "trained": int(self.trained.sum()),
            "recognise_nothing": int((self.recognition == 0).sum()),
            "alpha": self.alpha,
            "relative": self.relative,
            "q_max": self.q_max,
            "share": self.share,
            "minimises": COUNTS[self.minimise],
            "methods": self.rows(),
        }

    def _row(self, result: MethodResult) -> dict[str, object]:
        these = self.trained & (result.q > 0)

        def of(statistic: Callable[..., Any], values: npt.NDArray[np.generic], *at: float) -> float | None:
            return float(statistic(values[these], *at)) if these.any() else None

        def median(what: Minimise) -> float | None:
            return of(np.median, result.counts[what])

        return {
            "method": result.method.name,
            "solved": float(these.sum() / max(self.trained.sum(), 1)),
            "recognition_before": of(np.mean, self.recognition),
            "recognition_after": of(np.mean, result.recognition),
            "q_min": int(result.q[these].min()) if these.any() else None,
            "q_median": of(np.median, result.q),
            "q_p95": of(np.quantile, result.q, 0.95),
            "occupied_median": median("occupied"),
            "distinct_weights_median": median("distinct"),
            "states_per_device_median": median("differential-pair"),
            "states_per_device_offset_column_median": median("offset-column"),
        }


def parse_methods(text: str) -> list[Method]:
    """Methods from 'paper,clipped,zero,kmeans,device:levels.csv,qat:ternary': quantizers by name, a device
    after 'device:' (see load_device_levels), and 'qat:' before any of these to fine-tune for it.

    Raises SearchError for a name that there is not or that stands twice, DeviceError for a file not valid.
    """
    names = [name.strip() for name in instance("methods", text, str, SearchError).split(",")]
    for name in names:
        if names.count(name) > 1:
            raise SearchError(f"each method can be asked for once, {name!r} stands {names.count(name)} times")
    return [_parse_method(name) for name in names]


def compare_methods(
    networks: Networks,
    samples: Samples,
    methods: str | Sequence[Method],
    *,
    alpha: float = 1.0,
    q_max: int = 16,
    share: Share = "network",
    minimise: Minimise = "requested",
    test: Samples | None = None,
    relative: bool = False,
    config: FinetuningConfig | None = None,
    seed: int = 1,
    jobs: int | None = None,
) -> MethodComparison:
    """Run each method over the same networks, with its whole trace over q = 1 .. q_max.

    methods: or their names, as `parse_methods` takes them.
    samples: settings are chosen and fine-tuning trains on them. test: held-out samples that alone decide whether alpha
    is reached; the samples where None. alpha, relative, minimise: as in `fewest_levels`.
    A fine-tuning method is run at every number of levels that its quantizer gives, at most FINETUNED_LEVELS where
    it gives any. It aims at alpha on the samples or, with `relative`, at all of a network's own recognition of them,
    and keeps the best by them. config, seed: of fine-tuning (see `finetune`).
    Raises SearchError for no method or arguments out of range.
    """
    instance("networks", networks, Networks, SearchError)
    check_search(alpha, q_max, jobs)
    check_classes(samples, test)
    check_minimise(minimise)
    seed = whole_number("seed", seed, SearchError)
    methods = parse_methods(methods) if isinstance(methods, str) else methods
    if not (isinstance(methods, list | tuple) and all(isinstance(method, Method) for method in methods)):
        raise SearchError(f"methods must be a list of methods or of their names, got {shown(methods)}")
    if not methods:
        raise SearchError("methods must name at least one method, got none")
    judge = samples if test is None else test
    recognition = networks.recognition(judge)
    target = targets(recognition, alpha, relative)

    def searched(method: Method) -> MethodResult:
        found = fewest_levels(
            networks,
            samples,
            quantizer=method.quantizer,
            alpha=alpha,
            q_max=q_max,
            share=share,
            minimise=minimise,
            test=test,
            relative=relative,
            jobs=jobs,
        )
        assert found.margin_trace is not None  # only a stored search has none
        return result(
            method, found.q, found.stable_q, found.recognition_trace, found.margin_trace, found.all_quantized()
        )

    def finetuned(method: Method) -> MethodResult:
        quantizer = searchable(method.quantizer)
        trace, margins = np.full((2, len(networks), q_max), np.nan)
        least, tuned = np.full(trace.shape, NEVER), {}
        for levels in range(quantizer.least_levels, min(q_max, quantizer.most_levels or FINETUNED_LEVELS) + 1):
            run = finetune(
                networks,
                samples,
                quantizer=quantizer,
                levels=levels,
                alpha=1.0 if relative else alpha,
                relative=relative,
                share=share,
                config=config,
                seed=seed,
                jobs=jobs,
            ).quantized
            at = levels - 1
            trace[:, at], margins[:, at] = run.networks.recognition(judge), _margins(run.networks, samples)
            least[:, at] = np.where(reaches(trace[:, at], target), run.counts[minimise], NEVER)
            tuned[levels] = run.networks.joint()
        q, stable_q = least_count(least, margins), first_and_stable(trace, target[:, None])[1]
        joint = networks.joint()
        for levels, quantized in tuned.items():
            joint[q == levels] = quantized[q == levels]
        return result(method, q, stable_q, trace, margins, Networks.from_joint(joint[q > 0], networks.shapes))

    def result(
        method: Method,
        q: npt.NDArray[np.intp],
        stable_q: npt.NDArray[np.intp],
        trace: FloatArray,
        margins: FloatArray,
        quantized: Networks,
    ) -> MethodResult:
        solved = q > 0
        counts = {what: np.zeros(len(q), np.intp) for what in COUNTS}
        for what, count in counts_of(quantized.joint(), networks.shapes, method.quantizer, q[solved], share).items():
            counts[what][solved] = count
        return MethodResult(method, q, stable_q, counts, trace, margins, quantized)

    results = tuple(finetuned(method) if method.finetuned else searched(method) for method in methods)
    return MethodComparison(results, recognition, alpha, relative, q_max, share, minimise)


def _parse_method(name: str) -> Method:
    bare = name.removeprefix("qat:")
    finetuned = bare != name
    if bare.startswith("device:"):
        return Method(name, load_device_levels(bare.removeprefix("device:")), finetuned)
    quantizers = METHOD_QUANTIZERS | (FINETUNED_QUANTIZERS if finetuned else {})
    quantizer = quantizers.get(PAPER_NAMES.get(bare, bare))
    if quantizer is None:
        known = ", ".join([*PAPER_NAMES, *METHOD_QUANTIZERS, "device:LEVELS.csv|DEVICE.toml", "qat:METHOD"])
        raise SearchError(f"methods are {known}; got {shown(name)}")
    return Method(name, quantizer, finetuned)


def _margins(networks: Networks, samples: Samples) -> FloatArray:
    """The smallest margin of each network over the samples, (models,)."""
    margins = np.empty((len(networks), len(samples)))
    recognised(networks.joint(), networks.shapes, samples, margins)
    return margins.min(axis=1)
