"""Search: the fewest levels that keep a network's recognition, with the whole trace over the number of levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance
from fewlevels.common.memory import MEMORY_BYTES, at_once
from fewlevels.common.parallel import checkpoint, in_order, threads_for
from fewlevels.errors import SearchError
from fewlevels.networks.forward import recognised
from fewlevels.networks.networks import Networks
from fewlevels.quantization import Midpoint, Quantized, Quantizer
from fewlevels.quantization.protocol import CuttingQuantizer, searchable
from fewlevels.quantization.sharing import (
    Minimise,
    Share,
    check_minimise,
    counts_of,
    quantize_joint,
    quantize_networks,
    split,
    sweep_joint,
)
from fewlevels.samples.samples import Samples
from fewlevels.search.contenders import best_settings, can_be_screened
from fewlevels.search.target import check_classes, check_search, in_words, reaches, targets
from fewlevels.search.trace import NEVER, first_and_stable, least_count

CHUNK = 128
"""Models quantized together, at most: their weights stay in the second-level cache."""

COPIES = 8
"""Arrays as large as the weights of a chunk that quantizers hold, at most."""


@dataclass(frozen=True)
class FewestLevels:
    """What a search found, for each model.

    q: (models,), the number of requested levels that reaches the target with least of what is minimised, the first such
    number where that is the levels themselves; 0 where none up to q_max reaches it.
    stable_q: (models,), the smallest number from which every one up to q_max reaches the target; 0 where none.
    occupied: (models,), levels that hold a weight at q; 0 where unsolved, as in all that follows about q.
    recognition: (models,), before quantizing. recognition_trace: (models, q_max), at 1 .. q_max levels; NaN at a
    number of levels that the quantizer does not give. Both are of the test samples where there are any.
    margin_trace: (models, q_max), the smallest difference, over the samples, between a sample's own output and the
    runner-up in the quantized network. setting_trace: (models, q_max), which of `quantizer.settings()` it took: at
    each number of levels the one of most recognition of the samples, then of largest margin; of those that reach the
    target on the samples, one with least of what is minimised. Both None where they were not kept.
    share: which weights share levels. minimise: what is minimised, a name of COUNTS.
    relative: whether alpha is a fraction of each network's own recognition before quantizing.
    """

    networks: Networks
    quantizer: Quantizer
    alpha: float
    q: npt.NDArray[np.intp]
    stable_q: npt.NDArray[np.intp]
    occupied: npt.NDArray[np.intp]
    recognition: FloatArray
    recognition_trace: FloatArray
    margin_trace: FloatArray | None = None
    setting_trace: npt.NDArray[np.int16] | None = None
    share: Share = "network"
    minimise: Minimise = "requested"
    relative: bool = False

    def __repr__(self) -> str:
        fewest = f", fewest {self.q[self.solved].min()}" if self.solved.any() else ""
        target = in_words(self.alpha, self.relative)
        return f"<FewestLevels: {self.quantizer.name} keeps {target} of {self.solved.sum()}/{len(self.q)}{fewest}>"

    @property
    def solved(self) -> npt.NDArray[np.bool_]:
        """Whether a number of levels up to q_max reaches the target, (models,)."""
        return self.q > 0

    @property
    def trained(self) -> npt.NDArray[np.bool_]:
        """Whether the network reaches the target before quantizing, (models,)."""
        return reaches(self.recognition, targets(self.recognition, self.alpha, self.relative))

    def quantization(self, model: int) -> Quantized:
        """Levels and assignment of one model at its fewest levels. Raises SearchError where it is unsolved, or where
        levels are not shared by the whole network.
        """
        if self.share != "network":
            raise SearchError(f"a network has one list of levels only where share is 'network', it is {self.share!r}")
        return self._setting(model).quantize(self.networks[model].joint(), int(self.q[model]))

    def quantized(self, model: int) -> Networks:
        """One model with its weights at their fewest levels. Raises SearchError where it is unsolved."""
        network = self.networks[model]
        return quantize_networks(network, self._setting(model), int(self.q[model]), share=self.share).networks

    def all_quantized(self) -> Networks:
        """Every solved model with its weights at their fewest levels, in order."""
        solved = np.flatnonzero(self.solved)
        shapes = self.networks.shapes
        settings, chosen = searchable(self.quantizer).settings(), self._chosen()
        joint = self.networks.joint()[solved]
        joint, _ = _quantize_chosen(joint, shapes, settings, self.q[solved], chosen[solved], self.share)
        return Networks.from_joint(joint, shapes)

    def pareto(self, model: int) -> list[tuple[int, float, float]]:
        """(levels, recognition, margin) of the numbers of levels that no smaller number equals in both."""
        if self.margin_trace is None:
            raise SearchError("margins were not kept with this result; search again for them")
        best: list[tuple[int, float, float]] = []
        traces = zip(self.recognition_trace[model], self.margin_trace[model], strict=True)
        for levels, (recognition, margin) in enumerate(traces, start=1):
            if np.isfinite(recognition) and not any(r >= recognition and m >= margin for _, r, m in best):
                best.append((levels, float(recognition), float(margin)))
        return best

    def _chosen(self) -> npt.NDArray[np.intp]:
        """The index of each model's setting at its q, (models,)."""
        if self.setting_trace is None:
            if len(searchable(self.quantizer).settings()) > 1:
                raise SearchError(f"the settings of {self.quantizer.name!r} were not kept with this result")
            return np.zeros(len(self.q), np.intp)
        at_q = np.maximum(self.q, 1)[:, None] - 1
        return np.take_along_axis(self.setting_trace, at_q, axis=1)[:, 0].astype(np.intp)

    def _setting(self, model: int) -> Quantizer:
        if not self.solved[model]:
            raise SearchError(
                f"model {model} does not reach {in_words(self.alpha, self.relative)} with any number of "
                f"levels up to {self.recognition_trace.shape[1]}"
            )
        return searchable(self.quantizer).settings()[self._chosen()[model]]


