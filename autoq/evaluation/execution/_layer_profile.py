"""The time of one layer."""

from __future__ import annotations

from dataclasses import dataclass

from autoq.core import brief_repr


@dataclass(frozen=True, slots=True)
class LayerProfile:
    """One layer that a device executes, and its time.

    Attributes:
        name: Name of the node in the execution graph.
        type: The plugin's layer type (`Convolution`, `FullyConnected`, ...).
        precision: Precision that it computes in (`u8`, `i8`, `bf16`, `f32`, ...); "unknown" where the device does not
            say.
        kernel: The plugin's primitive (`brgconv_avx512_amx_i8`, ...).
        ops: Unique names of the operations that it executes, in topological order; empty if the device inserted the
            layer, to change a layout or a type.
        ms: Median of its time over inferences, counted by the device.
        share: Share of the sum over all layers.
        groups: Quantizer groups of its operations, in topological order; if these have none, the groups of its
            quantizers.
        why_not_int8: Why it does not compute in int8, in one sentence; None where it does.
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
        """The group that its time counts for, which is the first; None where it belongs to none."""
        return self.groups[0] if self.groups else None
