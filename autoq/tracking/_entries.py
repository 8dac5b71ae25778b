"""Parameters and metrics of the runs of a search."""

from __future__ import annotations

import json

from autoq.searching.front import SearchInfo, TrialRow, choose
from autoq.searching.records import Tuned, evaluation_of
from autoq.searching.shown import ParetoFront, row_metrics, row_recipe


def search_params(info: SearchInfo) -> dict[str, str]:
    """The request of the search, as parameters of the parent run."""
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
    """Figures of the float model, as metrics of the parent run."""
    return {
        "float/score": info.float_accuracy.mean,
        "float/p50_ms": info.float_latency.baseline_p50_ms,
        "float/timer_ratio": info.float_latency.ratio.value,
    }


def trial_params(row: TrialRow) -> dict[str, str]:
    """The recipe of a trial, as parameters of its run."""
    tuned = row.record.tuned
    return {
        **{name: str(value) for name, value in row_recipe(row).items()},
        **({} if tuned is None else {"tuned_trial": str(tuned.of)}),
    }


def trial_metrics(row: TrialRow) -> dict[str, float]:
    """Figures of a trial, as metrics of its run. They have the names of the columns of trials.csv."""
    return {name: float(value) for name, value in row_metrics(row).items() if value is not None}


def course_metrics(tuned: Tuned) -> list[tuple[int, dict[str, float]]]:
    """The checks of a training: the step, and the figures of it."""
    begun = (0, {"tuning/held_out": tuned.before})
    return [
        begun,
        *(
            (
                point.step,
                {"tuning/held_out": point.held_out, "tuning/loss": point.loss, "tuning/learning_rate": point.rate},
            )
            for point in tuned.course
        ),
    ]


def progress(front: ParetoFront, info: SearchInfo | None) -> dict[str, float]:
    """Hypervolume and the best figures so far, for curves of the parent run."""
    worst_drop = 1.0 if info is None or info.max_drop is None else max(info.max_drop, 1e-9)
    found = {"search/hypervolume": front.hypervolume((worst_drop, 1.5)), "search/front_size": float(len(front))}
    if not len(front):
        return found
    best = evaluation_of(choose(front, "fastest" if info is None else info.choose))
    return found | {
        "search/best_speedup": best.latency.speedup.value,
        "search/best_accuracy_drop": best.accuracy.drop.value,
    }
