"""`autoq search`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from autoq._stopping import exit_code
from autoq.cli._show import as_json, print_json, print_table
from autoq.cli._trouble import keeps, say_after_stop, writes_to
from autoq.cli.words import Keeping
from autoq.core import BudgetError, capitalized, shown_path

_BUDGET = ("n_trials", "timeout_s")
_LENGTHS = ("steps", "epochs")


def _rule(_: click.Context, __: click.Parameter, value: str | None) -> str | list[str] | None:
    return value.split(",") if value and "," in value else value


@click.command()
@click.argument("experiment", type=click.Path(dir_okay=False))
@click.option("--quick", is_flag=True, help="Apply the file's `quick` section: a smoke test of everything.")
@click.option("--n-trials", type=int, help="Candidates to measure; replaces the file's budget.")
@click.option("--timeout", "timeout_s", type=float, help="Seconds; replaces the file's budget.")
@click.option("--until", type=click.Choice(["gain", "time"]), help="Whether it may end before its budget is spent.")
@click.option("--finetune", "tuned_s", type=float, help="Seconds, of those of the search, to train the best models.")
@click.option("--max-drop", help="Largest drop of accuracy: 0.01, 1%.")
@click.option("--max-latency", help="Largest latency: 5, '0.8 ms', 50%.")
@click.option("--max-size", help="Largest size: 2MB, 25%.")
@click.option(
    "--choose",
    callback=_rule,
    help="Rule of the choice: fastest, accurate, smallest, knee, or criteria such as accuracy,size.",
)
@click.option("--against", type=click.Choice(["latency", "size"]), help="What accuracy is weighed against.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder of the run.")
@click.option("-v", "--verbose", is_flag=True, help="Tell where the time went.")
@as_json
def search(
    experiment: str, *, quick: bool, verbose: bool, json_output: bool, tuned_s: float | None, **instead: Any
) -> None:
    """Runs the search of EXPERIMENT, a YAML file, or goes on with it where it was stopped.

    Options replace what the file says.
    """
    keeps(Keeping.NOT_YET)
    from autoq.api import RunFolder
    from autoq.api import search as run_search
    from autoq.config import ExperimentConfig

    given = {name: value for name, value in instead.items() if value is not None}
    if given.keys() & _BUDGET:
        given = dict.fromkeys(_BUDGET) | given
    config = ExperimentConfig.load(experiment, quick=quick)
    folder = given.get("out") or config.out
    if folder is not None:
        # A folder that cannot be written to is reported before any work.
        RunFolder.create(folder)
        writes_to(folder)
        keeps(Keeping.KEPT, lambda: RunFolder(Path(folder)).has_work)
    else:
        keeps(Keeping.LOST if config.storage is None else Keeping.KEPT)
    arguments = config.search_arguments() | given
    if tuned_s is not None:
        kept = {name: value for name, value in (arguments["finetune"] or {}).items() if name not in _LENGTHS}
        arguments["finetune"] = {**kept, "timeout_s": tuned_s}
    result = run_search(arguments.pop("model"), **arguments, progress=not json_output)
    try:
        best = result.best
    except BudgetError as error:  # no model meets the budget; the message names the closest one
        if result.interrupted:
            click.echo(capitalized(str(error)), err=True)
            _stop()
        raise
    if json_output:
        first = best.evaluation.latency.first_token
        chosen = None if best.record.evaluation is None else best.record.evaluation.accuracy.drop.to_dict()
        print_json(
            {
                "verdict": result.verdict,
                "best": best.record.number,
                "drop": chosen,
                "speedup": best.evaluation.latency.speedup.to_dict(),
                "first_token_speedup": None if first is None else first.speedup.to_dict(),
                "holdout": None if result.holdout is None else result.holdout.drop.to_dict(),
                "gap": None if result.gap is None else result.gap.to_dict(),
                "front": [record.number for record in result.front],
                "trials": len(result.records),
                "ended_before": result.ended_before,
                "seconds": dict(result.seconds),
                "folder": None if result.folder is None else str(result.folder),
            }
        )
    else:
        _print_outcome(result, arguments["tracking_uri"], arguments["experiment"])
        if verbose:
            _print_time(result)
    if result.interrupted:
        _stop()


def _stop() -> NoReturn:
    say_after_stop()
    sys.exit(exit_code())


def _print_time(result: Any) -> None:  # imported where used
    from autoq.searching.shown import TIME_COLUMNS, time_title

    rows = result.where_time_went
    print_table(time_title(rows), list(TIME_COLUMNS), [list(row.texts) for row in rows])


def _print_outcome(result: Any, tracking_uri: str | None, experiment: str | None) -> None:  # imported where used
    click.echo(f"Chosen: {result.verdict}")
    if (held_out := result.holdout_verdict) is not None:
        click.echo(capitalized(held_out))
    for sentence in result.shortened:
        click.echo(capitalized(sentence))
    if result.ended_before:
        click.echo("The search had ended before. To go on, ask for more with --n-trials or --timeout.")
    if result.interrupted:
        click.echo("Stopped before the budget was spent.")
    if result.folder is not None:
        folder = result.folder
        click.echo(f"Model:  {shown_path(folder / 'best' / 'model.xml')}")
        click.echo(f"Report: {shown_path(folder / 'report.html')}, picture {shown_path(folder / 'front.png')}")
    if tracking_uri != "off":
        from autoq.tracking import open_sentence

        click.echo(f"MLflow: {open_sentence(tracking_uri, experiment)}")
