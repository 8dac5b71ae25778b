"""Searches of a recorded table in place of a device: tests and benchmarks judge samplers by them."""

from autoq.searching.recorded._recorded_problem import recorded_problem
from autoq.searching.recorded._recording import MEASURED, Recording
from autoq.searching.recorded._reduced_space import ReducedSpace
from autoq.searching.recorded._synthetic_table import synthetic_table
from autoq.searching.recorded._table import RecordedTable

__all__ = [
    "MEASURED",
    "RecordedTable",
    "Recording",
    "ReducedSpace",
    "recorded_problem",
    "synthetic_table",
]
