"""The public face: what a user calls."""

from typing import TYPE_CHECKING

from autoq._lazy import lazy_names

if TYPE_CHECKING:
    from autoq.api.compressing._compress_weights import compress_weights
    from autoq.api.measuring._budget import absolute_drop
    from autoq.api.measuring._measure import Comparison, Scoring, benchmark, evaluate
    from autoq.api.measuring._profile import profile
    from autoq.api.pruning._prune import prune
    from autoq.api.quantizing._accuracy_control import quantize_with_accuracy_control
    from autoq.api.quantizing._quantize import quantize
    from autoq.api.results._candidate import Candidate
    from autoq.api.results._folder import RunFolder
    from autoq.api.results._result import SearchResult
    from autoq.api.searches._search import search
    from autoq.api.sensitivities._sensitivity import sensitivity
    from autoq.api.sensitivities._sensitivity_brief import sensitivity_columns, sensitivity_rows, sensitivity_summary
    from autoq.api.sensitivities._sensitivity_report import SensitivityReport
    from autoq.api.sensitivities._unit_sensitivity import UnitSensitivity, how_it_is_spared
    from autoq.api.tuning._finetune import TunedModel, finetune, finetuned
    from autoq.api.tuning._learn_rounding import RoundedModel, learn_rounding, learned_rounding
    from autoq.api.tuning._rounding_settings import RoundingSettings
    from autoq.api.tuning._settings import TuningSettings

__all__ = [
    "Candidate",
    "Comparison",
    "RoundedModel",
    "RoundingSettings",
    "RunFolder",
    "Scoring",
    "SearchResult",
    "SensitivityReport",
    "TunedModel",
    "TuningSettings",
    "UnitSensitivity",
    "absolute_drop",
    "benchmark",
    "compress_weights",
    "evaluate",
    "finetune",
    "finetuned",
    "how_it_is_spared",
    "learn_rounding",
    "learned_rounding",
    "profile",
    "prune",
    "quantize",
    "quantize_with_accuracy_control",
    "search",
    "sensitivity",
    "sensitivity_columns",
    "sensitivity_rows",
    "sensitivity_summary",
]

# Names are imported when they are used: quantizing needs neither Optuna nor MLflow.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "autoq.api.compressing._compress_weights": ["compress_weights"],
        "autoq.api.quantizing._accuracy_control": ["quantize_with_accuracy_control"],
        "autoq.api.measuring._budget": ["absolute_drop"],
        "autoq.api.results._folder": ["RunFolder"],
        "autoq.api.measuring._measure": ["Comparison", "Scoring", "benchmark", "evaluate"],
        "autoq.api.measuring._profile": ["profile"],
        "autoq.api.pruning._prune": ["prune"],
        "autoq.api.quantizing._quantize": ["quantize"],
        "autoq.api.results._candidate": ["Candidate"],
        "autoq.api.results._result": ["SearchResult"],
        "autoq.api.searches._search": ["search"],
        "autoq.api.sensitivities._sensitivity": ["sensitivity"],
        "autoq.api.sensitivities._sensitivity_brief": [
            "sensitivity_columns",
            "sensitivity_rows",
            "sensitivity_summary",
        ],
        "autoq.api.sensitivities._sensitivity_report": ["SensitivityReport"],
        "autoq.api.sensitivities._unit_sensitivity": ["UnitSensitivity", "how_it_is_spared"],
        "autoq.api.tuning._finetune": ["TunedModel", "finetune", "finetuned"],
        "autoq.api.tuning._learn_rounding": ["RoundedModel", "learn_rounding", "learned_rounding"],
        "autoq.api.tuning._rounding_settings": ["RoundingSettings"],
        "autoq.api.tuning._settings": ["TuningSettings"],
    },
)
