"""The front of a search, the rule that chooses one of its models, and the table that all outputs are made from."""

from autoq.searching.front._area import area, staircase
from autoq.searching.front._choice import PassedOver, Rule, choose, closest, criteria_of, parse_rule, passed_over
from autoq.searching.front._front import Front, objectives
from autoq.searching.front._info import SearchInfo
from autoq.searching.front._info_serial import info_from_dict, info_to_dict
from autoq.searching.front._rows import Place, TrialRow, TrialTable

__all__ = [
    "Front",
    "PassedOver",
    "Place",
    "Rule",
    "SearchInfo",
    "TrialRow",
    "TrialTable",
    "area",
    "choose",
    "closest",
    "criteria_of",
    "info_from_dict",
    "info_to_dict",
    "objectives",
    "parse_rule",
    "passed_over",
    "staircase",
]
