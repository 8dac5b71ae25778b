"""The chart view of an experiment.

MLflow's UI keeps shared views as JSON in experiment tags. The format is internal to MLflow 3. Only this module writes
it, and everything else works without it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

_TAG = "mlflow.sharedViewState.autoq"


def share_view(client: Any, experiment_id: str) -> None:  # MlflowClient; its package has no types
    """Stores the view under the key "autoq", where the store takes it.

    Searches that begin at the same moment all write it, and a store may refuse all but the first.
    """
    with suppress(Exception):
        client.set_experiment_tag(experiment_id, _TAG, json.dumps(shared_view()))


def shared_view() -> dict[str, Any]:
    """Pareto scatter, parallel coordinates, and the curves of the search; runs are listed fastest first.

    In its usual order by time, the UI folds trials into their parent run, and charts do not show folded runs.
    """
    section = "autoq"
    charts = [
        {
            "uuid": "autoq-pareto",
            "type": "SCATTER",
            "metricSectionId": section,
            "displayName": "Pareto front: accuracy drop against speed-up",
            "runsCountToCompare": 100,
            "xaxis": {"key": "speedup", "type": "METRIC"},
            "yaxis": {"key": "accuracy_drop", "type": "METRIC"},
            "deleted": False,
            "isGenerated": False,
        },
        {
            "uuid": "autoq-parallel",
            "type": "PARALLEL",
            "metricSectionId": section,
            "displayName": "Recipes",
            "runsCountToCompare": 100,
            "selectedParams": ["preset", "range_estimator", "bias_correction"],
            "selectedMetrics": ["float_groups", "accuracy_drop", "speedup"],
            "showAllRuns": False,
            "deleted": False,
            "isGenerated": False,
        },
        {
            "uuid": "autoq-hypervolume",
            "type": "LINE",
            "metricSectionId": section,
            "displayName": "Hypervolume of the front by trial",
            "runsCountToCompare": 10,
            "metricKey": "search/hypervolume",
            "selectedMetricKeys": ["search/hypervolume"],
            "xAxisKey": "step",
            "xAxisScaleType": "linear",
            "scaleType": "linear",
            "lineSmoothness": 0,
            "useGlobalLineSmoothing": False,
            "deleted": False,
            "isGenerated": False,
        },
    ]
    return {
        "compareRunCharts": charts,
        "compareRunSections": [
            {"uuid": section, "name": "autoq", "display": True, "isReordered": False, "columns": 2, "cardHeight": 480}
        ],
        "isAccordionReordered": True,  # else the sections that MLflow makes for metrics come first, by name
        "autoRefreshEnabled": False,
        "runsHiddenMode": "SHOWALL",
        "runsHidden": [],
        "runsPinned": [],
        "orderByKey": "metrics.`speedup`",
        "orderByAsc": False,
        "searchFilter": "",
        "viewMaximized": False,
        "runListHidden": False,
    }
