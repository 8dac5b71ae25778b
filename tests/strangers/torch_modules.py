"""PyTorch modules as people hand them over: converted in memory, or written by PyTorch's own exporter."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from registry import SAMPLES, Stranger, stranger

import autoq

Make = Callable[[Any], tuple[Any, dict[str, tuple[int, ...]]]]


def entered(name: str, make: Make, *, exported: int | None = None, kind: str = "float32") -> None:
    """Enters a module.

    Args:
        name: Of the stranger.
        make: Of the torch package: a module, and the shape of each input by name; what begins with "ids" is whole
            numbers below 20.
        exported: Opset of an ONNX file; None is a conversion in memory.
        kind: Type that the module computes in.
    """

    @stranger(name)
    def build(folder: Path) -> Stranger:
        torch = sys.modules.get("torch") or pytest.importorskip("torch")
        torch.manual_seed(0)
        torch.backends.mha.set_fastpath_enabled(False)  # which does not trace
        module, shapes = make(torch)
        module = module.to(getattr(torch, kind)).eval()
        draws = [np.random.default_rng([2, number]) for number in range(SAMPLES)]
        samples = [{name: _drawn(rng, name, shape) for name, shape in shapes.items()} for rng in draws]
        example = tuple(_tensor(torch, value, kind) for value in samples[0].values())
        if exported is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of PyTorch's tracer, about PyTorch's own code
                model = autoq.read_model(module, example)
            values = [next(iter(sample.values())) for sample in samples]
            return Stranger(model, [value.astype(np.float16) for value in values] if kind == "float16" else values)
        path = folder / "model.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            axes = {name: {0: "batch"} for name in shapes}
            torch.onnx.export(
                module, example, path, opset_version=exported, input_names=[*shapes], dynamic_axes=axes, dynamo=False
            )
        return Stranger(path, samples)


def _drawn(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, 20, shape) if name.startswith("ids") else rng.uniform(-1.7, 1.7, shape).astype(np.float32)


def _tensor(torch: Any, value: np.ndarray, kind: str) -> Any:
    tensor = torch.from_numpy(value)
    return tensor.to(getattr(torch, kind)) if tensor.is_floating_point() else tensor


def _trained_norms(torch: Any, module: Any) -> Any:
    """Batch norms whose statistics are not those of the beginning."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.uniform_(-0.3, 0.3)
            part.running_var.uniform_(0.5, 1.5)
            part.weight.data.uniform_(0.5, 1.5)
    return module


def convolutions(torch: Any) -> Any:
    nn = torch.nn
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 8, 3, groups=8), nn.SiLU()]
    layers += [nn.Conv2d(8, 12, 1), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5)]
    return _trained_norms(torch, nn.Sequential(*layers)), {"x": (1, 3, 16, 16)}


def transformer(torch: Any) -> Any:
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
    return torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), {"x": (1, 6, 16)}


def attention(torch: Any) -> Any:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(20, 16)
            self.attention = torch.nn.MultiheadAttention(16, 2, batch_first=True)
            self.norm = torch.nn.LayerNorm(16)
            self.head = torch.nn.Linear(16, 20, bias=False)

        def forward(self, ids: Any) -> Any:
            x = self.table(ids)
            y, _ = self.attention(x, x, x, need_weights=False)
            return self.head(self.norm(x + y))

    return Net(), {"ids": (1, 6)}


def scaled_dot_product(torch: Any) -> Any:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fused, self.out = torch.nn.Linear(16, 48), torch.nn.Linear(16, 16)

        def forward(self, x: Any) -> Any:
            query, key, value = self.fused(x).reshape(x.shape[0], -1, 3, 2, 8).permute(2, 0, 3, 1, 4)
            y = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return x + self.out(y.transpose(1, 2).reshape(x.shape))

    return Net(), {"x": (1, 6, 16)}


def recurrent(kind: str, **more: Any) -> Make:
    def make(torch: Any) -> Any:
        class Net(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.cell = getattr(torch.nn, kind)(10, 12, batch_first=True, **more)
                self.head = torch.nn.Linear(24 if more.get("bidirectional") else 12, 5)

            def forward(self, x: Any) -> Any:
                return self.head(self.cell(x)[0][:, -1])

        return Net(), {"x": (1, 8, 10)}

    return make


def decoder(torch: Any) -> Any:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.up = torch.nn.ConvTranspose2d(8, 8, 2, stride=2)
            self.norm = torch.nn.GroupNorm(2, 8)
            self.out = torch.nn.Conv2d(11, 4, 3, padding=1)
            self.act = torch.nn.PReLU(8)

        def forward(self, x: Any) -> Any:
            y = self.act(self.norm(self.up(self.act(self.down(x)))))
            y = self.out(torch.cat([y, x], 1))
            y = torch.nn.functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
            return torch.nn.functional.pixel_shuffle(y, 2)

    return Net(), {"x": (1, 3, 16, 16)}


def einsum_and_weight_norm(torch: Any) -> Any:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(6, 8, 3, padding=1))
            self.mix = torch.nn.Parameter(torch.randn(8, 5) * 0.3)

        def forward(self, x: Any) -> Any:
            return torch.einsum("nct,ck->nkt", torch.tanh(self.conv(x)), self.mix)

    return Net(), {"x": (1, 6, 20)}


def scripted_branch(torch: Any) -> Any:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.small, self.large = torch.nn.Linear(12, 12), torch.nn.Linear(12, 12)
            self.head = torch.nn.Linear(12, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.large(x) if x.mean() > 0 else self.small(x)
            return self.head(torch.relu(y))

    with warnings.catch_warnings():
        # torch advises against scripts, which are among what users have.
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(Net().eval()), {"x": (1, 12)}


def two_layers(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 8)), {"x": (1, 16)}


entered("torch_convolutions", convolutions)
entered("torch_convolutions_of_opset_17", convolutions, exported=17)
entered("torch_convolutions_of_opset_11", convolutions, exported=11)
entered("torch_transformer", transformer)
entered("torch_attention", attention)
entered("torch_attention_of_opset_14", attention, exported=14)
entered("torch_scaled_dot_product", scaled_dot_product)
entered("torch_scaled_dot_product_of_opset_14", scaled_dot_product, exported=14)
for cell_kind in ("LSTM", "GRU", "RNN"):
    entered(f"torch_{cell_kind.lower()}", recurrent(cell_kind))
    entered(f"torch_{cell_kind.lower()}_of_opset_14", recurrent(cell_kind), exported=14)
entered("torch_lstm_both_ways_in_two_layers", recurrent("LSTM", bidirectional=True, num_layers=2))
entered("torch_gru_both_ways", recurrent("GRU", bidirectional=True))
entered("torch_decoder", decoder)
entered("torch_decoder_of_opset_16", decoder, exported=16)
entered("torch_einsum_and_weight_norm", einsum_and_weight_norm)
entered("torch_scripted_branch", scripted_branch)
entered("torch_in_float16", two_layers, kind="float16")
entered("torch_in_bfloat16", two_layers, kind="bfloat16")
