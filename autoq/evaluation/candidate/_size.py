"""The size of a model."""

from __future__ import annotations

import openvino as ov

from autoq.graph import bodies


def size_bytes(model: ov.Model) -> int:
    """Bytes of a model's constants, those in bodies of control flow included: the size of its weights on disk."""
    operations = model.get_ops()
    own = sum(int(op.get_byte_size()) for op in operations if op.get_type_name() == "Constant")
    return own + sum(size_bytes(body) for op in operations for body in bodies(op))
