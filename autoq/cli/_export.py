"""`autoq export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from autoq.cli._show import as_json, in_layout, print_json
from autoq.cli._trouble import writes_to


@click.command()
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--trial", type=int, help="Number of the trial; the chosen one by default.")
@click.option("-o", "--out", required=True, help="Path of the .xml; with --layout optimum, a folder.")
@in_layout
@as_json
def export(folder: str, *, trial: int | None, out: str, layout: str, json_output: bool) -> None:
    """Builds the model of a trial of a run's FOLDER again and saves it.

    While the run goes on, or after it was killed, only the trials of the front so far can be built.
    """
    from autoq.api import SearchResult

    result = SearchResult.load(folder)
    candidate = result.best if trial is None else result.candidate(trial)
    writes_to(Path(out).parent)
    path = candidate.save(out, layout=layout)
    if json_output:
        drop = asdict(candidate.evaluation.accuracy.drop)
        print_json({"path": str(path), "trial": candidate.record.number, "drop": drop})
    else:
        click.echo(f"{path}: {candidate.describe()}")
