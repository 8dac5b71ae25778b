"""How many channels each group keeps: equal shares, or those that the outputs miss least."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from autoq.api.pruning._candidates import PrunedModels
from autoq.api.pruning._settings import Widths
from autoq.core import ModelError, PlanError, Repair, quoted
from autoq.evaluation.latency import measure_latencies, measure_latency
from autoq.report import progress_bar
from autoq.transform import KeptCounts, WidthSteps, chosen_counts, counts_for_products, kept_counts, width_steps

# Quick repairs tell which widths are better if one distortion is below this share of the other one.
_CLEAR = 0.7
# Share of the samples that layers are not fitted to where two choices are compared.
_APART = 0.2
# Seconds for timing a group, and a whole model.
_GROUP_S, _MODEL_S = 0.5, 3.0
# So many models are compiled at a time.
_TOGETHER = 8
# The next measurement is taken when at most so many times as much should be saved.
_NEXT = 1.25
# A group that saves less time than this share of its multiplications counts as if it saved that.
_LEAST_WEIGHT = 0.05


def widths_of(models: PrunedModels) -> KeptCounts:
    """How many channels each group keeps, by the settings.

    Raises:
        ModelError: No channel can go.
        PlanError: So few would go that none does, or more is left in any case.
    """
    settings, graph = models.settings, models.graph
    if not graph.groups:
        why = "it has no convolution or matrix product with a constant weight"
        if graph.fixed:
            why = f"{quoted(graph.fixed[0].name)}, for example: {graph.fixed[0].reason}"
        msg = f"model {quoted(models.model.get_friendly_name())} has no channels that can go; {why}."
        raise ModelError(msg)
    if all(len(part) == 1 and group.branch is None for group in graph.groups for part in group.parts):
        why = f"those of {quoted(graph.groups[0].name)}, for example, go together or not at all"
        msg = f"model {quoted(models.model.get_friendly_name())} has no channels that can go; {why}."
        raise ModelError(msg)
    if settings.latency is not None:
        return _for_latency(models, settings.latency)
    equal = _equal(models)
    return equal if settings.widths is Widths.EQUAL else _chosen(models, equal)


def _equal(models: PrunedModels) -> KeptCounts:
    settings, graph = models.settings, models.graph
    if settings.macs is not None:
        return counts_for_products(graph, settings.macs, settings.multiple_of)
    counts = kept_counts(graph, settings.ratio or 0.0, settings.multiple_of)
    if all(counts[group.name] == tuple(map(len, group.parts)) for group in graph.groups):
        msg = (
            f"ratio is {settings.ratio}: no channel goes: all widths stay at the nearest multiple of "
            f"{settings.multiple_of}. Use a larger ratio, or a smaller multiple_of."
        )
        raise PlanError(msg)
    return counts


def _chosen(models: PrunedModels, equal: KeptCounts) -> KeptCounts:
    """The better one of equal shares, and of widths that are chosen for as many multiplications.

    Raises:
        ModelError: The outputs of both are no finite numbers.
    """
    settings = models.settings
    most = settings.macs if settings.macs is not None else models.left(equal)
    with progress_bar("choosing widths", shown=models.progress) as step:
        counts = chosen_counts(
            width_steps(models.graph, settings.multiple_of),
            lambda counts: models.distortion(models.quick(counts)),
            models.left,
            lambda counts, _: models.left(counts) <= most,
            progress=lambda saved: step(min(round(100 * saved / (1 - most)), 100), 100),
        )
    first, second = (models.distortion(models.quick(each)) for each in (counts, equal))
    if not math.isfinite(min(first, second)):
        msg = (
            f"model {quoted(models.model.get_friendly_name())} computes NaN or infinity once {1 - most:.0%} of its "
            "multiplications are gone: let fewer go."
        )
        raise ModelError(msg)
    if settings.repair is not Repair.SEQUENTIAL or models.inputs is None:
        return counts if first <= second else equal
    if first < _CLEAR * second:
        return counts
    every = models.inputs.at_most(settings.subset_size)
    apart = max(int(_APART * every), 1)
    if apart == every:
        return counts if first <= second else equal
    first, second = (models.distortion(models.whole(each, every - apart), apart) for each in (counts, equal))
    return counts if first <= second else equal


def _for_latency(models: PrunedModels, most: float) -> KeptCounts:
    """Widths that are chosen by what groups save of the measured time, until the model takes little enough of it.

    What a group saves is timed with half of it gone, or all of it where it can go as a whole; it says what one of its
    multiplications weighs. Of a model that should be fast enough by these, the time is measured; if it takes too long,
    more goes, in proportion.
    """
    steps = width_steps(models.graph, models.settings.multiple_of)
    weights = _weights(models, steps)
    wanted, looked = 1 - most, False

    def enough(counts: KeptCounts, saved: float) -> bool:
        nonlocal wanted, looked
        # The first measurement comes at the latest when as few multiplications are left: time seldom falls faster.
        if saved < wanted and (looked or models.left(counts) > most):
            return False
        looked, ratio = True, _ratio(models, counts)
        # A measurement may be off: the next one is not far.
        wanted = saved * min((1 - most) / max(1 - ratio, 1e-6), _NEXT)
        return ratio <= most

    try:
        with progress_bar("choosing widths", shown=models.progress) as step:
            return chosen_counts(
                steps,
                lambda counts: models.distortion(models.quick(counts)),
                models.left,
                enough,
                weights=weights,
                progress=lambda saved: step(min(round(100 * saved / wanted), 100), 100),
            )
    except PlanError:
        least = _ratio(models, {name: each[-1] for name, each in steps.items()})
        msg = f"latency is {most:g}: the narrowest model still takes {least:.2f} of the float model's time."
        raise PlanError(msg) from None


def _ratio(models: PrunedModels, counts: KeptCounts) -> float:
    """The measured time of a model over that of the float model."""
    runtime = models.settings.runtime
    candidate, baseline = runtime.compile(models.quick(counts)), runtime.compile(models.model)
    return measure_latency([candidate], [baseline], models.sample, max_seconds=_MODEL_S).ratio.value


def _timed(steps: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The width that tells what a group saves: a gate takes its time whatever its width is."""
    return steps[len(steps) // 2] if any(steps[-1]) else steps[-1]


def _weights(models: PrunedModels, steps: WidthSteps) -> Mapping[str, float]:
    """Time that is saved for each multiplication that is, by group."""
    runtime, whole = models.settings.runtime, {name: each[0] for name, each in steps.items()}
    found = {}
    names = [name for name, each in steps.items() if len(each) > 1]
    with progress_bar("timing groups", shown=models.progress) as step:
        baseline = runtime.compile(models.model)
        for start in range(0, len(names), _TOGETHER):
            some = names[start : start + _TOGETHER]
            counts = [{**whole, name: _timed(steps[name])} for name in some]
            compiled = [[runtime.compile(models.quick(each))] for each in counts]
            timed = measure_latencies(compiled, [baseline], models.sample, max_seconds=_GROUP_S * len(some))
            for name, each, latency in zip(some, counts, timed, strict=True):
                saved = max(1 - models.left(each), 1e-6)
                found[name] = max((1 - latency.ratio.value) / saved, _LEAST_WEIGHT)
            step(start + len(some), len(names))
    return found
