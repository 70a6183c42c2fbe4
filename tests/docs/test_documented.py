"""Documents against the program: every command, option, key, column and array stands in its page, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from fewlevels import Conditions, FitConfig, Network, Networks, Samples, load_device, load_digits
from fewlevels.circuit.network.simulation import Agreement
from fewlevels.cli.main import app
from fewlevels.fitting.store import stored_fit
from fewlevels.networks.stacks import stack_arrays
from fewlevels.networks.variants import stack_of
from fewlevels.storage.folder import METADATA
from fewlevels.study.circuits import CircuitOptions, store_agreement
from fewlevels.study.config import StudyConfig, ZonesConfig
from fewlevels.study.groups import provenances
from fewlevels.study.result import StudyResult
from tools.help_pages import PAGE, commands_of, page

DOCS = Path(__file__).parents[2] / "docs"
FORMATS = (DOCS / "formats.md").read_text(encoding="utf-8")
NAMED = {"file_checksums": "FILE", "q_of_trained": "METHOD", "without": "NAME", "against": "NAME"}
"""Keys whose own keys are names that differ from file to file, and what stands for these on the page."""

SECTIONS = ("spread", "retention", "nonlinearity", "selector")
"""Parts of a device, whose keys docs/devices.md tells."""

IMPERFECT = """
name = "imperfect"
lowest_siemens = 0
highest_siemens = 40e-6
read_noise = 0.01
stuck_on_rate = 0.001
[spread]
law = "polynomial"
constant_siemens = 2e-7
[retention]
law = "power"
exponent = 0.01
start_seconds = 1.0
last_seconds = 1e6
[nonlinearity]
law = "cubic"
csv = "iv.csv"
"""


def documented(heading: str) -> set[str]:
    """The names in the first column of the table under a heading of docs/formats.md."""
    section = re.search(rf"^## {re.escape(heading)}\n((?:(?!## ).*\n)*)", FORMATS, re.MULTILINE)
    assert section is not None, f"docs/formats.md has no section {heading}"
    cells = re.findall(r"^\| (`[^|]*) \|", section[1], re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def keys(value: Any, above: str = "") -> Iterator[str]:
    """The keys of JSON down to its plain values, 'a.b' for the key b of each thing in a."""
    if isinstance(value, list):
        for each in value:
            yield from keys(each, above)
        if not any(isinstance(each, dict | list) for each in value):
            yield above
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from keys(part, f"{above}.{NAMED.get(above, key)}" if above else key)
    else:
        yield above


@pytest.fixture(scope="module")
def folder(small_study: tuple[Path, StudyResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with everything that commands store in its folder, and two fits and devices beside it."""
    folder = tmp_path_factory.mktemp("documented") / "study"
    shutil.copytree(small_study[0], folder)
    printed(folder, "simulate", folder, "--draws", 2)
    printed(folder, "search", folder, "--method", "paper")
    dense = folder.parent / "dense.npz"
    np.savez(dense, W1=np.eye(25, 4), b1=np.ones(4), W2=np.eye(4, 10), b2=np.ones(10), activations=["relu", "softmax"])
    printed(
        folder, "search", dense, "--data", "digits5", "--method", "paper,qat:ternary", "--out", folder.parent / "found"
    )
    store_agreement(folder, 0, CircuitOptions(), Agreement(((1.0, 1, 0.0),), 1e-9, "39"))
    volt = np.linspace(0.1, 1, 10)
    table = "\n".join(f"{v},{1e-5 * v * (1 + v**2)}" for v in volt)
    (folder.parent / "iv.csv").write_text(f"V (V),I (A)\n{table}\n", encoding="utf-8")
    (folder.parent / "imperfect.toml").write_text(IMPERFECT, encoding="utf-8")
    conditions = Conditions(after_seconds=100.0, input_volt=0.5)
    options = {"chips": 20, "most_states": 2, "yield_target": 0.01}
    samples = Samples(np.eye(3), np.arange(3), ("a", "b", "c"))
    network = Networks.from_weights([4 * np.eye(3), 4 * np.eye(3)])
    for device, config in (
        (load_device(folder.parent / "imperfect.toml"), FitConfig(wire_ohm=1.0, conditions=conditions, **options)),
        (load_device("lee2018_taox"), FitConfig(**options)),
    ):
        stored_fit(network, samples, device, config, folder.parent / f"fit_{device.name}")
    return folder


