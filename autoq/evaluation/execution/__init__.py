"""The layers that the device ran, their precisions and their times."""

from autoq.evaluation.execution._executed import ExecutedLayer, ExecutionReport
from autoq.evaluation.execution._execution import execution_report, layer_times
from autoq.evaluation.execution._layer_profile import LayerProfile
from autoq.evaluation.execution._profile import Profile, profile_model
from autoq.evaluation.execution._profile_brief import PROFILE_COLUMNS, profile_rows, profile_summary

__all__ = [
    "PROFILE_COLUMNS",
    "ExecutedLayer",
    "ExecutionReport",
    "LayerProfile",
    "Profile",
    "execution_report",
    "layer_times",
    "profile_model",
    "profile_rows",
    "profile_summary",
]
