"""PyTorch: modules in memory, and files of both of its exporters, give the module's own outputs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fewlevels.errors import NetworksError  # noqa: E402
from fewlevels.networks.importers.load import load_network  # noqa: E402
from fewlevels.networks.importers.torch import from_torch  # noqa: E402
from tests.support.onnx_models import assert_close  # noqa: E402

nn: Any = torch.nn
F: Any = torch.nn.functional


def dense() -> tuple[Any, tuple[int, ...]]:
    return nn.Sequential(
        nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 4, bias=False), nn.Softmax(1)
    ), (6,)


def lenet() -> tuple[Any, tuple[int, ...]]:
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, bias=False),
        nn.BatchNorm2d(6),
        nn.LeakyReLU(0.2),
        nn.MaxPool2d(2, padding=1),
        nn.Flatten(),
        nn.Linear(24, 8),
        nn.GELU(),
        nn.Linear(8, 3),
    ), (1, 12, 12)


class Residual(nn.Module):  # type: ignore[name-defined,misc]
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.depthwise = nn.Conv2d(4, 8, 3, padding=(2, 0), dilation=(2, 1), groups=4)
        self.pointwise = nn.Conv2d(8, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        a = F.relu(self.first(x))
        b = self.norm(self.pointwise(self.depthwise(a)))
        a = a[:, :, :, 1:-1] + b
        both = torch.cat([a.mean((2, 3)), a.amax((2, 3))], 1)
        return F.log_softmax(self.head(both), -1)


def residual() -> tuple[Any, tuple[int, ...]]:
    return Residual(), (3, 6, 7)


def one_axis() -> tuple[Any, tuple[int, ...]]:
    return nn.Sequential(
        nn.Conv1d(2, 4, 3, stride=2, padding=2, dilation=2), nn.ELU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(4, 2),
    ), (2, 15)  # fmt: skip


class Tied(nn.Module):  # type: ignore[name-defined,misc]
    """One matrix, there and back."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, x: Any) -> Any:
        return F.linear(torch.sigmoid(self.layer(x)), self.layer.weight.T)


def tied() -> tuple[Any, tuple[int, ...]]:
    return Tied(), (6,)


def positions() -> tuple[Any, tuple[int, ...]]:
    """Dense layers over the last of three axes."""
    return nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.ReLU(), nn.Linear(5, 2), nn.Flatten()), (4, 3)


MODULES = (dense, lenet, residual, one_axis, tied, positions)


def prepared(make: Callable[[], tuple[Any, tuple[int, ...]]]) -> tuple[Any, Any]:
    torch.manual_seed(0)
    module, shape = make()
    for each in module.modules():
        if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d):
            for values in (each.running_mean, each.running_var, each.weight, each.bias):
                values.data.uniform_(0.3, 2.0)
    return module.eval(), torch.randn(5, *shape)


def expected(module: Any, x: Any) -> np.ndarray:
    with torch.no_grad():
        return module(x).numpy()


def trained_numbers(module: Any) -> int:
    """Of layers that an exporter cannot fold before we do."""
    weighted = (nn.Linear, nn.Conv1d, nn.Conv2d)
    return sum(each.weight.numel() for each in module.modules() if isinstance(each, weighted))


