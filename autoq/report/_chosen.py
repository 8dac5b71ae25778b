"""The chosen model in a report: its facts, and the code that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoq.core import shown_ms
from autoq.searching.front import SearchInfo, TrialRow
from autoq.searching.records import evaluation_of


def run_lines(model: Path, info: SearchInfo, chosen: TrialRow) -> str:
    """Python code that runs a saved model with OpenVINO as it was measured, on zeros with the shapes of a sample.

    Args:
        model: Path of its `.xml`.
        info: The search; it has the inputs of a sample.
        chosen: The trial of the model.

    Returns:
        Three lines; an empty text where the inputs are unknown.
    """
    inputs = info.settings.get("inputs")
    if not inputs:
        return ""
    arguments = [repr(str(model.resolve())), repr(info.device)]
    if properties := chosen.record.plan.runtime_choice.properties:
        arguments.append(repr(properties))
    feed = ", ".join(f"{_key(port, place)!r}: {_zeros(port)}" for place, port in enumerate(inputs))
    return (
        "import numpy as np, openvino as ov\n"
        f"model = ov.Core().compile_model({', '.join(arguments)})\n"
        f"outputs = model({{{feed}}})"
    )


def chosen_facts(chosen: TrialRow) -> dict[str, str]:
    """Recipe, precisions and times of the chosen model, by name."""
    record, evaluation = chosen.record, evaluation_of(chosen.record)
    recipe, latency = record.plan.settings, evaluation.latency
    first = latency.first_token
    prompt = "" if first is None else f"{shown_ms(first.p50_ms)}, speed-up {first.speedup.shown(least=2)}"
    precisions = ", ".join(f"{count} {name}" for name, count in sorted(evaluation.execution.precisions.items()))
    return {
        "recipe": ", ".join(f"{key} {value}" for key, value in recipe.items()),
        **record.plan.facts,
        "executed layers": precisions,
        "latency": " / ".join(map(shown_ms, (latency.p25_ms, latency.p50_ms, latency.p90_ms))) + " (p25 / p50 / p90)",
        **({"first token": prompt} if prompt else {}),
        "runtime": ", ".join(f"{key}={value}" for key, value in sorted(evaluation.runtime.items())),
    }


def _key(port: dict[str, Any], place: int) -> str | int:
    """The key of an input for OpenVINO: its name, or its place where it has none."""
    return place if port["name"] is None else str(port["name"])


def _zeros(port: dict[str, Any]) -> str:
    return f"np.zeros({tuple(port['shape'])}, {port['type']!r})"
