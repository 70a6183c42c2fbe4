"""The paper's claims, each beside what a study found, with a verdict by a stated rule.

Kim et al., Micromachines 2024, 15(10), 1258. Sections and figures below are the paper's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fewlevels.datasets import DIGITS
from fewlevels.proportions import percent
from fewlevels.study.analysis import summarise
from fewlevels.study.run import StudyResult

POINTS = {"A": (8, 32.0), "B": (25, 62.0)}
"""Points of Figure 4a: number of levels q and weight range."""

RANGE_AT_FOUR = 21.0
"""The weight range around which Figure 4a finds models with four levels."""

WIDE_RANGE, WIDE_LEVELS = 60.0, (10, 40)
"""Above this weight range, q lies between these numbers (section 3.2)."""

ZONE_CLAIMS = {0: ("A", 0.9, 400), 2: ("C", 0.7, 600), 4: ("E", 0.2, 1000)}
"""Figure 5: of the five zones, the seed's letter, its recognition with four levels, and from which epoch on."""

ZONE_LEVELS = 4
"""The levels of the claims on zones."""

ENOUGH = 10
"""Models that a statement about many of them needs to be judged on."""

REPRODUCED, PARTLY, NOT, UNSEEN = "reproduced", "partly", "not reproduced", "not in this run"


@dataclass(frozen=True)
class Claim:
    """One statement of the paper: where it stands, what it says, what this run found, the verdict and its rule."""

    where: str
    says: str
    found: str
    verdict: str
    rule: str


def applies(result: StudyResult) -> bool:
    """Whether the paper says anything of this study: it is of one of its two digit sets, all of them recognised."""
    return result.config.dataset in DIGITS and result.config.alpha == 1


def claims(result: StudyResult) -> list[Claim]:
    """The paper's claims on training, levels, weight range and the circuit of the best model against one study."""
    return list(_claims(result))


def _verdict(full: bool, part: bool = False, *, models: int = ENOUGH) -> str:
    """models: how many the statement was judged on; of fewer than ENOUGH nothing is said."""
    if models < ENOUGH:
        return UNSEEN
    return REPRODUCED if full else PARTLY if part else NOT


def _claims(result: StudyResult) -> Iterator[Claim]:
    summary, found = summarise(result), result.found
    used = result.counted
    ranges, q = found.networks.weight_range()[used], found.q[used]
    fewest, weights = summary.fewest_levels, summary.weights

    trained = summary.trained
    yield Claim(
        "3.1", "every model is trained to 100 % before it is quantized",
        f"{percent(trained)} of {summary.models} models reach 100 %; the others are counted, not used",
        _verdict(trained == 1, trained >= 0.8, models=summary.models), "all models; partly from 80 %",
    )  # fmt: skip
    yield Claim(
        "3.1, Fig. 3", "the best networks keep 100 % with four levels",
        f"fewest {fewest} ({summary.models_at_fewest} models); with 4: {summary.models_at_four} models; "
        f"median {summary.median_levels:g}" if used.any() else "no model was solved",
        _verdict(fewest in (3, 4), fewest in (2, 5)) if used.any() else UNSEEN,
        "fewest is 4, or 3; partly within 1 of that",
    )  # fmt: skip
    paper_reduction = {350: "98.9 %", 590: "99.3 %"}.get(weights)
    yield Claim(
        "3.1", f"{weights} weights become 4 values" + (f", {paper_reduction} fewer" if paper_reduction else ""),
        f"{weights} become {fewest}, {summary.reduction_percent:.1f} % fewer" if used.any() else "no model was solved",
        _verdict(fewest <= 4, fewest <= 5) if used.any() else UNSEEN, "at most 4 values; partly 5",
    )  # fmt: skip
    near = summary.range_at_four_levels
    yield Claim(
        "3.2, Fig. 4a", "models with q = 4 have a weight range of about 21",
        f"median {near:.1f} over {summary.models_at_four} models" if summary.models_at_four else "no model with q = 4",
        _verdict(abs(near / RANGE_AT_FOUR - 1) <= 0.15, abs(near / RANGE_AT_FOUR - 1) <= 0.3)
        if summary.models_at_four else UNSEEN, "median within 15 %; partly 30 %",
    )  # fmt: skip
    low, high = summary.rank_correlation_interval
    yield Claim(
        "3.2, Fig. 4a", "the fewest levels rise with the weight range",
        f"Spearman's rank correlation {summary.rank_correlation:.2f} (95 % interval {low:.2f} to {high:.2f})"
        if used.sum() >= ENOUGH else f"only {used.sum()} models were solved",
        _verdict(low > 0.5, low > 0, models=int(used.sum())), "interval above 0.5; partly above 0",
    )  # fmt: skip
    wide = q[ranges > WIDE_RANGE]
    inside = np.mean((wide >= WIDE_LEVELS[0]) & (wide <= WIDE_LEVELS[1])) if wide.size else 0.0
    yield Claim(
        "3.2, Fig. 4a", "models of a range above 60 need 10 to 40 levels",
        f"{percent(float(inside), 0)} of {wide.size} such models do; 5th to 95th percentile {_percentiles(wide)}",
        _verdict(bool(inside >= 0.9), bool(inside >= 0.5), models=wide.size), "90 % of them; partly 50 %",
    )  # fmt: skip
    for name, (levels, weight_range) in POINTS.items():
        near_by = q[np.abs(ranges - weight_range) <= 3]
        within = near_by.size and near_by.min() <= levels <= near_by.max()
        yield Claim(
            "Fig. 4a", f"point {name}: q = {levels} at a weight range of {weight_range:g}",
            f"models within 3 of that range have q = {near_by.min()} to {near_by.max()}"
            if near_by.size else "no model of that range",
            REPRODUCED if within else _verdict(False, models=near_by.size), "q lies among these models'",
        )  # fmt: skip
    yield from _figure_3(result)
    yield from _figure_5(result)
    yield from _figure_6(result)


