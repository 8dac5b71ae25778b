"""The outcome of a search in words: what was found, and how far the evidence bears it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoq.core import RuntimePrecision, capitalized, shown_ms
from autoq.evaluation.latency import speed_text
from autoq.searching.front import SearchInfo
from autoq.searching.loop import broken_by_default
from autoq.searching.records import TrialRecord, evaluation_of


def describe(record: TrialRecord, info: SearchInfo | None = None) -> str:
    """Drop and speed of a trial with their intervals, in one line.

    Args:
        record: Of a trial that was evaluated.
        info: Of its search: its limits and its timer's check decide how much is said; None knows of neither.
    """
    evaluation = evaluation_of(record)
    drop = evaluation.accuracy.drop.shown(beside=None if info is None else info.max_drop)
    check = None if info is None else info.float_latency.ratio
    name = f"trial {record.number}"
    if not record.quantized_sites:
        name += f", the float model in {_precision(record)}"
    speed = "itself what the others are compared with" if record.is_baseline else speed_text(evaluation.latency, check)
    return f"{name}: drop {drop}, {speed}, {shown_ms(evaluation.latency.p50_ms)}"


def caveats(chosen: TrialRecord | None, records: Sequence[TrialRecord], info: SearchInfo) -> Iterator[str]:
    """Sentences that belong beside the outcome of a search, without their full stops.

    Args:
        chosen: The trial that was chosen; None where there is none but the float model.
        records: Every trial.
        info: Of the search.
    """
    if chosen is not None and (unproven := _unproven(chosen, info)) is not None:
        yield unproven
        if (proof := info.notes.get("proof")) is not None:
            yield proof
    if (broken := broken_by_default(records, info.limits)) is not None:
        drop = evaluation_of(broken).accuracy.drop.shown(beside=info.max_drop)
        yield (
            f"the float model itself, at the device's default precision ({_precision(broken)}), has a drop of {drop}, "
            f"beyond {info.limits.drop_text}"
        )
    if chosen is not None and (precision := chosen.plan.recipe.runtime_precision) is not RuntimePrecision.DEFAULT:
        yield (
            f"the chosen model was measured with what it leaves in float in {precision}: compile it with "
            f"INFERENCE_PRECISION_HINT={precision}, which a saved model cannot say"
        )
    if (timer := info.notes.get("timer")) is not None:
        yield timer


def sentences(parts: Iterator[str]) -> str:
    """Each part as a sentence, after a space."""
    return "".join(f" {capitalized(part)}." for part in parts)


def _unproven(chosen: TrialRecord, info: SearchInfo) -> str | None:
    drop = evaluation_of(chosen).accuracy.drop
    if info.max_drop is None or drop.high <= info.max_drop:
        return None
    if not drop.known:
        return f"it keeps {info.limits.drop_text} by its point estimate, unproven: nothing tells how sure that is"
    end = drop.shown(beside=info.max_drop).partition(", ")[2].rstrip("]")
    return f"it keeps {info.limits.drop_text} by its point estimate, unproven: the interval reaches to {end}"


def _precision(record: TrialRecord) -> str:
    """What its float layers ran in, as the device says."""
    return evaluation_of(record).runtime.get("INFERENCE_PRECISION_HINT", str(record.plan.recipe.runtime_precision))
