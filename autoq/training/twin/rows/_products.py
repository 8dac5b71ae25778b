"""What convolutions and products of matrices are computed in: single precision, or bfloat16 while a module learns.

In bfloat16 their operands are rounded to 8 bits, sums are kept in single precision, and everything else is computed in
single precision too. Processors that have instructions for it take a half to a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

_TYPE: ContextVar[torch.dtype | None] = ContextVar("product_type", default=None)


def product_type() -> torch.dtype | None:
    """The type that the context asks for; None outside of one."""
    return _TYPE.get()


@contextmanager
def products_in(dtype: torch.dtype | None) -> Iterator[None]:
    """A context in which products of single precision are computed in another type; None changes nothing."""
    token = _TYPE.set(dtype)
    try:
        yield
    finally:
        _TYPE.reset(token)


def product(function: Callable[..., Tensor], operands: tuple[Tensor | None, ...], *settings: Any) -> Tensor:
    """Computes a product of some operands in the type that the context asks for.

    Args:
        function: Takes the operands and the settings.
        operands: Tensors; None where there is none.
        settings: Its further arguments.
    """
    dtype = product_type()
    if dtype is None or any(x is not None and x.dtype != torch.float32 for x in operands):
        return function(*operands, *settings)
    return function(*(x if x is None else x.to(dtype) for x in operands), *settings).float()
