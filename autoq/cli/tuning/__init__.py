"""The command that trains."""

from autoq.cli.tuning._tune import tune

__all__ = ["tune"]
