"""The factor by which an error of rounding is passed on to the numbers that are rounded later.

| name  | meaning                                                             | shape  |
|-------|---------------------------------------------------------------------|--------|
| gram  | mean over tokens of x x^T                                           | [I, I] |
| H     | gram + damping * mean of its diagonal * identity                    | [I, I] |
| order | the columns in the order in which they are rounded                  | [I]    |
| U     | upper triangle with U^T U = inverse of H in that order              | [I, I] |

Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained transformers", section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from autoq.core import FloatArray

# Columns whose rounding is found together.
BLOCK = 16
_LEAST_DAMPING, _MOST_DAMPING, _DAMPING = 0.01, 0.3, 0.05
# A matrix that is not positive definite in spite of the damping gets so many times more.
_MORE = 10.0


@dataclass(frozen=True, slots=True)
class InverseFactor:
    """How errors are passed on.

    Attributes:
        order: Columns in the order in which they are rounded, [I].
        upper: U, float32 [I, I].
        within: For each whole block of columns, the inverse of its part of U, transposed and scaled by its diagonal,
            [blocks, BLOCK, BLOCK]: what turns numbers into those that are rounded.
        importance: What the squared error of each column counts when scales are chosen, [I], in the model's order.
    """

    order: NDArray[np.intp]
    upper: FloatArray
    within: FloatArray
    importance: FloatArray


def usual_damping(length: int, tokens: float) -> float:
    """The damping for a number of tokens: the fewer there are, the less the data tell of how columns go together.

    Args:
        length: Numbers of a token.
        tokens: Number of tokens.
    """
    return float(np.clip(_DAMPING * length / max(tokens, 1.0), _LEAST_DAMPING, _MOST_DAMPING))


def factor(gram: FloatArray, damping: float) -> InverseFactor:
    """Factorizes the products of an activation.

    Columns with large activations are rounded first: most others can take over their errors.

    Args:
        gram: Mean over tokens of x x^T, float32 [I, I].
        damping: What is added to the diagonal, as a share of its mean.

    Raises:
        ValueError: The products are too large for single precision.
    """
    diagonal = np.diagonal(gram).astype(np.float64)
    if not np.isfinite(diagonal).all():
        msg = "what it is multiplied by has squares that are too large for single precision."
        raise ValueError(msg)
    mean = float(diagonal.mean()) or 1.0
    order = np.argsort(-diagonal, kind="stable")
    importance = (diagonal + damping * mean).astype(np.float32)
    while True:
        upper = _upper(gram, order, damping * mean)
        if upper is not None:
            break
        damping *= _MORE
    return InverseFactor(order, upper, _within(upper), importance)


def _upper(gram: FloatArray, order: NDArray[np.intp], added: float) -> FloatArray | None:
    """U; None if the matrix is not positive definite.

    H in reverse order is L L^T, so H is R R^T with the upper triangle R, L in reverse order, and U is the inverse of R.
    """
    backwards = order[::-1]
    matrix = gram[np.ix_(backwards, backwards)].astype(np.float64, order="F")
    matrix.reshape(-1, order="A")[:: len(matrix) + 1] += added
    lower, failed = lapack.dpotrf(matrix, lower=1, clean=1, overwrite_a=1)
    if failed:
        return None
    inverse, failed = lapack.dtrtri(lower, lower=1, overwrite_c=1)
    return None if failed else np.ascontiguousarray(inverse[::-1, ::-1], np.float32)


def _within(upper: FloatArray) -> FloatArray:
    """See `InverseFactor.within`."""
    blocks = len(upper) // BLOCK
    whole = blocks * BLOCK
    parts = upper[:whole, :whole].reshape(blocks, BLOCK, blocks, BLOCK)
    parts = parts[np.arange(blocks), :, np.arange(blocks), :]
    return within_block(parts)


def within_block(parts: FloatArray) -> FloatArray:
    """What turns the numbers of a block into those that are rounded, before what rounding adds.

    Args:
        parts: Square parts of U along its diagonal, [.., B, B].

    Returns:
        [.., B, B].
    """
    diagonal = np.diagonal(parts, axis1=-2, axis2=-1)
    return np.linalg.inv(np.swapaxes(parts / diagonal[..., None], -1, -2)).astype(np.float32)
