"""`autoq search`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from autoq.cli._show import as_json, print_json


@click.command()
@click.argument("experiment", type=click.Path(dir_okay=False))
@click.option("--quick", is_flag=True, help="Apply the file's `quick` section: a smoke test of everything.")
@click.option("--n-trials", type=int, help="Candidates to measure, instead of the file's budget.")
@click.option("--timeout", "timeout_s", type=float, help="Seconds, instead of the file's budget.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder of the run, instead of the file's.")
@as_json
def search(
    experiment: str,
    *,
    quick: bool,
    n_trials: int | None,
    timeout_s: float | None,
    out: str | None,
    json_output: bool,
) -> None:
    """Runs the search that EXPERIMENT, a YAML file, describes; run again, it goes on where it was stopped."""
    launch(experiment, quick=quick, n_trials=n_trials, timeout_s=timeout_s, out=out, json_output=json_output)


def launch(
    experiment: str,
    *,
    quick: bool = False,
    n_trials: int | None = None,
    timeout_s: float | None = None,
    out: str | None = None,
    json_output: bool = False,
) -> None:
    """Runs an experiment file and prints the outcome.

    Raises:
        AutoqError: Something in the file, or that it names, cannot be used; or nothing meets the budget.
    """
    from autoq.api import RunFolder
    from autoq.api import search as run_search
    from autoq.config import ExperimentConfig

    config = ExperimentConfig.load(experiment, quick=quick)
    folder = out or config.out
    if folder is not None:
        # Before any work: a folder that cannot be written to would be found out at the end.
        RunFolder.create(folder)
    given: dict[str, Any] = {"out": folder}
    if n_trials is not None or timeout_s is not None:
        given |= {"n_trials": n_trials, "timeout_s": timeout_s}
    arguments = config.search_arguments() | given
    result = run_search(arguments.pop("model"), **arguments, progress=not json_output)
    # Where nothing meets the budget, this raises with the closest candidate and the reason.
    best = result.best
    if json_output:
        chosen = None if best.record.evaluation is None else asdict(best.record.evaluation.accuracy.drop)
        print_json(
            {
                "verdict": result.verdict,
                "best": best.record.number,
                "drop": chosen,
                "speedup": asdict(best.evaluation.latency.speedup),
                "holdout": None if result.holdout is None else asdict(result.holdout.drop),
                "gap": None if result.gap is None else asdict(result.gap),
                "front": [record.number for record in result.front],
                "trials": len(result.records),
                "folder": None if result.folder is None else str(result.folder),
            }
        )
    else:
        _print_outcome(result, arguments["tracking_uri"], arguments["experiment"])
    if result.interrupted:
        sys.exit(130)


def _print_outcome(result: Any, tracking_uri: str, experiment: str) -> None:  # imported where used
    click.echo(f"Chosen: {result.verdict}")
    if (held_out := result.holdout_verdict) is not None:
        click.echo(held_out[:1].upper() + held_out[1:])
    if result.interrupted:
        click.echo("Stopped before the budget was spent; the same command goes on from here.")
    if result.folder is not None:
        click.echo(f"Model:  {result.folder / 'best.xml'}")
        click.echo(f"Report: {result.folder / 'report.html'}, picture {result.folder / 'front.png'}")
    if tracking_uri != "off":
        from autoq.tracking import open_sentence

        click.echo(f"MLflow: {open_sentence(tracking_uri, experiment)}")
