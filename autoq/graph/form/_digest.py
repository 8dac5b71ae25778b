"""A digest of a model."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import openvino as ov

from autoq.graph.form._normal_form import bodies


def model_digest(model: ov.Model) -> str:
    """Digest of the computation of a model and of the names of its operations, with bodies.

    Names that OpenVINO made of a type and a number do not count: they differ each time a model is built.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    place: dict[str, int] = {}
    for op in model.get_ordered_ops():
        place[op.get_name()] = len(place)
        kind = op.get_type_name()
        digest.update(kind.encode())
        if kind == "Constant":
            digest.update(f"{op.get_element_type()}|{op.output(0).shape}".encode())
            digest.update(np.ascontiguousarray(op.data).reshape(-1).view(np.uint8).data)
            continue
        if kind != "Result" and not re.fullmatch(rf"{kind}_\d+", op.get_friendly_name()):
            digest.update(op.get_friendly_name().encode())
        sources = [(place[value.get_node().get_name()], value.get_index()) for value in op.input_values()]
        digest.update(f"{sources}|{sorted(op.get_attributes().items())}".encode())
        for body in bodies(op):
            digest.update(model_digest(body).encode())
    return digest.hexdigest()
