"""A search in pieces: the same bytes however it is cut, shared out, stopped and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewlevels import FinetuningConfig, Networks, TrainingConfig, load_digits, train
from fewlevels.engines.parts import Part
from fewlevels.engines.threads import Threads
from fewlevels.errors import ClusterError, SearchError, StoreError
from fewlevels.networks.network import Network
from fewlevels.networks.stacks import stack_arrays, stack_from
from fewlevels.networks.variants import stack_of
from fewlevels.search import run as run_module
from fewlevels.search.contest import Contest
from fewlevels.search.method import checked_methods
from fewlevels.search.methods import MethodComparison, compare_methods
from fewlevels.search.pieces import pieces_of
from fewlevels.search.run import SearchWork, run_search, run_search_part, searches_in
from fewlevels.search.target import Target
from fewlevels.training.descent import biases_of
from tests.cli.test_search_network import IMAGES, convolutional
from tests.networks.test_layers import deep

DIGITS = load_digits(5)
NETWORKS = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=20_000), models=40, seed=3)
METHODS = "paper,clipped,qat:ternary,qat:paper"
ALPHA, Q_MAX = 0.9, 6
CONFIG = FinetuningConfig(steps=3, latent_limit=(1.5, 2.0))


class Elsewhere(Threads):
    """Threads that are taken for other processes."""

    elsewhere = True


SMALL = 1e-4


def contest(networks: Networks | Network = NETWORKS, methods: str = METHODS, **other: Any) -> Contest:
    asked = {"samples": DIGITS, "test": None, "q_max": Q_MAX, "share": "network", "minimise": "requested", "seed": 1}
    return Contest.of(networks, methods=checked_methods(methods), target=Target(ALPHA), **asked | other)


def arrays(found: MethodComparison) -> list[np.ndarray]:
    """All that was found."""
    results = found.results
    traces = [each for one in results for each in (one.q, one.stable_q, one.recognition_trace, one.output_margin_trace)]
    counts = [count for one in results for count in one.counts.values()]
    return [found.recognition, *traces, *counts, *(one.networks.joint() for one in results)]


def same(one: MethodComparison, other: MethodComparison) -> bool:
    pairs = zip(arrays(one), arrays(other), strict=True)
    return all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)


WHOLE = compare_methods(NETWORKS, DIGITS, METHODS, alpha=ALPHA, q_max=Q_MAX)


@pytest.mark.parametrize("piece_seconds", [60.0, 1e-2, SMALL])
def test_pieces_of_any_size_find_what_a_search_in_memory_finds(piece_seconds: float, tmp_path: Path) -> None:
    methods = checked_methods(METHODS)
    found = run_search(contest(), methods, tmp_path, Threads(2), piece_seconds=piece_seconds)
    assert same(found, WHOLE)


def test_small_pieces_share_out_networks_and_numbers_of_levels() -> None:
    pieces = pieces_of(contest(), checked_methods(METHODS), 1e-5)
    of_paper = [piece for piece in pieces if piece.method.name == "paper"]
    assert {len(piece.models) for piece in of_paper} == {16, 8} and len(pieces) > 20
    tried = {(model, q) for piece in of_paper for model in piece.models for q in piece.numbers}
    assert tried == {(model, q) for model in range(40) for q in range(1, Q_MAX + 1)}
    assert len({piece.name for piece in pieces}) == len(pieces)


def test_parts_in_any_order_end_with_the_same_bytes_and_nothing_is_tried_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods, tried, begun = checked_methods(METHODS), Contest.tried, list[tuple[str, range, range]]()

    def count(self: Contest, method: Any, models: range, numbers: range, **other: Any) -> Any:
        begun.append((method.name, models, numbers))
        return tried(self, method, models, numbers, **other)

    monkeypatch.setattr(Contest, "tried", count)
    for number in (3, 1, 5, 2):
        run_search_part(contest(), methods, tmp_path, Threads(1), Part(number, 5), piece_seconds=SMALL)
    (there,) = searches_in(tmp_path)
    assert 0 < there.pieces < there.all_pieces and there.methods == tuple(METHODS.split(","))
    assert same(run_search(contest(), methods, tmp_path, Threads(2), piece_seconds=SMALL), WHOLE)
    (there,) = searches_in(tmp_path)
    assert there.pieces == there.all_pieces == len(begun) == len(set(map(repr, begun)))
    assert same(run_search(contest(), methods, tmp_path, Threads(2), piece_seconds=SMALL), WHOLE)
    assert len(begun) == there.all_pieces


def test_a_stopped_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods, left = checked_methods(METHODS), [4]

    def stop(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(run_module, "unless_quick", lambda _: stop)
        with pytest.raises(KeyboardInterrupt):
            run_search(contest(), methods, tmp_path, Threads(1), piece_seconds=SMALL)
    (there,) = searches_in(tmp_path)
    assert 0 < there.pieces < there.all_pieces
    assert same(run_search(contest(), methods, tmp_path, Threads(1), piece_seconds=SMALL), WHOLE)


def test_a_graph_is_searched_number_of_levels_by_number(tmp_path: Path) -> None:
    network, names = convolutional(), "paper,clipped"
    samples = network.labelled(IMAGES)
    asked = contest(network, names, share="layer", samples=samples)
    pieces = pieces_of(asked, checked_methods(names), 1e-6)
    assert {piece.models for piece in pieces} == {range(1)} and {len(piece.numbers) for piece in pieces} == {1}
    found = run_search(asked, checked_methods(names), tmp_path, Threads(2), piece_seconds=1e-6)
    assert same(found, compare_methods(network, samples, names, alpha=ALPHA, q_max=Q_MAX, share="layer"))


def test_damaged_files_are_mended(tmp_path: Path) -> None:
    methods = checked_methods("paper")
    run_search(contest(methods="paper"), methods, tmp_path, Elsewhere(1), piece_seconds=SMALL)
    (own,) = (tmp_path / "search").iterdir()
    before = {path.name: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    shard = next((own / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:-9])
    for name in ("request.json", "networks.npz", "samples.npz"):
        (own / name).write_bytes(b"?")
    damaged = list[Path]()
    run_search(
        contest(methods="paper"), methods, tmp_path, Elsewhere(1), piece_seconds=SMALL, on_damaged=damaged.append
    )
    after = {path.name: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    assert damaged == [shard] and after.keys() == before.keys()
    assert {name for name in before if before[name] != after[name]} <= {"verified.json"}


def test_searches_that_differ_lie_side_by_side(tmp_path: Path) -> None:
    searches: tuple[tuple[str, dict[str, Any]], ...] = (
        ("paper", {}),
        ("paper", {"q_max": 3}),
        ("kmeans", {}),
        ("paper", {"test": DIGITS}),
        ("qat:ternary", {}),
        ("qat:ternary", {"config": CONFIG}),
    )
    found = [
        run_search(contest(methods=methods, **other), checked_methods(methods), tmp_path, Threads(1))
        for methods, other in searches
    ]
    assert len(searches_in(tmp_path)) == len(searches) and not same(*found[-2:])


def test_a_worker_fine_tunes_as_it_is_asked(tmp_path: Path) -> None:
    run_search(contest(methods="qat:ternary", config=CONFIG), checked_methods("qat:ternary"), tmp_path, Elsewhere(1))
    (own,) = (tmp_path / "search").iterdir()
    assert SearchWork.read(own)[0].config == CONFIG


@pytest.mark.parametrize("rows", [False, True])
def test_a_stack_is_given_back_to_the_bit(rows: bool) -> None:
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=(3, 25, 7)), rng.normal(size=(3, 7, 10))]
    biases = [rng.normal(size=(3, 7)), None]
    stack = Networks.from_weights(weights, biases=biases, activations=["leaky_relu:0.3", "softmax"])
    stack = stack.with_bias_rows() if rows else stack
    again = stack_from(stack_arrays(stack))
    assert again.activations == stack.activations and again.bias_rows == stack.bias_rows
    assert [b is None for b in again.biases] == [b is None for b in stack.biases]
    for one, other in zip([*stack.weights, *stack.biases], [*again.weights, *again.biases], strict=True):
        assert one is other is None or (one is not None and other is not None and one.tobytes() == other.tobytes())


@pytest.mark.parametrize("kept", [(), ("head",)])
@pytest.mark.parametrize("rows", [False, True])
def test_a_graph_is_given_back_to_the_bit(rows: bool, kept: tuple[str, ...]) -> None:
    """Of single precision, with a normalisation that is folded in double."""
    network = Network.from_model(deep()[0], keep_digital=kept)
    variants: Any = stack_of(network, bias_rows=rows)
    again: Any = stack_from(stack_arrays(variants))
    assert again.values.tobytes() == variants.values.tobytes() and again.bias_rows == variants.bias_rows
    assert again.network.to_bytes() == variants.network.to_bytes()


def test_what_a_worker_cannot_do_is_said(tmp_path: Path) -> None:
    methods = checked_methods("paper")
    run_search(contest(methods="paper"), methods, tmp_path, Elsewhere(1))
    (own,) = (tmp_path / "search").iterdir()
    request = json.loads((own / "request.json").read_text(encoding="utf-8"))
    (own / "request.json").write_text(json.dumps({**request, "instruction_set": "v9"}), encoding="utf-8")
    with pytest.raises(ClusterError, match="runs on v9"):
        SearchWork.read(own)
    (own / "request.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="is damaged"):
        SearchWork.read(own)
    shutil.rmtree(own)
    with pytest.raises(StoreError, match="is damaged"):
        run_module.present(own)
    with pytest.raises(SearchError, match="piece_seconds"):
        run_search(contest(methods="paper"), methods, tmp_path, Threads(1), piece_seconds=0.0)


def test_a_fine_tuned_network_is_kept_with_its_own_biases() -> None:
    rng = np.random.default_rng(2)
    own = train(DIGITS, TrainingConfig(init="normal:0,0.5", learning_rate=0.3, steps=20_000), models=8, seed=5)
    biases = [rng.normal(scale=0.1, size=(8, fan_out)) for _, fan_out in own.shapes]
    biased = Networks.from_weights(list(own.weights), biases=biases)
    (found,) = compare_methods(biased, DIGITS, "qat:ternary", alpha=ALPHA).results
    solved = found.q > 0
    assert solved.sum() > 3
    np.testing.assert_array_equal(found.networks.recognition(DIGITS), found.recognition[solved])
    kept = biases_of(found.networks)
    assert kept is not None and not np.array_equal(kept, np.concatenate(biases, axis=1)[solved])
