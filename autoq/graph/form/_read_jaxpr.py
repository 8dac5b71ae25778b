"""Reads programs of JAX.

Requires: a jaxpr, as `jax.make_jaxpr(function)(*examples)` gives it.
Ensures: a model with the same inputs and outputs, whose lengths are those of the examples.

1. Functions that are called inside are written out: OpenVINO has no rule for calls.
2. `min` and `clamp`, for which it has none, are written by `max` and `neg`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import openvino as ov

from autoq.core import ModelError
from autoq.graph.form._unread import unread_reason


def is_jaxpr(source: Any) -> bool:  # whatever a user passes
    """Whether something is a jaxpr with its constants."""
    return "jax" in sys.modules and type(source).__name__ == "ClosedJaxpr"


def read_jaxpr(source: Any) -> ov.Model:  # JAX is no dependency
    """Converts a jaxpr.

    Raises:
        ModelError: It cannot be converted.
    """
    jax = sys.modules["jax"]
    try:
        plain = jax.make_jaxpr(lambda *values: _run(jax, source, values))(
            *(jax.ShapeDtypeStruct(one.shape, one.dtype) for one in source.in_avals)
        )
        return ov.convert_model(plain)
    except Exception as error:
        msg = f"the jaxpr cannot be converted: {unread_reason(error)}"
        raise ModelError(msg) from error


def _run(jax: Any, program: Any, values: Sequence[Any]) -> list[Any]:
    """Runs a program, or traces it, operation by operation."""
    jaxpr = getattr(program, "jaxpr", program)
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, getattr(program, "consts", ()), strict=True))
    known.update(zip(jaxpr.invars, values, strict=True))

    def value(one: Any) -> Any:
        return one.val if hasattr(one, "val") else known[one]

    for step in jaxpr.eqns:
        name, given = step.primitive.name, [value(one) for one in step.invars]
        if name in _CALLS:
            made = _run(jax, step.params[_CALLS[name]], given)
        elif name in _WRITTEN:
            made = [_WRITTEN[name](jax.lax, *given)]
        else:
            made = step.primitive.bind(*given, **step.params)
            made = made if step.primitive.multiple_results else [made]
        known.update(zip(step.outvars, made, strict=True))
    return [value(one) for one in jaxpr.outvars]


def _min(lax: Any, x: Any, y: Any) -> Any:
    return lax.neg(lax.max(lax.neg(x), lax.neg(y)))


def _clamp(lax: Any, low: Any, x: Any, high: Any) -> Any:
    return lax.max(low, _min(lax, x, high))


# Case 1: the parameter that holds the function.
_CALLS: Mapping[str, str] = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "checkpoint": "jaxpr",
    "remat2": "jaxpr",
}
# Case 2.
_WRITTEN: Mapping[str, Callable[..., Any]] = {"min": _min, "clamp": _clamp}
