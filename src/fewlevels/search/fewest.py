"""Search: the fewest levels that keep a network's recognition, with the whole trace over the number of levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import jobs_or_all, whole_number
from fewlevels.common.progress import Progress
from fewlevels.errors import SearchError
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import Variants, stack_of
from fewlevels.quantization import Midpoint, Quantized, Quantizer
from fewlevels.quantization.layout import Layout, Share
from fewlevels.quantization.protocol import MOST_LEVELS, searchable
from fewlevels.quantization.sharing import Minimise, check_minimise
from fewlevels.samples.samples import Samples
from fewlevels.search.sweep import Sweep, quantize_each
from fewlevels.search.target import Aimed, Target, check_classes
from fewlevels.search.trace import at_levels

OF_MODELS = (
    "networks",
    "q",
    "stable_q",
    "occupied",
    "recognition",
    "recognition_trace",
    "output_margin_trace",
    "setting_trace",
)
"""Fields of FewestLevels that have a row for each model."""


@dataclass(frozen=True, kw_only=True)
class FewestLevels(Aimed):
    """What a search found, for each model.

    target: the recognition to keep. share: which weights share levels. minimise: what is minimised, a name of COUNTS.
    q: (models,), the requested levels that reach the target with least of what is minimised, then with the largest
    margin; 0 where no number up to q_max reaches it.
    stable_q: (models,), the smallest number from which every one up to q_max reaches the target; 0 where none.
    occupied: (models,), levels that hold a weight at q; 0 where unsolved, as in all that follows about q.
    recognition: (models,), before quantizing. recognition_trace: (models, q_max), at 1 .. q_max levels; NaN at a
    number of levels that the quantizer does not give. Both are of the test samples where there are any.
    output_margin_trace: (models, q_max), the smallest difference, over the samples, between a sample's own output and
    the runner-up in the quantized network. setting_trace: (models, q_max), which of `quantizer.settings()` is the best
    at each number of levels: of those that reach the target on the samples one with least of what is minimised; else,
    and of equals, that of most recognition, then of largest margin. Both None where they were not kept.
    """

    networks: Networks
    quantizer: Quantizer
    target: Target
    q: npt.NDArray[np.intp]
    stable_q: npt.NDArray[np.intp]
    occupied: npt.NDArray[np.intp]
    recognition: FloatArray
    recognition_trace: FloatArray
    output_margin_trace: FloatArray | None = None
    setting_trace: npt.NDArray[np.int16] | None = None
    share: Share = "network"
    minimise: Minimise = "requested"

    def __repr__(self) -> str:
        fewest = f", fewest {self.q[self.solved].min()}" if self.solved.any() else ""
        kept = f"keeps {self.target} of {self.solved.sum()}/{len(self.q)}"
        return f"<FewestLevels: {self.quantizer.name} {kept}{fewest}>"

    @property
    def solved(self) -> npt.NDArray[np.bool_]:
        """Whether a number of levels up to q_max reaches the target, (models,)."""
        return self.q > 0

    def of(self, models: npt.NDArray[np.intp]) -> FewestLevels:
        """What was found for these models alone."""
        held: dict[str, Any] = {name: getattr(self, name) for name in OF_MODELS}
        chosen: dict[str, Any] = {name: each if each is None else each[models] for name, each in held.items()}
        return replace(self, **chosen)

    def quantization(self, model: int) -> Quantized:
        """Levels and assignment of one model at its fewest levels. Raises SearchError where it is unsolved, or where
        levels are not shared by the whole network.
        """
        if self.share != "network":
            raise SearchError(f"a network has one list of levels only where share is 'network', it is {self.share!r}")
        return self._setting(model).quantize(self._one(model).joint(), int(self.q[model]))

    def quantized(self, model: int) -> Networks:
        """One model with its weights at their fewest levels, as a stack of one. Raises SearchError where it is
        unsolved.
        """
        network = self._one(model)
        return network.with_joint(self._layout.quantize(network.joint(), self._setting(model), int(self.q[model]))[0])

    def quantized_network(self, model: int = 0) -> Network:
        """The same as a `Network`, which can be stored as ONNX."""
        found: Networks | Variants = self.quantized(model)
        return found.one(0) if isinstance(found, Variants) else Network.from_networks(found)

    def all_quantized(self) -> Networks:
        """Every solved model with its weights at their fewest levels, in order."""
        solved, settings = np.flatnonzero(self.solved), searchable(self.quantizer).settings()
        chosen = self.networks[solved]
        joint, _ = quantize_each(chosen.joint(), self._layout, settings, self.q[solved], self._chosen()[solved])
        return chosen.with_joint(joint)

    def pareto(self, model: int) -> list[tuple[int, float, float]]:
        """(levels, recognition, margin) of the numbers of levels that no smaller number equals in both."""
        if self.output_margin_trace is None:
            raise SearchError("margins were not kept with this result; search again for them")
        best: list[tuple[int, float, float]] = []
        traces = zip(self.recognition_trace[model], self.output_margin_trace[model], strict=True)
        for levels, (recognition, margin) in enumerate(traces, start=1):
            if np.isfinite(recognition) and not any(r >= recognition and m >= margin for _, r, m in best):
                best.append((levels, float(recognition), float(margin)))
        return best

    def _one(self, model: int) -> Networks:
        return self.networks[np.array([model])]

    @property
    def _layout(self) -> Layout:
        return Layout.of(self.networks, self.share)

    def _chosen(self) -> npt.NDArray[np.intp]:
        """The index of each model's setting at its q, (models,)."""
        if self.setting_trace is None:
            if len(searchable(self.quantizer).settings()) > 1:
                raise SearchError(f"the settings of {self.quantizer.name!r} were not kept with this result")
            return np.zeros(len(self.q), np.intp)
        return at_levels(self.setting_trace, self.q).astype(np.intp)

    def _setting(self, model: int) -> Quantizer:
        if not self.solved[model]:
            raise SearchError(
                f"model {model} does not reach {self.target} with any number of levels up to "
                f"{self.recognition_trace.shape[1]}"
            )
        return searchable(self.quantizer).settings()[self._chosen()[model]]


