"""Products by an adapted matrix, which compute it again on the way back instead of keeping it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from autoq.training.adapters._adapted_weight import AdaptedWeight
from autoq.training.twin.rows import ROWS, product_type, products_in

# A function of the matrix, its other arguments and its keywords.
_Step = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class AdaptedProduct(torch.nn.Module):
    """A product of matrices, the second of which is adapted. The rounded matrix lives no longer than the product.

    Args:
        matrix: The adapted matrix.
        steps: What makes the factor of it, as a Reshape.
        product: The product, a row of the twin.

    Attributes:
        matrix: The adapted matrix.
    """

    def __init__(self, matrix: AdaptedWeight, steps: Sequence[_Step], product: Callable[..., Any]) -> None:
        super().__init__()
        self.matrix = matrix
        self._steps = tuple(steps)
        self._product = product

    def forward(self, left: Any, **given: Any) -> Any:
        """The product with a first factor; keywords are those of the product."""
        computed = partial(self._computed, product_type())
        return checkpoint(computed, left, use_reentrant=False, preserve_rng_state=False, **given)

    def _computed(self, dtype: torch.dtype | None, left: Any, **given: Any) -> Any:
        # On the way back no context is open, and a GPU has a thread of its own.
        with products_in(dtype):
            return self._multiplied(left, **given)

    def _multiplied(self, left: Any, **given: Any) -> Any:
        right = self.matrix()
        for function, others, keywords in self._steps:
            right = function(right, *others, **keywords)
        return self._product(left, right, **given)


def product_of(node: Any) -> tuple[list[_Step], Any] | None:
    """What makes a factor of a node of the graph, and the product, if nothing else reads what is between them."""
    steps: list[_Step] = []
    while len(node.users) == 1:
        (user,) = node.users
        if user.op != "call_function":
            return None
        if user.target is ROWS["MatMul"].function:
            return (steps, user) if user.args[1] is node and user.args[0] is not node else None
        if user.all_input_nodes != [node] or user.args[0] is not node:
            return None
        steps.append((user.target, tuple(user.args[1:]), dict(user.kwargs)))
        node = user
    return None
