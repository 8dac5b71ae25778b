"""`autoq evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from autoq.cli._show import as_json, print_json


@click.command()
@click.argument("model")
@click.option(
    "--validation",
    required=True,
    help=".npz, .csv, images by class, .npy of tokens, {texts: FILE, tokenizer: FOLDER}, or file.py:function of pairs.",
)
@click.option("--metric", help="Name of a metric or of a scikit-learn scorer, or file.py:name of your own.")
@click.option("--evaluate", "function", help="Instead: file.py:function (compiled_model, items) -> score.")
@click.option("--against", help="A model to compare with on the same samples.")
@click.option("--device", default="CPU", show_default=True, help="OpenVINO device.")
@click.option("--precision", default="default", show_default=True, help="Precision of float layers.")
@click.option(
    "--reset-state",
    default="sample",
    show_default=True,
    help="When a model with state is reset: before each sample, or never where samples are steps of one sequence.",
)
@as_json
def evaluate(
    model: str,
    *,
    validation: str,
    metric: str | None,
    function: str | None,
    against: str | None,
    device: str,
    precision: str,
    reset_state: str,
    json_output: bool,
) -> None:
    """Scores MODEL on labelled data, with an interval."""
    from autoq.api import evaluate as run_evaluate
    from autoq.config import load_data, load_function, load_metric

    scoring = run_evaluate(
        model,
        load_data(validation, Path()),
        metric=None if metric is None else load_metric(metric, Path()),
        evaluate=None if function is None else load_function(function, Path()),
        against=against,
        device=device,
        inference_precision=precision,
        reset_state=reset_state,
    )
    if json_output:
        print_json(
            {
                "verdict": scoring.verdict,
                "score": scoring.mean.to_dict(),
                "n": scoring.n,
                "drop": None if scoring.drop is None else scoring.drop.to_dict(),
            }
        )
    else:
        click.echo(f"{metric or function} {scoring.verdict}")
