"""One candidate, scored, timed and described."""

from autoq.evaluation.candidate._candidate_evaluator import CandidateEvaluator, ModelRunner
from autoq.evaluation.candidate._contest import Contest, raced_accuracy
from autoq.evaluation.candidate._evaluation import Evaluation, Finalist
from autoq.evaluation.candidate._evaluator import Evaluator
from autoq.evaluation.candidate._float_results import FloatResults
from autoq.evaluation.candidate._size import size_bytes

__all__ = [
    "CandidateEvaluator",
    "Contest",
    "Evaluation",
    "Evaluator",
    "Finalist",
    "FloatResults",
    "ModelRunner",
    "raced_accuracy",
    "size_bytes",
]
