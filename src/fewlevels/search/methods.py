"""Methods: several ways to few levels on the same networks, and the table and JSON that compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import jobs_or_all, whole_number
from fewlevels.common.progress import Progress
from fewlevels.errors import SearchError
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import stack_of
from fewlevels.quantization import Quantizer
from fewlevels.quantization.layout import Layout, Share
from fewlevels.quantization.protocol import MOST_LEVELS, searchable
from fewlevels.quantization.sharing import COUNTS, Minimise, QuantizedNetworks, check_minimise, counts_of
from fewlevels.samples.samples import Samples
from fewlevels.search.fewest import fewest_levels
from fewlevels.search.finetuning import finetune
from fewlevels.search.finetuning_config import FinetuningConfig
from fewlevels.search.method import Method, checked_methods
from fewlevels.search.target import Aimed, Target, check_classes
from fewlevels.search.trace import NEVER, at_levels, first_stable, least_count

FINETUNED_LEVELS = 4
"""Levels up to which a fine-tuning method is tried where its quantizer has no limit of its own."""


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """What one method reached, for each model.

    q, stable_q, recognition_trace, output_margin_trace: as in FewestLevels. counts: what the hardware needs at q, by
    its name in COUNTS, (models,); 0 where unsolved. networks: the solved models at their fewest levels, in order.
    """

    method: Method
    q: npt.NDArray[np.intp]
    stable_q: npt.NDArray[np.intp]
    counts: dict[Minimise, npt.NDArray[np.intp]]
    recognition_trace: FloatArray
    output_margin_trace: FloatArray
    networks: Networks

    @property
    def recognition(self) -> FloatArray:
        """Recognition at q, (models,); NaN where unsolved."""
        return np.where(self.q > 0, at_levels(self.recognition_trace, self.q), np.nan)


@dataclass(frozen=True, kw_only=True)
class MethodComparison(Aimed):
    """Methods on the same networks.

    recognition: (models,), before quantizing, of the samples that judge. target: the recognition to keep.
    Every summary is over the networks that are trained to it, each at the number of levels q that has least of what is
    minimised.
    """

    results: tuple[MethodResult, ...]
    recognition: FloatArray
    target: Target
    q_max: int
    share: Share
    minimise: Minimise

    def levels(self) -> dict[str, list[int]]:
        """q of every trained network, 0 where unsolved, by method."""
        return {result.method.name: result.q[self.trained].tolist() for result in self.results}

    def rows(self) -> list[dict[str, object]]:
        """One row a method: `method`, `solved_fraction` of the trained networks, and over the solved ones the mean
        recognition before and after quantizing, quantiles of q and the medians of what the hardware needs; None where
        nothing is solved. Of one network `recognition_trace`, too.
        """
        return [self._row(result) for result in self.results]

    def to_json(self) -> dict[str, object]:
        """Plain numbers and lists, ready for `json.dumps`."""
        return {
            "models": len(self.trained),
            "models_trained": int(self.trained.sum()),
            "models_recognising_nothing": int((self.recognition == 0).sum()),
            "alpha": self.alpha,
            "relative": self.relative,
            "q_max": self.q_max,
            "share": self.share,
            "minimise": self.minimise,
            **({"recognition_before_quantizing": float(self.recognition[0])} if len(self.recognition) == 1 else {}),
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
            "solved_fraction": float(these.sum() / max(self.trained.sum(), 1)),
            "recognition_before_quantizing_mean": of(np.mean, self.recognition),
            "recognition_mean": of(np.mean, result.recognition),
            "q_min": int(result.q[these].min()) if these.any() else None,
            "q_median": of(np.median, result.q),
            "q_p95": of(np.quantile, result.q, 0.95),
            "occupied_median": median("occupied"),
            "distinct_weights_median": median("distinct-weights"),
            "differential_pair_states_median": median("differential-pair-states"),
            "offset_column_states_median": median("offset-column-states"),
            **({"recognition_trace": _listed(result.recognition_trace[0])} if len(result.q) == 1 else {}),
        }


def _listed(trace: FloatArray) -> list[float | None]:
    """A trace as JSON has it; None where a number of levels was not tried."""
    return [None if np.isnan(value) else float(value) for value in trace]


def compare_methods(
    networks: Networks | Network,
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
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> MethodComparison:
    """Run each method over the same networks, with its whole trace over q = 1 .. q_max.

    methods: or their names, as `parse_methods` takes them.
    samples: settings are chosen and fine-tuning trains on them. test: held-out samples that alone decide whether alpha
    is reached; the samples where None. alpha, relative, minimise: as in `fewest_levels`.
    A fine-tuning method is run at every number of levels that its quantizer gives, at most FINETUNED_LEVELS where
    it gives any. It aims at alpha on the samples or, with `relative`, at all of a network's own recognition of them,
    and keeps the best by them. config, seed: of fine-tuning (see `finetune`). on_progress: see `fewest_levels`.
    Raises SearchError for no method, for arguments out of range, and for a fine-tuning method on a network that is not
    dense layers one after the other.
    """
    stack, methods = stack_of(networks, SearchError), checked_methods(methods)
    tuned = [method.name for method in methods if method.finetuned]
    if tuned and not isinstance(stack, Networks):
        raise SearchError(
            f"{tuned[0]} fine-tunes dense layers one after the other, which this network is not; leave it out, or "
            "fine-tune in PyTorch with fewlevels.torch.quantize_"
        )
    contest = _Contest(
        networks=stack,
        samples=samples,
        test=test,
        target=Target(alpha, relative),
        q_max=whole_number("q_max", q_max, SearchError, least=1, most=MOST_LEVELS),
        layout=Layout.of(stack, share),
        minimise=minimise,
        config=config,
        seed=whole_number("seed", seed, SearchError),
        jobs=jobs_or_all(jobs, SearchError),
        on_progress=on_progress,
    )
    check_classes(samples, test)
    check_minimise(minimise)
    return MethodComparison(
        results=tuple(contest.run(method) for method in methods),
        recognition=stack.recognition(contest.judge),
        target=contest.target,
        q_max=contest.q_max,
        share=share,
        minimise=minimise,
    )


@dataclass(frozen=True, kw_only=True)
class _Contest:
    """What is the same for all methods; see `compare_methods`."""

    networks: Networks
    samples: Samples
    test: Samples | None
    target: Target
    q_max: int
    layout: Layout
    minimise: Minimise
    config: FinetuningConfig | None
    seed: int
    jobs: int | None
    on_progress: Callable[[Progress], None]

    @property
    def judge(self) -> Samples:
        """The samples that decide whether the target is reached."""
        return self.samples if self.test is None else self.test

    def run(self, method: Method) -> MethodResult:
        """What one method reaches."""
        return self._finetuned(method) if method.finetuned else self._searched(method)

    def _searched(self, method: Method) -> MethodResult:
        found = fewest_levels(
            self.networks,
            self.samples,
            quantizer=method.quantizer,
            alpha=self.target.alpha,
            q_max=self.q_max,
            share=self.layout.share,
            minimise=self.minimise,
            test=self.test,
            relative=self.target.relative,
            jobs=self.jobs,
            on_progress=self.on_progress,
        )
        assert found.output_margin_trace is not None  # only a stored search has none
        quantized = found.all_quantized()
        return MethodResult(
            method=method,
            q=found.q,
            stable_q=found.stable_q,
            counts=self._counts(method, found.q, quantized),
            recognition_trace=found.recognition_trace,
            output_margin_trace=found.output_margin_trace,
            networks=quantized,
        )

    def _finetuned(self, method: Method) -> MethodResult:
        quantizer, before = searchable(method.quantizer), self.networks.recognition(self.judge)
        most = self.q_max if quantizer.most_levels is not None else min(self.q_max, FINETUNED_LEVELS)
        trace, margins = np.full((2, len(self.networks), self.q_max), np.nan)
        counts, runs = np.full(trace.shape, NEVER), {}
        for levels in quantizer.numbers(most):
            runs[levels] = run = self._finetune(quantizer, levels)
            at = levels - 1
            trace[:, at] = run.networks.recognition(self.judge)
            margins[:, at] = self._margin(run.networks)
            counts[:, at] = np.where(self.target.reached(trace[:, at], before), run.counts[self.minimise], NEVER)
        q = least_count(counts, margins)
        joint = self.networks.joint()
        for levels, run in runs.items():
            joint[q == levels] = run.networks.joint()[q == levels]
        quantized = self.networks[q > 0].with_joint(joint[q > 0])
        return MethodResult(
            method=method,
            q=q,
            stable_q=first_stable(trace, self.target.reached(trace, before[:, None])),
            counts=self._counts(method, q, quantized),
            recognition_trace=trace,
            output_margin_trace=margins,
            networks=quantized,
        )

    def _margin(self, networks: Networks) -> FloatArray:
        """The smallest margin over the samples, (models,)."""
        margins = np.empty((len(networks), len(self.samples)))
        networks.judged(networks.joint(), self.samples, margin=margins)
        return margins.min(axis=1)

    def _finetune(self, quantizer: Quantizer, levels: int) -> QuantizedNetworks:
        """The networks fine-tuned to so many levels. A relative target keeps all of a network's own recognition."""
        return finetune(
            self.networks,
            self.samples,
            quantizer=quantizer,
            levels=levels,
            alpha=1.0 if self.target.relative else self.target.alpha,
            relative=self.target.relative,
            share=self.layout.share,
            config=self.config,
            seed=self.seed,
            jobs=self.jobs,
        ).quantized

    def _counts(
        self, method: Method, q: npt.NDArray[np.intp], quantized: Networks
    ) -> dict[Minimise, npt.NDArray[np.intp]]:
        """All of COUNTS, (models,), of the solved models' quantized networks; 0 where unsolved."""
        counts = {what: np.zeros(len(q), np.intp) for what in COUNTS}
        for what, count in counts_of(quantized.joint(), self.layout, method.quantizer, q[q > 0]).items():
            counts[what][q > 0] = count
        return counts
