"""The widths of a search: shares of their channels that groups may keep, and what layers read of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import openvino as ov

from autoq.calibration import Grams, SampleRun, kept_grams
from autoq.core import ModelError, Plan, PruningPlan, Repair, quoted
from autoq.graph import operation
from autoq.searching.space import SearchSpace
from autoq.transform import InTurn, Prunable, Pruner

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SearchedWidths:
    """The widths that a search cuts.

    Attributes:
        pruner: Removes channels.
        choices: Shares of its channels that each group may keep beside all, by its name.
    """

    pruner: Pruner
    choices: Mapping[str, Sequence[float]]


def searched_widths(
    model: ov.Model,
    space: SearchSpace,
    run: SampleRun,
    *,
    stack: ExitStack,
    progress: Progress | None = None,
) -> SearchedWidths | None:
    """Finds the channels of a search, and runs the model once for what layers read of them.

    Args:
        model: The float model; never modified.
        space: The space of the search.
        run: What the model is run on; without its folder, what was seen is kept in memory.
        stack: Keeps what was seen until it is closed.
        progress: Called with the numbers of samples done and of all samples.

    Returns:
        The widths; None if the space cuts none.

    Raises:
        ModelError: No width can be cut.
        DataError: There are no inputs, and the folder keeps nothing.
    """
    part = space.pruning()
    if part is None:
        return None
    name = quoted(model.get_friendly_name())
    if any(operation(op.get_type_name()).quantizer for op in model.get_ops()):
        msg = f"model {name} is quantized already, so that its channels stay: search the float model it was made of."
        raise ModelError(msg)
    ignored = None if space.ignored_channels is None else space.ignored_channels.to_scope()
    prunable = Prunable.of(model, ignored)
    pruner = Pruner(prunable, _grams(prunable, run, stack, progress), InTurn(run))
    choices = _choices(pruner, part, space.shares)
    if not choices:
        fixed = prunable.graph.fixed
        why = "all widths stay at the nearest multiple: give smaller channel_shares, or another channel_multiple_of"
        if not prunable.graph.groups:
            why = f"{quoted(fixed[0].name)}, for example: {fixed[0].reason}" if fixed else "no layer has a weight"
        msg = f"model {name} has no channels that can go with channel_shares; {why}."
        raise ModelError(msg)
    return SearchedWidths(pruner, choices)


def repaired_at_once(plan: Plan) -> Plan:
    """The plan without runs for its repair: what is probed is compared with others alone."""
    if PruningPlan.kind not in plan.kinds or plan.pruning.repair is not Repair.SEQUENTIAL:
        return plan
    return plan.having(replace(plan.pruning, repair=Repair.ONE_SHOT))


def _choices(pruner: Pruner, part: PruningPlan, shares: Sequence[float]) -> dict[str, tuple[float, ...]]:
    """The shares of each group that make widths of their own; of several of one width, the largest share."""
    found = {}
    for name, whole in pruner.whole.items():
        own = sorted(share for share in shares if share or name in pruner.branches)
        widths = {pruner.counts(replace(part, kept={name: share}))[name]: share for share in own}
        if fewer := tuple(sorted((share for width, share in widths.items() if width != whole), reverse=True)):
            found[name] = fewer
    return found


def _grams(prunable: Prunable, run: SampleRun, stack: ExitStack, progress: Progress | None) -> Grams:
    """Products of what layers read, from the folder of this model and its data, or from a run."""
    every = sorted(set(prunable.activations.values()))
    if not every:
        return Grams({}, {}, {}, {})
    return stack.enter_context(
        kept_grams(
            run.folder,
            prunable.model,
            every,
            run.inputs,
            products=every,
            subset_size=run.samples,
            reset_state=run.reset_state,
            is_own=True,
            progress=progress,
        )
    )
