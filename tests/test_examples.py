"""The worked examples, as they stand: each answer is the one that the README tells."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fewlevels import load_dataset, load_network

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


def run(name: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable] if name.endswith(".py") else []
    done = subprocess.run(
        [*command, EXAMPLES / name], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answer(folder: Path) -> dict[str, object]:
    return json.loads((folder / "fit.json").read_text())


def test_examples_of_devices_end_as_the_readme_says(folder: Path) -> None:
    run("1_taox_four_levels.sh", folder)
    taox = answer(folder / "taox")
    assert taox["feasible"] and taox["states"] == 3 < taox["separable_levels"] == 4  # type: ignore[operator]
    run("2_wan_after_a_day.sh", folder)
    wan, tuned = answer(folder / "wan"), answer(folder / "wan_finetuned")
    assert not wan["feasible"] and wan["limiting_factor"] == "spread" and wan["needed_states"] == 4
    assert wan["states"] == 8 and 0.40 < wan["yield"] < 0.46  # type: ignore[operator]
    assert 3.2 < wan["separable_levels"] < 3.3  # type: ignore[operator]
    assert tuned["feasible"] and tuned["states"] == 2
    run("7_laboratory_files.sh", folder)
    mine = answer(folder / "mine")
    assert mine["feasible"] and mine["states"] == 4 < mine["separable_levels"] == 8  # type: ignore[operator]
    page = (EXAMPLES.parent / "docs" / "fit.md").read_text(encoding="utf-8")
    snippet = page.split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", snippet], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("recognition of this chip: 1.0"), done.stderr


FRAMEWORKS = {"3_pytorch_mlp.py": "torch", "4_scikit_learn.py": "sklearn", "5_keras_cnn.py": "keras"}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_network_of_a_framework_needs_few_levels(name: str, tmp_path: Path) -> None:
    for package in ("sklearn", "onnxruntime", FRAMEWORKS[name]):
        pytest.importorskip(package)
    said = run(name, tmp_path)
    before = float(re.findall(r"unquantized: ([\d.]+)%", said)[0])
    answers = [(int(q), float(after)) for q, after in re.findall(r"(\d+) levels a \w+[:,] ([\d.]+)%", said)]
    assert before > 90 and answers and all(2 <= q <= 16 and after >= 0.99 * before for q, after in answers)
    if name == "3_pytorch_mlp.py":
        stored = load_network(tmp_path / "pytorch_mlp.onnx")
        assert f"{stored.recognition(load_dataset('digits8')[1]):.2%}" == f"{answers[0][1]:.2f}%"
        assert all(len(np.unique(np.abs(layer.matrix))) <= answers[0][0] for layer in stored.layers)


def test_an_onnx_file_is_described_searched_and_described_again(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("sklearn")
    said = run("6_onnx_file.sh", tmp_path)
    assert "2720 weights in 3 layers" in said and "recognition is agreement" in said
    found = json.loads((tmp_path / "found" / "search.json").read_text(encoding="utf-8"))
    assert [row["method"] for row in found["methods"] if row["q_min"]] == ["kmeans", "clipped"]
    stored = load_network(tmp_path / "found" / "networks" / "1_kmeans.onnx")
    agreement = stored.agreement(load_network(tmp_path / "digits.onnx"), np.load(tmp_path / "unlabelled.npy"))
    assert agreement == found["methods"][0]["recognition_mean"] >= 0.99


def test_own_data_and_networks_go_in_as_the_page_on_them_says(tmp_path: Path) -> None:
    page = (EXAMPLES.parent / "docs" / "inputs.md").read_text(encoding="utf-8")
    (tmp_path / "letters.txt").write_text(page.split("```text\n")[1].split("```")[0], encoding="utf-8")
    code = "\n".join(part.split("```")[0] for part in page.split("```python\n")[1:])
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    commands = [line.split() for line in page.splitlines() if line.startswith("    fewlevels ")]
    assert [command[1] for command in commands] == ["study", "study", "search", "fit", "train", "simulate", "network"]
    for command in (commands[0], *commands[2:]):
        small = ["--seeds", "2"] if command[1] == "study" else ["--chips", "200"] if command[1] == "fit" else []
        done = subprocess.run(
            [sys.executable, "-m", "fewlevels.cli", *command[1:], *small], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "fit" / "fit.json").read_text(encoding="utf-8"))["feasible"]
