"""`autoq evaluate`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from autoq.cli._show import as_json, print_json


@click.command()
@click.argument("model")
@click.option("--validation", required=True, help=".npz with x and y, or file.py:function that returns pairs.")
@click.option("--metric", help="Name, ours or of a scikit-learn scorer; or file.py:function or object.")
@click.option("--evaluate", "function", help="Instead: file.py:function that takes (compiled_model, items).")
@click.option("--against", help="A model to compare with, on the same samples.")
@click.option("--device", default="CPU", show_default=True, help="OpenVINO device.")
@click.option("--precision", default="default", show_default=True, help="What float layers run in.")
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
    json_output: bool,
) -> None:
    """Scores MODEL on labelled data, with an interval."""
    from autoq.api import evaluate as run_evaluate
    from autoq.config import load_data, load_function, load_metric

    data = load_data(validation, Path())
    scoring = run_evaluate(
        model,
        data,
        metric=None if metric is None else load_metric(metric, Path()),
        evaluate=None if function is None else load_function(function, Path()),
        against=against,
        device=device,
        inference_precision=precision,
    )
    if json_output:
        print_json(
            {
                "verdict": scoring.verdict,
                "score": asdict(scoring.mean),
                "n": scoring.n,
                "drop": None if scoring.drop is None else asdict(scoring.drop),
            }
        )
    else:
        click.echo(f"{metric or function} {scoring.verdict}")
