"""`autoq.profile`: where a model's time goes, and why a layer is not int8."""

from __future__ import annotations

from typing import Any

from autoq.api.measuring._sample import timing_sample
from autoq.core import ConfigError
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.execution import Profile, profile_model
from autoq.evaluation.latency import timed_part
from autoq.graph import analyze_original, read_model
from autoq.transform import read_plan


def profile(
    model: Any,  # whatever read_model reads
    *,
    device: str = "CPU",
    sample: Any = None,  # one model input
    target_device: str = "ANY",
    model_type: str | None = None,
    ignored_scope: Any = None,  # whatever IgnoredScope.of takes
    bursts: int = 10,
    **runtime: Any,  # fields of RuntimeConfig
) -> Profile:
    """Measures how long a device takes for each layer of a model, and says why a layer does not run in int8.

    The device counts the times of layers, which slows the model down. The wall time is measured on another compilation,
    without counting, in alternating bursts. The difference is the residual, which may be negative.

    Layers belong to the groups of the float model. For a quantized model, these are found without its quantizers. Pass
    the placement parameters of the quantization, so that the groups are the same.

    Args:
        model: What `autoq.read_model` reads: float, or quantized by whatever means.
        device: OpenVINO device.
        sample: Input to run; by default zeros of the model's shape, a batch of one where its first axis alone is open.
            Of a stateful decoder, the tokens that follow it are run, unless `decoder_time` is "prompt".
        target_device: Hardware table for placement, as for `autoq.quantize`.
        model_type: "transformer" for its placement rules.
        ignored_scope: Operations that the quantization leaves in float.
        bursts: Pairs of bursts. A burst has one to some dozens of inferences, fewer for slow models.
        **runtime: Fields of `RuntimeConfig`.

    Returns:
        A row for each layer, totals by group, wall time and residual.

    Raises:
        ConfigError: `bursts` is below 1, or a field of `RuntimeConfig` is unknown.
        DataError: No sample was given and further axes of the model are open, or the sample does not fit.
        DeviceError: The device is unknown or refuses the model.
        PlanError: The scope matches nothing, or a word is unknown.
    """
    if bursts < 1:
        msg = f"bursts is {bursts}: it must be at least 1."
        raise ConfigError(msg)
    config = RuntimeConfig.from_dict({"device": device, **runtime})
    network = read_model(model)
    original = analyze_original(
        network, target_device=target_device, model_type=model_type, ignored_scope=ignored_scope
    )
    item = timed_part(timing_sample(network, config, sample), config.decoder_time, network)
    return profile_model(network, config, item, original, plan=read_plan(network), bursts=bursts)
