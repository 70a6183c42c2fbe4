"""Sweep: every number of levels and every setting of a quantizer, tried on networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.memory import MEMORY_BYTES, at_once
from fewlevels.common.parallel import checkpoint, in_order, threads_for
from fewlevels.common.progress import Meter, Progress
from fewlevels.networks.networks import Networks
from fewlevels.quantization.cutting import CuttingQuantizer
from fewlevels.quantization.layout import Layout
from fewlevels.quantization.protocol import Quantizer, SearchableQuantizer
from fewlevels.quantization.sharing import MODELS_AT_ONCE, Minimise, counts_of
from fewlevels.samples.samples import Samples
from fewlevels.search.contenders import best_settings, can_be_screened
from fewlevels.search.target import Target
from fewlevels.search.trace import NEVER, first_stable, least_count

COPIES = 8
"""Arrays as large as the weights of a chunk that quantizers hold, at most."""

UNITS_HELD = 4
"""Values of a layer's units that judging holds at once, for each sample of a model, at most."""

LEAST_SETTINGS, MOST_TRIED = 28, 512
"""Of networks that are not the paper's each setting is quantized and judged: at each number of levels the first of
these, or more where all numbers together stay within the second.
"""


class Sweep:
    """A search under way. `run` searches the models in parts; no two touch each other, so that threads can.

    recognition, margin, setting, count: (q_max, models), of the best setting at each number of levels. The count is of
    what is minimised; NEVER where the target is not reached. q, stable_q, occupied: (models,), as in FewestLevels.
    before, judged_before: (models,), recognition before quantizing, of the samples and of those that judge. tried: the
    settings that are quantized and judged in full, by index; they depend on q_max alone. numbers: the numbers of levels
    that are tried: all that the quantizer gives up to q_max, or those of them that are given.
    """

    def __init__(
        self,
        networks: Networks,
        samples: Samples,
        quantizer: SearchableQuantizer,
        layout: Layout,
        target: Target,
        *,
        q_max: int,
        minimise: Minimise,
        test: Samples | None,
        numbers: range | None = None,
    ) -> None:
        self.networks, self.samples, self.test = networks, samples, test
        self.quantizer, self.layout = quantizer, layout
        self.target, self.minimise = target, minimise
        self.before = networks.recognition(samples)
        self.judged_before = self.before if test is None else networks.recognition(test)
        self.joint, self.settings, self.numbers = networks.joint(), quantizer.settings(), quantizer.numbers(q_max)
        requested = minimise == "requested" and networks.plain
        self.screened = quantizer if requested and can_be_screened(quantizer, self.joint, layout) else None
        self.tried = range(len(self.settings)) if requested else quantizer.tried_in_full()
        if not networks.plain:
            most = max(LEAST_SETTINGS, MOST_TRIED // max(len(self.numbers), 1))
            self.tried = self.tried[:: -(-len(self.tried) // most)]
        self.numbers = self.numbers if numbers is None else numbers
        self.step: Callable[[], None] = lambda: None
        shape = q_max, len(networks)
        self.recognition, self.margin = np.full(shape, np.nan), np.full(shape, np.nan)
        self.recognition[self.numbers.start - 1 : self.numbers.stop - 1] = -1.0  # NaN stays where nothing is tried
        self.setting, self.count = np.zeros(shape, np.int16), np.full(shape, NEVER)
        self.q, self.stable_q, self.occupied = np.zeros((3, len(networks)), np.intp)

    def run(self, jobs: int | None, on_progress: Callable[[Progress], None], *, choosing: bool = True) -> Sweep:
        """Search all models, and choose among the numbers of levels. jobs: threads. on_progress: called on the way of
        what takes longer than moments. choosing: what is left out for some of the numbers alone. Returns itself.
        """
        units = 1 if self.networks.plain else UNITS_HELD * max(map(max, self.networks.shapes))
        model_bytes = 8 * (COPIES * self.joint.shape[1] + len(self.samples) * units)
        chunk = at_once(model_bytes, most=MODELS_AT_ONCE, memory_bytes=MEMORY_BYTES // threads_for(jobs))
        parts = [slice(begin, begin + chunk) for begin in range(0, len(self.networks), chunk)]
        self.step = Meter(len(parts) * len(self.tried) * len(self.numbers), on_progress, self.quantizer.name).step
        in_order(self._search, parts, jobs)
        if choosing:
            in_order(self._choose, parts, jobs)
        return self

    def _search(self, part: slice) -> None:
        if self.screened is None:
            self._try_all(part)
        else:
            self._screen(part, self.screened)
        if self.test is not None:
            self._judge(part, self.test)

    def _screen(self, part: slice, quantizer: CuttingQuantizer) -> None:
        """Find the best settings by bounds, without trying all in full."""
        found = best_settings(self.joint[part], self.layout, quantizer, self.numbers, self.samples)
        for q, (recognition, margin, setting) in zip(self.numbers, found, strict=True):
            at = q - 1, part
            self.recognition[at], self.margin[at], self.setting[at] = recognition, margin, setting
            self.count[at] = np.where(self.target.reached(recognition, self.before[part]), q, NEVER)

    def _try_all(self, part: slice) -> None:
        """Quantize with every setting and keep the best at each number of levels: the one of least count, then of most
        recognition, then of largest margin, then the first."""
        weights = self.joint[part]
        margins = np.empty((len(weights), len(self.samples)))
        for index in self.tried:
            swept = self.layout.sweep(weights, self.settings[index], self.numbers)
            for q, values in zip(self.numbers, swept, strict=True):
                checkpoint()
                at = q - 1, part
                recognition = self.networks.judged(values, self.samples, part, margins).mean(axis=1)
                margin = margins.min(axis=1)
                count = self._count(values, q, self.target.reached(recognition, self.before[part]))
                more, tied = recognition > self.recognition[at], recognition == self.recognition[at]
                preferred = more | (tied & (margin > self.margin[at]))
                better = (count < self.count[at]) | ((count == self.count[at]) & preferred)
                self.recognition[at][better], self.margin[at][better] = recognition[better], margin[better]
                self.count[at][better], self.setting[at][better] = count[better], index
                self.step()

    def _judge(self, part: slice, test: Samples) -> None:
        """Let these samples decide which numbers of levels reach the target, each with the setting it has."""
        weights = self.joint[part]
        for q in self.numbers:
            checkpoint()
            numbers, at = np.full(len(weights), q), (q - 1, part)
            values, _ = quantize_each(weights, self.layout, self.settings, numbers, self.setting[at])
            self.recognition[at] = self.networks.judged(values, test, part).mean(axis=1)
            self.count[at] = self._count(values, q, self.target.reached(self.recognition[at], self.judged_before[part]))

    def _choose(self, part: slice) -> None:
        """Take the number of levels of least count."""
        trace = self.recognition[:, part].T
        self.q[part] = q = least_count(self.count[:, part].T, self.margin[:, part].T)
        self.stable_q[part] = first_stable(trace, self.target.reached(trace, self.judged_before[part, None]))
        solved = np.flatnonzero(q)
        chosen = self.setting[:, part][q[solved] - 1, solved]
        _, occupied = quantize_each(self.joint[part][solved], self.layout, self.settings, q[solved], chosen)
        self.occupied[part][solved] = occupied

    def _count(self, values: FloatArray, q: int, passes: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
        """What is minimised, of weights quantized with q levels, (models,); NEVER where they do not pass."""
        if self.minimise == "requested":
            return np.where(passes, q, NEVER)
        return np.where(passes, counts_of(values, self.layout, self.quantizer, q)[self.minimise], NEVER)


def quantize_each(
    joint: FloatArray,
    layout: Layout,
    settings: Sequence[Quantizer],
    q: npt.NDArray[np.intp],
    setting: npt.NDArray[np.integer],
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Each model's weights (models, weights) at its own number of levels and setting, and its occupied levels."""
    values, occupied = np.empty_like(joint), np.zeros(len(joint), np.intp)
    for number, index in np.unique(np.stack([q, setting], axis=1), axis=0):
        these = (q == number) & (setting == index)
        values[these], occupied[these] = layout.quantize(joint[these], settings[index], int(number))
    return values, occupied
