"""Methods: several ways to few levels on the same networks, and the table and JSON that compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import jobs_or_all
from fewlevels.common.progress import Progress
from fewlevels.errors import SearchError
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.quantization.layout import Share
from fewlevels.quantization.sharing import Minimise
from fewlevels.samples.samples import Samples
from fewlevels.search.contest import Contest, MethodResult, Tried
from fewlevels.search.finetuning_config import FinetuningConfig
from fewlevels.search.method import Method, checked_methods
from fewlevels.search.target import Aimed, Target


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

    @classmethod
    def of(cls, contest: Contest, methods: Sequence[Method], tried: Sequence[Tried]) -> MethodComparison:
        """What the methods reached. tried: with all networks at all numbers of levels of each."""
        before = contest.before()
        return cls(
            results=tuple(contest.result(method, each, before) for method, each in zip(methods, tried, strict=True)),
            recognition=before,
            target=contest.target,
            q_max=contest.q_max,
            share=contest.share,
            minimise=contest.minimise,
        )

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
    methods = checked_methods(methods)
    contest = Contest.of(
        networks,
        samples,
        methods,
        test=test,
        target=Target(alpha, relative),
        q_max=q_max,
        share=share,
        minimise=minimise,
        seed=seed,
        config=config,
    )
    return compare(contest, methods, jobs=jobs, on_progress=on_progress)


def compare(
    contest: Contest,
    methods: Sequence[Method],
    *,
    jobs: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> MethodComparison:
    """What the methods of a contest reach. jobs, on_progress: see `fewest_levels`."""
    jobs, models = jobs_or_all(jobs, SearchError), range(len(contest.networks))
    tried = [
        contest.tried(method, models, contest.numbers(method), jobs=jobs, on_progress=on_progress) for method in methods
    ]
    return MethodComparison.of(contest, methods, tried)
