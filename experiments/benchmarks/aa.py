"""Timing where the truth is known: a model beside itself, and beside itself with some more work.

Beside itself: an int8 model, compiled anew each time, with the machine as it is and with a program that wants a core
now and then. Per condition, over all repeats: the standard deviation and the largest of the error of the ratio, and
how often the 95% interval covers 1; beside the error of sequential medians, each model for half of the same time, which
is what `benchmark_app`, run for one model after the other, comes to.

With more work: the model on n samples at a time beside itself on n + 1 of them, 20 to 2 percent more. How often the
interval excludes 1, and in how many seconds, compiling included.

    python experiments/benchmarks/aa.py [CASE ...] [--more-work] [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import openvino as ov
from _cases import Case, cases, parser
from _lines import Lines
from _load import competing_load
from openvino import opset13 as ops

import autoq
from autoq.calibration import Feed
from autoq.core import Estimate
from autoq.evaluation.candidate import size_bytes
from autoq.evaluation.device import Compiled, RuntimeConfig
from autoq.evaluation.latency import compile_pairs, measure_latency

COMPILING_S = 4.0
DEFAULT_CASES = ["cifar10_mbv3"]
EXTRA = {20: 5, 10: 10, 5: 20, 2: 50}


def compare(case: Case, lines: Lines, *, more_work_only: bool, quick: bool) -> None:
    """Prints the figures of one case."""
    model = autoq.quantize(case.model, case.calibration(20 if quick else 300), model_type=case.model_type)
    for name, load in () if more_work_only else (("quiet", nullcontext), ("loaded", competing_load)):
        with load():
            beside_itself(f"{case.name}, {name}", model, case.sample(), lines, name == "loaded", quick=quick)
    for percent, count in EXTRA.items():
        if not quick or count < 10:
            with_more_work(case, model, percent, count, lines, quick=quick)


def beside_itself(name: str, model: ov.Model, sample: Feed, lines: Lines, loaded: bool, *, quick: bool) -> None:
    """Prints the errors of both ways to time a model, and how often the interval covers the truth."""
    ours, peer, taken = [], [], []
    for repeat in range(3 if quick else 40):
        pairs = ()  # their memory is free for the next ones
        started = time.perf_counter()
        pairs = compiled(model, model)
        ours.append(measure_latency(*pairs, sample, max_seconds=2, target_half_width=0.01, seed=repeat).ratio)
        taken.append(time.perf_counter() - started)
        peer.append(sequential([side[0] for side in pairs], sample, taken[-1] / 2))
    errors = [np.log([ratio.value for ratio in ours]), np.log(peer)]
    sds = [100 * float(np.sqrt(np.mean(error**2))) for error in errors]
    lines.figure(name, "error_sd_percent", *sds, goal=">= 4" if loaded and not quick else None, n=len(ours))
    lines.figure(name, "error_max_percent", *(100 * float(np.abs(error).max()) for error in errors))
    coverage = float(np.mean([covers(ratio) for ratio in ours]))
    lines.figure(
        name, "coverage", coverage, goal=None if quick else "0.9..0.99", seconds=round(float(np.mean(taken)), 2)
    )


def with_more_work(case: Case, model: ov.Model, percent: int, count: int, lines: Lines, *, quick: bool) -> None:
    """Prints how often it is shown that more work takes longer."""
    # Both read some of what they are given, so that both copy it.
    sample = {name: np.repeat(value, count + 2, axis=0) for name, value in case.sample().items()}
    more, less = (on_first(model, sample, samples) for samples in (count + 1, count))
    ratios, taken = [], []
    for repeat in range(1 if quick else 10):
        started = time.perf_counter()
        pairs = ()  # their memory is free for the next ones
        pairs = compiled(more, less)
        found = measure_latency(*pairs, sample, max_seconds=4, target_half_width=0.002, seed=repeat)
        ratios.append(found.ratio)
        taken.append(time.perf_counter() - started)
    lines.figure(
        case.name,
        f"detected_{percent}_percent",
        float(np.mean([ratio.low > 1 for ratio in ratios])),
        ratio=round(float(np.median([ratio.value for ratio in ratios])), 4),
        seconds=round(float(np.mean(taken)), 2),
        n=len(ratios),
    )


def compiled(one: ov.Model, other: ov.Model) -> tuple[list[Compiled], list[Compiled]]:
    """Several compilations of two models, on one core, as they are often served."""
    runtime = RuntimeConfig(num_threads=1, num_streams=1)
    return compile_pairs(
        lambda: runtime.compile(one),
        lambda: runtime.compile(other),
        max_seconds=COMPILING_S,
        size_bytes=size_bytes(one) + size_bytes(other),
    )


def covers(ratio: Estimate) -> bool:
    """Whether the interval holds 1."""
    return ratio.low <= 1 <= ratio.high


def sequential(models: Sequence[Compiled], sample: Feed, seconds: float) -> float:
    """Ratio of the medians of two models that are run for some time each, one after the other."""
    medians = []
    for model in models:
        request = model.compiled_model.create_infer_request()
        request.infer(sample)
        ticks = [time.perf_counter()]
        while ticks[-1] < ticks[0] + seconds:
            request.infer()
            ticks.append(time.perf_counter())
        medians.append(np.median(np.diff(ticks)))
    return float(medians[0] / medians[1])


def on_first(model: ov.Model, sample: Feed, count: int) -> ov.Model:
    """A model that runs another one on the first samples of those that it is given."""
    inner = model.clone()
    inner.reshape({port: [count, *sample[port.any_name].shape[1:]] for port in inner.inputs})
    outer = []
    for parameter in inner.get_parameters():
        port = parameter.output(0)
        given = ops.parameter(sample[port.any_name].shape, parameter.get_element_type())
        given.output(0).set_names(port.get_names())
        first = ops.slice(given, *(np.array([bound], np.int64) for bound in (0, count, 1, 0)))
        for target in port.get_target_inputs():
            target.replace_source_output(first.output(0))
        outer.append(given)
    return ov.Model([ops.result(result.input_value(0)) for result in inner.get_results()], outer, f"{count} samples")


def main() -> None:
    """Runs every case."""
    command = parser(__doc__)
    command.add_argument("--more-work", action="store_true", help="leave out a model beside itself")
    options = command.parse_args()
    lines = Lines("aa")
    for case in cases(options.cases or DEFAULT_CASES):
        compare(case, lines, more_work_only=options.more_work, quick=options.quick)
    lines.finish()


if __name__ == "__main__":
    main()