def fewest_levels(
    networks: Networks | Network,
    samples: Samples,
    *,
    quantizer: Quantizer | None = None,
    alpha: float = 1.0,
    q_max: int = 64,
    share: Share = "network",
    minimise: Minimise = "requested",
    test: Samples | None = None,
    relative: bool = False,
    jobs: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> FewestLevels:
    """Quantize each network with q = 1 .. q_max levels and find the fewest that keep its recognition at alpha.

    networks: stacked ones, or a `Network` of any kind, whose layers' matrices are its weights.
    quantizer: Midpoint() where None, the paper's; all its settings are tried, or a coarser choice of them
    (`tried_in_full`) where something else than requested levels is minimised, or networks are not the paper's.
    alpha: target recognition, in (0, 1].
    share: which weights share levels. minimise: a name of COUNTS: 'requested' levels, 'occupied' ones, or what else the
    hardware needs; of equals the largest margin. jobs: threads.
    test: held-out samples that decide whether a number of levels reaches alpha, and nothing else: its setting is chosen
    on `samples` alone. Where None, the samples decide both.
    relative: alpha is a fraction of each network's own recognition before quantizing, of whichever samples are meant;
    a network that recognises nothing has nothing to keep and is unsolved.
    on_progress: called on the way of a search that takes longer than moments.
    Every q up to q_max is tried, because recognition does not only rise with q.
    Raises SearchError for arguments out of range, NetworksError where samples do not fit the networks.
    """
    quantizer = Midpoint() if quantizer is None else quantizer
    check_classes(samples, test)
    stack = stack_of(networks, SearchError)
    target = Target(alpha, relative)
    q_max = whole_number("q_max", q_max, SearchError, least=1, most=MOST_LEVELS)
    jobs = jobs_or_all(jobs, SearchError)
    check_minimise(minimise)
    layout = Layout.of(stack, share)
    sweep = Sweep(stack, samples, searchable(quantizer), layout, target, q_max=q_max, minimise=minimise, test=test)
    sweep.run(jobs, on_progress)
    return FewestLevels(
        networks=stack,
        quantizer=quantizer,
        target=target,
        q=sweep.q,
        stable_q=sweep.stable_q,
        occupied=sweep.occupied,
        recognition=sweep.judged_before,
        recognition_trace=np.ascontiguousarray(sweep.recognition.T),
        output_margin_trace=np.ascontiguousarray(sweep.margin.T),
        setting_trace=np.ascontiguousarray(sweep.setting.T),
        share=share,
        minimise=minimise,
    )
