"""The class of the modules, what they call besides rows, and how they are kept as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx

from autoq.training.twin.rows import ROWS


def on_device(value: Any, like: Any) -> Any:
    """A tensor on the device of another one."""
    return value.to(like.device)


def as_type(value: Any, dtype: Any) -> Any:
    """An input in the type that the model declares."""
    return torch.as_tensor(value).to(dtype)


def initial_state(like: Any, shape: list[int], dtype: Any) -> Any:
    """Zeros, which a state without an initial value begins with."""
    return torch.zeros(shape, dtype=dtype, device=like.device)


class TwinTracer(fx.Tracer):
    """PyTorch keeps a module as code, and traces this code when it reads it: each function is one step again."""

    def __init__(self) -> None:
        functions = (*(row.function for row in ROWS.values()), on_device, as_type, initial_state)
        super().__init__(autowrap_functions=functions)


class Twin(fx.GraphModule):
    """A module of PyTorch that computes what a model does.

    It is copied and pickled as a whole, with its places in the model: PyTorch's own class forgets them in a pickle.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """How a pickle makes it again."""
        return remade, (*super().__reduce__(), dict(self.meta))


def remade(make: Callable[..., Any], arguments: tuple[Any, ...], meta: Mapping[str, Any]) -> Twin:
    """A module from its pickle.

    Args:
        make: PyTorch's function that makes a `GraphModule`.
        arguments: Its arguments.
        meta: What a pickle of a `GraphModule` leaves out.
    """
    plain = make(*arguments)
    made = Twin(plain, plain.graph, "Twin")
    made.meta.update(meta)
    return made
