"""One layer that a device executes, and its time."""

from __future__ import annotations

from dataclasses import dataclass

from autoq.core import brief_repr


@dataclass(frozen=True, slots=True)
class LayerProfile:
    """One layer that a device executes, and its time.

    Attributes:
        name: Of the node of the execution graph.
        type: The plugin's layer type (`Convolution`, `FullyConnected`, ...).
        precision: What it computes in (`u8`, `i8`, `bf16`, `f32`, ...); "unknown" where the device does not say.
        kernel: The plugin's primitive (`brgconv_avx512_amx_i8`, ...).
        ops: Unique names of the model's operations that it executes, in topological order; none where the device put
            the layer in, to change a layout or a type.
        ms: Median of its time over inferences, counted by the device.
        share: Of the sum over all layers.
        groups: Quantizer groups of its operations, in topological order; where those have none, of its quantizers.
        why_not_int8: One sentence; None where it computes in int8.
    """

    name: str
    type: str
    precision: str
    kernel: str
    ops: tuple[str, ...]
    ms: float
    share: float
    groups: tuple[str, ...]
    why_not_int8: str | None

    __repr__ = brief_repr

    @property
    def group(self) -> str | None:
        """The group that its time counts for: the first; None where it belongs to none."""
        return self.groups[0] if self.groups else None
