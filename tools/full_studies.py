"""Run both full paper studies and keep their summary and figures, not their weights, in docs/results/."""

import json
import shutil
from pathlib import Path

from fewlevels.engines.threads import Threads
from fewlevels.reporting.study import summary_json, summary_rows, write_report
from fewlevels.study.analysis import summarise
from fewlevels.study.claims import claims
from fewlevels.study.config import PRESETS, make_config
from fewlevels.study.run import run_study

ROOT = Path(__file__).parent.parent
HEADER = """# The paper's full studies

Each of 60 x 100 models, 500 000 backpropagations, root seed 1; made by `make paper` on {processor}
({instruction_set}). Weights are not kept here: the command makes them again, bit for bit on such a machine.

Each verdict follows its rule; of fewer than ten models nothing is said. A *start* is what initial weights are drawn
from. The paper's word for those of Figure 5 is *seed*; what they are is not given, and ours are others than the study's
own.
"""

page = ""
for dataset in ("digits5", "digits7"):
    folder = ROOT / "studies" / "paper" / dataset
    result = run_study(make_config({**PRESETS["paper"], "dataset": dataset}, "paper"), folder, Threads())
    write_report(folder, result)
    target = ROOT / "docs" / "results" / dataset
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for figure in sorted((folder / "figures").glob("*.png")):
        shutil.copy(figure, target)
    shutil.copy(folder / "study.toml", target)
    summary = summarise(result)
    (target / "summary.json").write_text(json.dumps(summary_json(summary), indent=1) + "\n", encoding="utf-8")
    page = page or HEADER.format(**result.machine)
    page += f"\n## {dataset}\n\n| paper, where | paper says | this run found | verdict | its rule |\n{'|---' * 5}|\n"
    page += "".join(f"| {c.where} | {c.says} | {c.found} | {c.verdict} | {c.rule} |\n" for c in claims(result))
    page += "\n| quantity | value |\n|---|---|\n"
    page += "".join(f"| {quantity} | {value} |\n" for quantity, value in summary_rows(summary))
    page += f"\n![Figure 4, {dataset}]({dataset}/figure4_levels_against_range.png)\n"
(ROOT / "docs" / "results" / "README.md").write_text(page, encoding="utf-8")
