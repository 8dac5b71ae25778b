"""The `autoq` command."""

from autoq.cli._entry import main

__all__ = ["main"]