def _figure_3(result: StudyResult) -> Iterator[Claim]:
    best = result.best
    if best < 0:
        return
    quantized = result.found.quantization(best)
    counts = quantized.counts()[0]
    crowd, rest = counts[0] / counts.sum(), counts[1:].max(initial=0) / counts.sum()
    yield Claim(
        "Fig. 3", "the first level holds 296 of 350 weights, the others 30 or fewer",
        f"best model: {' / '.join(map(str, counts))} of {counts.sum()}",
        _verdict(crowd >= 0.75 and rest <= 0.1, crowd >= 0.6), "first level 75 %, others 10 % or less; partly 60 %",
    )  # fmt: skip
    largest = float(np.abs(result.found.networks[best].joint()).max())
    yield Claim(
        "Fig. 3", "the magnitudes of the weights reach from 0 to 12.5", f"best model: up to {largest:.1f}",
        _verdict(10 <= largest <= 15, 7 <= largest <= 20), "within 20 % of 12.5; partly 7 to 20",
    )  # fmt: skip


def _figure_5(result: StudyResult) -> Iterator[Claim]:
    zones = result.config.zones
    ranges = np.median(result.zone_ranges, axis=1)
    yield Claim(
        "Fig. 5a", "five seeds, A to E, of growing weight range",
        "medians " + ", ".join(f"{value:.0f}" for value in ranges), _verdict(bool((np.diff(ranges) > 0).all())),
        "medians grow",
    )  # fmt: skip
    epochs = np.array(zones.at_epochs)
    for zone, (letter, level, epoch) in ZONE_CLAIMS.items():
        if zone >= len(zones.starts) or zones.epochs < epoch or zones.levels != ZONE_LEVELS:
            continue
        late = result.zone_recognition[zone][:, epochs >= epoch].mean()
        start = result.zone_recognition[zone][:, 0].mean()
        if letter == "A":
            says = f"seed A exceeds 90 % after 400 epochs with q = {ZONE_LEVELS}"
            verdict = _verdict(late >= level, late >= level - 0.1)
        elif letter == "C":
            says = f"seed C rises to about 70 % by epoch 600 with q = {ZONE_LEVELS}, then stays"
            verdict = _verdict(abs(late - level) <= 0.1, abs(late - level) <= 0.2)
        else:
            says = f"seed E stays at about 20 % throughout with q = {ZONE_LEVELS}"
            verdict = _verdict(late <= 0.3, late <= 0.4)
        yield Claim(
            f"Fig. 5, seed {letter}", says,
            f"start {zones.starts[zone]}: mean {percent(start, 0)} at first, {percent(late, 0)} from epoch {epoch} on",
            verdict,
            {"A": "mean at least 90 %; partly 80 %", "C": "mean 60 to 80 %; partly 50 to 90 %",
             "E": "mean at most 30 %; partly 40 %"}[letter],
        )  # fmt: skip


def _figure_6(result: StudyResult) -> Iterator[Claim]:
    if result.best < 0:
        return
    voltages = result.circuit(result.best).voltages
    each = ", ".join(f"{percent(at.recognition, 0)} at {at.input_volt:g} V" for at in voltages)
    yield Claim(
        "Fig. 6b", "the circuit of the network with the fewest levels recognises every digit at 1, 5 and 10 V",
        f"model {result.best}: {each}",
        _verdict(all(at.recognition == 1 for at in voltages), voltages[-1].recognition == 1),
        "100 % at every voltage; partly at the highest",
    )  # fmt: skip
    gaps = [at.largest_gap for at in voltages]
    yield Claim(
        "Fig. 6b", "its current gap, 27 % for the digit 9 at 1 V, shrinks at 5 V and again at 10 V",
        "at most " + ", ".join(f"{percent(at.largest_gap, 1)} at {at.input_volt:g} V" for at in voltages),
        _verdict(bool((np.diff(gaps) < 0).all()), gaps[-1] < gaps[0]), "it shrinks each time; its size, "
        "with the paper's diode and resistors unknown, is no check",
    )  # fmt: skip


def _percentiles(values: np.ndarray) -> str:
    return "{:.0f} to {:.0f}".format(*np.percentile(values, (5, 95))) if values.size else "none"
