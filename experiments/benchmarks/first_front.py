"""How long a search takes to its first front: a quantized model within the budget beside the float model.

Everything counts from the call on: reading the model, calibration, the float model's scores and latency, and,
where the model in int8 is not on the front, what is found out without trials.

    python experiments/benchmarks/first_front.py [CASE ...] [--quick]
"""

from __future__ import annotations

from _cases import Case, run
from _first_front import FirstFront, goal
from _lines import Lines

import autoq

_GIVEN_UP_S = 300.0


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figure of one case."""
    first = FirstFront(stop=True)
    names = ("calibration", "validation", "metric", "max_drop", "space", "sample", "model_type", "holdout")
    result = autoq.search(
        case.path,
        **{name: case.given[name] for name in names},
        timeout_s=_GIVEN_UP_S,
        tracking_uri="off",
        progress=False,
        observers=[first],
    )
    milliseconds = result.info.float_latency.baseline_p50_ms
    lines.figure(
        case.name,
        "first_front_s",
        first.seconds,
        goal=None if quick else goal(milliseconds),
        float_ms=round(milliseconds, 3),
        trials=first.trials,
        probes_s=None if result.probes is None else round(result.probes.seconds, 1),
    )


if __name__ == "__main__":
    run("first_front", __doc__, compare)
