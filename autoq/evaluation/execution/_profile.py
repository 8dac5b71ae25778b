"""The time of a model on a device, by layer and by quantizer group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import openvino as ov

from autoq.calibration import Feed
from autoq.core import Plan
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.execution._executed import ExecutedLayer
from autoq.evaluation.execution._executed_ops import executed_ops
from autoq.evaluation.execution._execution import KernelClock
from autoq.evaluation.execution._layer_profile import LayerProfile
from autoq.evaluation.execution._profile_brief import profile_html, profile_lines
from autoq.evaluation.execution._why_float import WhyFloat
from autoq.evaluation.latency import Continued, time_bursts
from autoq.graph import QuantizationGraph

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Profile:
    """The time of a model on a device, by layer.

    Attributes:
        layers: The layers that run, in order.
        wall_ms: Median time of an inference without counting, from a compilation of its own.
        runtime: Effective properties of that compilation.
    """

    layers: tuple[LayerProfile, ...]
    wall_ms: float
    runtime: Mapping[str, str]

    def __repr__(self) -> str:
        return "\n".join(profile_lines(self))

    def _repr_html_(self) -> str:
        return profile_html(self)

    @property
    def kernels_ms(self) -> float:
        """Sum over the layers."""
        return sum(layer.ms for layer in self.layers)

    @property
    def residual_ms(self) -> float:
        """Wall time less the sum over the layers.

        It is the time between layers, the time of the call, and the time that the counters miss: a CPU counts whole
        microseconds. On a busy machine it is large: the median of a layer leaves out the inferences in which this layer
        was disturbed, but in most inferences some layer is disturbed. It is below zero if counting slows layers down by
        more, or if the device runs layers at the same time; or because two compilations of one model differ by a few
        percent.
        """
        return self.wall_ms - self.kernels_ms

    @property
    def groups_ms(self) -> dict[str, float]:
        """Time by quantizer group, the longest first; a layer of several groups counts for the first of them."""
        found: dict[str, float] = {}
        for layer in self.layers:
            if layer.group is not None:
                found[layer.group] = found.get(layer.group, 0.0) + layer.ms
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def ungrouped_ms(self) -> float:
        """Time of layers that belong to no group."""
        return sum(layer.ms for layer in self.layers if layer.group is None)

    @property
    def int8_ms(self) -> float:
        """Time of layers that compute in int8."""
        return sum(layer.ms for layer in self.layers if layer.why_not_int8 is None)

    def to_pandas(self) -> pd.DataFrame:
        """One row per layer, in the order of `layers`."""
        import pandas as pd

        return pd.DataFrame([{**asdict(layer), "group": layer.group} for layer in self.layers])


def profile_model(
    model: ov.Model,
    runtime: RuntimeConfig,
    sample: Feed | Continued,
    original: QuantizationGraph,
    *,
    plan: Plan | None = None,
    bursts: int = 10,
) -> Profile:
    """Measures how long a device takes for each layer of a model, and tells why it is not int8.

    The model is compiled twice, with and without counting. Both run in alternating bursts, so that a disturbance
    affects both.

    Args:
        model: The model, in float or with quantizers.
        runtime: Compile settings.
        sample: Input to run; of `Continued`, the tokens that follow it.
        original: The graph of the float model that `model` was made of. Layers belong to its groups. For a float model,
            its own graph.
        plan: The plan of the model, if it is known.
        bursts: Number of pairs of bursts.

    Raises:
        DeviceError: The device refuses the model.
    """
    plain, clock = runtime.compile(model), KernelClock(model, runtime)
    wall = time_bursts(plain, sample, bursts, lambda size: clock.run(sample, size))
    timed = clock.layers()
    total = sum(ms for _, ms in timed)
    executed = executed_ops(model, [layer for layer, _ in timed])
    why = WhyFloat.of(model, original, plan)
    of_site = {site: group.name for group in original.groups for site in group.sites}
    layers = tuple(
        _profiled(layer, ms, total, ops, _groups(ops, why.group_of) or _groups(map(_site, ops), of_site), why)
        for (layer, ms), ops in zip(timed, executed, strict=True)
    )
    return Profile(layers, float(np.median(wall)), dict(plain.properties))


def _profiled(
    layer: ExecutedLayer, ms: float, total: float, ops: tuple[str, ...], groups: tuple[str, ...], why: WhyFloat
) -> LayerProfile:
    return LayerProfile(
        name=layer.name,
        type=layer.type,
        precision=layer.precision,
        kernel=layer.kernel,
        ops=ops,
        ms=ms,
        share=ms / total if total else 0.0,
        groups=groups,
        why_not_int8=why.explain(layer, ops),
    )


def _site(op: str) -> str:
    """The site of a quantizer. A FakeConvert is named `fc`, and a part of a quantizer of weights `{site}/subtract`."""
    name = op.rpartition("/")[0] if op.rpartition("/")[2] in {"convert", "subtract"} else op
    return name.replace("/fc_", "/fq_")


def _groups(names: Iterable[str], group_of: Mapping[str, str]) -> tuple[str, ...]:
    """Groups of operations or sites, each once."""
    return tuple(dict.fromkeys(group_of[name] for name in names if name in group_of))
