"""Channels removed without training, by 300 photos without labels: accuracy, and time beside the float model's.

Per case, a quarter and half of the channels of each group, in multiples of 8, and widths that `autoq.prune` chooses for
as many multiplications. Beside it: the channels with the smallest weights, and those that Torch-Pruning finds least
important, removed in equal shares; neither tool repairs what reads them. Drops are in points on all labelled data.

    python experiments/benchmarks/prune.py [CASE ...] [--quick] [--seconds S]
"""

from __future__ import annotations

import time
from argparse import Namespace

import openvino as ov
from _cases import Case, parser, run_over
from _lines import Lines

import autoq
from autoq.core import RuntimePrecision
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.scoring import Scores, paired_drop
from autoq.graph import find_channels
from autoq.transform import kept_counts, remove_channels, removed_channels, with_known_shapes

USUAL = ("cifar10_repvgg", "cifar10_resnet20", "cifar10_mbv3", "effnet_lite0_cifar10")
RATIOS = (0.25, 0.5)
MULTIPLE = 8
# Most points that may be lost.
GOALS = {
    ("cifar10_repvgg", 0.25): 1.0,
    ("cifar10_resnet20", 0.25): 4.0,
    ("cifar10_mbv3", 0.25): 2.0,
    ("cifar10_repvgg", 0.5): 6.5,
}


def compare(case: Case, lines: Lines, options: Namespace) -> None:
    """Prints the figures of one case."""
    from _torch_pruning import importances

    subset, count = (40, 100) if options.quick else (300, None)
    runtime = RuntimeConfig(inference_precision=RuntimePrecision.F32)
    reference = case.score(case.model, runtime, count)
    network = with_known_shapes(autoq.read_model(case.model))
    graph = find_channels(network)
    peer = importances(network, graph)

    def drop(model: ov.Model) -> tuple[float, list[float]]:
        scores: Scores = case.score(model, runtime, count)
        lost = paired_drop(reference, scores)
        return 100 * lost.value, [round(100 * end, 2) for end in (lost.low, lost.high)]

    for ratio in RATIOS[: 1 if options.quick else None]:
        label = f"{case.name} {ratio:.0%}"
        theirs = removed_channels(graph, kept_counts(graph, ratio, MULTIPLE), peer)
        smallest = autoq.prune(
            case.model, None, ratio=ratio, multiple_of=MULTIPLE, method="magnitude", repair="none", progress=False
        )
        beside = {"smallest_norm": smallest, "torch_pruning": remove_channels(network, graph, theirs)}
        lost = {name: drop(model)[0] for name, model in beside.items()}
        for widths in ("equal", "chosen"):
            started, used = time.perf_counter(), time.process_time()
            pruned = autoq.prune(
                case.model,
                case.calibration(subset),
                ratio=ratio,
                multiple_of=MULTIPLE,
                widths=widths,
                subset_size=subset,
                progress=False,
            )
            seconds = {"wall_s": time.perf_counter() - started, "cpu_s": time.process_time() - used}
            ours, interval = drop(pruned)
            most = GOALS.get((case.name, ratio)) if widths == "chosen" and not options.quick else None
            for name, value in lost.items():
                lines.figure(
                    label,
                    f"drop_points {widths}, beside {name}",
                    ours,
                    value,
                    goal=None if most is None else f"<= {most}",
                    judged=ours,
                    interval=interval,
                    **{unit: round(value, 1) for unit, value in seconds.items()},
                )
            _time(case, lines, f"{label} {widths}", pruned, graph.products_left(theirs), options)


def _time(case: Case, lines: Lines, label: str, pruned: ov.Model, left: float, options: Namespace) -> None:
    comparison = autoq.benchmark(
        pruned,
        against=case.model,
        sample=case.sample(),
        max_seconds=1 if options.quick else options.seconds,
        num_threads=1,
        num_streams=1,
    )
    ratio = comparison.latency.ratio
    own = sum(layer.products for layer in find_channels(autoq.read_model(pruned)).layers)
    whole = sum(layer.products for layer in find_channels(autoq.read_model(case.model)).layers)
    lines.figure(
        label,
        "latency_over_float",
        ratio.value,
        interval=[round(end, 3) for end in (ratio.low, ratio.high)],
        multiplications_left=round(own / whole, 4),
        of_equal_shares=round(left, 4),
    )


def main() -> None:
    """Runs the benchmark over the cases that the command line names."""
    command = parser(__doc__)
    command.add_argument("--seconds", type=float, default=20, help="seconds for timing a model")
    options = command.parse_args()
    run_over("prune", options, USUAL, compare)


if __name__ == "__main__":
    main()
