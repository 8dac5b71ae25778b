"""Accuracy: labelled data, paired drops with their intervals, and racing."""

from autoq.evaluation.metrics import Scores
from autoq.evaluation.scoring._accuracy import drop_between, mean_interval, paired_drop, score
from autoq.evaluation.scoring._accuracy_record import Accuracy
from autoq.evaluation.scoring._affordable import affordable_items, drawn_items
from autoq.evaluation.scoring._chosen import item_count
from autoq.evaluation.scoring._gate import TimerGate
from autoq.evaluation.scoring._power import power_note, samples_to_prove
from autoq.evaluation.scoring._racing import Outcome, Race, finite_population_factor, racing_order, telling_items
from autoq.evaluation.scoring._read_once import ReadOnce
from autoq.evaluation.scoring._scorer import Score, Scorer, ValidationFn
from autoq.evaluation.scoring._validation import ValidationSet

__all__ = [
    "Accuracy",
    "Outcome",
    "Race",
    "ReadOnce",
    "Score",
    "Scorer",
    "Scores",
    "TimerGate",
    "ValidationFn",
    "ValidationSet",
    "affordable_items",
    "drawn_items",
    "drop_between",
    "finite_population_factor",
    "item_count",
    "mean_interval",
    "paired_drop",
    "power_note",
    "racing_order",
    "samples_to_prove",
    "score",
    "telling_items",
]