def printed(folder: Path, *arguments: object) -> Any:
    command = [sys.executable, "-m", "fewlevels.cli", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def stored(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_key_of_a_search_is_documented(folder: Path) -> None:
    searches = [stored(path / "search.json") for path in (folder, folder.parent / "found")]
    assert {key for each in searches for key in keys(each)} == documented("search.json")


def test_every_key_of_the_progress_is_documented(folder: Path) -> None:
    assert set(keys(printed(folder, "show", folder, "--progress"))) == documented("show --progress --json")


def test_every_key_of_what_a_search_is_asked_is_documented(folder: Path) -> None:
    (request,) = (folder.parent / "found" / "search").glob("*/request.json")
    assert set(keys(stored(request))) == documented("search/")
    stack = stack_arrays(stack_of(Network.from_networks(Networks.from_weights([np.eye(3)]))))
    assert {name for name in stack if f"`{name}`" not in FORMATS} == set()


@pytest.mark.parametrize("name", ["run.json", "circuit.json", "agreement.json"])
def test_every_key_of_a_study_s_json_is_documented(folder: Path, name: str) -> None:
    assert set(keys(stored(folder / name))) == documented(name)


def test_every_key_of_the_summary_is_documented(folder: Path) -> None:
    assert set(keys(printed(folder, "show", folder))) == documented("show --json")


def test_every_key_of_a_fit_is_documented(folder: Path) -> None:
    fits = [stored(path) for path in folder.parent.glob("fit_*/fit.json")]
    assert len(fits) == 2
    assert {key for fit in fits for key in keys(fit)} | {"wall_seconds"} == documented("fit.json")
    for part in ("without", "against"):
        assert all(f"`{name}`" in FORMATS for fit in fits for name in fit[part])
    assert "`read_noise`" in FORMATS and {"read_noise", "wires"} <= {name for fit in fits for name in fit["without"]}
    for path in folder.parent.glob("fit_*/request.json"):
        assert set(keys(stored(path))) == documented("request.json")


def test_every_key_of_a_device_is_documented(folder: Path) -> None:
    devices = [*printed(folder, "devices"), printed(folder, "devices", folder.parent / "imperfect.toml")]
    parts = {key for device in devices for name in SECTIONS for key in keys(device[name] or {}) if key}
    page = (DOCS / "devices.md").read_text(encoding="utf-8")
    names = {name for key in parts for name in key.split(".")}
    assert "law" in names and {name for name in names if not re.search(rf"\b{name}\b", page)} == set()
    plain = {key for device in devices for key in keys({**device, **dict.fromkeys(SECTIONS)})}
    assert plain == documented("devices --json")


def test_every_array_of_a_file_is_documented(folder: Path) -> None:
    for name in ("samples.npz", "weights.npz"):
        with np.load(folder / name) as arrays:
            assert set(arrays) == documented(name)
    with np.load(folder / "search.npz") as paper, np.load(folder.parent / "found" / "search.npz") as dense:
        assert set(paper) | set(dense) == documented("search.npz")
    with np.load(folder.parent / "fit_imperfect" / "network.npz") as arrays:
        assert set(arrays) == {"W1", "W2"} <= documented("weights.npz")


def test_every_column_of_a_table_is_documented(folder: Path) -> None:
    tables = {"resistances.csv": folder, "mapping.csv": folder.parent / "fit_imperfect"}
    for name, place in tables.items():
        columns = (place / name).read_text(encoding="utf-8").splitlines()[0].split(",")
        assert set(columns) == documented(name)


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Shards of models", "study/shards/models-*"),
        ("Shards of zones", "study/shards/zone-*"),
        ("Shards of a fit", "fit_imperfect/shards/chips-*"),
        ("Shards of a search", "found/search/*/shards/qat-*"),
    ],
)
def test_every_column_of_a_shard_is_documented(folder: Path, heading: str, names: str) -> None:
    shard = next(folder.parent.glob(names))
    schema = pq.read_schema(shard)
    assert METADATA in schema.metadata and set(schema.names) == documented(heading)


def test_every_key_of_provenance_is_documented(folder: Path) -> None:
    shards = [*folder.parent.glob("*/shards/*.parquet"), *folder.parent.glob("*/search/*/shards/*.parquet")]
    made_of = [json.loads(pq.read_schema(shard).metadata[METADATA]) for shard in shards]
    bare = provenances(StudyConfig(keep_weights=False), load_digits(5)).values()
    assert {key for each in (*made_of, *bare) for key in each} == documented("Provenance of shards")


def test_every_key_of_a_study_s_configuration_is_documented() -> None:
    plain = set(StudyConfig.model_fields) - {"zones"}
    assert plain | {f"zones.{name}" for name in ZonesConfig.model_fields} == documented("study.toml")


def test_every_stored_file_has_a_section_or_a_command_that_stores_it(folder: Path) -> None:
    there = [path for place in (folder, folder.parent / "fit_imperfect") for path in place.iterdir()]
    assert {path.name for path in there if f"`{path.name}{'/' * path.is_dir()}`" not in FORMATS} == set()


def test_the_page_of_commands_is_the_help_of_today() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tools/help_pages.py"


def test_every_option_that_help_shows_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in ["", *(command.name for command in commands_of(app))]:
        done = subprocess.run(
            [sys.executable, "-m", "fewlevels.cli", *name.split(), "--help"], capture_output=True, text=True, check=True
        )
        section = text.split("## ")[0] + (text.split(f"## {name}\n")[1].split("\n## ")[0] if name else "")
        shown = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", done.stdout.split("Options:")[1].split("Commands:")[0]))
        assert shown and {option for option in shown if not re.search(rf"[`\s]{option}[`\s]", section)} == set()


@pytest.mark.parametrize("document", [*DOCS.rglob("*.md"), *DOCS.parent.glob("*.md")], ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []
