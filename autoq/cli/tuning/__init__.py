"""The commands that train."""

from autoq.cli.tuning._round import learn_to_round
from autoq.cli.tuning._tune import tune

__all__ = ["learn_to_round", "tune"]
