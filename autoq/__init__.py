"""autoq finds the quantized OpenVINO models worth deploying: the Pareto front of accuracy against measured latency.

    result = autoq.search("model.xml", calibration=images, validation=pairs, metric="accuracy", max_drop=0.01)
    result.best.save("model_int8.xml")

Names are loaded when they are first used, so that `import autoq` itself costs nothing.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from autoq._lazy import lazy_names

if TYPE_CHECKING:
    from autoq.api import (
        Candidate,
        Comparison,
        RunFolder,
        Scoring,
        SearchResult,
        SensitivityReport,
        benchmark,
        evaluate,
        profile,
        quantize,
        quantize_with_accuracy_control,
        search,
        sensitivity,
    )
    from autoq.calibration import Images, Statistics, collect, images, table
    from autoq.core import AutoqError, BudgetError, Precision, QuantizationPlan, Recipe
    from autoq.evaluation import CorpusMetric, Profile, RuntimeConfig
    from autoq.graph import IgnoredScope, QuantizationGraph, analyze, read_model
    from autoq.search import ParetoFront, SearchObserver, SearchSpace, TrialRecord

__version__ = "0.1.0"

_HOMES = {
    "autoq.api": [
        "Candidate",
        "Comparison",
        "RunFolder",
        "Scoring",
        "SearchResult",
        "SensitivityReport",
        "benchmark",
        "evaluate",
        "profile",
        "quantize",
        "quantize_with_accuracy_control",
        "search",
        "sensitivity",
    ],
    "autoq.calibration": ["Images", "Statistics", "collect", "images", "table"],
    "autoq.core": ["AutoqError", "BudgetError", "Precision", "QuantizationPlan", "Recipe"],
    "autoq.evaluation": ["CorpusMetric", "Profile", "RuntimeConfig"],
    "autoq.graph": ["IgnoredScope", "QuantizationGraph", "analyze", "read_model"],
    "autoq.search": ["ParetoFront", "SearchObserver", "SearchSpace", "TrialRecord"],
}

__all__ = [
    "AutoqError",
    "BudgetError",
    "Candidate",
    "Comparison",
    "CorpusMetric",
    "IgnoredScope",
    "Images",
    "ParetoFront",
    "Precision",
    "Profile",
    "QuantizationGraph",
    "QuantizationPlan",
    "Recipe",
    "RunFolder",
    "RuntimeConfig",
    "Scoring",
    "SearchObserver",
    "SearchResult",
    "SearchSpace",
    "SensitivityReport",
    "Statistics",
    "TrialRecord",
    "__version__",
    "analyze",
    "benchmark",
    "collect",
    "evaluate",
    "images",
    "profile",
    "quantize",
    "quantize_with_accuracy_control",
    "read_model",
    "search",
    "sensitivity",
    "table",
]


__getattr__, _ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps `autoq.search` the function: importing the package of that name would put the package in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
