"""What the methods that compress weights need of the activations that weights are multiplied by.

| name  | meaning                                                             | shape  |
|-------|---------------------------------------------------------------------|--------|
| X     | all tokens of an activation: its vectors along the summed axis      | [T, I] |
| gram  | X^T X / T, from which the error of every rounding of a layer follows| [I, I] |
| blocks| the blocks of b columns along the diagonal of gram                  | [I / b, b, b] |
| means | mean over the tokens of each sample                                 | [n, I] |

The mean squared error of a layer with the rounding error D [O, I] is the sum over rows of D gram D^T.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core import FloatArray, brief_repr
from autoq.graph import Tensor


@dataclass(frozen=True, slots=True, order=True)
class Activation:
    """A tensor that weights are multiplied by.

    Attributes:
        tensor: The tensor.
        axis: The axis that the product sums over, counted from the last one.
        matrices: Number of matrices, one before each of a stack of weights, in its third axis from the last one; 1 if
            a weight is multiplied by all of it.
        matrix: The one of them that is meant, counted from zero; -1 for all together.
    """

    tensor: Tensor
    axis: int = -1
    matrices: int = 1
    matrix: int = -1

    @property
    def each(self) -> tuple[Activation, ...]:
        """The matrices that a stack of weights is multiplied by; itself where there is one for all."""
        if self.matrices == 1:
            return (self,)
        return tuple(replace(self, matrix=matrix) for matrix in range(self.matrices))

    def of(self, value: NDArray[Any]) -> NDArray[Any]:
        """What is meant of the tensor's value."""
        return value if self.matrix < 0 else value[..., self.matrix, :, :]


class Summary(IntEnum):
    """Statistics of a sample over its tokens and channels, by their columns in `Grams.summaries`."""

    MAX_VARIANCE = 0  # the largest over channels of the variance over tokens
    MEAN_VARIANCE = 1  # the mean over channels of the variance over tokens
    MEAN_MAGNITUDE = 2  # the mean over channels of the largest magnitude over tokens
    MEAN_SQUARE = 3


@dataclass(frozen=True)
class Grams:
    """Statistics of activations that weights are multiplied by.

    Attributes:
        tokens: Tokens of each sample by activation, [n].
        means: Mean over the tokens of each sample by activation, [n, I]; signed.
        summaries: Statistics of each sample by activation, [n, 4], see `Summary`. Empty if not asked for.
        products: Upper triangles of X^T X by activation, [I, I]; those below are not set. Empty if not asked for.
        blocks: The blocks along the diagonal of X^T X by activation, [I / b, b, b], of activations of which all
            products were not asked for.
        release: Lets go of the memory that a product takes, where it is in a file.
    """

    tokens: Mapping[Activation, FloatArray]
    means: Mapping[Activation, FloatArray]
    summaries: Mapping[Activation, FloatArray]
    products: Mapping[Activation, FloatArray]
    blocks: Mapping[Activation, FloatArray] = field(default_factory=dict)
    release: Callable[[Activation], None] = lambda _: None

    __repr__ = brief_repr

    def gram(self, activation: Activation) -> FloatArray:
        """X^T X / T, [I, I] in single precision; a new array."""
        upper = np.triu(self.products[activation])
        self.release(activation)
        upper /= self._count(activation)
        upper += np.triu(upper, 1).T
        return upper

    def diagonal_blocks(self, activation: Activation, columns: int) -> FloatArray:
        """Blocks along the diagonal of X^T X / T, [I / b, b, b] in single precision; a new array.

        Args:
            activation: The activation. If only its blocks are known, their length is a multiple of the columns.
            columns: Columns of a block.
        """
        if activation in self.products:
            return blocks_of(self.gram(activation)[None], columns)
        return blocks_of(self.blocks[activation], columns) / self._count(activation)

    def digest(self, activation: Activation) -> str:
        """Digest of all that is known of an activation, 32 hexadecimal digits."""
        digest = hashlib.blake2b(digest_size=16)
        for each in (self.tokens, self.means, self.summaries, self.products, self.blocks):
            if activation in each:
                array = each[activation]
                digest.update(f"{array.shape}".encode())
                digest.update(np.ascontiguousarray(array.T).reshape(-1).view(np.uint8).data)
        if activation in self.products:
            self.release(activation)
        return digest.hexdigest()

    def squares(self, activation: Activation) -> FloatArray:
        """Mean square of each channel, [I]."""
        if activation not in self.products:
            return np.diagonal(self.blocks[activation], axis1=1, axis2=2).reshape(-1) / self._count(activation)
        squares = np.array(np.diagonal(self.products[activation])) / self._count(activation)
        self.release(activation)
        return squares

    def summary(self, activation: Activation, kind: Summary) -> float:
        """The mean over samples of a statistic."""
        return float(self.summaries[activation][:, kind].mean())

    def _count(self, activation: Activation) -> np.float32:
        """T, at least 1."""
        return np.float32(max(float(self.tokens[activation].sum()), 1.0))


def blocks_of(matrices: FloatArray, columns: int) -> FloatArray:
    """Blocks along the diagonals of square matrices, one after the other.

    Args:
        matrices: [N, n, n].
        columns: Columns of a block, a divisor of n.

    Returns:
        [N n / b, b, b]; a new array.
    """
    parts = matrices.shape[1] // columns
    places = np.arange(parts)
    blocks = matrices.reshape(len(matrices), parts, columns, parts, columns)[:, places, :, places, :]
    # Advanced indices that stand apart come first.
    return np.ascontiguousarray(np.swapaxes(blocks, 0, 1)).reshape(-1, columns, columns)
