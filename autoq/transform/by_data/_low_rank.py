"""A product of two small matrices that makes up for the error of rounding.

| name | meaning                                     | shape  |
|------|---------------------------------------------|--------|
| D    | the weight less the rounded weight          | [O, I] |
| gram | mean over tokens of x x^T                   | [I, I] |
| B, A | the correction: B A takes the place of D    | [O, r], [r, I] |

The error of the layer, the mean of |(D - B A) x|^2, is least where B holds the first r eigenvectors of D gram D^T, and
A = B^T D. Where there are more outputs than inputs, they follow from the smaller matrix L^T D^T D L, gram = L L^T: an
eigenvector v of it with the eigenvalue e gives D L v / sqrt(e).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from autoq.core import FloatArray
from autoq.transform.by_data._scale_estimation import MeanTokens

RANK = 8
_ITERATIONS = 3


def correction(difference: FloatArray, gram: FloatArray, rank: int = RANK) -> tuple[FloatArray, FloatArray]:
    """The correction with the least error on all tokens.

    Args:
        difference: The weight less the rounded weight, float32 [O, I].
        gram: Mean over tokens of x x^T, [I, I].
        rank: Rank of the correction; at most that of the weight.

    Returns:
        B [O, r] and A [r, I].
    """
    outputs, inputs = difference.shape
    rank = min(rank, outputs, inputs)
    if outputs <= inputs:
        left = _first_vectors(np.asarray(difference @ gram @ difference.T, np.float32), rank)
    else:
        values, vectors = eigh(gram)
        root = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
        turned = np.asarray(difference @ root, np.float32)
        first = _first_vectors(np.asarray(turned.T @ turned, np.float32), rank)
        left = np.linalg.qr(turned @ first)[0].astype(np.float32)
    return np.ascontiguousarray(left), left.T @ difference


def _first_vectors(matrix: FloatArray, count: int) -> FloatArray:
    """Eigenvectors of the largest eigenvalues of a symmetric matrix."""
    length = len(matrix)
    _, vectors = eigh(matrix, subset_by_index=(length - count, length - 1))
    return np.asarray(vectors[:, ::-1], np.float32)


def correction_by_means(
    difference: FloatArray, tokens: MeanTokens, group_size: int, rank: int = RANK
) -> tuple[FloatArray, FloatArray]:
    """The correction of NNCF 3.4, by the mean token of each sample.

    It begins with the singular vectors of D, whose columns are weighted by the magnitude of the mean tokens within each
    group. Then B and A follow from each other by least squares of both (D - B A) and its products with the mean tokens.

    Args:
        difference: The weight less the rounded weight, float32 [O, I].
        tokens: What the weight is multiplied by.
        group_size: Numbers of a group; -1 without groups.
        rank: Rank of the correction.

    Returns:
        B [O, r] and A [r, I].
    """
    residual, x = difference.T, tokens.values
    weighted = residual
    if group_size > 0:
        share = tokens.magnitude.reshape(-1, group_size)
        share = share / share.max(axis=1, keepdims=True)
        weighted = residual * share.reshape(-1, 1)
    left = np.linalg.svd(weighted, full_matrices=False)[0][:, :rank]
    noise = x @ residual
    pulled = residual + x.T @ noise
    right = left
    for _ in range(_ITERATIONS):
        on_tokens = x @ left
        right = np.linalg.lstsq(np.concatenate([left, on_tokens]), np.concatenate([residual, noise]), rcond=None)[0]
        target = pulled @ np.linalg.pinv(right)
        # (1 + x^T x) left = target, by the smaller matrix 1 + x x^T.
        left = target - x.T @ np.linalg.solve(np.eye(len(x), dtype=np.float32) + x @ x.T, x @ target)
    return np.ascontiguousarray(right.T, np.float32), np.ascontiguousarray(left.T, np.float32)
