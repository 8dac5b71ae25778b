"""Where adapters begin: with the main directions of what rounding lost.

| symbol | is                                                                 | shape      |
|--------|--------------------------------------------------------------------|------------|
| E      | the float matrix less the stored one                               | [.., O, I] |
| r      | rank                                                               |            |
| A      | the r main right singular vectors of E, times sqrt(I / r)          | [.., r, I] |

B is zero, so that the first forward pass gives the stored matrix; its gradient is that of the matrix in the directions
of A. A's length makes a step of B move the matrix as far as a step of its own numbers would.

The vectors are those of a random projection, after two steps of subspace iteration: Halko, Martinsson and Tropp,
"Finding structure with randomness", algorithm 4.4.
"""

from __future__ import annotations

import math
from typing import Any

import torch

_SPARE, _STEPS = 8, 2


def started(error: Any, rank: int, generator: Any) -> Any:
    """A of matrices, whose rounding errors are given.

    Args:
        error: E, float32; where all of it is zero, the directions are random.
        rank: r.
        generator: Of the random projection.

    Returns:
        A, float32.
    """
    columns = error.shape[-1]
    width = min(rank + _SPARE, *error.shape[-2:])
    drawn = torch.randn(*error.shape[:-2], columns, width, generator=generator)
    basis = drawn
    if bool(error.any()):
        for _ in range(_STEPS + 1):
            basis = torch.linalg.qr(error @ basis).Q
            basis = error.mT @ basis
        basis = torch.linalg.svd(basis, full_matrices=False).U
    else:
        basis = torch.linalg.qr(basis).Q
    return (basis[..., :rank].mT * math.sqrt(columns / rank)).contiguous()
