"""Write the decks of reference_circuits(), have ngspice solve them, and store results.json.

Run from the repository root: python -m tests.reference.make
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from fewlevels.circuit.spice.crossbar_deck import crossbar_deck
from fewlevels.circuit.spice.ngspice import ngspice_version, run_deck
from tests.reference.circuits import reference_circuits

HERE = Path(__file__).parent


def main() -> None:
    results: dict[str, list[float]] = {}
    for name, crossbar, volt in reference_circuits():
        deck = crossbar_deck(crossbar, volt, title=f"fewlevels reference {name}")
        (HERE / f"{name}.cir.gz").write_bytes(gzip.compress(deck.encode("ascii"), mtime=0))
        values = run_deck(deck)
        results[name] = [values[f"i(vout{j})"] for j in range(crossbar.bit_lines)]
        print(name, results[name][0])
    stored = {"ngspice": ngspice_version(), "output_ampere": results}
    (HERE / "results.json").write_text(json.dumps(stored, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
