"""`autoq report`."""

from __future__ import annotations

import sys

import click

from autoq.cli._show import as_json, print_json
from autoq.cli._trouble import writes_to


@click.command()
@click.argument("folder", type=click.Path(file_okay=False))
@as_json
def report(folder: str, *, json_output: bool) -> None:
    """Writes report.html and front.png of a run's FOLDER again, and prints the front."""
    from autoq.api import SearchResult
    from autoq.report import console_of, front_table
    from autoq.searching.records import record_to_dict

    result = SearchResult.load(folder)
    writes_to(folder)
    result.write_report(folder)
    if json_output:
        print_json(
            {
                "verdict": result.verdict,
                "holdout": result.holdout_verdict,
                "front": [record_to_dict(record) for record in result.front],
            }
        )
        return
    console = console_of(sys.stdout)
    console.print(front_table(result.table, console.width))
    click.echo(result.verdict)
    if result.holdout_verdict is not None:
        click.echo(result.holdout_verdict)
