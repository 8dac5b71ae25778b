"""The public face: what a user calls."""

from autoq.api._folder import RunFolder
from autoq.api._measure import Comparison, benchmark, evaluate
from autoq.api._quantize import quantize
from autoq.api._result import Candidate, SearchResult
from autoq.api._search import absolute_drop, search

__all__ = [
    "Candidate",
    "Comparison",
    "RunFolder",
    "SearchResult",
    "absolute_drop",
    "benchmark",
    "evaluate",
    "quantize",
    "search",
]
