"""The problem of a search: what is prepared for its first trial, and what is found out before the others."""

from autoq.searching.problem._again import builder_again, builder_of_files
from autoq.searching.problem._clock import Clock
from autoq.searching.problem._learn import learn, recall
from autoq.searching.problem._ledger import Ledger
from autoq.searching.problem._model_of import ReadTuned, model_of, no_tuned_model
from autoq.searching.problem._place import STATISTICS, place
from autoq.searching.problem._problem import Problem, Stage, digests_of, prepare, supported_space
from autoq.searching.problem._sizes import size_limit

__all__ = [
    "STATISTICS",
    "Clock",
    "Ledger",
    "Problem",
    "ReadTuned",
    "Stage",
    "builder_again",
    "builder_of_files",
    "digests_of",
    "learn",
    "model_of",
    "no_tuned_model",
    "place",
    "prepare",
    "recall",
    "size_limit",
    "supported_space",
]
