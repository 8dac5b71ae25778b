"""Element types of tensors, as OpenVINO names them."""

from __future__ import annotations

FLOAT_TYPES = frozenset({"f16", "bf16", "f32", "f64"})
HALF_TYPES = frozenset({"f16", "bf16"})
# Types of stored quantized weights.
NARROW_TYPES = frozenset(
    {"u1", "u2", "u3", "u4", "u6", "u8", "i4", "i8", "nf4", "f4e2m1", "f8e4m3", "f8e5m2", "f8e8m0"}
)
