"""Output of commands: JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from autoq.core import printable, shown
from autoq.report import console_of

if TYPE_CHECKING:
    import openvino as ov

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


def size_facts(path: Path, network: ov.Model, made: ov.Model) -> dict[str, Any]:
    """Path and sizes of a model as JSON values.

    Args:
        path: Where the model is.
        network: The float model.
        made: The model.
    """
    from autoq.evaluation.candidate import size_bytes

    return {"path": str(path), "size_bytes": size_bytes(made), "float_size_bytes": size_bytes(network)}


def say_sizes(facts: dict[str, Any]) -> None:
    """Prints the line of `size_facts`."""
    sizes = [shown(facts[key] / 1e6, least=2) for key in ("size_bytes", "float_size_bytes")]
    click.echo(f"{facts['path']}: {sizes[0]} MB, the float model has {sizes[1]} MB.")
