"""The search: a space, trials, and the front that they make. The only package that imports Optuna."""

from autoq.search._audience import Audience
from autoq.search._brief import front_html, front_lines
from autoq.search._choice import Rule, choose, closest, parse_rule
from autoq.search._clock import Clock
from autoq.search._closing import MOST_FINALISTS, close
from autoq.search._default_precision import broken_by_default
from autoq.search._expected_improvement import area
from autoq.search._explore import Explored, explore
from autoq.search._figures import row_metrics, row_recipe, row_values, table_csv
from autoq.search._front import ParetoFront, objectives
from autoq.search._front_sampler import FrontSampler
from autoq.search._gains import latency_gains
from autoq.search._identity import as_digest, plain
from autoq.search._knowledge import Knowledge, Probes
from autoq.search._learn import learn
from autoq.search._level import likely_trials, settle_level
from autoq.search._limits import Limits
from autoq.search._markup import heading, legend_html, trials_html
from autoq.search._observer import SearchInfo, SearchObserver
from autoq.search._parameters import plan_of_units
from autoq.search._plot import plot_table
from autoq.search._prediction import PredictionError, predict, prediction_error
from autoq.search._problem import (
    STATISTICS,
    Problem,
    Stage,
    builder_again,
    digests_of,
    place,
    prepare,
    supported_space,
)
from autoq.search._reasons import why_chosen
from autoq.search._recording import Recording
from autoq.search._records import TrialRecord, TrialState, evaluation_of
from autoq.search._reduced_space import ReducedSpace
from autoq.search._restore import restoration_order, restore
from autoq.search._rows import Place, TrialRow, TrialTable, chosen_of
from autoq.search._run import Budget, Keep, run, why
from autoq.search._sensitivity import Sensitivities, alike, measure_restorations, measure_sensitivities
from autoq.search._serial import (
    accuracy_from_dict,
    accuracy_to_dict,
    evaluation_from_dict,
    evaluation_to_dict,
    info_from_dict,
    info_to_dict,
    latency_from_dict,
    latency_to_dict,
    record_from_dict,
    record_to_dict,
)
from autoq.search._space import ScopeRules, SearchSpace
from autoq.search._steer import least_distorting, steer
from autoq.search._storage import Storage
from autoq.search._study import Study, kept_before, quiet_optuna
from autoq.search._svg import chart_svg
from autoq.search._synthetic_table import synthetic_table
from autoq.search._table import RecordedTable
from autoq.search._texts import (
    ACCURACY_DROP,
    FLOAT_GROUPS,
    HELD_OUT,
    INT8_LAYERS,
    LATENCY,
    ORIGIN,
    REMARK,
    SIZE,
    SPEED_UP,
    STANDING,
    TRIAL,
    TextColumn,
    columns_of,
    legend,
    title_of,
)

__all__ = [
    "ACCURACY_DROP",
    "FLOAT_GROUPS",
    "HELD_OUT",
    "INT8_LAYERS",
    "LATENCY",
    "MOST_FINALISTS",
    "ORIGIN",
    "REMARK",
    "SIZE",
    "SPEED_UP",
    "STANDING",
    "STATISTICS",
    "TRIAL",
    "Audience",
    "Budget",
    "Clock",
    "Explored",
    "FrontSampler",
    "Keep",
    "Knowledge",
    "Limits",
    "ParetoFront",
    "Place",
    "PredictionError",
    "Probes",
    "Problem",
    "RecordedTable",
    "Recording",
    "ReducedSpace",
    "Rule",
    "ScopeRules",
    "SearchInfo",
    "SearchObserver",
    "SearchSpace",
    "Sensitivities",
    "Stage",
    "Storage",
    "Study",
    "TextColumn",
    "TrialRecord",
    "TrialRow",
    "TrialState",
    "TrialTable",
    "accuracy_from_dict",
    "accuracy_to_dict",
    "alike",
    "area",
    "as_digest",
    "broken_by_default",
    "builder_again",
    "chart_svg",
    "choose",
    "chosen_of",
    "close",
    "closest",
    "columns_of",
    "digests_of",
    "evaluation_from_dict",
    "evaluation_of",
    "evaluation_to_dict",
    "explore",
    "front_html",
    "front_lines",
    "heading",
    "info_from_dict",
    "info_to_dict",
    "kept_before",
    "latency_from_dict",
    "latency_gains",
    "latency_to_dict",
    "learn",
    "least_distorting",
    "legend",
    "legend_html",
    "likely_trials",
    "measure_restorations",
    "measure_sensitivities",
    "objectives",
    "parse_rule",
    "place",
    "plain",
    "plan_of_units",
    "plot_table",
    "predict",
    "prediction_error",
    "prepare",
    "quiet_optuna",
    "record_from_dict",
    "record_to_dict",
    "restoration_order",
    "restore",
    "row_metrics",
    "row_recipe",
    "row_values",
    "run",
    "settle_level",
    "steer",
    "supported_space",
    "synthetic_table",
    "table_csv",
    "title_of",
    "trials_html",
    "why",
    "why_chosen",
]
