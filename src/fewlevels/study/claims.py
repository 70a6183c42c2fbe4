"""The paper's claims, each beside what a study found, with a verdict by a stated rule.

Kim et al., Micromachines 2024, 15(10), 1258. Sections and figures below are the paper's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from fewlevels.common.counts import counted
from fewlevels.common.proportions import percent
from fewlevels.samples.datasets import DIGITS
from fewlevels.study.analysis import summarise
from fewlevels.study.result import SearchedStudy, StudyResult

POINTS = {"A": (8, 32.0), "B": (25, 62.0)}
"""Points of Figure 4a: number of levels q and weight range."""

NEAR_POINT = 3.0
"""How far from a point's weight range a model counts as near it."""

RANGE_AT_FOUR = 21.0
"""The weight range around which Figure 4a finds models with four levels."""

WIDE_RANGE, WIDE_LEVELS = 60.0, (10, 40)
"""Above this weight range, q lies between these numbers (section 3.2)."""

CROWD, CROWD_OTHERS = 296 / 350, 30
"""Figure 3, of a network of 5 x 5 inputs: the share of weights in the first level, and the most in any other."""


@dataclass(frozen=True, kw_only=True)
class StartClaim:
    """What Figure 5 shows of one start, its 'Seed': recognition with START_LEVELS levels from an epoch on, where the
    start is followed for least_epochs.
    """

    letter: str
    panel: str
    recognition: float
    since_epoch: int
    least_epochs: int


START_CLAIMS = {
    0: StartClaim(letter="A", panel="5b", recognition=0.9, since_epoch=400, least_epochs=400),
    2: StartClaim(letter="C", panel="5c", recognition=0.7, since_epoch=600, least_epochs=600),
    4: StartClaim(letter="E", panel="5d", recognition=0.2, since_epoch=0, least_epochs=1000),
}
"""By the place of the start among the five."""

START_LEVELS = 4
"""The levels of the claims on starts."""

GRADUAL = 200
"""Epochs that a gradual improvement takes at least."""

GAP_DIGITS, GAP_SHARE = {"0", "5", "6", "9"}, 0.1
"""Figure 6b, of 5 x 5 inputs at 1 V: the digits whose current gap exceeds this share; the largest is of the 9."""

HIDDEN = 10

ENOUGH = 10
"""Models that a statement about many of them needs to be judged on."""

REPRODUCED, OTHER_STARTS, PARTLY = "reproduced", "reproduced with other starts", "partly"
NOT, UNJUDGED = "not reproduced", "cannot be judged"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One statement of the paper: where it stands, what it says, what this run found, the verdict and its rule."""

    where: str
    says: str
    found: str
    verdict: str
    rule: str


def applies(result: SearchedStudy) -> bool:
    """Whether the paper says anything of this study: it is of one of its two digit sets and of its ten hidden units,
    all digits recognised.
    """
    return result.config.dataset in DIGITS and result.config.alpha == 1 and result.config.hidden == HIDDEN


def claims(result: StudyResult) -> list[Claim]:
    """The paper's claims on training, levels, weight range and the circuit of the best model against one study."""
    parts = (_training, _levels, _ranges, _points, _figure_3, _figure_5, _figure_6)
    return [claim for part in parts for claim in part(result)]


def _verdict(full: bool, part: bool = False, *, models: int = ENOUGH) -> str:
    """models: how many the statement was judged on; of fewer than ENOUGH nothing is said."""
    if models < ENOUGH:
        return UNJUDGED
    return REPRODUCED if full else PARTLY if part else NOT


def _training(result: StudyResult) -> Iterator[Claim]:
    summary = summarise(result)
    yield Claim(
        where="3.1",
        says="every model is trained to 100 % before it is quantized",
        found=f"{percent(summary.trained_fraction)} of {counted(summary.models, 'model')} at 100 %; the others are "
        "left out below",
        verdict=_verdict(summary.trained_fraction == 1, summary.trained_fraction >= 0.9, models=summary.models),
        rule="all models; partly from 90 %",
    )


