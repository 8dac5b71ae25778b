"""The figures of a trial by name: columns of CSV and data frame, and metrics of MLflow."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import fields

from autoq.core import Estimate
from autoq.evaluation.latency import Conditions
from autoq.searching.front import TrialRow, TrialTable
from autoq.searching.records import PARTS

Value = str | float | None


def row_values(row: TrialRow) -> dict[str, Value]:
    """All values of a trial, by column; None where there is no value. The columns are the same for every trial."""
    record = row.record
    return {
        "trial": record.number,
        "origin": record.origin,
        "state": str(record.state),
        "place": str(row.place),
        "rank": row.rank,
        "chosen": row.chosen,
        "tied": row.tied,
        "like": row.like,
        **row_metrics(row),
        "remeasured": record.remeasured,
        "outcome": None if record.evaluation is None else str(record.evaluation.accuracy.outcome),
        **row_recipe(row),
        "fingerprint": record.fingerprint,
        "error": record.error,
    }


def row_metrics(row: TrialRow) -> dict[str, float | None]:
    """The measurements of a trial, by name; None for a missing one, and for an unknown end of an interval."""
    record, evaluation = row.record, row.record.evaluation
    drop = speedup = accuracy = latency = conditions = first = None
    if evaluation is not None:
        accuracy, latency = evaluation.accuracy, evaluation.latency
        drop, speedup, conditions = accuracy.drop, latency.speedup, latency.conditions
        first = latency.first_token
    return {
        "feasible": record.feasible,
        **_ends("accuracy_drop", drop),
        **_ends("speedup", speedup),
        **_ends("first_token_speedup", None if first is None else first.speedup),
        **_ends("held_out_accuracy_drop", None if row.held_out is None else row.held_out.drop),
        "score": None if accuracy is None else accuracy.mean,
        "samples": None if accuracy is None else accuracy.n,
        "p50_ms": None if latency is None else latency.p50_ms,
        "p90_ms": None if latency is None else latency.p90_ms,
        "first_token_p50_ms": None if first is None else first.p50_ms,
        "per_second": None if latency is None else latency.per_second,
        "disturbed": None if latency is None else latency.disturbed,
        "size_mb": None if evaluation is None else evaluation.size_bytes / 1e6,
        "int8_layers": None if evaluation is None else evaluation.execution.int8_layers,
        "quantized_sites": record.quantized_sites,
        "float_groups": len(record.plan.float_groups),
        **{f"seconds_{part}": record.seconds.get(part) for part in PARTS},
        **{f"conditions_{field.name}": getattr(conditions, field.name, None) for field in fields(Conditions)},
    }


def row_recipe(row: TrialRow) -> dict[str, Value]:
    """The recipe of a trial, by name; values that are no single word or number are JSON."""
    recipe = row.record.plan.settings
    return {
        name: value if value is None or isinstance(value, str | float | int) else json.dumps(value)
        for name, value in recipe.items()
    }


def table_csv(table: TrialTable) -> str:
    """CSV: a line with the names of the columns, then a line for each trial. A missing value is left empty."""
    text = io.StringIO()
    rows = [row_values(row) for row in table.rows]
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _ends(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """Value and ends of an interval as columns."""
    values = (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
    names = (name, f"{name}_low", f"{name}_high")
    return {
        key: value if value is not None and math.isfinite(value) else None
        for key, value in zip(names, values, strict=True)
    }
