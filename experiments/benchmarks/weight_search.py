"""A search over the format of each weight, beside what users of NNCF and Optimum Intel do, and beside uniform settings.

Per case, each model made in a process of its own and all of them judged alike on held-out data: how far the outputs are
from those of the float model (divergence per token in nats, or one minus the cosine of embeddings), the metric of the
case, the size of the weights, and the time of a token beside the float model.

1. Peers: NNCF's sweep of the ratio at int4_sym in groups of 64 with AWQ and scale estimation, and Optimum Intel's
   default for a model that it has no settings for (int4_asym in groups of 128, without data).
2. Uniform: autoq's settings for the whole model, rounded by data.
3. The search: accuracy against size; of its front, the model for each size of the others is saved and judged.

At every size of a peer, the divergence of the search's model is to be no larger, and 15% smaller in the median; 25% at
70 to 90 MB of smollm2_135m. It is to be no larger than that of the best uniform setting of that size.

    python experiments/benchmarks/weight_search.py [CASE ...] [--quick] [--peers FOLDER] [--seconds S] [--only STAGE]

With `--peers FOLDER`, models and verdicts of the peers and of the uniform settings are kept there, so that the search
can be run again beside them: those of smollm2_135m take half an hour. `--only others` makes them, `--only search` takes
what is there.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _cases import Case, cases, parser
from _compressed import Cost, compress_in_child
from _divergence import Judge, Verdict, calibration_samples, cosine
from _lines import Lines

import autoq
from autoq.api import Candidate
from autoq.core import Estimate
from autoq.searching.space import SearchSpace

USUAL = ("minilm_l6", "smollm2_135m")
_SWEEP = (0.01, 0.2, 0.4, 0.6, 0.8, 1.0)
_AWARE = {"awq": True, "scale_estimation": True}
# "dataset" says whether a setting has data.
PEERS: dict[str, dict[str, Any]] = {
    **{
        f"nncf_{ratio:g}": {"mode": "int4_sym", "group_size": 64, "ratio": ratio, "dataset": True} | _AWARE
        for ratio in _SWEEP
    },
    "optimum_int4": {"mode": "int4_asym", "group_size": 128, "group_size_fallback": "adjust"},
}
UNIFORM: dict[str, dict[str, Any]] = {
    "int8": {"mode": "int8_asym"},
    **{
        f"int4_g64_{ratio:g}": {"mode": "int4_sym", "group_size": 64, "ratio": ratio, "dataset": True}
        for ratio in _SWEEP[1:]
    },
    "int4_g128": {"mode": "int4_sym", "group_size": 128, "group_size_fallback": "adjust", "dataset": True},
    "int4_asym_g64": {"mode": "int4_asym", "group_size": 64, "dataset": True},
    "nf4_g64": {"mode": "nf4", "group_size": 64, "dataset": True},
    "int4_g64_all": {"mode": "int4_sym", "group_size": 64, "all_layers": True, "dataset": True},
    "int4_g128_all": {
        "mode": "int4_sym",
        "group_size": 128,
        "group_size_fallback": "adjust",
        "all_layers": True,
        "dataset": True,
    },
}
_QUICK = {"nncf_1", "optimum_int4", "int8", "int4_g64_1"}
_LIKE_SIZE = 1.0005
_MIDDLE_MB = (70, 90)


@dataclass(frozen=True, slots=True)
class Entry:
    """A model and what it was judged to be.

    Attributes:
        name: Of its setting.
        cost: What it took to make.
        verdict: How far it is from the float model.
        time_ratio: Its time over that of the float model.
    """

    name: str
    cost: Cost
    verdict: Verdict
    time_ratio: Estimate

    @property
    def size(self) -> int:
        """Size of the weights in bytes."""
        return self.cost.size_bytes


@dataclass(frozen=True, slots=True)
class Shop:
    """Makes and judges the models of one case.

    Attributes:
        case: The case.
        judge: Its judge.
        folder: Where models and verdicts lie.
        samples: Calibration samples of each tool.
        seconds: For the time of each model.
    """

    case: Case
    judge: Judge
    folder: Path
    samples: int
    seconds: float

    def notes(self, name: str) -> Path:
        """Where a verdict lies, beside its model."""
        return self.folder / self.case.name / f"{name}.json"

    def entry(self, name: str, make: Callable[[Path], Cost], settings: Mapping[str, Any]) -> Entry:
        """A model and its verdict; a kept one, if it was made by the same settings.

        Args:
            name: Of the model.
            make: Writes the model.
            settings: Plain values that it follows from.
        """
        notes = self.notes(name)
        notes.parent.mkdir(parents=True, exist_ok=True)
        model = notes.with_name(f"{name}.xml")
        wanted = {
            "settings": dict(settings),
            "samples": self.samples,
            "held_out": self.judge.count,
            "seconds": self.seconds,
        }
        known = json.loads(notes.read_text("utf-8")) if notes.exists() else {}
        if known.get("of") != wanted:
            cost = make(model)
            verdict, ratio = self.judge.verdict(model), self.judge.time_ratio(model, self.seconds)
            known = {"of": wanted, "cost": cost.text, "verdict": verdict.text, "time_ratio": _ends(ratio)}
            notes.write_text(json.dumps(known), "utf-8")
        return Entry(name, Cost.read(known["cost"]), Verdict.read(known["verdict"]), Estimate(*known["time_ratio"]))

    def compressed(self, tool: str, name: str, settings: Mapping[str, Any]) -> Entry:
        """The model of a setting of a tool."""
        given = {key: value for key, value in settings.items() if key != "dataset"}
        samples = self.samples if "dataset" in settings else 0
        return self.entry(
            name, lambda out: compress_in_child(tool, self.case.name, given, out, samples=samples), settings
        )


def _saved(candidate: Candidate, out: Path) -> Cost:
    """Writes what a search found."""
    wall, cpu = time.perf_counter(), time.process_time()
    candidate.save(out)
    return Cost(
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
        rise_bytes=0,
        own_bytes=0,
        size_bytes=out.with_suffix(".bin").stat().st_size,
    )


def compare(case: Case, lines: Lines, options: Namespace, folder: Path) -> None:
    """Prints the figures of one case."""
    quick = options.quick
    judge, samples = Judge.of(case, quick=quick), calibration_samples(case, quick=quick)
    shop = Shop(case, judge, folder, samples, 1.0 if quick else 10.0)
    peers = list(_tell(lines, case, _made(shop, "nncf", PEERS, options)))
    uniform = list(_tell(lines, case, _made(shop, "autoq", UNIFORM, options)))
    if options.only == "others":
        return
    with tempfile.TemporaryDirectory() as own:
        ours = Shop(case, judge, Path(own), samples, shop.seconds)
        sizes = sorted({entry.size for entry in (*peers, *uniform)})
        found = list(_tell(lines, case, _searched(ours, lines, sizes, options)))
    _beside_peers(case, lines, found, peers, goals=not quick)
    _beside_uniform(case, lines, found, uniform, goals=not quick)
    _by_time(case, lines, found, peers)


def _made(shop: Shop, tool: str, settings: Mapping[str, Mapping[str, Any]], options: Namespace) -> Iterator[Entry]:
    for name, given in settings.items():
        left_out = options.only == "search" and not shop.notes(name).exists()
        if not left_out and (not options.quick or name in _QUICK):
            yield shop.compressed(tool, name, given)


def _searched(shop: Shop, lines: Lines, sizes: Sequence[int], options: Namespace) -> Iterator[Entry]:
    """The models of the front of a search: for each size, the one that the search found best within it."""
    case = shop.case
    validation, metric = _scored(shop, quick=options.quick)
    wall, cpu = time.perf_counter(), time.process_time()
    result = autoq.search(
        case.model,
        calibration=case.calibration(shop.samples),
        validation=validation,
        metric=metric,
        space=SearchSpace.load("llm").model_copy(update={"subset_sizes": (shop.samples,)}),  # as the others have
        against="size",
        timeout_s=30 if options.quick else options.seconds,
        out=shop.folder / "run",
        progress=False,
    )
    lines.figure(
        case.name,
        "search_s",
        time.perf_counter() - wall,
        cpu_s=round(time.process_time() - cpu, 1),
        evaluations=len(result.records),
        front=len(result.front),
    )
    known = [(trial, trial.evaluation) for trial in result.front if trial.evaluation is not None]
    chosen = {}
    for size in sizes:
        within = [(e.accuracy.drop.value, trial) for trial, e in known if e.size_bytes <= size * _LIKE_SIZE]
        if within:
            best = min(within, key=lambda pair: pair[0])[1]
            chosen[best.number] = best
    for number, trial in chosen.items():
        make = partial(_saved, result.candidate(number))
        yield shop.entry(f"search_{number}", make, trial.plan.to_dict())


def _scored(shop: Shop, *, quick: bool) -> tuple[Any, Any]:
    """What a search scores on, and by which metric."""
    pairs = list(shop.case.validation(4 if quick else None))
    if shop.judge.is_decoder:
        return np.stack([tokens for _, tokens in pairs]), "negative_kl"
    feeds = [inputs for inputs, _ in pairs]
    return list(zip(feeds, shop.judge.embeddings(feeds), strict=True)), cosine


def _tell(lines: Lines, case: Case, entries: Iterator[Entry]) -> Iterator[Entry]:
    """Prints each model as it is made."""
    for entry in entries:
        lines.figure(
            f"{case.name} {entry.name}",
            "divergence",
            entry.verdict.distance,
            size_mb=round(entry.size / 1e6, 2),
            metric=round(float(entry.verdict.scores.mean()), 4),
            time_ratio=[round(end, 3) for end in _ends(entry.time_ratio)],
            wall_s=round(entry.cost.wall_s, 1),
            cpu_s=round(entry.cost.cpu_s, 1),
        )
        yield entry


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _best(entries: Sequence[Entry], size: int) -> Entry | None:
    """The model with the least divergence of those that are no larger."""
    within = [entry for entry in entries if entry.size <= size * _LIKE_SIZE]
    return min(within, key=lambda entry: entry.verdict.distance, default=None)


def _beside_peers(case: Case, lines: Lines, found: Sequence[Entry], peers: Sequence[Entry], *, goals: bool) -> None:
    saved: dict[int, float] = {}
    for peer in peers:
        best = _best(peers, peer.size)
        if best is not peer:
            continue
        ratio = _figure(case, lines, found, peer, "at_size", goal="<= 1" if goals else None)
        saved[peer.size] = 1 - ratio
    if not saved:
        return
    lines.figure(case.name, "saved_median", statistics.median(saved.values()), goal=">= 0.15" if goals else None)
    middle = [value for size, value in saved.items() if _MIDDLE_MB[0] <= size / 1e6 <= _MIDDLE_MB[1]]
    if middle:
        lines.figure(case.name, "saved_at_70_to_90_mb", statistics.median(middle), goal=">= 0.25" if goals else None)


def _beside_uniform(case: Case, lines: Lines, found: Sequence[Entry], uniform: Sequence[Entry], *, goals: bool) -> None:
    for entry in uniform:
        if _best(uniform, entry.size) is entry:
            _figure(case, lines, found, entry, "at_size_of_uniform", goal="<= 1" if goals else None)


def _figure(case: Case, lines: Lines, found: Sequence[Entry], peer: Entry, figure: str, *, goal: str | None) -> float:
    """Prints the divergence of the search's best model that is no larger, beside another model's; gives their ratio."""
    own = _best(found, peer.size)
    if own is None:
        lines.figure(f"{case.name} {peer.name}", figure, float("inf"), peer.verdict.distance, goal=goal, judged=np.inf)
        return float("inf")
    ratio = own.verdict.over(peer.verdict)
    lines.figure(
        f"{case.name} {peer.name}",
        figure,
        own.verdict.distance,
        peer.verdict.distance,
        goal=goal,
        judged=ratio.low,  # larger only where the interval shows it
        over=round(ratio.value, 3),
        interval=[round(ratio.low, 3), round(ratio.high, 3)],
        size_mb=[round(entry.size / 1e6, 2) for entry in (own, peer)],
        of=own.name,
    )
    return ratio.value


def _by_time(case: Case, lines: Lines, found: Sequence[Entry], peers: Sequence[Entry]) -> None:
    """The divergence beside that of each peer, of models that are not shown to be slower."""
    for peer in peers:
        within = [entry for entry in found if entry.time_ratio.low <= peer.time_ratio.high]
        own = min(within, key=lambda entry: entry.verdict.distance, default=None)
        if own is None:
            continue
        ratio = own.verdict.over(peer.verdict)
        lines.figure(
            f"{case.name} {peer.name}",
            "at_time",
            own.verdict.distance,
            peer.verdict.distance,
            over=round(ratio.value, 3),
            interval=[round(ratio.low, 3), round(ratio.high, 3)],
            time_ratios=[round(entry.time_ratio.value, 3) for entry in (own, peer)],
            of=own.name,
        )


def main() -> None:
    """Runs the benchmark over the cases that the command line names."""
    command = parser(__doc__)
    command.add_argument("--peers", type=Path, help="folder that keeps models and verdicts of the other settings")
    command.add_argument("--only", choices=["others", "search"], help="no search; or beside what is kept alone")
    command.add_argument("--seconds", type=float, default=900, help="seconds of each search")
    options = command.parse_args()
    lines = Lines("weight_search")
    with tempfile.TemporaryDirectory() as own:
        for case in cases(options.cases, USUAL[:1] if options.quick else USUAL):
            compare(case, lines, options, options.peers or Path(own))
    lines.finish()


if __name__ == "__main__":
    main()
