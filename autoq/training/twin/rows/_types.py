"""Element types: those of OpenVINO, and PyTorch's that hold their numbers."""

from __future__ import annotations

import torch

# Training is in single precision, whatever a model is stored in. PyTorch computes little with unsigned numbers of more
# than 8 bits.
TYPES = {
    "boolean": torch.bool,
    "f16": torch.float32,
    "bf16": torch.float32,
    "f32": torch.float32,
    "f64": torch.float32,
    "f8e4m3": torch.float32,
    "f8e5m2": torch.float32,
    "f8e8m0": torch.float32,
    "f4e2m1": torch.float32,
    "nf4": torch.float32,
    "i4": torch.int8,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "u1": torch.uint8,
    "u2": torch.uint8,
    "u3": torch.uint8,
    "u4": torch.uint8,
    "u6": torch.uint8,
    "u8": torch.uint8,
    "u16": torch.int32,
    "u32": torch.int64,
    "u64": torch.int64,
}
