"""Which compressed weights OpenVINO's CPU computes with as they are stored: what its execution graphs show.

| stored numbers         | in a matrix product | in a Gather | in a table that both read |
|------------------------|---------------------|-------------|---------------------------|
| u8, i8, u4, i4         | yes                 | yes         | yes                       |
| nf4, f4e2m1, u2        | yes                 | no          | no                        |
| u3, f8e4m3, codebooks  | no                  | no          | no                        |

1. In a matrix product, the weight is the second operand, has two outputs or more, and four numbers or more share a
   scale. Axes before the last two have one index, and then there are no groups: weights of experts are not like this.
2. Convolutions compute with decompressed weights in every format.

Other weights are decompressed when the model is compiled or first run: they take the memory and the time of float32.
"""

from __future__ import annotations

import math

from autoq.core import NumberFamily, WeightFormat
from autoq.graph import Family, Weight, operation

_IN_PRODUCTS = frozenset({"u8", "i8", "u4", "i4", "u2", "nf4", "f4e2m1"})
_IN_TABLES = frozenset({"u8", "i8", "u4", "i4"})
_FEWEST = 4


def runs_compressed(weight: Weight, form: WeightFormat) -> bool:
    """Whether OpenVINO's CPU holds a weight in memory as it is stored, and computes with it so.

    Args:
        weight: The weight.
        form: The format that it may have.
    """
    if form.family is NumberFamily.CODEBOOK:
        return False
    # A Gather reads its table at port 0; a product that reads its weight there decompresses it.
    looked_up = {port for _, port in weight.readers} - {1} or weight.is_embedding
    if form.storage not in (_IN_TABLES if looked_up else _IN_PRODUCTS):
        return False
    if weight.is_embedding and all(port == 0 for _, port in weight.readers):
        return True
    is_product = operation(weight.type).family is Family.PRODUCT and weight.port == 1
    return (is_product or weight.is_embedding) and _fits_product(weight, form)


def _fits_product(weight: Weight, form: WeightFormat) -> bool:
    """Case 1."""
    leading = weight.shape[:-2]
    outputs = weight.size // weight.length
    shared = form.group_size if form.is_grouped else weight.length
    return math.prod(leading) == 1 and not (leading and form.is_grouped) and outputs > 1 and shared >= _FEWEST
