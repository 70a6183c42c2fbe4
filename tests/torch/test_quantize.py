"""Quantizers in the forward pass of a PyTorch module."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fewlevels import KMeans
from fewlevels.errors import FinetuningError, QuantizationError

torch = pytest.importorskip("torch")
quantize_ = pytest.importorskip("fewlevels.torch").quantize_
bake_ = pytest.importorskip("fewlevels.torch").bake_
nn = torch.nn


@pytest.fixture
def module():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


X = torch.linspace(-1, 1, 10 * 64).reshape(10, 1, 8, 8)


@pytest.mark.parametrize("share", ["layer", "column"])
def test_a_layer_sees_the_quantizer_s_own_values(module, share: str) -> None:
    before = copy.deepcopy(module)
    quantize_(module, levels=2, quantizer="kmeans", share=share)
    for now, own in ((module[0], before[0]), (module[4], before[4])):
        rows = own.weight.detach().double().numpy().reshape(len(own.weight) if share == "column" else 1, -1)
        wanted = KMeans().quantize(rows, 2).values.reshape(own.weight.shape)
        np.testing.assert_array_equal(now.weight.detach().numpy(), wanted.astype(np.float32))


def test_the_gradient_is_that_of_the_quantized_weight_and_moves_the_module_s_own(module) -> None:
    plain = copy.deepcopy(module)
    quantize_(module, levels=2)
    with torch.no_grad():
        for own, seen in ((plain[0], module[0]), (plain[4], module[4])):
            own.weight.copy_(seen.weight)
    module(X).sum().backward()
    plain(X).sum().backward()
    for own, seen in ((plain[0], module[0]), (plain[4], module[4])):
        torch.testing.assert_close(seen.parametrizations.weight.original.grad, own.weight.grad, rtol=1e-5, atol=1e-6)
    before = module[4].weight.detach().clone()
    torch.optim.SGD(module.parameters(), lr=10.0).step()
    assert not torch.equal(before, module[4].weight)


def test_a_baked_module_is_plain_and_gives_the_same_outputs(module) -> None:
    quantize_(module, levels=3, noise=0.1).eval()
    wanted = module(X).detach()
    assert set(bake_(module).state_dict()) == set(nn.Sequential(*module).state_dict())
    torch.testing.assert_close(module(X).detach(), wanted, rtol=0, atol=0)
    assert len(module[0].weight.unique()) <= 6


def test_noise_is_there_in_training_alone(module) -> None:
    quantize_(module, levels=2, noise=0.1)
    assert not torch.equal(module[4].weight, module[4].weight)
    module.eval()
    assert torch.equal(module[4].weight, module[4].weight)


def test_a_layer_with_weights_that_is_not_converted_must_be_kept_by_name() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.LSTM(4, 2))
    with pytest.raises(FinetuningError, match=r"1 \(LSTM\) has weights that are not converted"):
        quantize_(module, levels=3)
    assert not hasattr(module[0], "parametrizations")
    assert hasattr(quantize_(module, levels=3, keep=["1"])[0], "parametrizations")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"levels": 3, "keep": ["nine"]}, FinetuningError, "no layer is named 'nine'"),
        ({"levels": 0}, QuantizationError, "got 0"),
        ({"levels": 3, "quantizer": "best"}, FinetuningError, "quantizer must be one of"),
        ({"levels": 3, "share": "network"}, FinetuningError, "share must be one of"),
        ({"levels": 3, "noise": -1.0}, FinetuningError, "noise"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(module, options, error, message: str) -> None:
    with pytest.raises(error, match=message):
        quantize_(module, **options)
    assert not hasattr(module[0], "parametrizations")


def test_a_module_is_quantized_once(module) -> None:
    with pytest.raises(FinetuningError, match="quantized already"):
        quantize_(quantize_(module, levels=2), levels=2)
