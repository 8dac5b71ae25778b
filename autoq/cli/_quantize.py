"""`autoq quantize`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from autoq.cli._pairs import read_pairs
from autoq.cli._show import as_json, print_json


@click.command()
@click.argument("model")
@click.option("--calibration", required=True, help=".npy, .npz, or module:function or file.py:function.")
@click.option("-o", "--out", required=True, help="Path of the quantized .xml.")
@click.option("--preset", help="performance or mixed.")
@click.option("--mode", help="fp8_e4m3 or fp8_e5m2 for 8-bit floating point; integers by default.")
@click.option("--subset-size", type=int, default=300, show_default=True, help="Calibration samples used.")
@click.option("--model-type", help="transformer, for its placement rules and SmoothQuant.")
@click.option("--target-device", default="ANY", show_default=True, help="ANY, CPU, CPU_SPR, GPU or NPU.")
@click.option("--range-estimator", help="How per-sample extremes become ranges.")
@click.option("--weight-range-estimator", help="min_max, mse, or another without a search.")
@click.option(
    "--activations", multiple=True, metavar="KEY=VALUE", help="bits, symmetric, signed, per_channel=false ..."
)
@click.option("--weights", multiple=True, metavar="KEY=VALUE", help="Likewise for weights; may be repeated.")
@click.option("--overflow-fix", help="first_layer_only, enable or disable.")
@click.option("--smooth-quant-alpha", type=float, help="Strength of SmoothQuant in [0, 1]; below 0 is off.")
@click.option("--channel-alignment", is_flag=True, help="Even out the channels between convolutions first.")
@click.option("--quantize-outputs", is_flag=True, help="Quantize the model's outputs too.")
@click.option("--no-bias-correction", is_flag=True, help="Leave biases as they are.")
@click.option("--accurate-bias-correction", is_flag=True, help="Measure each layer in the quantized model.")
@click.option("--precision", default="f32", show_default=True, help="Of the model while statistics are collected.")
@click.option("--cache", help="Folder that keeps the statistics for the next time.")
@click.option("--ignore", "names", multiple=True, help="Name of an operation that stays in float; may be repeated.")
@click.option("--ignore-type", "types", multiple=True, help="Type of operations that stay in float; may be repeated.")
@click.option("--ignore-pattern", "patterns", multiple=True, help="Regular expression of names that stay in float.")
@click.option("--max-drop", help="Accuracy budget: 0.01 or 1%. Needs --validation and --metric.")
@click.option("--validation", help="Labelled data, like --calibration: .npz with x and y, or a function.")
@click.option("--metric", help="Name, or module:function or file.py:function.")
@click.option("--timeout", "timeout_s", type=float, help="Seconds, after which the best so far is taken.")
@as_json
def quantize(
    model: str,
    *,
    calibration: str,
    out: str,
    max_drop: str | None,
    validation: str | None,
    metric: str | None,
    timeout_s: float | None,
    json_output: bool,
    **given: Any,  # the other options, by the names above
) -> None:
    """Quantizes MODEL to 8 bits with calibration data, on a budget of accuracy where --max-drop is given."""
    from autoq.api import quantize as run_quantize
    from autoq.api import quantize_with_accuracy_control
    from autoq.config import load_data, load_metric
    from autoq.evaluation import size_bytes
    from autoq.export import check_model_path, save_model
    from autoq.graph import read_model

    path = check_model_path(Path(out))
    network, options = read_model(model), _options(**given)
    data = load_data(calibration, Path())
    if max_drop is None:
        quantized = run_quantize(network, data, **options)
    else:
        if validation is None or metric is None:
            missing = "--validation" if validation is None else "--metric"
            raise click.UsageError(f"--max-drop needs {missing}: labelled data and what scores them.")
        quantized = quantize_with_accuracy_control(
            network,
            data,
            load_data(validation, Path()),
            metric=load_metric(metric, Path()),
            max_drop=max_drop,
            timeout_s=timeout_s,
            **options,
        )
    save_model(quantized, path)
    before, after = size_bytes(network), size_bytes(quantized)
    found: dict[str, Any] = {"path": str(path), "size_bytes": after, "float_size_bytes": before}
    if quantized.has_rt_info(["autoq", "accuracy_control"]):
        found |= json.loads(str(quantized.get_rt_info(["autoq", "accuracy_control"]).value))
    if json_output:
        print_json(found)
        return
    click.echo(f"{path}: {after / 1e6:.2f} MB, the float model has {before / 1e6:.2f} MB.")
    if "drop" in found:
        click.echo(f"score {found['score']:.4f}, the float model's is {found['float_score']:.4f}.")


def _options(
    *,
    names: tuple[str, ...],
    types: tuple[str, ...],
    patterns: tuple[str, ...],
    activations: tuple[str, ...],
    weights: tuple[str, ...],
    no_bias_correction: bool,
    accurate_bias_correction: bool,
    smooth_quant_alpha: float | None,
    **same: Any,
) -> dict[str, Any]:
    """Options as parameters of `autoq.quantize`; what was not given is left to its default."""
    from autoq.graph import IgnoredScope

    options = same | {"ignored_scope": IgnoredScope(names=names, types=types, patterns=patterns)}
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
