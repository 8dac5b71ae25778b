"""`autoq evaluate`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from autoq.cli._show import as_json, print_json


@click.command()
@click.argument("model")
@click.option("--validation", required=True, help=".npz with x and y, or file.py:function that returns pairs.")
@click.option("--metric", required=True, help="Name, or file.py:function.")
@click.option("--against", help="A model to compare with, on the same samples.")
@click.option("--device", default="CPU", show_default=True, help="OpenVINO device.")
@click.option("--precision", default="default", show_default=True, help="What float layers run in.")
@as_json
def evaluate(
    model: str,
    *,
    validation: str,
    metric: str,
    against: str | None,
    device: str,
    precision: str,
    json_output: bool,
) -> None:
    """Scores MODEL on labelled data, with an interval."""
    from autoq.api import evaluate as run_evaluate
    from autoq.config import load_data, load_metric

    data = load_data(validation, Path())
    scoring = run_evaluate(
        model, data, metric=load_metric(metric, Path()), against=against, device=device, inference_precision=precision
    )
    if json_output:
        print_json(
            {
                "verdict": scoring.verdict,
                "score": asdict(scoring.mean),
                "n": len(scoring.scores),
                "drop": None if scoring.drop is None else asdict(scoring.drop),
            }
        )
    else:
        click.echo(f"{metric} {scoring.verdict}")
