"""The figures of a trial in words: the columns of the tables in terminal and page, and the meaning of their words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from autoq.core import Estimate, counted, shown, shown_ms
from autoq.evaluation.candidate import Evaluation
from autoq.searching.front import TrialRow, TrialTable
from autoq.searching.records import Limits

# The names of figures, in tables and along axes.
DROP, SPEEDUP, TIMES_SMALLER = "accuracy drop", "speed-up", "times smaller"


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of a table for people.

    Attributes:
        title: Its name.
        text: The entry of a trial; empty where nothing was measured.
        is_word: Whether the column holds words, which begin at the left.
        is_long: Whether the words may be a sentence.
        interval: Whether the numbers have intervals, which the title then says.
    """

    title: str
    text: Callable[[TrialRow, Limits], str]
    is_word: bool = False
    is_long: bool = False
    interval: bool = False


def _of_evaluation(text: Callable[[Evaluation, Limits], str]) -> Callable[[TrialRow, Limits], str]:
    def told(row: TrialRow, limits: Limits) -> str:
        return "" if row.record.evaluation is None else text(row.record.evaluation, limits)

    return told


def drop_text(drop: Estimate, limits: Limits) -> str:
    """An accuracy drop with its interval and its sign, with enough digits to differ from the limit."""
    return drop.shown(sign=True, beside=limits.max_drop)


def speedup_text(speedup: Estimate) -> str:
    """A speed-up with its interval."""
    return speedup.shown(least=2)


def _held_out(row: TrialRow, limits: Limits) -> str:
    return "" if row.held_out is None else drop_text(row.held_out.drop, limits)


def _first_token(row: TrialRow, _: Limits) -> str:
    evaluation = row.record.evaluation
    first = None if evaluation is None else evaluation.latency.first_token
    return "" if first is None else f"{shown(first.speedup.value, least=2)}x, {shown_ms(first.p50_ms)}"


def standing(row: TrialRow, _: Limits) -> str:
    """The standing of a trial, in a few words that `legend` explains."""
    words = [
        "chosen" if row.chosen else "",
        "tied" if row.tied else "",
        f"+{len(row.stands_for)}" if row.stands_for else "",
        f"like {row.like}" if row.like is not None and not row.is_head else "",
    ]
    return " ".join(filter(None, words))


def _of_quantized(text: str, row: TrialRow) -> str:
    """A text about quantizers; empty for plans that have none in any case."""
    return text if row.record.plan.quantizes else ""


def _weights(row: TrialRow, _: Limits) -> str:
    """How many weights have each format."""
    plan = row.record.plan
    return ", ".join(plan.compression.facts.values()) if plan.compresses else ""


def _channels(row: TrialRow, _: Limits) -> str:
    """How many groups of channels keep which share."""
    plan = row.record.plan
    return ", ".join(plan.pruning.facts.values()) if plan.prunes else ""


_int8_layers = _of_evaluation(lambda e, _: str(e.execution.int8_layers))
TRIAL = TextColumn("trial", lambda row, _: str(row.number))
ORIGIN = TextColumn("origin", lambda row, _: row.record.origin, is_word=True)
ACCURACY_DROP = TextColumn(DROP, _of_evaluation(lambda e, limits: drop_text(e.accuracy.drop, limits)), interval=True)
HELD_OUT = TextColumn(f"held-out {DROP}", _held_out, interval=True)
SPEED_UP = TextColumn(SPEEDUP, _of_evaluation(lambda e, _: speedup_text(e.latency.speedup)), interval=True)
LATENCY = TextColumn("ms", _of_evaluation(lambda e, _: shown(e.latency.p50_ms, least=2, significant=3)))
FIRST_TOKEN = TextColumn("first token", _first_token)
SIZE = TextColumn("MB", _of_evaluation(lambda e, _: shown(e.size_bytes / 1e6, least=2)))
INT8_LAYERS = TextColumn("int8 layers", lambda row, limits: _of_quantized(_int8_layers(row, limits), row))
FLOAT_GROUPS = TextColumn("float groups", lambda row, _: _of_quantized(str(len(row.record.plan.float_groups)), row))
WEIGHTS = TextColumn("weights", _weights, is_word=True)
CHANNELS = TextColumn("channels kept", _channels, is_word=True)
STANDING = TextColumn("standing", standing, is_word=True)
REMARK = TextColumn("remark", lambda row, _: row.record.remark, is_word=True, is_long=True)

_COLUMNS = (
    TRIAL,
    ORIGIN,
    ACCURACY_DROP,
    HELD_OUT,
    SPEED_UP,
    LATENCY,
    FIRST_TOKEN,
    SIZE,
    INT8_LAYERS,
    FLOAT_GROUPS,
    WEIGHTS,
    CHANNELS,
    STANDING,
    REMARK,
)

