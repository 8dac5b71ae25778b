"""Whether two models are the same operation by operation, with names, types and all numbers."""

import hashlib
import re
from collections import Counter

import numpy as np
import openvino as ov


def operations(model: ov.Model) -> Counter[tuple[object, ...]]:
    """Each operation with what it reads, however deep; names that OpenVINO made do not count."""
    known: dict[str, tuple[object, ...]] = {}
    for op in model.get_ordered_ops():
        kind, name = op.get_type_name(), op.get_friendly_name()
        told = "" if re.search(rf"(^|/){kind}_\d+$", name) else name
        if kind == "Constant":
            held = hashlib.sha1(np.ascontiguousarray(op.data).tobytes(), usedforsecurity=False).hexdigest()
            mark = (kind, told, str(op.get_element_type()), tuple(op.get_output_shape(0)), held)
        else:
            sources = tuple((hash(known[v.get_node().get_name()]), v.get_index()) for v in op.input_values())
            types = tuple(str(output.get_element_type()) for output in op.outputs())
            mark = (kind, told, types, str(sorted(op.get_attributes().items())), sources)
        known[op.get_name()] = mark
    return Counter(known.values())


def difference(ours: ov.Model, theirs: ov.Model) -> list[tuple[object, ...]]:
    """Operations that only one of two models has; the first is where they begin to differ."""
    left, right = operations(ours), operations(theirs)
    return [("ours", *mark) for mark in left - right] + [("theirs", *mark) for mark in right - left]
