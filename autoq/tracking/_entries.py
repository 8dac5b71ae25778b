"""Parameters and metrics of the runs of a search."""

from __future__ import annotations

import json
from dataclasses import asdict

from autoq.search import ParetoFront, SearchInfo, TrialRecord, choose, objectives


def search_params(info: SearchInfo) -> dict[str, str]:
    """What was asked, as parameters of the parent run."""
    given = {
        "model": info.model_name,
        "metric": info.metric,
        "device": info.device,
        "hardware": info.hardware,
        "max_drop": info.limits.max_drop,
        "max_latency_ms": info.limits.max_latency_ms,
        "max_size_bytes": info.limits.max_size_bytes,
        "choose": info.choose,
        "groups": len(info.groups),
        "level": info.settings["level"],
        "units": info.settings["units"],
        "n_trials": info.n_trials,
        "timeout_s": info.timeout_s,
        "seed": info.seed,
        **{f"space/{key}": json.dumps(value) for key, value in info.space.items()},
    }
    return {key: str(value) for key, value in given.items()}


def search_metrics(info: SearchInfo) -> dict[str, float]:
    """What the float model does, as metrics of the parent run."""
    return {
        "float/score": info.float_accuracy.mean,
        "float/p50_ms": info.float_latency.baseline_p50_ms,
        "float/timer_ratio": info.float_latency.ratio.value,
    }


def trial_params(record: TrialRecord) -> dict[str, str]:
    """The recipe of a trial, as parameters of its run."""
    recipe = record.plan.to_dict()["recipe"]
    return {key: str(value) for key, value in recipe.items()} | {"float_groups": str(len(record.plan.float_groups))}


def trial_metrics(record: TrialRecord) -> dict[str, float]:
    """What was measured of a trial, as metrics of its run."""
    metrics = {f"seconds/{part}": value for part, value in record.seconds.items()}
    metrics["plan/quantized_sites"] = record.quantized_sites
    if (evaluation := record.evaluation) is not None:
        accuracy, latency = evaluation.accuracy, evaluation.latency
        metrics |= {
            "accuracy/score": accuracy.mean,
            "accuracy/drop": accuracy.drop.value,
            "accuracy/drop_low": accuracy.drop.low,
            "accuracy/drop_high": accuracy.drop.high,
            "latency/ratio": latency.ratio.value,
            "latency/ratio_low": latency.ratio.low,
            "latency/ratio_high": latency.ratio.high,
            "latency/speedup": latency.speedup.value,
            "latency/p50_ms": latency.p50_ms,
            "latency/p90_ms": latency.p90_ms,
            "latency/per_second": latency.per_second,
            "latency/disturbed": float(latency.disturbed),
            "size/mb": evaluation.size_bytes / 1e6,
            "execution/int8_layers": evaluation.execution.int8_layers,
            "feasible": float(record.feasible),
        }
        conditions = asdict(latency.conditions)
        metrics |= {f"conditions/{key}": value for key, value in conditions.items() if value is not None}
    return metrics


def progress(front: ParetoFront, info: SearchInfo | None) -> dict[str, float]:
    """Hypervolume and best so far, for the parent's curves."""
    if not len(front):
        return {}
    worst_drop = 1.0 if info is None or info.max_drop is None else max(info.max_drop, 1e-9)
    best = objectives(choose(front, "fastest" if info is None else info.choose))
    return {
        "search/hypervolume": front.hypervolume((worst_drop, 1.5)),
        "search/best_ratio": best[1],
        "search/best_drop": best[0],
        "search/front_size": float(len(front)),
    }
