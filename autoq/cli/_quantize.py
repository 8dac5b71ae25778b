"""`autoq quantize`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from autoq.cli._quantize_options import DATA_HELP, DEFAULT_SAMPLES, quantize_options, read_options
from autoq.cli._show import as_json, print_json, say_sizes, size_facts
from autoq.cli._trouble import writes_to
from autoq.core import capitalized, check_not_inputs, counted, shown

_SCORES = (("score", "float_score"), ("float_score", "score"))


@click.command()
@click.argument("model")
@click.option("--calibration", required=True, help=DATA_HELP)
@click.option("-o", "--out", required=True, help="Path of the quantized .xml.")
@quantize_options
@click.option("--accurate-bias-correction", is_flag=True, help="Measure each layer in the quantized model.")
@click.option("--strict", is_flag=True, help="Fail where the device refuses groups, instead of leaving them in float.")
@click.option("--ignored-scope", help="Operations that stay in float: a .yaml that `autoq sensitivity` wrote.")
@click.option("--max-drop", help="Accuracy budget: 0.01 or 1%. Needs --validation and --metric.")
@click.option("--validation", help="Labelled data, like --calibration; images in a folder for each class.")
@click.option("--metric", help="Name, or module:function or file.py:function.")
@click.option("--timeout", "timeout_s", type=float, help="Seconds until the best model so far is taken.")
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
    strict: bool,
    json_output: bool,
    **given: Any,  # the other options, by the names above
) -> None:
    """Quantizes MODEL to 8 bits with calibration data; within an accuracy budget where --max-drop is given."""
    from autoq.api import quantize as run_quantize
    from autoq.api import quantize_with_accuracy_control
    from autoq.config import load_data, load_metric
    from autoq.export import check_model_path, save_model
    from autoq.graph import model_files, read_model
    from autoq.transform import noted_samples

    path = check_model_path(Path(out))
    check_not_inputs([path, path.with_suffix(".bin")], model_files(model))
    writes_to(path.parent)
    network, options = read_model(model), read_options(**given)
    data = load_data(calibration, Path())
    if max_drop is None:
        quantized = run_quantize(network, data, strict=strict, **options)
    else:
        if validation is None or metric is None:
            missing = "--validation" if validation is None else "--metric"
            raise click.UsageError(f"--max-drop needs {missing}: pass labelled data and a metric.")
        quantized = quantize_with_accuracy_control(
            network,
            data,
            load_data(validation, Path()),
            metric=load_metric(metric, Path()),
            max_drop=max_drop,
            timeout_s=timeout_s,
            strict=strict,
            **options,
        )
    save_model(quantized, path)
    found = size_facts(path, network, quantized)
    if (samples := noted_samples(quantized)) is not None:
        found["calibration_samples"] = samples
    if quantized.has_rt_info(["autoq", "accuracy_control"]):
        found |= json.loads(str(quantized.get_rt_info(["autoq", "accuracy_control"]).value))
    if json_output:
        print_json(found)
        return
    say_sizes(found)
    if samples is not None and samples < DEFAULT_SAMPLES and options["subset_size"] is None:
        click.echo(f"calibrated on {counted(samples, 'sample')}: the data hold no more; {DEFAULT_SAMPLES} are usual.")
    if "drop" in found:
        scores = [shown(found[key], significant=4, beside=found[other]) for key, other in _SCORES]
        drop = shown(found["drop"], beside=found["max_drop"])
        click.echo(f"score {scores[0]}, the float model's is {scores[1]}: a drop of {drop}.")
        if found["note"] is not None:
            click.echo(f"{capitalized(found['note'])}.")
