"""ngspice: decks run in batch as subprocesses, their raw files read; an independent engine for every figure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from fewlevels.circuit.crossbar import Crossbar
from fewlevels.circuit.point import CONVERGED, OperatingPoint
from fewlevels.circuit.spice.crossbar_deck import bit_node, crossbar_deck, word_nodes
from fewlevels.common.arrays import FloatArray
from fewlevels.common.parallel import in_order
from fewlevels.errors import EngineError

TIME_LIMIT_SECONDS = 600.0
"""Of one run of ngspice: a crossbar that takes longer is too large for it."""


def solve_by_ngspice(
    crossbar: Crossbar, input_volt: FloatArray, *, nodes: bool = False, time_limit_seconds: float = TIME_LIMIT_SECONDS
) -> OperatingPoint:
    """Operating points of a crossbar, one ngspice process per sample. input_volt: (samples, word lines).

    Raises EngineError where ngspice is missing, fails, does not converge or takes longer than the limit.
    """
    feet = [f"out{j}" for j in range(crossbar.bit_lines)]
    shape = crossbar.conductance_siemens.shape

    def run(volt: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        values = run_deck(crossbar_deck(crossbar, volt), time_limit_seconds=time_limit_seconds)
        output = np.array([values[f"i(vout{j})"] for j in range(shape[1])])
        drop, bit = np.zeros(shape), np.zeros(shape)
        if nodes:
            for i in range(shape[0]):
                word = word_nodes(crossbar, "", i, f"in{i}")
                drop[i] = [volt[i] - values[f"v({node})"] for node in word]
                bit[i] = [values[f"v({bit_node(crossbar, '', i, j, feet)})"] for j in range(shape[1])]
        return output, drop, bit

    points = in_order(run, input_volt)
    output, drop, bit = (np.array(part) for part in zip(*points, strict=True))
    samples = len(input_volt)
    return OperatingPoint(
        crossbar=crossbar,
        input_volt=input_volt,
        output_ampere=output,
        drop_volt=drop if nodes else None,
        bit_volt=bit if nodes else None,
        iterations=np.zeros(samples, np.int64),
        residual=np.full(samples, np.nan),
        converged=np.ones(samples, bool),
        status=CONVERGED,
        method=f"ngspice {ngspice_version()}",
    )


def run_deck(text: str, *, time_limit_seconds: float = TIME_LIMIT_SECONDS) -> dict[str, float]:
    """Run one deck with an .op and return every node voltage 'v(node)' and branch current 'i(source)'.

    Raises EngineError where ngspice is missing, fails, does not converge or takes longer than the limit.
    """
    program = ngspice_program()
    with tempfile.TemporaryDirectory(prefix="fewlevels-") as folder:
        deck, raw = Path(folder, "deck.cir"), Path(folder, "deck.raw")
        deck.write_text(text, encoding="ascii")
        try:
            done = subprocess.run(
                [program, "-b", "-n", "-r", str(raw), str(deck)],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=time_limit_seconds,
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise EngineError(
                f"ngspice took longer than {time_limit_seconds:g} s; raise the limit or solve a smaller circuit"
            ) from None
        if done.returncode != 0 or not raw.is_file():
            said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            told = [line for line in said if "rror" in line or "failed" in line or "ingular" in line] or said
            raise EngineError(
                f"ngspice did not solve the deck (exit code {done.returncode}); it said: "
                f"{' / '.join(told[-3:]) or 'nothing'}"
            )
        return read_raw(raw.read_bytes())


def read_raw(content: bytes) -> dict[str, float]:
    """The first point of a binary raw file of one operating point. Raises EngineError where it is not one."""
    head, mark, data = content.partition(b"Binary:\n")
    header = head.decode("ascii", "replace")
    variables = re.findall(r"^\s*\d+\s+(\S+)\s+(?:voltage|current)", header, re.MULTILINE)
    if not mark or not variables or len(data) < 8 * len(variables) or "Flags: real" not in header:
        raise EngineError("ngspice wrote no operating point; it expects a deck of real values with one .op")
    values = np.frombuffer(data, "<f8", len(variables))
    if not np.isfinite(values).all():
        raise EngineError("ngspice wrote values that are not finite; the circuit has no operating point")
    return dict(zip(variables, map(float, values), strict=True))


@lru_cache(maxsize=1)
def ngspice_version() -> str:
    """Such as '39'. Raises EngineError where ngspice is missing."""
    said = subprocess.run([ngspice_program(), "--version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"ngspice-(\S+)", said.stdout + said.stderr)
    return found.group(1) if found else "of unknown version"


def ngspice_program() -> str:
    """The path of ngspice. Raises EngineError that says how to install it here."""
    program = shutil.which("ngspice")
    if program is None:
        raise EngineError(f"ngspice is not on the PATH; install it with '{_install_command()}'")
    return program


def _install_command() -> str:
    if sys.platform == "darwin":
        return "brew install ngspice"
    if sys.platform == "win32":
        return "choco install ngspice"
    managers = {
        "apt-get": "sudo apt-get install ngspice",
        "dnf": "sudo dnf install ngspice",
        "pacman": "sudo pacman -S ngspice",
        "zypper": "sudo zypper install ngspice",
    }
    return next((command for manager, command in managers.items() if shutil.which(manager)), managers["apt-get"])
