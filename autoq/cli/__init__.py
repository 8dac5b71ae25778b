"""The `autoq` command."""

from autoq.cli._main import cli, main

__all__ = ["cli", "main"]
