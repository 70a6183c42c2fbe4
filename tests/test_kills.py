"""Commands killed at random instants go on, and end with the bytes of an undisturbed run; tools/kills.py does more."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

KILLS = Path(__file__).parents[1] / "tools" / "kills.py"


@pytest.mark.parametrize(
    "command",
    ["search NET --data digits5 --method paper --q-max 4",
     "fit --network NET --data digits5 --device cmo_hfox --alpha 0.01 --yield 0.01 --chips 5 --most-states 2"],
    ids=["search", "fit"],
)  # fmt: skip
def test_a_command_that_was_killed_ends_with_the_same_bytes(command: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "net.npz", W1=rng.normal(size=(25, 6)), W2=rng.normal(size=(6, 10)))
    name, *options = command.replace("NET", str(tmp_path / "net.npz")).split()
    done = subprocess.run([sys.executable, KILLS, name, "2", *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.match(rf"{name}: 2 kills in \d+ folders?, all ended with the same \d+ files\n", done.stdout)
    assert sum(int(line.split()[0]) for line in done.stdout.splitlines()[1:]) == 2
