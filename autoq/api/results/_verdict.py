"""The outcome of a search in words: what was found, and how strong the evidence is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoq.core import Estimate, RuntimePrecision, capitalized
from autoq.evaluation.latency import speed_text, time_text
from autoq.evaluation.scoring import Accuracy
from autoq.searching.front import SearchInfo, closest
from autoq.searching.loop import broken_by_default
from autoq.searching.records import TrialRecord, TrialState, evaluation_of


def describe(record: TrialRecord, info: SearchInfo | None = None) -> str:
    """Drop and speed of a trial with their intervals, in one line.

    Args:
        record: A trial with an evaluation.
        info: The search. The text depends on its limits and on the check of its timer; None stands for neither.
    """
    evaluation = evaluation_of(record)
    drop = evaluation.accuracy.drop.shown(beside=None if info is None else info.max_drop)
    check = None if info is None else info.float_latency.ratio
    name = f"trial {record.number}"
    if not record.quantized_sites:
        name += f", the float model in {_precision(record)}"
    speed = "the baseline of all speed-ups" if record.is_baseline else speed_text(evaluation.latency, check)
    size = ""
    if record.plan.compresses:
        times = "" if evaluation.size_ratio is None else f" ({evaluation.gain.value:.3g} times smaller)"
        size = f", {evaluation.size_bytes / 1e6:.4g} MB{times}"
    return f"{name}: drop {drop}{size}, {speed}, {time_text(evaluation.latency)}"


def outcome(best: TrialRecord, records: Sequence[TrialRecord], info: SearchInfo) -> str:
    """The outcome of a search in a sentence, followed by sentences with reservations.

    Args:
        best: The chosen trial, which may be the float model.
        records: Every trial.
        info: The search.
    """
    against = _sentences(caveats(best, records, info))
    if best.is_baseline:
        best_by = {"fastest": "fastest", "accurate": "most accurate", "smallest": "smallest"}
        rule = info.choose if isinstance(info.choose, str) else ", ".join(info.choose)
        kept = f"the float model is already the {best_by.get(rule, f'best by {rule}')} within the budget: keep it."
        return kept + against
    return f"{describe(best, info)}.{against}"


def why_none(records: Sequence[TrialRecord], info: SearchInfo) -> str:
    """Why no quantized model was chosen, which one came closest, and what would help.

    Args:
        records: Every trial.
        info: The search.
    """
    nearest = closest(records, info.limits)
    if nearest is None:
        failed = next((r.error for r in records if r.state is TrialState.FAILED), "none was tried")
        return f"no quantized candidate could be measured: {failed}"
    limits, evaluation = info.limits, evaluation_of(nearest)
    if not limits.crossed(evaluation):
        return (
            f"no quantized candidate that keeps the limits was measured to the end: the closest is trial "
            f"{nearest.number}, {nearest.remark}; search longer."
        )
    return (
        f"no quantized candidate meets {limits.text}: the closest is trial {nearest.number} with "
        f"{limits.crossed(evaluation)}; allow {limits.advice(evaluation)}, or search longer."
        f"{_sentences(caveats(None, records, info))}"
    )


def held_out_text(holdout: Accuracy, gap: Estimate) -> str:
    """The drop of a model on held-out data, in a sentence.

    Args:
        holdout: Score of the model on data that the search never saw.
        gap: Its drop on these data minus its drop in the search.
    """
    than = "more"
    if gap.value < 0:
        gap, than = Estimate(-gap.value, -gap.high, -gap.low, gap.confidence), "less"
    data = f"{holdout.n:,} held-out samples" if holdout.n else "held-out data"
    return f"on {data}: drop {holdout.drop.shown()}, {gap.shown()} {than} than in the search."


def caveats(chosen: TrialRecord | None, records: Sequence[TrialRecord], info: SearchInfo) -> Iterator[str]:
    """Reservations about the outcome of a search: sentences without their full stops.

    Args:
        chosen: The chosen trial; None where only the float model keeps the limits.
        records: Every trial.
        info: The search.
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
    if chosen is not None and (precision := chosen.plan.runtime_precision) is not RuntimePrecision.DEFAULT:
        yield (
            f"the float layers of the chosen model ran in {precision}: compile it with "
            f"INFERENCE_PRECISION_HINT={precision}, since a saved model does not store this setting"
        )
    for name, value in ({} if chosen is None else chosen.plan.runtime_choice.plan.told).items():
        yield f"compile the chosen model with {name}={value}, since a saved model does not store this setting"
    if (timer := info.notes.get("timer")) is not None:
        yield timer


def _sentences(parts: Iterator[str]) -> str:
    """Each part as a sentence, after a space."""
    return "".join(f" {capitalized(part)}." for part in parts)


def _unproven(chosen: TrialRecord, info: SearchInfo) -> str | None:
    drop = evaluation_of(chosen).accuracy.drop
    if info.max_drop is None or drop.high <= info.max_drop:
        return None
    if not drop.known:
        return f"it keeps {info.limits.drop_text} by its point estimate, unproven: the interval is unknown"
    end = drop.shown(beside=info.max_drop).partition(", ")[2].rstrip("]")
    return f"it keeps {info.limits.drop_text} by its point estimate, unproven: the interval reaches to {end}"


def _precision(record: TrialRecord) -> str:
    """The precision of the float layers, as the device reports it."""
    return evaluation_of(record).runtime.get("INFERENCE_PRECISION_HINT", str(record.plan.runtime_precision))
