"""What NNCF makes of a model: the oracle."""

import logging
from typing import Any, NamedTuple

import numpy as np
import openvino as ov

from autoq.graph import QuantizationGraph


class Stand(NamedTuple):
    """One FakeQuantize: what it reads, who reads it, and which axes have limits of their own."""

    tensor: tuple[str, int]
    consumers: frozenset[tuple[str, int]]
    channel_axes: tuple[int, ...]


class Fake(NamedTuple):
    """One FakeQuantize with its numbers; of a FakeConvert, scale and shift, and its type as the levels."""

    source: tuple[str, int]
    readers: frozenset[tuple[str, int]]
    levels: int | str
    limits: list[np.ndarray]


def fakes(quantized: ov.Model, original: ov.Model) -> dict[str, Fake]:
    """The FakeQuantize and FakeConvert operations that a model has and its original has not."""
    before = {op.get_friendly_name() for op in original.get_ops()}
    found = {}
    for op in quantized.get_ops():
        name = op.get_friendly_name()
        if op.get_type_name() not in {"FakeQuantize", "FakeConvert"} or name in before:
            continue
        source = op.input_value(0)
        # A shape is the same whether it is read before or behind a quantizer.
        targets = [t for t in op.output(0).get_target_inputs() if t.get_node().get_type_name() != "ShapeOf"]
        found[name] = Fake(
            (source.get_node().get_friendly_name(), source.get_index()),
            frozenset((t.get_node().get_friendly_name(), t.get_index()) for t in targets),
            next(op.get_attributes()[key] for key in ("levels", "destination_type") if key in op.get_attributes()),
            [_value(value.get_node()) for value in op.input_values()[1:]],
        )
    return found


def _value(node: ov.Node) -> np.ndarray:
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return np.asarray(node.get_data(dtype=np.float32))


def one_sample(model: ov.Model) -> dict[str, np.ndarray]:
    """One input drawn from uniform(0, 1), or from small integers; open dimensions are 4."""
    rng = np.random.default_rng(0)
    sample = {}
    for parameter in model.get_parameters():
        shape = [d.get_length() if d.is_static else 4 for d in parameter.get_partial_shape()]
        dtype = parameter.get_element_type()
        drawn = rng.uniform(0, 1, shape) if dtype.is_real() else rng.integers(0, 3, shape)
        sample[parameter.get_friendly_name()] = drawn.astype(dtype.to_dtype())
    return sample


def ours(graph: QuantizationGraph) -> dict[str, Stand]:
    """Sites by name, in the peer's terms: an axis of one element has no limits to tell apart."""
    found = {}
    for site in graph.sites:
        axes = tuple(axis for axis in site.channel_axes if site.shape[axis] != 1)
        found[site.name] = Stand((site.tensor.producer, site.tensor.port), frozenset(site.consumers), axes)
    return found


def theirs(
    model: ov.Model, preset: str = "performance", model_type: str | None = None, **options: Any
) -> dict[str, Stand]:
    """The FakeQuantize operations that `nncf.quantize` adds."""
    found = {}
    for name, fake in fakes(quantize(model, preset, model_type, **options), model).items():
        producer = next(op for op in model.get_ops() if op.get_friendly_name() == fake.source[0])
        shape = fake.limits[1].shape
        # Limits broadcast against the tensor from the last axis.
        missing = len(producer.output(fake.source[1]).get_partial_shape()) - len(shape)
        axes = tuple(missing + axis for axis, size in enumerate(shape) if size != 1)
        found[name] = Stand(fake.source, fake.readers, axes)
    return found


def quantize(
    model: ov.Model,
    preset: str,
    model_type: str | None,
    *,
    scope: dict[str, Any] | None = None,
    outputs: bool = False,
    overflow_fix: str | None = "first_layer_only",
    target_device: str = "ANY",
    mode: str | None = None,
    samples: list[dict[str, np.ndarray]] | None = None,
    **advanced: Any,
) -> ov.Model:
    """What `nncf.quantize` returns, its weights not folded, without bias correction and smoothing."""
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, AdvancedSmoothQuantParameters

    nncf.set_log_level(logging.ERROR)
    return nncf.quantize(
        model.clone(),
        nncf.Dataset(samples or [one_sample(model)]),
        mode=None if mode is None else nncf.QuantizationMode(mode),
        preset=nncf.QuantizationPreset(preset),
        model_type=None if model_type is None else nncf.ModelType(model_type),
        subset_size=len(samples or [0]),
        ignored_scope=nncf.IgnoredScope(**scope) if scope else None,
        target_device=nncf.TargetDevice(target_device),
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=None if overflow_fix is None else nncf.OverflowFix(overflow_fix),
            quantize_outputs=outputs,
            disable_bias_correction=True,
            # Smoothing renames what is multiplied, folding merges weights with their quantizers.
            smooth_quant_alphas=AdvancedSmoothQuantParameters(convolution=-1, matmul=-1),
            backend_params={"compress_weights": False},
            **advanced,
        ),
    )