def _levels(result: StudyResult) -> Iterator[Claim]:
    summary, best = summarise(result), result.best
    fewest, weights = summary.q_min, summary.weights
    reduction = {350: "98.9 %", 590: "99.3 %"}[weights]
    says = (f"{weights} weights become 4 values, {reduction} fewer", "the best networks keep 100 % with four levels")
    rules = (
        "at most 4 magnitudes, as Figure 3 counts; partly 5",
        "fewest is 4, or fewer in at most 1 % of the models; partly 3 or 5",
    )
    if best < 0:
        for text, rule in zip(says, rules, strict=True):
            yield Claim(where="3.1, Fig. 3", says=text, found="no model was solved", verdict=UNJUDGED, rule=rule)
        return
    solved, signed = int(result.counted.sum()), np.unique(result.search.quantization(best).values).size
    yield Claim(
        where="3.1, Fig. 3",
        says=says[0],
        found=f"{weights} become {counted(fewest, 'magnitude')}, {summary.reduction_percent:.1f} % fewer; with their "
        f"signs {counted(signed, 'value')}",
        verdict=_verdict(fewest <= 4, fewest == 5, models=solved),
        rule=rules[0],
    )
    below_four = np.mean(result.search.q[result.counted] < 4)
    yield Claim(
        where="3.1, Fig. 3",
        says=says[1],
        found=f"fewest {fewest} ({counted(summary.models_at_q_min, 'model')}); with 4: "
        f"{counted(summary.models_at_q_4, 'model')}; median {summary.q_median:g}. Of levels occupied: fewest "
        f"{summary.occupied_min}, median {summary.occupied_median:g}",
        verdict=_verdict(
            fewest == 4 or bool(summary.models_at_q_4 and below_four <= 0.01), fewest in (3, 5), models=solved
        ),
        rule=rules[1],
    )


def _ranges(result: StudyResult) -> Iterator[Claim]:
    summary, used = summarise(result), result.counted
    ranges, q = result.search.networks.weight_range()[used], result.search.q[used]
    near, at_four = summary.weight_range_at_q_4_median, summary.models_at_q_4
    yield Claim(
        where="3.2, Fig. 4a",
        says="models with q = 4 have a weight range of about 21",
        found=f"median {near:.1f} over {counted(at_four, 'model')}" if at_four else "no model with q = 4",
        verdict=_verdict(abs(near / RANGE_AT_FOUR - 1) <= 0.1, abs(near / RANGE_AT_FOUR - 1) <= 0.2, models=at_four),
        rule="median within 10 %; partly 20 %",
    )
    low, high = summary.rank_correlation_interval
    enough, exists = len(q) >= ENOUGH, not math.isnan(low)
    yield Claim(
        where="3.2, Fig. 4a",
        says="the fewest levels rise with the weight range",
        found=f"only {counted(len(q), 'model was', 'models were')} solved"
        if not enough
        else f"Spearman's rank correlation {summary.rank_correlation:.2f} (95 % interval {low:.2f} to {high:.2f})"
        if exists
        else "q or the weight range is the same in every model",
        verdict=_verdict(low > 0.5, low > 0, models=len(q) if exists else 0),
        rule="interval above 0.5; partly above 0",
    )
    wide = q[ranges > WIDE_RANGE]
    inside = np.mean((wide >= WIDE_LEVELS[0]) & (wide <= WIDE_LEVELS[1])) if wide.size else 0.0
    yield Claim(
        where="3.2, Fig. 4a",
        says="models of a range above 60 need 10 to 40 levels",
        found=f"{percent(float(inside), 0)} of {counted(wide.size, 'such model')}{_percentiles(wide)}"
        if wide.size
        else "no model of such a range",
        verdict=_verdict(bool(inside >= 0.95), bool(inside >= 0.8), models=wide.size),
        rule="95 % of them; partly 80 %",
    )


def _points(result: StudyResult) -> Iterator[Claim]:
    used = result.counted
    ranges, q = result.search.networks.weight_range()[used], result.search.q[used]
    for name, (levels, weight_range) in POINTS.items():
        near = q[np.abs(ranges - weight_range) <= NEAR_POINT]
        low, high = np.percentile(near, (5, 95)) if near.size else (math.nan, math.nan)
        yield Claim(
            where="Fig. 4a",
            says=f"point {name}: q = {levels} at a weight range of {weight_range:g}",
            found=f"{counted(near.size, 'model')} within {NEAR_POINT:g} of that range: q = {near.min()} to {near.max()}"
            f"{_percentiles(near)}"
            if near.size
            else "no model of that range",
            verdict=_verdict(
                bool(low <= levels <= high), bool(near.size and near.min() <= levels <= near.max()), models=near.size
            ),
            rule="q lies between these percentiles; partly among the models at all",
        )


