"""The layers of one compiled model, as the device runs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from autoq.core import brief_repr


@dataclass(frozen=True, slots=True)
class ExecutedLayer:
    """One node of the execution graph.

    Attributes:
        name: Name of the node.
        type: The plugin's layer type (`Convolution`, `FullyConnected`, ...).
        precision: Precision that it computes in (`u8`, `i8`, `bf16`, `f32`, ...).
        kernel: The plugin's primitive (`brgconv_avx512_amx_i8`, ...).
        ops: Friendly names of the model's operations that it executes.
        on_floats: Whether one of the operations reads floats of the model. Others move or compare integers of the model
            itself: an image of bytes, a condition.
    """

    name: str
    type: str
    precision: str
    kernel: str
    ops: tuple[str, ...]
    on_floats: bool = True

    @property
    def is_int8(self) -> bool:
        """Whether it computes floats of the model in 8-bit integers."""
        return self.precision in {"i8", "u8"} and self.on_floats


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """The layers that the device really runs, read from its execution graph.

    Attributes:
        layers: Nodes that compute, without constants, inputs and outputs.
    """

    layers: tuple[ExecutedLayer, ...]

    __repr__ = brief_repr

    @property
    def precisions(self) -> Mapping[str, int]:
        """Number of layers by precision."""
        return Counter(layer.precision for layer in self.layers)

    @property
    def int8_layers(self) -> int:
        """Number of layers that compute in 8-bit integers."""
        return sum(layer.is_int8 for layer in self.layers)
