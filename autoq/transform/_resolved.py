"""A plan in numbers: everything that a rewrite needs and nothing that it has to look up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from autoq.core import FloatArray, Limits, RuntimePrecision
from autoq.graph import QuantizerSite, SiteKind, Tensor

FLOAT_FINGERPRINT = "float"


@dataclass(frozen=True, slots=True)
class Smoothing:
    """SmoothQuant on one tensor: it is divided by `scale`, and the weights of its readers are multiplied by it.

    Attributes:
        tensor: Activation.
        layers: MatMuls that read it.
        scale: Per channel, [channels].
        shape: Of the divisor, broadcastable to the tensor.
    """

    tensor: Tensor
    layers: tuple[str, ...]
    scale: FloatArray
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ResolvedQuantizer:
    """One FakeQuantize.

    Attributes:
        name: Its friendly name.
        kind: Activation or weight.
        tensor: What it reads.
        consumers: `(op, input port)` that read it.
        limits: Its numbers, flat.
        shape: Of the limits, broadcastable to the tensor.
        smoothed: It stands behind the SmoothQuant division of its tensor.
    """

    name: str
    kind: SiteKind
    tensor: Tensor
    consumers: tuple[tuple[str, int], ...]
    limits: Limits
    shape: tuple[int, ...]
    smoothed: bool = False


@dataclass(frozen=True, slots=True)
class ResolvedPlan:
    """The numbers of one candidate.

    Attributes:
        quantizers: FakeQuantize nodes, activations and weights.
        shifts: Bias shift [output channels] by operation.
        smoothings: SmoothQuant divisions.
        runtime_precision: What float layers are executed in.
    """

    quantizers: tuple[ResolvedQuantizer, ...]
    shifts: Mapping[str, FloatArray]
    smoothings: tuple[Smoothing, ...]
    runtime_precision: RuntimePrecision

    @property
    def quantized_sites(self) -> int:
        """Number of quantizers."""
        return len(self.quantizers)

    @property
    def fingerprint(self) -> str:
        """Digest of the numbers, equal for plans that build the same model; "float" where nothing is changed."""
        if not self.quantizers and self.runtime_precision is RuntimePrecision.DEFAULT:
            return FLOAT_FINGERPRINT
        digest = hashlib.blake2b(str(self.runtime_precision).encode(), digest_size=8)
        for quantizer in self.quantizers:
            digest.update(f"{quantizer.name}|{quantizer.limits.levels}|{quantizer.smoothed}".encode())
            digest.update(quantizer.limits.low.tobytes() + quantizer.limits.high.tobytes())
        for op, shift in sorted(self.shifts.items()):
            digest.update(op.encode() + shift.tobytes())
        for smoothing in self.smoothings:
            digest.update(repr(smoothing.tensor).encode() + smoothing.scale.tobytes())
        return digest.hexdigest()


def resolve_site(site: QuantizerSite, limits: Limits) -> ResolvedQuantizer:
    """The quantizer that stands on a site with these limits."""
    shape: tuple[int, ...] = ()
    if site.channel_axes or (site.kind is SiteKind.WEIGHT and not site.full_range):
        shape = tuple(size if axis in site.channel_axes else 1 for axis, size in enumerate(site.shape))
    return ResolvedQuantizer(site.name, site.kind, site.tensor, site.consumers, limits, shape)
