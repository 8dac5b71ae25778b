"""Learned rounding: which of its two levels each weight takes is learned block by block, with the scales."""

from autoq.training.rounding._learn import LearnedBlock, RoundingReport, RoundingTask, learn_levels

__all__ = ["LearnedBlock", "RoundingReport", "RoundingTask", "learn_levels"]