@pytest.mark.parametrize("make", MODULES)
def test_a_module_in_memory_gives_the_same_outputs(make: Callable[[], Any]) -> None:
    module, x = prepared(make)
    module.train()
    network = from_torch(module, x)
    assert module.training
    module.eval()
    assert_close(network.outputs(x.numpy()), expected(module, x))
    assert sum(layer.weights for layer in network.layers) >= trained_numbers(module)


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("make", MODULES)
def test_a_file_of_an_exporter_gives_the_same_outputs(
    make: Callable[[], Any], dynamo: bool, external: bool, tmp_path: Path
) -> None:
    if dynamo:
        pytest.importorskip("onnxscript")
    elif external:
        pytest.skip("that exporter writes one file")
    module, x = prepared(make)
    path = tmp_path / "module.onnx"
    axes: dict[str, Any] = {}
    if dynamo:
        axes = {"dynamic_shapes": ({0: torch.export.Dim("samples")},), "external_data": external}
    else:
        axes = {"input_names": ["x"], "dynamic_axes": {"x": {0: "samples"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), path, dynamo=dynamo, **axes)
    assert (tmp_path / "module.onnx.data").exists() == external
    network = load_network(path)
    assert_close(network.outputs(x.numpy()), expected(module, x))
    assert sum(layer.weights for layer in network.layers) >= trained_numbers(module)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_chain_of_tensors_by_name_gives_the_same_outputs(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = {f"{n}": nn.Linear(4, 4, bias=n != 10) for n in (0, 2, 10)}  # 10 is after 2
    module = nn.Sequential(layers["0"], nn.ReLU(), layers["2"], nn.ReLU(), layers["10"], nn.Sigmoid())
    state = {f"{n}.{what}": value for n, layer in layers.items() for what, value in layer.state_dict().items()}
    path = tmp_path / f"state{suffix}"
    if suffix == ".pt":
        torch.save(state, path)
    else:
        pytest.importorskip("safetensors.numpy").save_file({n: v.numpy() for n, v in state.items()}, path)
    network, x = load_network(path, activations=["relu", "sigmoid"]), torch.randn(5, 4)
    assert_close(network.outputs(x.numpy()), expected(module, x))
    assert [layer.name for layer in network.layers] == ["0", "2", "10"]
    assert network.parameters.total == sum(value.numel() for value in state.values())


def test_a_state_dictionary_as_saved_is_read(tmp_path: Path) -> None:
    """With its metadata, within a checkpoint, with tensors that are views, and one that is shared."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    module[2].weight.data = module[0].weight.data.T
    torch.save({"epoch": 3, "loss": 0.5, "state_dict": module.state_dict()}, tmp_path / "checkpoint.pth")
    x = torch.randn(5, 4)
    network = load_network(tmp_path / "checkpoint.pth", activations=["relu", "linear"])
    assert_close(network.outputs(x.numpy()), expected(module, x))


def test_layers_in_a_dictionary_within_are_not_left_out_silently(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 4))
    torch.save({**module.state_dict(), "more": nn.Linear(4, 4).state_dict()}, tmp_path / "state.pt")
    with pytest.raises(NetworksError, match="more"):
        load_network(tmp_path / "state.pt", activations=["relu"])


def test_a_whole_module_in_a_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2), tmp_path / "module.pt")
    with pytest.raises(NetworksError, match=r"state_dict"):
        load_network(tmp_path / "module.pt", activations=["relu"])


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_recurrent_modules_are_refused_by_name_and_kept_digital_when_asked(name: str) -> None:
    class Recurrent(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.memory = getattr(nn, name)(3, 4, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.head(self.memory(x)[0][:, -1])

    torch.manual_seed(0)
    module, x = Recurrent().eval(), torch.randn(5, 6, 3)
    with pytest.raises(NetworksError, match=f"{name}: a recurrent layer") as refused:
        from_torch(module, x)
    node = str(refused.value).split("'")[1]
    network = from_torch(module, x, keep_digital=[node])
    assert [layer.name for layer in network.layers] == ["head"]
    assert_close(network.outputs(x.numpy()), expected(module, x))
    recurrent = sum(value.numel() for value in module.memory.parameters())
    assert network.parameters.digital[node] == recurrent


def test_products_of_two_activations_are_refused_by_name_and_kept_digital_when_asked() -> None:
    class Attention(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k = nn.Linear(3, 4), nn.Linear(3, 4)

        def forward(self, x: Any) -> Any:
            return torch.softmax(self.q(x) @ self.k(x).transpose(1, 2), -1)

    torch.manual_seed(0)
    module, x = Attention().eval(), torch.randn(5, 6, 3)
    with pytest.raises(NetworksError, match="a product of two activations") as refused:
        from_torch(module, x)
    node = str(refused.value).split("'")[1]
    network = from_torch(module, x, keep_digital=[node])
    assert_close(network.outputs(x.numpy()), expected(module, x))


def test_what_pytorch_cannot_export_is_refused_in_one_sentence() -> None:
    class Own(nn.Module):  # type: ignore[name-defined,misc]
        def forward(self, x: Any) -> Any:
            raise RuntimeError("no\nnetwork")

    with pytest.raises(NetworksError, match="cannot export") as refused:
        from_torch(Own(), torch.randn(2, 3))
    assert "\n" not in str(refused.value)
    with pytest.raises(NetworksError, match=r"torch\.nn\.Module"):
        from_torch("module", torch.randn(2, 3))