def _figure_3(result: StudyResult) -> Iterator[Claim]:
    best, found = result.best, result.search
    if best < 0:
        return
    counts, solved = found.quantization(best).counts()[0], int(result.counted.sum())
    elsewhere = "" if counts.sum() == 350 else " (of 5x5; the paper shows no 7x7 network)"
    four = np.flatnonzero(result.counted & (found.q == 4))
    like = np.zeros(0, bool)
    if four.size:
        like = _as_in_figure_3(found.quantizer.quantize(found.networks[four].joint(), 4).counts())
    typical = four.size >= ENOUGH and like.mean() >= 0.1
    yield Claim(
        where="Fig. 3",
        says=f"the first of four levels holds 296 of 350 weights, the others 30 or fewer{elsewhere}",
        found=f"best model: {' / '.join(map(str, counts))} of {counts.sum()}; {like.sum()} of "
        f"{counted(four.size, 'model')} with q = 4 are like the paper's",
        verdict=_verdict(best in four[like] or typical, counts[0] / counts.sum() >= 0.6, models=solved),
        rule="four levels, the first within 5 points of 85 %, no other above 30: the best model, or a tenth of ten or "
        "more; partly: the best model's first holds 60 %",
    )
    largest = float(np.abs(found.networks[best].joint()).max())
    yield Claim(
        where="Fig. 3",
        says=f"the magnitudes of the weights reach from 0 to 12.5{elsewhere}",
        found=f"best model: up to {largest:.1f}",
        verdict=_verdict(abs(largest / 12.5 - 1) <= 0.1, abs(largest / 12.5 - 1) <= 0.2, models=solved),
        rule="within 10 %; partly 20 %",
    )


def _as_in_figure_3(counts: np.ndarray) -> np.ndarray:
    """Whether four levels hold weights as Figure 3's do, (models,). counts: (models, 4)."""
    first = counts[:, 0] / counts.sum(axis=1)
    return (np.abs(first - CROWD) <= 0.05) & (counts[:, 1:] <= CROWD_OTHERS).all(axis=1) & (counts > 0).all(axis=1)


def _figure_5(result: StudyResult) -> Iterator[Claim]:
    zones = result.config.zones
    ranges, spread = np.median(result.zone_ranges, axis=1), result.zone_ranges.std(axis=1)
    grow, wider = bool((np.diff(ranges) > 0).all()), bool((np.diff(spread) > 0).all())
    listed = (", ".join(f"{value:.0f}" for value in values) for values in (ranges, spread))
    yield Claim(
        where="Fig. 5a",
        says="five starts, which it calls Seeds A to E, of growing mean and spread of the weight range",
        found="medians {}; standard deviations {}".format(*listed),
        verdict=_of_start(_verdict(grow and wider, grow, models=zones.models), result, zones.starts),
        rule="medians and standard deviations grow; partly the medians",
    )
    if zones.levels != START_LEVELS:
        return
    for start, claim in START_CLAIMS.items():
        if start < len(zones.starts) and zones.epochs >= claim.least_epochs:
            yield _of_training(result, start, claim)
    if max(START_CLAIMS) < len(zones.starts) and zones.every_epochs <= GRADUAL / 4 and zones.epochs >= 2 * GRADUAL:
        means = [result.zone_recognition[start].mean(axis=0) for start in (0, 2)]
        near = [zones.at_epochs[int(np.argmax(mean >= 0.9 * mean[-1]))] for mean in means]
        yield Claim(
            where="Fig. 5b, c",
            says=f"with q = {START_LEVELS} its Seeds A and C improve gradually with the epochs",
            found=f"they come within a tenth of their final mean at epoch {near[0]} and {near[1]}",
            verdict=_verdict(min(near) >= GRADUAL, min(near) >= GRADUAL / 2, models=zones.models),
            rule=f"not before epoch {GRADUAL}; partly {GRADUAL // 2}",
        )


