"""Where NNCF puts FakeQuantize into a model: the oracle of placement."""

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
    quantized = quantize(model, preset, model_type, **options)
    before = {op.get_friendly_name() for op in model.get_ops()}
    found = {}
    for op in quantized.get_ops():
        name = op.get_friendly_name()
        if op.get_type_name() != "FakeQuantize" or name in before:
            continue
        source = op.input_value(0)
        # A shape is the same whether it is read before or behind a quantizer.
        targets = [t for t in op.output(0).get_target_inputs() if t.get_node().get_type_name() != "ShapeOf"]
        readers = frozenset((t.get_node().get_friendly_name(), t.get_index()) for t in targets)
        limits = list(op.input_value(2).get_shape())
        # Limits broadcast against the tensor from the last axis.
        missing = len(source.get_partial_shape()) - len(limits)
        axes = tuple(missing + axis for axis, size in enumerate(limits) if size != 1)
        found[name] = Stand((source.get_node().get_friendly_name(), source.get_index()), readers, axes)
    return found


def quantize(
    model: ov.Model, preset: str, model_type: str | None, *, scope: dict[str, Any] | None = None, outputs: bool = False
) -> ov.Model:
    """What `nncf.quantize` returns, its weights not folded, without bias correction and smoothing."""
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, AdvancedSmoothQuantParameters

    nncf.set_log_level(logging.ERROR)
    rng = np.random.default_rng(0)
    sample = {}
    for parameter in model.get_parameters():
        shape = [d.get_length() if d.is_static else 4 for d in parameter.get_partial_shape()]
        dtype = parameter.get_element_type()
        drawn = rng.uniform(0, 1, shape) if dtype.is_real() else rng.integers(0, 3, shape)
        sample[parameter.get_friendly_name()] = drawn.astype(dtype.to_dtype())
    return nncf.quantize(
        model.clone(),
        nncf.Dataset([sample]),
        preset=nncf.QuantizationPreset(preset),
        model_type=None if model_type is None else nncf.ModelType(model_type),
        subset_size=1,
        ignored_scope=nncf.IgnoredScope(**scope) if scope else None,
        advanced_parameters=AdvancedQuantizationParameters(
            quantize_outputs=outputs,
            disable_bias_correction=True,
            # Smoothing renames what is multiplied, folding merges weights with their quantizers.
            smooth_quant_alphas=AdvancedSmoothQuantParameters(convolution=-1, matmul=-1),
            backend_params={"compress_weights": False},
        ),
    )
