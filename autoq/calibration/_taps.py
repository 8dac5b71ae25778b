"""Which statistics of which tensors a model's quantization needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from autoq.graph import QuantizationGraph, Tensor


class Statistic(StrEnum):
    """A reduction of one tensor of one sample."""

    MIN = "min"
    MAX = "max"
    MEAN = "mean"


@dataclass(frozen=True, slots=True, order=True)
class Tap:
    """One statistic of one tensor.

    Attributes:
        tensor: What is observed.
        axis: Channel axis that is kept, negative from the last; None reduces the whole tensor to one number.
        statistic: The reduction.
    """

    tensor: Tensor
    axis: int | None
    statistic: Statistic

    @property
    def key(self) -> str:
        """Name of the tap in a file."""
        return f"{self.statistic}|{'' if self.axis is None else self.axis}|{self.tensor.port}|{self.tensor.producer}"


def required_taps(graphs: Iterable[QuantizationGraph]) -> tuple[Tap, ...]:
    """Taps that let every plan over these graphs be resolved.

    Per activation site the extremes, per channel where the site has channels. Per weighted layer the channel means of
    its input, for bias correction; and for MatMul the extremes of the input per channel, for SmoothQuant.
    The minimum of a tensor that cannot be negative is known and not collected: zero quantizes the same.
    """
    taps: set[Tap] = set()
    for graph in graphs:
        for site in graph.activations:
            axis = site.channel_axes[0] if site.channel_axes else None
            taps.add(Tap(site.tensor, axis, Statistic.MAX))
            if not site.non_negative:
                taps.add(Tap(site.tensor, axis, Statistic.MIN))
        for layer in graph.layers:
            taps.add(Tap(layer.input, layer.input_axis, Statistic.MEAN))
            if layer.type == "MatMul":
                taps.add(Tap(layer.input, layer.input_axis, Statistic.MIN))
                taps.add(Tap(layer.input, layer.input_axis, Statistic.MAX))
    return tuple(sorted(taps, key=lambda tap: tap.key))