def fewest_levels(
    networks: Networks,
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
) -> FewestLevels:
    """Quantize each network with q = 1 .. q_max levels and find the fewest that keep its recognition at alpha.

    quantizer: Midpoint() where None, the paper's; all its settings are tried, or a coarser choice of them
    (`tried_in_full`) where something else than requested levels is minimised. alpha: target recognition, in (0, 1].
    share: which weights share levels. minimise: 'requested' levels, 'occupied' ones, 'distinct' signed weights, or the
    states of a device in a 'differential-pair' or an 'offset-column'; of equals the largest margin. jobs: threads.
    test: held-out samples that decide whether a number of levels reaches alpha, and nothing else: its setting is chosen
    on `samples` alone. Where None, the samples decide both.
    relative: alpha is a fraction of each network's own recognition before quantizing, of whichever samples are meant;
    a network that recognises nothing has nothing to keep and is unsolved.
    Every q up to q_max is tried, because recognition does not only rise with q.
    Raises SearchError for arguments out of range, NetworksError where samples do not fit the networks.
    """
    quantizer = Midpoint() if quantizer is None else quantizer
    instance("networks", networks, Networks, SearchError)
    check_search(alpha, q_max, jobs)
    check_classes(samples, test)
    whole = searchable(quantizer)
    check_minimise(minimise)
    joint, shapes, settings = networks.joint(), networks.shapes, whole.settings()
    split(joint[:0], shapes, share)  # refuses another `share` before any work
    before = networks.recognition(samples)
    target = judged = targets(before, alpha, relative)
    if test is not None:
        before = networks.recognition(test)
        judged = targets(before, alpha, relative)
    numbers = range(whole.least_levels, min(q_max, whole.most_levels or q_max) + 1)
    models = len(networks)
    model_bytes = 8 * (COPIES * joint.shape[1] + len(samples))
    chunk = at_once(model_bytes, most=CHUNK, memory_bytes=MEMORY_BYTES // threads_for(jobs))
    trace, margin_trace = np.full((q_max, models), np.nan), np.full((q_max, models), np.nan)
    trace[numbers.start - 1 : numbers.stop - 1] = -1.0
    setting_trace, counts = np.zeros((q_max, models), np.int16), np.full((q_max, models), NEVER)
    q, stable_q, occupied = np.zeros((3, models), np.intp)
    tried = range(len(settings)) if minimise == "requested" else whole.tried_in_full()
    screened = whole if minimise == "requested" and can_be_screened(whole, joint, shapes, share) else None

    def count(values: FloatArray, at: int) -> npt.ArrayLike:
        return at if minimise == "requested" else counts_of(values, shapes, whole, at, share)[minimise]

    def judge(part: slice, test: Samples) -> None:
        for at in numbers:
            checkpoint()
            weights, chosen = joint[part], setting_trace[at - 1, part]
            values, _ = _quantize_chosen(weights, shapes, settings, np.full(len(weights), at), chosen, share)
            trace[at - 1, part] = recognised(values, shapes, test).mean(axis=1)
            passes = reaches(trace[at - 1, part], judged[part])
            counts[at - 1, part] = np.where(passes, count(values, at), NEVER)

    def screen(part: slice, quantizer: CuttingQuantizer) -> None:
        found = best_settings(joint[part], shapes, quantizer, numbers, share, samples)
        for at, (recognition, margin, setting) in zip(numbers, found, strict=True):
            trace[at - 1, part], margin_trace[at - 1, part], setting_trace[at - 1, part] = recognition, margin, setting
            counts[at - 1, part] = np.where(reaches(recognition, target[part]), at, NEVER)

    def try_all(part: slice) -> None:
        weights = joint[part]
        margins = np.empty((len(weights), len(samples)))
        for index in tried:
            swept = sweep_joint(weights, shapes, settings[index], numbers, share)
            for at, values in zip(numbers, swept, strict=True):
                checkpoint()
                best, best_margin, least = trace[at - 1, part], margin_trace[at - 1, part], counts[at - 1, part]
                recognition = recognised(values, shapes, samples, margins).mean(axis=1)
                margin = margins.min(axis=1)
                own = np.where(reaches(recognition, target[part]), count(values, at), NEVER)
                tied = (recognition == best) & (margin > best_margin)
                better = (own < least) | ((own == least) & ((recognition > best) | tied))
                if better.any():
                    best[better], best_margin[better], least[better] = recognition[better], margin[better], own[better]
                    setting_trace[at - 1, part][better] = index

    def search(begin: int) -> None:
        part = slice(begin, begin + chunk)
        if screened is None:
            try_all(part)
        else:
            screen(part, screened)
        if test is not None:
            judge(part, test)
        q[part] = least_count(counts[:, part].T, margin_trace[:, part].T)
        stable_q[part] = first_and_stable(trace[:, part].T, judged[part, None])[1]
        solved = np.flatnonzero(q[part]) + begin
        chosen = setting_trace[q[solved] - 1, solved]
        _, occupied[solved] = _quantize_chosen(joint[solved], shapes, settings, q[solved], chosen, share)

    in_order(search, range(0, models, chunk), jobs)
    trace, margin_trace, setting_trace = (np.ascontiguousarray(each.T) for each in (trace, margin_trace, setting_trace))
    return FewestLevels(
        networks,
        quantizer,
        alpha,
        q,
        stable_q,
        occupied,
        before,
        trace,
        margin_trace,
        setting_trace,
        share,
        minimise,
        relative,
    )


def _quantize_chosen(
    joint: FloatArray,
    shapes: Sequence[tuple[int, int]],
    settings: Sequence[Quantizer],
    q: npt.NDArray[np.intp],
    setting: npt.NDArray[np.integer],
    share: Share,
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Each model's weights (models, weights) at its own number of levels and setting, and its occupied levels."""
    values, occupied = np.empty_like(joint), np.zeros(len(joint), np.intp)
    for number, index in np.unique(np.stack([q, setting], axis=1), axis=0):
        these = (q == number) & (setting == index)
        values[these], occupied[these] = quantize_joint(joint[these], shapes, settings[index], int(number), share)
    return values, occupied
