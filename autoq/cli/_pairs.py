"""Options of the form KEY=VALUE."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from autoq.core import quoted, yaml_value


def read_pairs(option: str, pairs: Iterable[str], example: str) -> dict[str, Any]:
    """Keys and values of an option that may be repeated. Values are read as YAML.

    Raises:
        click.UsageError: One has no equals sign.
        ConfigError: A value is not YAML.
    """
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{option} is {quoted(pair)}: write KEY=VALUE, such as {example}.")
        found[key.strip()] = yaml_value(value, f"the value of {option} {quoted(pair)}")
    return found