# The meaning of the words in the columns of standing and origin.
_STANDINGS: Mapping[str, str] = MappingProxyType(
    {
        "chosen": "the model that this search recommends",
        "tied": "not shown to differ from another one of the front",
        "+": "with its precisions and other recipes, not shown to differ from it",
        "like": "same precisions as that trial with another recipe, not shown to differ from it",
    }
)
_ORIGINS: Mapping[str, str] = MappingProxyType(
    {
        "float": "the model as it was given",
        "int8": "the whole model quantized, by the first recipe",
        "usual": "each part of the model in its first choice beside float",
        "cut": "all groups of channels keep the same share, as far as they have it; else float or the first choice",
        "in_turn": "the model of another trial, with layers that are repaired one after the other",
        "recipe": "the whole model quantized, with other ranges or bias correction",
        "sweep": "the most sensitive parts left in float",
        "predicted": "expected on the front before the first trial, from measured sensitivities and gains",
        "front": "proposed to improve the front, by a model of the trials so far",
        "tpe": "proposed by Optuna's TPE sampler",
        "nsga2": "proposed by Optuna's NSGA-II sampler",
        "nsga3": "proposed by Optuna's NSGA-III sampler",
        "random": "drawn at random",
        "tuned": "the model of another trial, trained to answer as the float model does",
    }
)


_ALIKE = "the whole model so, as far as its parts take that choice"


def columns_of(rows: Iterable[TrialRow]) -> tuple[TextColumn, ...]:
    """The columns that have an entry for one of the trials, in the order in which they are shown."""
    rows = tuple(rows)
    some = (HELD_OUT, FIRST_TOKEN, INT8_LAYERS, FLOAT_GROUPS, WEIGHTS, CHANNELS, STANDING, REMARK)
    maybe = {id(column) for column in some}
    return tuple(c for c in _COLUMNS if id(c) not in maybe or any(c.text(row, Limits()) for row in rows))


def legend(rows: Iterable[TrialRow]) -> dict[str, str]:
    """The meaning of each word that occurs in the columns of these trials."""
    rows = tuple(rows)
    found = {"Pareto front": "models that no other one is shown to beat"}
    if any(row.chosen for row in rows):
        found["chosen"] = _STANDINGS["chosen"]
    if any(row.tied for row in rows):
        found["tied"] = _STANDINGS["tied"]
    if counts := sorted({len(row.stands_for) for row in rows if row.stands_for}):
        found[f"+{counts[-1]}"] = f"{counted(counts[-1], 'more trial')} {_STANDINGS['+']}"
    if like := [row.like for row in rows if row.like is not None and not row.is_head]:
        found[f"like {like[0]}"] = _STANDINGS["like"]
    occurring = {row.record.origin for row in rows}
    known = {origin: meaning for origin, meaning in _ORIGINS.items() if origin in occurring}
    # A plan that treats all units alike has their choice as its origin.
    return found | known | dict.fromkeys(sorted(occurring - known.keys()), _ALIKE)


def recipe_text(row: TrialRow) -> str:
    """The plan of a trial in a line."""
    return row.record.plan.summary


def told(row: TrialRow, limits: Limits) -> tuple[str, ...]:
    """Lines that a person sees who points at a trial."""
    figures = [f"{c.title} {c.text(row, limits)}" for c in (ACCURACY_DROP, HELD_OUT, SPEED_UP) if c.text(row, limits)]
    latency = LATENCY.text(row, limits)
    first = FIRST_TOKEN.text(row, limits)
    layers = INT8_LAYERS.text(row, limits)
    size = f"{SIZE.text(row, limits)} MB" + (f", {layers} int8 layers" if layers else "")
    lines = [
        f"trial {row.number} ({row.record.origin})",
        *figures,
        f"{latency} ms, {size}" if latency else "",
        f"{FIRST_TOKEN.title} {first}" if first else "",
        f"recipe: {recipe_text(row)}",
        f"{FLOAT_GROUPS.title}: {groups}" if (groups := FLOAT_GROUPS.text(row, limits)) else "",
        "; ".join(filter(None, (str(row.place), standing(row, limits), row.record.remark))),
    ]
    return tuple(filter(None, lines))


def gain_title(table: TrialTable) -> str:
    """What a gain is in a table: how many times as fast, or how many times smaller."""
    found = (row.record.evaluation for row in table.rows)
    return TIMES_SMALLER if any(e is not None and e.size_ratio is not None for e in found) else SPEEDUP


def title_of(table: TrialTable) -> str:
    """The heading of a table of the front."""
    return ", ".join(filter(None, ("Pareto front", table.limits.summary)))
