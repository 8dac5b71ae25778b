"""The peer of `qat.py`: a module of plain PyTorch layers, quantized by NNCF and trained in a user's own loop."""

from __future__ import annotations

import copy
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import _peer  # noqa: F401  # quiets NNCF
import nncf
import numpy as np
import openvino as ov
import torch
from torch import nn

from autoq.training import to_torch
from autoq.training.tuning import Learner, Teacher, TrainingLoss, TrainingSamples

_WARM_UP = 0.05


def plain_module(model: ov.Model) -> nn.Module:
    """A float model as a module whose weights stand in layers of `torch.nn`, as a user writes it.

    `nncf.quantize` takes no `torch.fx.GraphModule`, and no bias that is computed.
    """
    twin = copy.deepcopy(to_torch(model))
    for number, node in enumerate(list(twin.graph.nodes)):
        layer = _layer(twin, node)
        if layer is not None:
            name = f"layer_{number}"
            twin.add_submodule(name, layer)
            with twin.graph.inserting_before(node):
                made = twin.graph.call_module(name, (node.args[0],))
            node.replace_all_uses_with(made)
            twin.graph.erase_node(node)
    twin.graph.eliminate_dead_code()
    twin.recompile()
    twin.delete_all_unused_submodules()
    plain = type("PlainModule", (nn.Module,), {"forward": type(twin).forward})()
    used = {node.target for node in twin.graph.nodes if node.op == "get_attr"}
    for name, child in twin.named_children():
        plain.add_module(name, child)
    for name, value in [*twin.named_parameters(recurse=False), *twin.named_buffers(recurse=False)]:
        if name in used:
            is_learned = isinstance(value, nn.Parameter)
            (plain.register_parameter if is_learned else plain.register_buffer)(name, value)
    return plain


def _layer(twin: Any, node: Any) -> nn.Module | None:
    """The layer of `torch.nn` that is as a function of the twin; None where there is none."""
    kind = getattr(node.target, "__name__", "") if node.op == "call_function" else ""
    if kind not in {"convolution", "group_convolution", "matmul"} or getattr(node.args[1], "op", "") != "get_attr":
        return None
    weight = getattr(twin, node.args[1].target).detach().clone()
    given = dict(node.kwargs)
    source = given.get("bias")
    bias = None if source is None else getattr(twin, source.target).detach().clone().reshape(-1)
    layer: nn.Module
    pads: nn.Module | None = None
    if kind == "matmul":
        if weight.dim() != 2 or given["transpose_a"]:
            return None
        weight = weight if given["transpose_b"] else weight.T.contiguous()
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    else:
        groups = weight.shape[0] if kind == "group_convolution" else 1
        weight = weight.flatten(0, 1) if kind == "group_convolution" else weight
        begin, end = given["pads_begin"], given["pads_end"]
        if given["auto_pad"] != "explicit" or len(begin) != 2:
            return None
        pads = nn.ZeroPad2d((begin[1], end[1], begin[0], end[0])) if begin != end else None
        layer = nn.Conv2d(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(weight.shape[2:]),
            tuple(given["strides"]),
            tuple(begin) if pads is None else 0,
            tuple(given["dilations"]),
            groups,
            bias=bias is not None,
        )
    layer.weight = nn.Parameter(weight)
    layer.bias = None if bias is None else nn.Parameter(bias)
    return layer if pads is None else nn.Sequential(pads, layer)


class InOrder(nn.Module):
    """Two modules, one after the other. NNCF adds a part to a `torch.nn.Sequential`, which would run it."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the second makes of what the first makes."""
        made: torch.Tensor = self.second(self.first(x))
        return made


def quantized(module: nn.Module, photos: Sequence[np.ndarray], subset_size: int) -> nn.Module:
    """`nncf.quantize` with its defaults."""
    with redirect_stdout(sys.stderr):  # its progress bars
        return nncf.quantize(
            module, nncf.Dataset([torch.from_numpy(photo) for photo in photos]), subset_size=subset_size
        )


def exported(module: nn.Module, photo: np.ndarray) -> ov.Model:
    """The module as NNCF's users deploy it."""
    with redirect_stdout(sys.stderr), torch.no_grad():
        return ov.convert_model(module.eval(), example_input=torch.from_numpy(photo))


@dataclass(frozen=True)
class Trained:
    """A module that was trained.

    Attributes:
        module: The module.
        steps: How many steps it took.
        cpu_s: Their CPU seconds.
    """

    module: nn.Module
    steps: int
    cpu_s: float


def trained(
    module: nn.Module,
    samples: TrainingSamples,
    loss: TrainingLoss,
    teacher: Teacher,
    inputs: Sequence[str],
    rate: float,
    *,
    steps: int | None = None,
    cpu_s: float | None = None,
) -> Trained:
    """A copy of the module after so many steps, or CPU seconds: Adam, the rate up in a line and down along a cosine."""
    module = copy.deepcopy(module).train()
    learner = Learner(module, inputs, loss, teacher, torch.device("cpu"))
    begun, done = time.process_time(), 0
    while True:
        used = time.process_time() - begun
        share = done / steps if steps is not None else used / (cpu_s or 1)
        if share >= 1:
            return Trained(module, done, used)
        high = min(share / _WARM_UP, 1.0) if share < _WARM_UP else _cosine((share - _WARM_UP) / (1 - _WARM_UP))
        learner.step(samples.batch(done), rate * max(high, 1e-3))
        done += 1


def _cosine(share: float) -> float:
    return 0.5 * (1 + float(np.cos(np.pi * share)))


def placement(model: ov.Model) -> Counter[tuple[object, ...]]:
    """How often a convolution, a product or a sum of so many numbers has quantizers before its inputs."""
    found: Counter[tuple[object, ...]] = Counter()
    for op in model.get_ordered_ops():
        kind = op.get_type_name()
        if kind not in {"Convolution", "GroupConvolution", "MatMul", "Add"}:
            continue
        states = [_quantized(value.get_node()) for value in op.input_values()]
        if kind == "Add" and None in states:
            continue  # a bias
        size = int(np.prod(op.input_value(1).get_node().get_output_shape(0))) if states[1] is None else 0
        weights = _weight_size(op) if kind != "Add" else size
        found[kind, weights, tuple(state is True for state in states)] += 1
    return found


def _weight_size(op: ov.Node) -> int:
    shape = op.input_value(1).get_partial_shape()
    return int(np.prod(shape.to_shape())) if shape.is_static else 0


_MOVES = {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "MaxPool", "Concat", "Convert", "Pad"}


def _quantized(node: ov.Node) -> bool | None:
    """Whether a value comes from a quantizer; None for a constant without one."""
    kind = node.get_type_name()
    if kind == "FakeQuantize":
        return True
    if kind == "Constant":
        return node.get_element_type().get_type_name() in {"i8", "u8"} or None
    if kind in _MOVES or (kind in {"Multiply", "Subtract"} and _is_stored(node)):
        return _quantized(node.input_value(0).get_node())
    return False


def _is_stored(node: ov.Node) -> bool:
    """Whether a weight in integers becomes a number here."""
    while node.get_type_name() in {"Multiply", "Subtract", "Convert"}:
        node = node.input_value(0).get_node()
    return node.get_type_name() == "Constant"
