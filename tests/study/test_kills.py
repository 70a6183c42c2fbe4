"""A search that is killed at random instants ends with the bytes of an undisturbed one; tools/kills.py does more."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

KILLS = Path(__file__).parents[2] / "tools" / "kills.py"


def test_a_search_that_was_killed_ends_with_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "net.npz", W1=rng.normal(size=(25, 6)), W2=rng.normal(size=(6, 10)))
    options = ["--data=digits5", "--method=paper", "--q-max=4"]
    command = [sys.executable, KILLS, "search", "3", tmp_path / "net.npz", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.match(r"search: 3 kills in \d+ folders?, all ended with the same \d+ files\n", done.stdout)
    assert sum(int(line.split()[0]) for line in done.stdout.splitlines()[1:]) == 3