def _of_training(result: StudyResult, start: int, claim: StartClaim) -> Claim:
    zones, epochs = result.config.zones, np.array(result.config.zones.at_epochs)
    mean, before = (part[start].mean(axis=0) for part in (result.zone_recognition, result.zone_recognition_before))
    late = mean[epochs >= claim.since_epoch]
    near, then = abs(late.mean() - claim.recognition), f"{percent(late.mean(), 0)} from epoch {claim.since_epoch} on"
    match claim.letter:
        case "A":
            says, rule = "exceeds 90 % after 400 epochs", "mean at least 90 %; partly 80 %"
            full, part = late.mean() >= 0.9, late.mean() >= 0.8
        case "C":
            says = "reaches about 70 % at 600 epochs and improves no further"
            rule = "mean 60 to 80 %, its end no more than 5 points above epoch 600; partly 50 to 90 %"
            full, part = near <= 0.1 and late[-1] - late[0] <= 0.05, near <= 0.2
        case _:
            says = "stays at about 20 % throughout, for its wide range"
            rule = "mean 10 to 30 % at every epoch but the first, and 90 % before quantizing; partly: whatever that is"
            part = (np.abs(mean[1:] - claim.recognition) <= 0.1).all()
            full = part and before[-1] >= 0.9
            then = f"then {percent(mean[1:].min(), 0)} to {percent(mean[1:].max(), 0)}"
    found = (
        f"start {zones.starts[start]}: {percent(mean[0], 0)} at first, {then}; before quantizing "
        f"{percent(before[-1], 0)} at the end"
    )
    if claim.letter == "A" and result.config.q_max >= START_LEVELS:
        own = result.search.recognition_trace[:, START_LEVELS - 1].mean()
        found += f"; the study's own start, {result.config.init}: {percent(own, 0)} when trained"
    verdict = _of_start(_verdict(bool(full), bool(part), models=zones.models), result, [zones.starts[start]])
    says = f"with q = {START_LEVELS} its Seed {claim.letter} {says}"
    return Claim(where=f"Fig. {claim.panel}", says=says, found=found, verdict=verdict, rule=rule)


def _of_start(verdict: str, result: StudyResult, starts: list[str]) -> str:
    """The verdict on networks of these starts: what is reproduced with others than the study's is said to be."""
    return OTHER_STARTS if verdict == REPRODUCED and set(starts) != {result.config.init} else verdict


def _figure_6(result: StudyResult) -> Iterator[Claim]:
    if result.best < 0:
        return
    voltages, like = result.circuit(result.best).voltages, result.fewest_margins > 0
    verdict = partial(_verdict, models=int(result.counted.sum()))
    each = ", ".join(f"{percent(at.recognition, 0)} at {at.input_volt:g} V" for at in voltages)
    all_at_each = all(at.recognition == 1 for at in voltages)
    yield Claim(
        where="Fig. 6b",
        says="the circuit of the network with the fewest levels recognises every digit at 1, 5 and 10 V",
        found=f"model {result.best}: {each}; of {counted(like.size, 'model')} with as few levels {like.sum()} at all "
        "three",
        verdict=verdict(all_at_each and like.mean() >= 0.5, voltages[-1].recognition == 1),
        rule="100 % at every voltage, and so half of the models with as few levels; partly: at the highest voltage",
    )
    gaps = np.array([np.where(np.isfinite(at.current_gap), np.abs(at.current_gap), 0) for at in voltages])
    names = [result.samples.classes[y] for y in result.samples.y]
    if result.samples.inputs == 25:
        beyond = {name for name, gap in zip(names, gaps[0], strict=True) if gap > GAP_SHARE}
        common = len(beyond & GAP_DIGITS) / len(beyond | GAP_DIGITS)
        largest = names[int(np.argmax(gaps[0]))]
        yield Claim(
            where="Fig. 6b",
            says="at 1 V the current gap is 27 % for the digit 9, and above 10 % for 0, 5, 6 and 9",
            found=f"{percent(float(gaps[0].max()), 1)} for the digit {largest}; above 10 % for "
            f"{', '.join(sorted(beyond)) or 'none'}",
            verdict=verdict(common == 1 and largest == "9", common >= 0.5),
            rule="the same digits, 9 the largest; partly half of all named. The paper's diode, resistors and sign "
            "scheme are unknown",
        )
    rising = [name for name, digit in zip(names, gaps.T, strict=True) if not (np.diff(digit) < 0).all()]
    yield Claim(
        where="Fig. 6b",
        says="the current gap shrinks at 5 V and again at 10 V",
        found="largest "
        + ", ".join(
            f"{percent(float(gap.max()), 1)} at {at.input_volt:g} V" for gap, at in zip(gaps, voltages, strict=True)
        )
        + (f"; not so for every digit: {', '.join(rising)}" if rising else "; each digit's shrinks"),
        verdict=verdict(not rising, bool(gaps[-1].max() < gaps[0].max())),
        rule="every digit's gap; partly: the largest is smaller at the highest voltage",
    )


def _percentiles(values: np.ndarray) -> str:
    """Where there are enough values for them to mean anything."""
    return (
        "; 5th to 95th percentile {:.0f} to {:.0f}".format(*np.percentile(values, (5, 95)))
        if len(values) >= ENOUGH
        else ""
    )
