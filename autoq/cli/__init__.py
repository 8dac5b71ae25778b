"""The `autoq` command."""

from autoq.cli._main import cli, main
from autoq.cli._search import launch

__all__ = ["cli", "launch", "main"]
