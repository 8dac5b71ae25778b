"""Adapters become stored numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import torch

from autoq.graph import float_constant
from autoq.training.adapters._attach import ADAPTED
from autoq.training.adapters._stored_matrix import StoredMatrix, blocks_of, numbers_constant, part_of
from autoq.training.twin import names_of, write_back


def merge_adapters(module: Any, model: Any) -> ov.Model:  # PyTorch has no types; what `read_model` reads
    """The model with the numbers that a module with adapters has learned.

    1. Scales are rounded to their stored type.
    2. W + B A is rounded with them to the stored numbers.
    3. Constants of both take the places of the old ones; operations, names and types stay as they are.
    4. What learns beside is put back by `write_back`.

    Args:
        module: What `attach_adapters` changed, and trained.
        model: The model that it was made of; it is not changed.
    """
    made = write_back(module, model)
    named = names_of(made)
    for name, matrix in module.meta[ADAPTED].items():
        _store(matrix, module.get_submodule(name), named)
    return made


def _store(matrix: StoredMatrix, part: Any, named: dict[str, ov.Node]) -> None:
    scale = float_constant(part.scale.detach().cpu().numpy(), named[matrix.scale].get_element_type())
    sizes = np.asarray(scale.get_data(dtype=np.float32))
    # A scale that is stored as zero makes zeros of all numbers.
    sizes = np.where(sizes == 0, np.float32(np.inf), sizes)
    shape = tuple(part.weight.shape)
    codes = np.empty(shape, np.int32)
    with torch.no_grad():
        for block in blocks_of(shape):
            size, zero = (part_of(one, block, shape) for one in (sizes, matrix.zero_point))
            codes[block] = matrix.codes[matrix.places(part.merged(block).cpu().numpy(), size, zero)]
    for kept, new in ((matrix.scale, scale), (matrix.numbers, numbers_constant(codes, matrix.storage))):
        new.set_friendly_name(named[kept].get_friendly_name())
        for target in named[kept].output(0).get_target_inputs():
            target.replace_source_output(new.output(0))
