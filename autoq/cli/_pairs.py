"""Options that are pairs: KEY=VALUE."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click


def read_pairs(option: str, pairs: Iterable[str], example: str) -> dict[str, Any]:
    """Keys and values of an option that may be repeated; values as YAML has them.

    Raises:
        click.UsageError: One is no pair.
    """
    import yaml

    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{option} is {pair!r}: write KEY=VALUE, such as {example}.")
        found[key.strip()] = yaml.safe_load(value)
    return found
