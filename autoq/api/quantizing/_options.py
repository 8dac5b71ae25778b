"""The parameters of a quantization: their names, types and defaults."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypedDict, TypeVar, cast, get_type_hints

from autoq.core import QuantizerScheme, RangeEstimator, nearest

Scheme = Mapping[str, Any] | QuantizerScheme
EstimatorOption = str | Mapping[str, Any] | RangeEstimator
F = TypeVar("F", bound=Callable[..., object])


class QuantizeOptions(TypedDict, total=False):
    """The parameters that all functions share that quantize, each with its default behind its type.

    `autoq.quantize` tells the meaning of each.
    """

    preset: Annotated[str | None, None]
    mode: Annotated[str | None, None]
    target_device: Annotated[str, "ANY"]
    subset_size: Annotated[int | None, None]
    fast_bias_correction: Annotated[bool, True]
    model_type: Annotated[str | None, None]
    ignored_scope: Annotated[Any, None]  # whatever IgnoredScope.of takes
    bias_correction: Annotated[bool, True]
    overflow_fix: Annotated[str | None, None]
    quantize_outputs: Annotated[bool, False]
    smooth_quant_alpha: Annotated[float | str | None, "default"]
    channel_alignment: Annotated[bool, False]
    range_estimator: Annotated[EstimatorOption | None, None]
    weight_range_estimator: Annotated[EstimatorOption | None, None]
    activations: Annotated[Scheme | None, None]
    weights: Annotated[Scheme | None, None]
    precision: Annotated[str, "f32"]
    reset_state: Annotated[str, "sample"]
    cache: Annotated[str | os.PathLike[str] | None, None]


_DEFAULTS: Mapping[str, Any] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(QuantizeOptions, include_extras=True).items()
}


def with_defaults(options: QuantizeOptions) -> QuantizeOptions:
    """All parameters by name, with the defaults of those that are not given.

    Raises:
        TypeError: A name is unknown.
    """
    for name in options:
        if name not in _DEFAULTS:
            msg = f"{name!r} is not a parameter of a quantization: {nearest(name, _DEFAULTS)}"
            raise TypeError(msg)
    return cast("QuantizeOptions", {**_DEFAULTS, **options})


def shows_options(function: F) -> F:
    """Puts the options into the signature of a function that takes them as keyword arguments, for `help`."""
    signature = inspect.signature(function)
    own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    places = [parameter for parameter in own if parameter.kind is not parameter.KEYWORD_ONLY]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_written_type(name))
        for name, default in _DEFAULTS.items()
    ]
    shown = signature.replace(parameters=[*places, *options, *own[len(places) :]])
    function.__signature__ = shown  # type: ignore[attr-defined]  # what inspect and help read
    return function


def _written_type(name: str) -> str:
    """The type of an option as it is written above, without its default."""
    written: str = QuantizeOptions.__annotations__[name].__forward_arg__
    return written.removeprefix("Annotated[").rpartition(", ")[0]
