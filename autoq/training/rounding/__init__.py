"""Learned rounding: which of its two levels each weight takes is learned block by block, with the scales."""

from autoq.training.rounding._learn import learn_levels
from autoq.training.rounding._report import LearnedBlock, RoundingReport
from autoq.training.rounding._task import RoundingTask

__all__ = ["LearnedBlock", "RoundingReport", "RoundingTask", "learn_levels"]
