"""Searches that come out the same whenever they are run, so that one that was killed can be told from one that was not.

Plans and scores are the same whenever a device computes them; how long it takes is not. So the times are doubles, which
tell them by what a device runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

import autoq
from autoq.core import Estimate
from autoq.evaluation.execution import Profile
from autoq.evaluation.latency import Conditions, Latency
from autoq.searching.recorded import recorded_problem

MODEL, TABLE = "cifar10_resnet20", "cifar10_repvgg"
# What an element takes in float, ms, and what of that in int8; what a layer takes besides.
_ELEMENT_MS, _INT8, _LAYER_MS = 1e-5, 0.4, 1e-3
# The closing session times doubles, for a moment.
_FINALIST_S = 0.1


class Metric:
    """Accuracy, which brings doubles of the clocks along to the process in which it is unpickled: the device's."""

    def __call__(self, outputs: Sequence[np.ndarray], target: Any) -> float:
        """1 where the largest class is the target."""
        return float(np.asarray(outputs[0]).argmax() == target)

    def __reduce__(self) -> tuple[Any, ...]:
        return _with_doubles, ()


def _with_doubles() -> Metric:
    from autoq.evaluation.candidate import _evaluator, _float_timer

    if _float_timer.measure_latency is not _latency:
        _float_timer.measure_latency = _latency
        _float_timer.measure_latencies = lambda rows, *rest, **_: [_latency(row, *rest) for row in rows]
        _evaluator.profile_model = _profiled_by(_evaluator.profile_model)
    return Metric()


def _latency(candidates: Sequence[Any], baselines: Sequence[Any], *_: object, **__: object) -> Latency:
    own, base = (_model_ms(compiled[0].compiled_model.get_runtime_model()) for compiled in (candidates, baselines))
    ratio = own / base
    return Latency(
        ratio=Estimate(ratio, 0.99 * ratio, 1.01 * ratio),
        p25_ms=own,
        p50_ms=own,
        p90_ms=own,
        baseline_p50_ms=base,
        bursts=8,
        per_second=1e3 / own,
        conditions=Conditions(),
        log_ratios=(math.log(ratio),) * 8,
    )


def _model_ms(graph: Any) -> float:  # ov.Model of what runs
    found = []
    for op in graph.get_ordered_ops():
        precision = str(op.get_rt_info()["runtimePrecision"].astype(str))
        shapes = [output.get_partial_shape() for output in op.outputs()]
        elements = sum(math.prod(d.get_length() if d.is_static else 1 for d in shape) for shape in shapes)
        found.append(_LAYER_MS + _ELEMENT_MS * elements * _share(precision))
    # Names and order of the layers are not always the same.
    return math.fsum(found)


def _share(precision: str) -> float:
    return _INT8 if precision in {"i8", "u8"} else 1.0


def _profiled_by(profile_model: Callable[..., Profile]) -> Callable[..., Profile]:
    def profiled(*arguments: Any, **keywords: Any) -> Profile:
        found = profile_model(*arguments, **keywords)
        layers = tuple(replace(layer, ms=_share(layer.precision), share=0.0) for layer in found.layers)
        return replace(found, layers=layers, wall_ms=math.fsum(layer.ms for layer in layers))

    return profiled


@cache
def _data() -> dict[str, Any]:
    from _cases import load

    case = load(MODEL)
    (x, y), (held_x, held_y) = case.given["validation"], case.given["holdout"]
    return {
        "model": case.path,
        "calibration": case.given["calibration"][:16],
        "validation": (x[:60], y[:60]),
        "holdout": (held_x[:40], held_y[:40]),
    }


def search_model(**given: Any) -> autoq.SearchResult:
    """A small network on its device: calibration, sensitivities, trials, closing session, held-out data."""
    from autoq.api.searches import _shares
    from autoq.searching.loop import _further, _measuring
    from autoq.searching.loop._costs import Costs

    class Fixed(Costs):
        """What measurements cost, whatever they take."""

        @classmethod
        def of(cls, records: Sequence[Any]) -> Costs | None:
            return Costs(0.1, 0.01, 0.1) if records else None

    _shares.FINALIST_S = _FINALIST_S
    _further.Costs = _measuring.Costs = Fixed
    return autoq.search(
        **_data(),
        metric=Metric(),
        max_drop=0.1,
        space={"subset_sizes": [16], "range_estimators": ["mean_min_max", "min_max"], "sweep": 3},
        n_trials=8,
        runtime={"num_threads": 1, "num_streams": 1},
        progress=False,
        **given,
    )


def search_table(**given: Any) -> autoq.SearchResult:
    """A network whose plans were all measured once: no device, and many trials in a short time."""
    from _courses import table_of

    from autoq.api.searches import _prepare
    from autoq.api.searches._session import SearchSession
    from autoq.searching.recorded._table_doubles import stand_in

    table = table_of(TABLE)

    def problem_of(session: SearchSession) -> Any:
        session.open_tracking()
        session.join_tracking()
        return recorded_problem(table)

    _prepare.problem_of = problem_of
    inputs = np.zeros((4, 1), np.float32)
    return autoq.search(
        stand_in(),
        calibration=inputs,
        validation=(inputs, np.zeros(4)),
        metric=Metric(),
        max_drop=table.max_drop,
        space=table.space.space,
        n_trials=10,
        isolate=False,
        progress=False,
        **given,
    )


SEARCHES: Mapping[str, Callable[..., autoq.SearchResult]] = {"model": search_model, "table": search_table}


def prepared() -> None:
    """Reads what does not change from search to search, and starts no thread."""
    from _courses import table_of

    _data()
    table_of(TABLE)
