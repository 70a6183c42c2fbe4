"""Contest: what each method reaches with the same networks, tried in pieces that do not depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import whole_number
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
from fewlevels.search.finetuning import finetune
from fewlevels.search.finetuning_config import FinetuningConfig
from fewlevels.search.method import Method
from fewlevels.search.sweep import Sweep, quantize_each
from fewlevels.search.target import Target, check_classes
from fewlevels.search.trace import NEVER, at_levels, first_stable, least_count
from fewlevels.training.descent import biases_of, with_parameters

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
class Tried:
    """What a method reached with some networks at some numbers of levels: arrays (models, numbers), with the best
    setting at each number.

    recognition: of the samples that judge. margin: the smallest over the samples. count: of what is minimised; NEVER
    where the target is not reached. setting: which one it is, by its index. weights, biases: of fine-tuned networks,
    (models, numbers, weights) and (models, numbers, units); of none else, and biases where layers have any.
    """

    recognition: FloatArray
    margin: FloatArray
    count: npt.NDArray[np.intp]
    setting: npt.NDArray[np.int16]
    weights: FloatArray | None = None
    biases: FloatArray | None = None

    @classmethod
    def joined(cls, pieces: Sequence[Tried], *, axis: int) -> Tried:
        """Of the same numbers of levels of other models (axis 0), or of other numbers of the same models (axis 1)."""
        held = {field.name: [getattr(each, field.name) for each in pieces] for field in fields(cls)}
        joined: dict[str, Any] = {
            name: None if each[0] is None else np.concatenate(each, axis) for name, each in held.items()
        }
        return cls(**joined)


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What is the same for all methods; see `compare_methods`. Raises SearchError for what it refuses."""

    networks: Networks
    samples: Samples
    test: Samples | None
    target: Target
    q_max: int
    share: Share
    minimise: Minimise
    seed: int
    config: FinetuningConfig | None = None

    @classmethod
    def of(
        cls,
        networks: Networks | Network,
        samples: Samples,
        methods: Sequence[Method],
        *,
        test: Samples | None,
        target: Target,
        q_max: int,
        share: Share,
        minimise: Minimise,
        seed: int,
        config: FinetuningConfig | None = None,
    ) -> Contest:
        """Checked, for these methods."""
        stack = stack_of(networks, SearchError)
        tuned = [method.name for method in methods if method.finetuned]
        if tuned and not isinstance(stack, Networks):
            raise SearchError(
                f"{tuned[0]} fine-tunes dense layers one after the other, which this network is not; leave it out, or "
                "fine-tune in PyTorch with fewlevels.torch.quantize_"
            )
        Layout.of(stack, share)
        check_classes(samples, test)
        check_minimise(minimise)
        return cls(
            networks=stack,
            samples=samples,
            test=test,
            target=target,
            q_max=whole_number("q_max", q_max, SearchError, least=1, most=MOST_LEVELS),
            share=share,
            minimise=minimise,
            seed=whole_number("seed", seed, SearchError),
            config=config,
        )

    @property
    def judge(self) -> Samples:
        """The samples that decide whether the target is reached."""
        return self.samples if self.test is None else self.test

    @property
    def layout(self) -> Layout:
        """Which weights share levels."""
        return Layout.of(self.networks, self.share)

    def numbers(self, method: Method) -> range:
        """The numbers of levels that a method is tried at."""
        quantizer = searchable(method.quantizer)
        limited = method.finetuned and quantizer.most_levels is None
        return quantizer.numbers(min(self.q_max, FINETUNED_LEVELS) if limited else self.q_max)

    def tried(
        self,
        method: Method,
        models: range,
        numbers: range,
        *,
        jobs: int | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Tried:
        """Try a method on some of the networks at some of its numbers of levels. jobs, on_progress: see
        `fewest_levels`.
        """
        networks = self.networks[slice(models.start, models.stop)]
        if method.finetuned:
            return self._finetuned(method, networks, numbers, models.start, jobs)
        sweep = Sweep(
            networks,
            self.samples,
            searchable(method.quantizer),
            self.layout,
            self.target,
            q_max=self.q_max,
            minimise=self.minimise,
            test=self.test,
            numbers=numbers,
        ).run(jobs, on_progress, choosing=False)
        held = sweep.recognition, sweep.margin, sweep.count, sweep.setting
        recognition, margin, count, setting = (
            np.ascontiguousarray(each[numbers.start - 1 : numbers.stop - 1].T) for each in held
        )
        return Tried(recognition=recognition, margin=margin, count=count, setting=setting)

    def _finetuned(
        self, method: Method, networks: Networks, numbers: range, first_model: int, jobs: int | None
    ) -> Tried:
        before, given = networks.recognition(self.judge), biases_of(networks)
        shape = len(networks), len(numbers)
        recognition, margin = np.empty((2, *shape))
        count, weights = np.empty(shape, np.intp), np.empty((*shape, networks.joint().shape[1]))
        biases = None if given is None else np.empty((*shape, given.shape[1]))
        for at, levels in enumerate(numbers):
            run = self._finetune(method.quantizer, levels, networks, first_model, jobs)
            recognition[:, at] = run.networks.recognition(self.judge)
            margin[:, at] = self._margin(run.networks)
            passes = self.target.reached(recognition[:, at], before)
            count[:, at] = np.where(passes, run.counts[self.minimise], NEVER)
            weights[:, at] = run.networks.joint()
            if biases is not None:
                biases[:, at] = biases_of(run.networks)
        return Tried(
            recognition=recognition,
            margin=margin,
            count=count,
            setting=np.zeros(shape, np.int16),
            weights=weights,
            biases=biases,
        )

    def _finetune(
        self, quantizer: Quantizer, levels: int, networks: Networks, first_model: int, jobs: int | None
    ) -> QuantizedNetworks:
        """The networks fine-tuned to so many levels. A relative target keeps all of a network's own recognition."""
        return finetune(
            networks,
            self.samples,
            quantizer=quantizer,
            levels=levels,
            alpha=1.0 if self.target.relative else self.target.alpha,
            relative=self.target.relative,
            share=self.share,
            config=self.config,
            seed=self.seed,
            first_model=first_model,
            jobs=jobs,
        ).quantized

    def _margin(self, networks: Networks) -> FloatArray:
        """The smallest margin over the samples, (models,)."""
        margins = np.empty((len(networks), len(self.samples)))
        networks.judged(networks.joint(), self.samples, margin=margins)
        return margins.min(axis=1)

    def before(self) -> FloatArray:
        """Recognition before quantizing, of the samples that judge, (models,)."""
        return self.networks.recognition(self.judge)

    def result(self, method: Method, tried: Tried, before: FloatArray) -> MethodResult:
        """What a method reached with all networks at all its numbers of levels, and which of these it chooses. before:
        recognition before quantizing, as `before` gives it.
        """
        numbers, layout = self.numbers(method), self.layout
        shape, at = (len(self.networks), self.q_max), slice(numbers.start - 1, numbers.stop - 1)
        trace, margins = np.full((2, *shape), np.nan)
        counts = np.full(shape, NEVER)
        trace[:, at], margins[:, at], counts[:, at] = tried.recognition, tried.margin, tried.count
        q = least_count(counts, margins)
        solved = np.flatnonzero(q)
        where = solved, q[solved] - numbers.start
        if tried.weights is None:
            chosen, settings = self.networks[solved], searchable(method.quantizer).settings()
            joint, _ = quantize_each(chosen.joint(), layout, settings, q[solved], tried.setting[where])
            quantized = chosen.with_joint(joint)
        else:
            own = None if tried.biases is None else tried.biases[where]
            quantized = with_parameters(self.networks, tried.weights[where], own)
        needs = counts_of(quantized.joint(), layout, method.quantizer, q[solved])
        found = {what: np.zeros(len(q), np.intp) for what in COUNTS}
        for what, count in needs.items():
            found[what][solved] = count
        return MethodResult(
            method=method,
            q=q,
            stable_q=first_stable(trace, self.target.reached(trace, before[:, None])),
            counts=found,
            recognition_trace=trace,
            output_margin_trace=margins,
            networks=quantized,
        )
