"""Output of commands: JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from autoq.core import printable
from autoq.report import console_of

as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON instead of text.")
in_layout = click.option(
    "--layout",
    default="ir",
    show_default=True,
    help="ir; or optimum: a folder for Optimum Intel, with config.json and the tokenizer of the float model.",
)


def print_json(values: Any) -> None:  # any JSON value
    """Prints one JSON document."""
    click.echo(json.dumps(values, indent=1))


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Prints a table."""
    table = Table(title=escape(printable(title)), title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    console_of(sys.stdout).print(table)
