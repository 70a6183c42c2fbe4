"""Both full studies' best networks as circuits: what share recognises all digits, by stage design and R_min.

Reads the studies that full_studies.py ran; writes docs/results/circuits.md beside the figures that it made.
"""

from pathlib import Path

import numpy as np

from fewlevels.circuit import DESIGNS, Diode
from fewlevels.common.counts import counted
from fewlevels.study.circuits import CircuitOptions, choose_model, simulate_model
from fewlevels.study.claims import claims
from fewlevels.study.result import StudyResult, load_study

ROOT = Path(__file__).parent.parent
VOLTS = (1.0, 5.0, 10.0)
R_MIN_OHM = (10e3, 100e3, 1e6)
MOST_LEVELS = 4
HEADER = """# The networks of the fewest levels as circuits

Every network of both full studies that keeps 100 % with 4 levels or fewer, at its own fewest levels, as two crossbars
with a diode in every cell (saturation current {:g} A, ideality {:g}), ideal wires, off pixels at 0 V; made by
`make circuits` after `make paper`. *All ten* is the share of networks whose circuit recognises every digit; *gap* the
5th, 50th and 95th percentile over networks and digits of the current's distance from (V - Vth)/R, relative to it.
A gap beyond 100 % is a digit whose own computed current is close to zero: a pair's difference.

The paper names neither its diode nor its resistors nor its sign scheme, so none of this confirms its Figure 6b. Its
100 % recognition is true of a network chosen for it, not of every network with four levels. The default design,
pair-transimpedance, is the one that recognises most at 1 V. What of the figure comes out, and what does not, stands
below each set, with the gap of each digit.
"""


def rows(result: StudyResult, models: np.ndarray, design: str, r_min_ohm: float) -> str:
    options = CircuitOptions(input_volts=VOLTS, design=design, r_min_ohm=r_min_ohm)
    runs = [simulate_model(result, int(model), options) for model in models]
    cells = []
    for index in range(len(VOLTS)):
        all_ten = np.mean([run.voltages[index].recognition == 1 for run in runs])
        gaps = np.abs(np.concatenate([run.voltages[index].current_gap for run in runs]))
        low, middle, high = np.percentile(gaps[np.isfinite(gaps)], (5, 50, 95))
        cells.append(f"{all_ten:.0%}, {low:.1%} {middle:.1%} {high:.1%}")
    return f"| {design} | {r_min_ohm / 1e3:g} kΩ | " + " | ".join(cells) + " |\n"


diode = Diode()
page = HEADER.format(diode.saturation_ampere, diode.ideality)
for dataset in ("digits5", "digits7"):
    result = load_study(ROOT / "studies" / "paper" / dataset)
    models = np.flatnonzero(result.counted & (result.search.q <= MOST_LEVELS))
    page += f"\n## {dataset}: {counted(len(models), 'network')}\n\n| design | R_min | "
    page += " | ".join(f"{volt:g} V: all ten, gap" for volt in VOLTS) + " |\n|---|---|---|---|---|\n"
    page += "".join(rows(result, models, design, r_min) for design in DESIGNS for r_min in R_MIN_OHM)
    options = CircuitOptions(input_volts=VOLTS)
    best = choose_model(result, "best", options)
    digits = " | ".join(result.samples.classes)
    page += f"\n`--model best` is {best}. Its current gap for each digit:\n\n"
    page += f"| input | recognition | smallest margin | {digits} |\n{'|---' * (3 + len(result.samples.classes))}|\n"
    for at in simulate_model(result, best, options).voltages:
        gaps = " | ".join(f"{gap:.1%}" for gap in np.abs(at.current_gap))
        page += f"| {at.input_volt:g} V | {at.recognition:.0%} | {at.current_margin:.3f} | {gaps} |\n"
    page += "\n| Figure 6b says | this network | verdict |\n|---|---|---|\n"
    page += "".join(f"| {c.says} | {c.found} | {c.verdict} |\n" for c in claims(result) if c.where == "Fig. 6b")
    page += f"\n![Figure 6b, {dataset}]({dataset}/figure6b_current_gap.png)\n"
(ROOT / "docs" / "results" / "circuits.md").write_text(page, encoding="utf-8")
