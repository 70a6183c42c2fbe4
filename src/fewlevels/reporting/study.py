"""Report: figures and one self-contained HTML page, from a stored study alone."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fewlevels.circuit.network.simulation import Simulation
from fewlevels.common.counts import counted
from fewlevels.common.places import is_there, read
from fewlevels.common.proportions import percent
from fewlevels.errors import FewlevelsWarning, StoreError
from fewlevels.reporting import comparison
from fewlevels.reporting.page import image_data, render
from fewlevels.storage.folder import Folder
from fewlevels.study.analysis import Summary, summarise
from fewlevels.study.circuits import CircuitOptions, simulate_model
from fewlevels.study.claims import applies, claims
from fewlevels.study.result import StudyResult

CAPTIONS = {
    "figure1_digits_and_network": "Figure 1. What is recognised, and by what.",
    "figure2_quantization": "Figure 2. The search on the best model, and its weights at 1, 2 and the fewest levels.",
    "figure3_weights_and_levels": "Figure 3. The best model's weights in ascending order, before and after quantizing.",
    "figure4_levels_against_range": "Figure 4. The fewest levels of every model against its weight range. The band "
    "holds 90 % of the models of like range; it ends where there are too few neighbours to say.",
    "figure5_starts": "Figure 5. Starts of growing weight range: recognition while they train, before quantizing and "
    "at a fixed number of levels. Where the first is low, training fails and not the quantizer.",
    "figure6a_circuit": "Figure 6a. The circuit: a differential pair of columns for each output, a diode in each cell.",
    "figure6b_current_gap": "Figure 6b. Circuit current against the computed one, for each digit and input voltage.",
    "current_gap_by_cause": "What the current gap is made of, quantization included; without that, it is Figure 6b's.",
    "currents_and_voltages_with_wires": "Not this circuit, whose wires are ideal: layer 1 with wires of resistance.",
    "solved_at_each_number_of_levels": "How many models keep their recognition at each number of levels.",
    "recognition_under_flipped_pixels": "Beyond the samples: the best model's recognition with flipped pixels, exact "
    "where every choice of pixels is tried.",
}
CIRCUIT = ("figure6a_circuit", "figure6b_current_gap", "current_gap_by_cause", "currents_and_voltages_with_wires")
BEFORE = {"search.json": ("minimises", "search"), "agreement.json": ("ngspice", "verify")}
"""Of each file that another command stores: a key that only version 0.1.0 wrote, and the command."""


def write_report(folder: Path, result: StudyResult) -> Path:
    """Draw all figures (PNG and SVG) of a study and write report.html into its folder; returns the report's path.

    Raises StoreError where what `fewlevels verify` or `fewlevels search` stored there is damaged, or the folder cannot
    be written.
    """
    from fewlevels.reporting.figures.circuit import draw_circuit
    from fewlevels.reporting.figures.methods import levels_by_method
    from fewlevels.reporting.figures.study import draw
    from fewlevels.reporting.figures.style import store_figure

    compared = _stored(folder, "search.json", comparison.checked)
    if compared is not None:
        comparison.require_whole(folder, compared)
    store, options = Folder(folder), CircuitOptions()
    with store.held():
        drawn, circuit = draw(result), None
        if result.best >= 0:
            circuit = simulate_model(result, result.best, options)
            drawn |= draw_circuit(result, result.best, circuit, options)
        if compared is not None:
            drawn["levels_by_method"] = levels_by_method(compared["q_of_trained"], compared["q_max"])
        images = {name: image_data(store_figure(store, name, figure)) for name, figure in drawn.items()}
        agreement = _stored(folder, "agreement.json", _agreement)
        store.write("report.html", _page(result, images, circuit, compared, agreement))
    return folder / "report.html"


def summary_rows(summary: Summary) -> list[tuple[str, str]]:
    """The summary as a table a person reads: (quantity, value)."""
    low, high = summary.rank_correlation_interval
    solved, models = summary.q_min > 0, partial(counted, noun="model")
    at_four = f"{summary.models_at_q_4}; {_number(summary.weight_range_at_q_4_median)}"
    return [
        ("models", f"{summary.models}"),
        ("weights in each", f"{summary.weights}"),
        ("trained to alpha before quantizing", percent(summary.trained_fraction)),
        ("solved: also at alpha with q levels", percent(summary.solved_fraction)),
        ("not trained to alpha, yet at alpha quantized", percent(summary.untrained_but_solved_fraction)),
        ("fewest levels requested, q", f"{summary.q_min} ({models(summary.models_at_q_min)})" if solved else "none"),
        (
            "fewest levels occupied, of a model at its q",
            f"{summary.occupied_min} ({models(summary.models_at_occupied_min)})" if solved else "none",
        ),
        (
            "best model; levels it occupies",
            f"{summary.best_model}; {summary.best_model_occupied}" if solved else "none",
        ),
        ("weight range at the fewest levels, median", _number(summary.weight_range_at_q_min_median)),
        ("models with q = 4; their median weight range", at_four if summary.models_at_q_4 else "none"),
        ("median of levels requested, q", _number(summary.q_median)),
        ("median of levels occupied at q", _number(summary.occupied_median)),
        ("models that leave some of their q levels empty", percent(summary.with_empty_levels_fraction)),
        ("median of the q from which all larger ones pass", _number(summary.stable_q_median)),
        (
            "rank correlation of q and weight range",
            "none" if math.isnan(low) else f"{summary.rank_correlation:.3f} (95 % interval {low:.3f} to {high:.3f})",
        ),
        ("reduction, from weights to levels", percent(summary.reduction_percent / 100, 1)),
        ("wall time", f"{summary.wall_seconds:.1f} s"),
    ]


def summary_json(summary: Summary) -> dict[str, object]:
    """The summary for JSON, where a statistic that does not exist is null."""
    return {key: _finite(value) for key, value in dataclasses.asdict(summary).items()}


def _finite(value: object) -> object:
    if isinstance(value, tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.1f}"


def _stored(folder: Path, name: str, told: Callable[[Any], dict[str, Any]]) -> dict[str, Any] | None:
    """What `fewlevels verify` or `fewlevels search` stored, if it was run, as `told` gives it. None, with a warning,
    where version 0.1.0 stored it. Raises StoreError where it cannot be read, or where `told` raises one of Python's own
    errors for it.
    """
    file, (old_key, command) = folder / name, BEFORE[name]
    try:
        if not is_there(file):
            return None
        stored = json.loads(read(file))
        if old_key in stored:
            warnings.warn(
                f"{file} is of an earlier version and left out of the report; run 'fewlevels {command} {folder}' again",
                FewlevelsWarning,
                stacklevel=2,
            )
            return None
        return told(stored)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise StoreError(f"{file} is damaged; remove it, or run the command again that wrote it") from None


def _agreement(stored: Any) -> dict[str, Any]:
    """What `fewlevels verify` stored, in words: of which circuit, and its rows."""
    of = (
        f"Against ngspice {stored['ngspice_version']}: model {stored['model']}, design '{stored['design']}', smallest "
        f"resistor {stored['r_min_ohm']:g} Ω, {stored['wire_ohm']:g} Ω in every wire segment, inputs of 0 held at "
        f"{stored['off_pixels']}."
    )
    rows = [(f"{r['input_volt']:g} V", r["layer"], f"{r['relative_difference']:.1e}") for r in stored["rows"]]
    return {"of": of, "rows": rows}


def _page(
    result: StudyResult,
    images: dict[str, str],
    circuit: Simulation | None,
    compared: dict[str, Any] | None,
    agreement: dict[str, Any] | None,
) -> bytes:
    """images: figures by name. circuit: of the best model, where there is one. compared, agreement: what other commands
    stored, where they were run."""
    summary = summarise(result)
    return render(
        "report.html",
        summary=summary,
        rows=summary_rows(summary),
        claims=claims(result) if applies(result) else [],
        figures=[(CAPTIONS[name], image) for name, image in images.items() if name in CAPTIONS and name not in CIRCUIT],
        method_image=images.get("levels_by_method"),
        circuit_figures=[(CAPTIONS[name], images[name]) for name in CIRCUIT if name in images],
        model=result.best,
        circuit=circuit,
        agreement=agreement,
        comparison=compared,
        counted=counted,
        columns=comparison.COLUMNS,
        cell=comparison.cell,
        percent=percent,
        sentences=comparison.sentences,
        config=result.config.to_toml(),
        dataset=Path(result.config.dataset).name,
        machine=result.machine,
        alpha=result.config.alpha,
    )
