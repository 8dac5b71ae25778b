"""Trial records made by hand, for tests of what is done with them."""

import numpy as np

from autoq.core import Estimate, Plan, Precision, Recipe
from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.execution import ExecutedLayer, ExecutionReport
from autoq.evaluation.latency import Conditions, Latency
from autoq.evaluation.scoring import Accuracy
from autoq.searching.front import SearchInfo
from autoq.searching.records import Limits, TrialRecord, TrialState


def evaluation(drop: float = 0.01, ratio: float = 0.5, *, width: float = 0.001) -> Evaluation:
    return Evaluation(
        accuracy=Accuracy(0.9 - drop, Estimate(drop, drop - width, drop + width), 100, np.zeros(100)),
        latency=Latency(
            Estimate(ratio, ratio - width, ratio + width), 0.9, 1.0, 1.2, 2.0, 12, 1000.0, Conditions(0.5, None, 2000.0)
        ),
        size_bytes=1000,
        execution=ExecutionReport((ExecutedLayer("conv", "Convolution", "u8", "jit_avx2_I8", ("conv", "relu")),)),
        runtime={"INFERENCE_PRECISION_HINT": "f32"},
    )


def record(
    number: int, drop: float = 0.01, ratio: float = 0.5, *, width: float = 0.001, **changes: object
) -> TrialRecord:
    fields: dict[str, object] = {
        "number": number,
        "state": TrialState.COMPLETE,
        "origin": "tpe",
        "plan": Plan.quantized(Recipe(subset_size=100 + number), {"a": Precision.FLOAT}),
        "fingerprint": f"{number:016x}",
        "hardware": "here",
        "evaluation": evaluation(drop, ratio, width=width),
        "feasible": True,
        "quantized_sites": 3,
        "seconds": {"build": 0.1},
    }
    return TrialRecord(**(fields | changes))  # type: ignore[arg-type]


def search_info() -> SearchInfo:
    """What a search of such records was asked."""
    return SearchInfo(
        name="net-1",
        model_name="net",
        metric="accuracy",
        device="CPU",
        hardware="a machine",
        limits=Limits(max_drop=0.01),
        space={"presets": ["mixed"]},
        groups=("conv_1",),
        float_accuracy=Accuracy(0.9, Estimate(0, 0, 0), 100, np.zeros(100)),
        float_latency=evaluation().latency,
        n_trials=10,
        timeout_s=None,
        seed=0,
        settings={"plans": 2.0, "level": "model", "units": 1, "hardware": {}},
    )
