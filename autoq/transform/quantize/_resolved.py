"""A plan in numbers: all that a rewrite needs, so that it looks nothing up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from autoq.core import FloatArray, Fp8Scale, QuantizerLimits, RuntimeChoice
from autoq.graph import BodyKey, QuantizerSite, SiteKind, Tensor

FLOAT_FINGERPRINT = "float"


@dataclass(frozen=True, slots=True)
class Smoothing:
    """SmoothQuant on one tensor: it is divided by `scale`, and the weights of its readers are multiplied by it.

    Attributes:
        tensor: The activation.
        layers: MatMuls that read it.
        scale: Scale per channel, [channels].
        shape: Shape of the divisor, broadcastable to the tensor.
    """

    tensor: Tensor
    layers: tuple[str, ...]
    scale: FloatArray
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ResolvedQuantizer:
    """One FakeQuantize, or FakeConvert.

    Attributes:
        name: Friendly name of the node.
        kind: Activation or weight.
        tensor: The tensor that it reads.
        consumers: `(op, input port)` of its readers.
        numbers: Its numbers, flat.
        shape: Shape of the numbers, broadcastable to the tensor.
        smoothed: Whether it stands after the SmoothQuant division of its tensor.
    """

    name: str
    kind: SiteKind
    tensor: Tensor
    consumers: tuple[tuple[str, int], ...]
    numbers: QuantizerLimits | Fp8Scale
    shape: tuple[int, ...]
    smoothed: bool = False


@dataclass(frozen=True, slots=True)
class ResolvedPlan:
    """The numbers of one candidate.

    Attributes:
        quantizers: FakeQuantize nodes, activations and weights.
        shifts: Bias shift [output channels] by operation.
        smoothings: SmoothQuant divisions.
        runtime: What the plan chooses of the settings under which the candidate runs.
        corrected_on: Number of samples on which accurate bias correction runs the candidate; 0 without it.
        bodies: Bodies in which something is quantized.
    """

    quantizers: tuple[ResolvedQuantizer, ...]
    shifts: Mapping[str, FloatArray]
    smoothings: tuple[Smoothing, ...]
    runtime: RuntimeChoice
    corrected_on: int = 0
    bodies: Mapping[BodyKey, ResolvedPlan] = field(default_factory=dict)

    @property
    def quantized_sites(self) -> int:
        """Number of quantizers, with those in bodies."""
        return len(self.quantizers) + sum(inside.quantized_sites for inside in self.bodies.values())

    @property
    def fingerprint(self) -> str:
        """Digest of the numbers, equal for plans that build the same model; "float" if nothing is changed."""
        if not self.quantized_sites and self.runtime == RuntimeChoice():
            return FLOAT_FINGERPRINT
        digest = hashlib.blake2b(f"{self.runtime}|{self.corrected_on}".encode(), digest_size=8)
        for quantizer in self.quantizers:
            digest.update(f"{quantizer.name}|{quantizer.smoothed}".encode() + quantizer.numbers.identity)
        for op, shift in sorted(self.shifts.items()):
            digest.update(op.encode() + shift.tobytes())
        for smoothing in self.smoothings:
            digest.update(repr(smoothing.tensor).encode() + smoothing.scale.tobytes())
        for (op, branch), inside in sorted(self.bodies.items()):
            digest.update(f"{op}|{branch}|{inside.fingerprint}".encode())
        return digest.hexdigest()


def resolve_site(site: QuantizerSite, numbers: QuantizerLimits | Fp8Scale, *, per_tensor: bool) -> ResolvedQuantizer:
    """The quantizer of a site with these numbers.

    Args:
        site: The site.
        numbers: The numbers, flat.
        per_tensor: Whether the whole tensor has one number, even if the site has channels.
    """
    shape = () if per_tensor else tuple(n if axis in site.channel_axes else 1 for axis, n in enumerate(site.shape))
    return ResolvedQuantizer(site.name, site.kind, site.tensor, site.consumers, numbers, shape)
