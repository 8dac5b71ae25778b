"""autoq finds the quantized OpenVINO models worth deploying: the Pareto front of accuracy against measured latency.

    result = autoq.search("model.xml", calibration=images, validation=pairs, metric="accuracy", max_drop=0.01)
    result.best.save("model_int8.xml")

Names are loaded when they are first used, so that `import autoq` itself costs nothing.
"""

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
        compress_weights,
        evaluate,
        finetune,
        learn_rounding,
        profile,
        prune,
        quantize,
        quantize_with_accuracy_control,
        search,
        sensitivity,
    )
    from autoq.calibration import Images, Statistics, collect, images, table, token_windows
    from autoq.core import (
        AutoqError,
        BudgetError,
        CompressionPlan,
        Plan,
        Precision,
        QuantizationPlan,
        Recipe,
        WeightFormat,
    )
    from autoq.evaluation.device import RuntimeConfig
    from autoq.evaluation.execution import Profile
    from autoq.evaluation.metrics import CorpusMetric
    from autoq.graph import IgnoredScope, QuantizationGraph, analyze, read_model
    from autoq.searching.records import TrialRecord
    from autoq.searching.shown import ParetoFront, SearchObserver
    from autoq.searching.space import SearchSpace
    from autoq.transform import make_stateful

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
        "compress_weights",
        "evaluate",
        "finetune",
        "learn_rounding",
        "profile",
        "prune",
        "quantize",
        "quantize_with_accuracy_control",
        "search",
        "sensitivity",
    ],
    "autoq.calibration": ["Images", "Statistics", "collect", "images", "table", "token_windows"],
    "autoq.core": [
        "AutoqError",
        "BudgetError",
        "CompressionPlan",
        "Plan",
        "Precision",
        "QuantizationPlan",
        "Recipe",
        "WeightFormat",
    ],
    "autoq.evaluation.device": ["RuntimeConfig"],
    "autoq.evaluation.execution": ["Profile"],
    "autoq.evaluation.metrics": ["CorpusMetric"],
    "autoq.graph": ["IgnoredScope", "QuantizationGraph", "analyze", "read_model"],
    "autoq.searching.records": ["TrialRecord"],
    "autoq.searching.shown": ["ParetoFront", "SearchObserver"],
    "autoq.searching.space": ["SearchSpace"],
    "autoq.transform": ["make_stateful"],
}

__all__ = [
    "AutoqError",
    "BudgetError",
    "Candidate",
    "Comparison",
    "CompressionPlan",
    "CorpusMetric",
    "IgnoredScope",
    "Images",
    "ParetoFront",
    "Plan",
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
    "WeightFormat",
    "__version__",
    "analyze",
    "benchmark",
    "collect",
    "compress_weights",
    "evaluate",
    "finetune",
    "images",
    "learn_rounding",
    "make_stateful",
    "profile",
    "prune",
    "quantize",
    "quantize_with_accuracy_control",
    "read_model",
    "search",
    "sensitivity",
    "table",
    "token_windows",
]


__getattr__, _ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
