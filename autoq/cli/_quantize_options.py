"""The options of quantization, for every command that quantizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoq.cli._pairs import read_pairs

if TYPE_CHECKING:
    from autoq.graph import IgnoredScope

DEFAULT_SAMPLES = 300
DATA_HELP = (
    ".npy, .npz, .csv of numbers or of images, images, a folder or pattern of them, {images: FOLDER, scale: 255}, "
    "{texts: FILE, tokenizer: FOLDER}, or file.py:function."
)

_OPTIONS = (
    click.option("--preset", help="performance or mixed."),
    click.option("--mode", help="fp8_e4m3 or fp8_e5m2 for 8-bit floating point; integers by default."),
    click.option("--subset-size", type=int, help="Calibration samples used; 300 by default, or all there are."),
    click.option("--model-type", help="transformer, for its placement rules and SmoothQuant."),
    click.option("--target-device", default="ANY", show_default=True, help="ANY, CPU, CPU_SPR, GPU or NPU."),
    click.option("--range-estimator", help="How per-sample extremes become ranges."),
    click.option("--weight-range-estimator", help="min_max, mse, or another without a search."),
    click.option(
        "--activations", multiple=True, metavar="KEY=VALUE", help="bits, symmetric, signed, per_channel=false ..."
    ),
    click.option("--weights", multiple=True, metavar="KEY=VALUE", help="Likewise for weights; may be repeated."),
    click.option("--overflow-fix", help="first_layer_only, enable or disable."),
    click.option("--smooth-quant-alpha", type=float, help="Strength of SmoothQuant in [0, 1]; below 0 is off."),
    click.option("--channel-alignment", is_flag=True, help="First even out the channels between convolutions."),
    click.option("--quantize-outputs", is_flag=True, help="Quantize the model's outputs too."),
    click.option("--no-bias-correction", is_flag=True, help="Leave biases as they are."),
    click.option(
        "--precision", default="f32", show_default=True, help="Precision of the model while statistics are collected."
    ),
    click.option(
        "--reset-state",
        default="sample",
        show_default=True,
        help="When a model with state is reset: before each sample, or never where samples are steps of one sequence.",
    ),
    click.option("--cache", help="Folder that keeps the statistics for the next time."),
)
_SCOPE = (
    click.option(
        "--ignore", "names", multiple=True, help="Name of an operation that is left as it is; may be repeated."
    ),
    click.option(
        "--ignore-type", "types", multiple=True, help="Type of operations that are left as they are; may be repeated."
    ),
    click.option(
        "--ignore-pattern", "patterns", multiple=True, help="Regular expression of names that are left as they are."
    ),
)


def quantize_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that `read_options` reads to a command."""
    return reduce(lambda decorated, option: option(decorated), reversed((*_OPTIONS, *_SCOPE)), command)


def scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of single operations that `read_scope` reads to a command."""
    return reduce(lambda decorated, option: option(decorated), reversed(_SCOPE), command)


def read_scope(
    names: tuple[str, ...], types: tuple[str, ...], patterns: tuple[str, ...], file: str | None
) -> IgnoredScope:
    """The operations that stay in float: those of a file, and those of the options.

    Raises:
        ConfigError: The file does not read, or does not hold exactly one scope.
    """
    from autoq.config import load_scope
    from autoq.graph import IgnoredScope

    scope = IgnoredScope() if file is None else load_scope(Path(file))
    return replace(
        scope,
        names=(*scope.names, *names),
        types=(*scope.types, *types),
        patterns=(*scope.patterns, *patterns),
    )


def read_options(
    *,
    names: tuple[str, ...],
    types: tuple[str, ...],
    patterns: tuple[str, ...],
    activations: tuple[str, ...],
    weights: tuple[str, ...],
    no_bias_correction: bool,
    smooth_quant_alpha: float | None,
    accurate_bias_correction: bool = False,
    ignored_scope: str | None = None,
    **same: Any,
) -> dict[str, Any]:
    """The options as parameters of `autoq.quantize`.

    Raises:
        ConfigError: The file of the ignored scope does not read, or does not hold exactly one scope.
    """
    options = same | {"ignored_scope": read_scope(names, types, patterns, ignored_scope)}
    example = "bits=16 or symmetric=false"
    options["activations"] = read_pairs("--activations", activations, example)
    options["weights"] = read_pairs("--weights", weights, example)
    if no_bias_correction:
        options["bias_correction"] = False
    if accurate_bias_correction:
        options["fast_bias_correction"] = False
    if smooth_quant_alpha is not None:
        options["smooth_quant_alpha"] = smooth_quant_alpha if smooth_quant_alpha >= 0 else None
    return options
