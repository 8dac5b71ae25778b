"""The public face: what a user calls."""

from typing import TYPE_CHECKING

from autoq._lazy import lazy_names

if TYPE_CHECKING:
    from autoq.api._accuracy_control import quantize_with_accuracy_control
    from autoq.api._budget import absolute_drop
    from autoq.api._candidate import Candidate
    from autoq.api._folder import RunFolder
    from autoq.api._measure import Comparison, Scoring, benchmark, evaluate
    from autoq.api._profile import profile
    from autoq.api._quantize import quantize
    from autoq.api._result import SearchResult
    from autoq.api._search import search
    from autoq.api._sensitivity import sensitivity
    from autoq.api._sensitivity_brief import sensitivity_columns, sensitivity_rows, sensitivity_summary
    from autoq.api._sensitivity_report import SensitivityReport, UnitSensitivity

__all__ = [
    "Candidate",
    "Comparison",
    "RunFolder",
    "Scoring",
    "SearchResult",
    "SensitivityReport",
    "UnitSensitivity",
    "absolute_drop",
    "benchmark",
    "evaluate",
    "profile",
    "quantize",
    "quantize_with_accuracy_control",
    "search",
    "sensitivity",
    "sensitivity_columns",
    "sensitivity_rows",
    "sensitivity_summary",
]

# Quantizing needs neither Optuna nor MLflow: what a name does not need is not imported with it.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "autoq.api._accuracy_control": ["quantize_with_accuracy_control"],
        "autoq.api._budget": ["absolute_drop"],
        "autoq.api._folder": ["RunFolder"],
        "autoq.api._measure": ["Comparison", "Scoring", "benchmark", "evaluate"],
        "autoq.api._profile": ["profile"],
        "autoq.api._quantize": ["quantize"],
        "autoq.api._candidate": ["Candidate"],
        "autoq.api._result": ["SearchResult"],
        "autoq.api._search": ["search"],
        "autoq.api._sensitivity": ["sensitivity"],
        "autoq.api._sensitivity_brief": ["sensitivity_columns", "sensitivity_rows", "sensitivity_summary"],
        "autoq.api._sensitivity_report": ["SensitivityReport", "UnitSensitivity"],
    },
)
