"""Weights in few bits, beside `nncf.compress_weights`: time, memory and size, and what they cost in quality.

Per case and setting, each in a process of its own and in turn, the model read and saved included: wall time, CPU time,
the rise of the memory above that of the process before (all of it, and without the pages of files, which the system
takes back when it needs them), and the size of the weights. Of transformers there are also methods that need data, with
what they leave of the quality: how far the outputs are from those of the float model on held-out data (divergence per
token in nats, or one minus the cosine of embeddings), and the mean of the case's metric.

    python experiments/benchmarks/weight_compression.py [CASE ...] [--quick] [--only plain|data] [--repeats N]
        [--method NAME ...]
"""

from __future__ import annotations

import math
import statistics
import tempfile
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _cases import Case, parser, run_over
from _compressed import Cost, compress_in_child
from _divergence import Judge, Verdict, calibration_samples
from _lines import Lines

USUAL = ("minilm_l6", "smollm2_135m")
PLAIN: dict[str, dict[str, Any]] = {
    "int8_asym": {"mode": "int8_asym"},
    "int4_sym": {"mode": "int4_sym", "group_size": 64},
    "int4_asym_ratio_0.8": {"mode": "int4_asym", "group_size": 64, "ratio": 0.8},
    "nf4": {"mode": "nf4", "group_size": 64},
    "mxfp4": {"mode": "mxfp4"},
}
_INT4 = {"mode": "int4_sym", "group_size": 64}


@dataclass(frozen=True, slots=True)
class Method:
    """A method that needs data, of both tools.

    Attributes:
        ours: Its arguments for autoq, beside mode and group size.
        theirs: Those for NNCF; empty for what only autoq has.
        faster: How many times faster autoq has to be.
    """

    ours: dict[str, Any]
    theirs: dict[str, Any]
    faster: int = 3


METHODS = {
    "scale_estimation": Method({"scale_estimation": True}, {"scale_estimation": True}),
    "awq_scale_estimation": Method({"awq": True, "scale_estimation": True}, {"awq": True, "scale_estimation": True}),
    "gptq": Method({"gptq": True}, {"gptq": True}, 4),
    "lora_correction": Method({"rounding": "nearest", "lora_correction": True}, {"lora_correction": True}, 4),
    "default": Method({}, {}),
}
# Of the peer's memory.
_MEMORY = 0.35
# What our default may have of the peer's best divergence, at the size of both.
_DEFAULT = 0.9


def compare(case: Case, lines: Lines, options: Namespace) -> None:
    """Prints the figures of one case."""
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "data":
            _compare_plain(case, lines, Path(folder), options)
        if options.only != "plain" and not case.convolutional:
            _compare_methods(case, lines, Path(folder), options)


def _compare_plain(case: Case, lines: Lines, folder: Path, options: Namespace) -> None:
    for name, settings in list(PLAIN.items())[: 1 if options.quick else None]:
        costs = [
            [compress_in_child(tool, case.name, settings, folder / f"{tool}.xml") for tool in ("autoq", "nncf")]
            for _ in range(1 if options.quick else options.repeats)
        ]
        ours, theirs = zip(*costs, strict=True)
        goals = {"wall_s": ">= 8", "cpu_s": ">= 8", "own_bytes": ">= 2", "rise_bytes": ">= 1"}
        _costs(f"{case.name} {name}", lines, ours, theirs, goals if _is_large(case) and not options.quick else {})
        goal = None if options.quick else "0.999..1.001"
        lines.figure(f"{case.name} {name}", "size_bytes", ours[0].size_bytes, theirs[0].size_bytes, goal=goal)


def _compare_methods(case: Case, lines: Lines, folder: Path, options: Namespace) -> None:
    judge, samples = Judge.of(case, quick=options.quick), calibration_samples(case, quick=options.quick)
    best: Verdict | None = None
    for name, method in METHODS.items():
        if name not in (options.method or (("scale_estimation", "default") if options.quick else METHODS)):
            continue
        sides = {"autoq": method.ours, **({"nncf": method.theirs} if method.theirs else {})}
        costs: dict[str, list[Cost]] = {tool: [] for tool in sides}
        for _ in range(1 if options.quick else options.repeats):
            for tool, given in sides.items():
                out = folder / f"{tool}.xml"
                costs[tool].append(compress_in_child(tool, case.name, _INT4 | given, out, samples=samples))
        verdicts = {tool: judge.verdict(folder / f"{tool}.xml") for tool in sides}
        if (theirs := verdicts.get("nncf")) is not None and name != "lora_correction":  # which is larger
            best = theirs if best is None or theirs.distance < best.distance else best
        label = f"{case.name} {name}"
        goals = {"wall_s": f">= {method.faster}", "cpu_s": f">= {method.faster}", "own_bytes": f">= {1 / _MEMORY:.3g}"}
        _costs(
            label, lines, costs["autoq"], costs.get("nncf", []), goals if _is_large(case) and not options.quick else {}
        )
        beside, most = (theirs, 1.0) if theirs is not None else (best, _DEFAULT)
        _quality(label, lines, verdicts["autoq"], beside, None if options.quick else f"<= {most}", judge)


def _is_large(case: Case) -> bool:
    """Whether goals of time and memory apply: what a process needs anyway counts for little."""
    return case.path.with_suffix(".bin").stat().st_size > 2**27


def _costs(
    label: str, lines: Lines, ours: list[Cost] | tuple[Cost, ...], theirs: list[Cost] | tuple[Cost, ...], goals: Any
) -> None:
    for figure in ("wall_s", "cpu_s", "own_bytes", "rise_bytes"):
        own = statistics.median(getattr(cost, figure) for cost in ours)
        other = statistics.median(getattr(cost, figure) for cost in theirs) if theirs else None
        lines.figure(label, figure, own, other, goal=goals.get(figure) if theirs else None)


def _quality(label: str, lines: Lines, ours: Verdict, theirs: Verdict | None, goal: str | None, judge: Judge) -> None:
    ratio = None if theirs is None else ours.over(theirs)
    lines.figure(
        label,
        "divergence",
        ours.distance,
        None if theirs is None else theirs.distance,
        goal=None if ratio is None else goal,
        judged=None if ratio is None else ratio.value,
        **({} if ratio is None else {"interval": [round(end, 3) for end in (ratio.low, ratio.high)]}),
        held_out=len(ours.distances),
    )
    means = [float(verdict.scores.mean()) for verdict in (ours, theirs) if verdict is not None]
    lines.figure(label, "metric", *means)
    if judge.is_decoder:
        lines.figure(label, "perplexity", *(math.exp(-mean) for mean in means))


def main() -> None:
    """Runs the benchmark over the cases that the command line names."""
    command = parser(__doc__)
    command.add_argument("--only", choices=["plain", "data"], help="settings without data, or those that need them")
    command.add_argument("--method", action="append", choices=list(METHODS), help="methods that need data; all")
    command.add_argument("--repeats", type=int, default=3, help="compressions by each tool; medians are printed")
    options = command.parse_args()
    run_over("weight_compression", options, USUAL, compare)


if __name__ == "__main__":
    main()
