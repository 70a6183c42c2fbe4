"""A fit's folder: what is damaged, edited, renamed or of another fit is made again or refused, never taken."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fewlevels import Networks, TrainingConfig, finetune, flip_pixels, load_device, load_digits, train
from fewlevels.devices.model import Device
from fewlevels.engines.parts import Part
from fewlevels.engines.threads import Threads
from fewlevels.errors import ConfigError, FewlevelsWarning, StoreError
from fewlevels.fitting import work as fit_work
from fewlevels.fitting.problem import FitConfig, Problem
from fewlevels.fitting.store import fit_part, stored_fit
from fewlevels.fitting.work import Chips, FitWork, Known, pieces_of
from fewlevels.samples.stored import samples_digest
from fewlevels.storage.folder import METADATA, Folder

SAMPLES = load_digits(5)
CONFIG = FitConfig(chips=30, most_states=3)
SMALL = 1e-3
"""Seconds of a piece."""


@pytest.fixture(scope="module")
def network() -> Networks:
    trained = train(SAMPLES, TrainingConfig(steps=60_000), models=1, seed=2)
    return Networks(finetune(trained, SAMPLES).quantized_weights)


@pytest.fixture(scope="module")
def device() -> Device:
    return load_device("cmo_hfox")


@pytest.fixture(scope="module")
def whole(network: Networks, device: Device, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit") / "whole"
    stored_fit(network, SAMPLES, device, CONFIG, folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "fit"))


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files but the one that says when others had changed."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "verified.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("content", ["null", "[]", "3", '"fit"', "{", "", "[" * 100_000, "\xff"])
def test_a_request_that_is_none_is_one_sentence_with_its_remedy(
    content: str, folder: Path, whole: Path, network: Networks, device: Device
) -> None:
    (folder / "request.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(StoreError, match=r"request\.json is damaged; remove it to go on with the same fit, or use an"):
        stored_fit(network, SAMPLES, device, CONFIG, folder)
    (folder / "request.json").unlink()
    stored_fit(network, SAMPLES, device, CONFIG, folder)
    assert contents(folder) == contents(whole)


def test_an_edited_request_is_refused_by_what_differs(folder: Path, network: Networks, device: Device) -> None:
    request = json.loads((folder / "request.json").read_text())
    for changed, said in (
        (request | {"seed": 2}, "holds a different fit: seed is 2 there and 1 here; use another folder"),
        (request | {"network_digest": "x"}, "holds a different fit: the network has changed; use"),
        (
            {key: value for key, value in request.items() if key not in ("alpha", "data_digest")},
            "holds a different fit: alpha is not told there; data_digest is not told there; use",
        ),
        ({}, "alpha is not told there; .* judge_digest is not told there"),
    ):
        (folder / "request.json").write_text(json.dumps(changed))
        with pytest.raises(ConfigError, match=said):
            stored_fit(network, SAMPLES, device, CONFIG, folder)


@pytest.mark.parametrize("finished", [True, False])
def test_a_fit_whose_request_has_the_keys_of_version_0_1_0_goes_on(
    finished: bool, folder: Path, whole: Path, network: Networks, device: Device
) -> None:
    request = json.loads((folder / "request.json").read_text())
    now = {"fewlevels_version": "version", "device_digest": "device_content"}
    now |= {"network_digest": "network", "judge_digest": "samples", "data_digest": "data"}
    old = {now.get(key, key): value for key, value in request.items()}
    assert set(old) - set(request) == set(now.values())
    (folder / "request.json").write_text(json.dumps(old, indent=1))
    if not finished:
        (folder / "fit.json").unlink()
    for other, said in (({"seed": 2}, "seed is 1 there and 2 here"), ({"chips": 31}, "chips is 30 there and 31 here")):
        with pytest.raises(ConfigError, match=f"holds a different fit: {said}; use another folder"):
            stored_fit(network, SAMPLES, device, replace(CONFIG, **other), folder)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="holds a different fit: the network has changed; use another folder"):
        stored_fit(Networks([2 * w for w in network.weights]), SAMPLES, device, CONFIG, folder)
    shards = {path: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()}
    stored_fit(network, SAMPLES, device, CONFIG, folder)
    assert {path: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()} == shards
    assert contents(folder) == contents(whole)


def test_a_finished_fit_without_its_chips_is_not_written_over(
    folder: Path, whole: Path, network: Networks, device: Device
) -> None:
    shutil.rmtree(folder / "shards")
    with pytest.raises(ConfigError, match="chips is 30 there and 31 here"):
        stored_fit(network, SAMPLES, device, replace(CONFIG, chips=31), folder)
    stored_fit(network, SAMPLES, device, CONFIG, folder)
    assert contents(folder) == contents(whole)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"damaged")])
def test_answers_that_are_damaged_or_missing_are_written_again(
    damage, folder: Path, whole: Path, network: Networks, device: Device
) -> None:  # type: ignore[no-untyped-def]
    for name in ("fit.json", "mapping.csv", "network.npz"):
        damage(folder / name)
    stored_fit(network, SAMPLES, device, CONFIG, folder)
    assert contents(folder) == contents(whole)


def test_a_shard_s_damage_inside_is_noticed(folder: Path, whole: Path, network: Networks, device: Device) -> None:
    shard = max((folder / "shards").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    damaged: list[Path] = []
    stored_fit(network, SAMPLES, device, CONFIG, folder, on_damaged=damaged.append)
    assert damaged == [shard] and contents(folder) == contents(whole)


def test_a_renamed_shard_is_left_aside(folder: Path, whole: Path, network: Networks, device: Device) -> None:
    one, other = sorted((folder / "shards").iterdir())[:2]
    name, checksum = one.stem[:-17], other.stem[-16:]
    one.unlink()
    other.rename(one.with_name(f"{name}-{checksum}.parquet"))
    with pytest.warns(FewlevelsWarning, match=f"left aside: it is of {other.stem[:-17]}"):
        stored_fit(network, SAMPLES, device, CONFIG, folder)
    assert contents(whole).items() <= contents(folder).items()


def test_a_shard_of_another_seed_under_this_fit_s_name_is_left_aside(
    folder: Path, whole: Path, network: Networks, device: Device, tmp_path: Path
) -> None:
    stored_fit(network, SAMPLES, device, replace(CONFIG, seed=2), tmp_path / "other")
    (own, *_), (foreign, *_) = (sorted((each / "shards").iterdir()) for each in (folder, tmp_path / "other"))
    own.unlink()
    shutil.copy(foreign, own.with_name(f"{own.stem[:-17]}-{foreign.stem[-16:]}.parquet"))
    with pytest.warns(FewlevelsWarning, match="left aside: it is of chips-"):
        stored_fit(network, SAMPLES, device, CONFIG, folder)
    assert contents(whole).items() <= contents(folder).items()


def test_shards_of_another_version_are_refused(
    folder: Path, network: Networks, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "request.json").unlink()
    monkeypatch.setattr(fit_work, "__version__", "99")
    with pytest.raises(ConfigError, match=r"holds results of something else: version is .* there and '99' here"):
        stored_fit(network, SAMPLES, device, CONFIG, folder)


def test_a_shard_of_other_rows_is_refused(folder: Path, network: Networks, device: Device) -> None:
    shard = sorted((folder / "shards").iterdir())[0]
    table = pq.read_table(shard)
    provenance = json.loads(table.schema.metadata[METADATA])
    shard.unlink()
    Folder(folder).write_shard(provenance.pop("shard"), table.slice(1), provenance)
    with pytest.raises(StoreError, match="is not what a fit stores; remove it, or use another folder"):
        stored_fit(network, SAMPLES, device, CONFIG, folder)


def test_a_fit_in_parts_ends_with_the_same_files_and_draws_hardly_any_chip_again(
    network: Networks, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_fit(network, SAMPLES, device, CONFIG, tmp_path / "whole", Threads(2), piece_seconds=SMALL)
    expected, drawn, compute = contents(tmp_path / "whole"), list[str](), FitWork.compute

    def count(known: Known, piece: Chips) -> object:
        drawn.append(piece.name)
        return compute(known, piece)

    monkeypatch.setattr(FitWork, "compute", staticmethod(count))
    for number in (3, 1, 5, 2, 4):
        part = Part(number, 5)
        folder = tmp_path / "parts"
        there = fit_part(network, SAMPLES, device, CONFIG, folder, Threads(1), part=part, piece_seconds=SMALL)
        assert there == len(set(drawn))
    in_parts = len(drawn)
    assert not (tmp_path / "parts" / "fit.json").exists()
    stored_fit(network, SAMPLES, device, CONFIG, tmp_path / "parts", Threads(2), piece_seconds=SMALL)
    assert contents(tmp_path / "parts").items() >= expected.items()
    assert len(drawn) == len(set(drawn)) and len(drawn) - in_parts < 0.1 * in_parts


def test_pieces_of_chips_are_about_as_long_as_is_asked(network: Networks, device: Device) -> None:
    for wire_ohm, samples in ((0.0, SAMPLES), (1.0, SAMPLES)):
        problem = Problem(
            network=network, samples=samples, data=samples, device=device, config=FitConfig(wire_ohm=wire_ohm)
        )
        mapping = problem.put_on(network)
        sizes = [
            [piece.size for piece in pieces_of(problem, mapping, range(5, 2005), "judge", seconds)]
            for seconds in (1e-9, 0.05, 1e9)
        ]
        assert all(sum(each) == 2000 for each in sizes)
        assert len(sizes[0]) == 2000 > len(sizes[1]) > len(sizes[2]) == 2


def test_what_workers_read_is_what_was_asked(network: Networks, device: Device, tmp_path: Path) -> None:
    data = flip_pixels(SAMPLES, 1, 3, np.random.default_rng(1))
    stored_fit(network, SAMPLES, device, CONFIG, tmp_path, Elsewhere(2), data=data)
    known = FitWork.read(tmp_path)
    assert samples_digest(known["judge"]) == samples_digest(SAMPLES)
    assert samples_digest(known["data"]) == samples_digest(data)


class Elsewhere(Threads):
    """Threads that are taken for other processes."""

    elsewhere = True
