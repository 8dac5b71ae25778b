"""`autoq quantize`."""

from __future__ import annotations

from pathlib import Path

import click

from autoq.cli._show import as_json, print_json


@click.command()
@click.argument("model")
@click.option("--calibration", required=True, help=".npy, .npz, or module:function or file.py:function.")
@click.option("-o", "--out", required=True, help="Path of the quantized .xml.")
@click.option("--preset", help="performance or mixed.")
@click.option("--subset-size", type=int, default=300, show_default=True, help="Calibration samples used.")
@click.option("--model-type", help="transformer, for its placement rules and SmoothQuant.")
@click.option("--target-device", default="ANY", show_default=True, help="Hardware table for placement.")
@click.option("--range-estimator", help="How per-sample extremes become ranges.")
@click.option("--overflow-fix", help="first_layer_only, enable or disable.")
@click.option("--no-bias-correction", is_flag=True, help="Leave biases as they are.")
@click.option("--ignore", "names", multiple=True, help="Name of an operation that stays in float; may be repeated.")
@click.option("--ignore-type", "types", multiple=True, help="Type of operations that stay in float; may be repeated.")
@click.option("--ignore-pattern", "patterns", multiple=True, help="Regular expression of names that stay in float.")
@as_json
def quantize(
    model: str,
    *,
    calibration: str,
    out: str,
    preset: str | None,
    subset_size: int,
    model_type: str | None,
    target_device: str,
    range_estimator: str | None,
    overflow_fix: str | None,
    no_bias_correction: bool,
    names: tuple[str, ...],
    types: tuple[str, ...],
    patterns: tuple[str, ...],
    json_output: bool,
) -> None:
    """Quantizes MODEL to 8 bits with calibration data."""
    from autoq.api import quantize as run_quantize
    from autoq.config import load_data
    from autoq.evaluation import size_bytes
    from autoq.export import check_model_path, save_model
    from autoq.graph import IgnoredScope, read_model

    path = check_model_path(Path(out))
    network = read_model(model)
    quantized = run_quantize(
        network,
        load_data(calibration, Path()),
        preset=preset,
        subset_size=subset_size,
        model_type=model_type,
        target_device=target_device,
        range_estimator=range_estimator,
        overflow_fix=overflow_fix,
        bias_correction=not no_bias_correction,
        ignored_scope=IgnoredScope(names=names, types=types, patterns=patterns),
    )
    save_model(quantized, path)
    before, after = size_bytes(network), size_bytes(quantized)
    if json_output:
        print_json({"path": str(path), "size_bytes": after, "float_size_bytes": before})
    else:
        click.echo(f"{path}: {after / 1e6:.2f} MB, the float model has {before / 1e6:.2f} MB.")
