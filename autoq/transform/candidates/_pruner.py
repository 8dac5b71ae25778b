"""Prunes one float model by plans: what is seen of its activations serves all of them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Activation, Grams
from autoq.core import PlanError, PruningMethod, PruningPlan, Repair, nearest, quoted
from autoq.graph import ChannelGraph, IgnoredScope, find_channels, unique_names
from autoq.transform.candidates._in_turn import InTurn
from autoq.transform.prune import (
    KeptCounts,
    distances,
    ended_by,
    interpolative_scores,
    kept_counts,
    magnitudes,
    pruned_at_once,
    read_activations,
    remove_channels,
    removed_channels,
    with_known_shapes,
    without_inner,
)
from autoq.transform.quantize import FLOAT_FINGERPRINT


@dataclass(frozen=True, slots=True)
class Prunable:
    """A model, with its channels that can go.

    Attributes:
        model: The model with known shapes as constants.
        graph: Its channels.
        activations: What layers mix channels of, by name of the layer.
    """

    model: ov.Model
    graph: ChannelGraph
    activations: Mapping[str, Activation]

    @classmethod
    def of(cls, model: ov.Model, ignored: IgnoredScope | None = None) -> Self:
        """Finds the channels of a model.

        Args:
            model: The float model in normal form; never modified.
            ignored: Operations that keep all channels that they read and make.

        Raises:
            PlanError: A rule of the scope matches nothing.
        """
        known = with_known_shapes(model)
        graph = find_channels(known, ignored)
        return cls(known, graph, read_activations(known, graph))


class Pruner:
    """Makes the float models of plans that prune. None of them is kept.

    Args:
        prunable: The model, and its channels.
        grams: Products of what layers read, for methods that see data; without any activation they are empty.
        in_turn: Repairs layers one after the other; None where no plan asks for it.
    """

    def __init__(self, prunable: Prunable, grams: Grams, in_turn: InTurn | None = None) -> None:
        self._model, self._graph, self._activations = prunable.model, prunable.graph, prunable.activations
        self._nodes = unique_names(self._model)
        self._grams = grams
        self._in_turn = in_turn
        self._scores = cache(self._scored)
        self._uniform = cache(self._counted)

    @property
    def whole(self) -> KeptCounts:
        """How many channels the groups have, by part."""
        return {group.name: tuple(map(len, group.parts)) for group in self._graph.groups}

    @property
    def branches(self) -> frozenset[str]:
        """Groups that can go as a whole."""
        return frozenset(group.name for group in self._graph.groups if group.branch is not None)

    @property
    def graph(self) -> ChannelGraph:
        """The channels."""
        return self._graph

    def ended(self, part: PruningPlan) -> frozenset[str]:
        """Operations of branches that go as a whole, and those at which they end: these have one input then.

        Raises:
            PlanError: See `counts`.
        """
        branches = ended_by(self._graph, self.counts(part))
        meet = (name for branch in branches for last in branch.exits for _, (name, _) in last.ends)
        return frozenset(op for branch in branches for op in branch.ops).union(meet)

    def shares(self, part: PruningPlan) -> dict[str, float]:
        """Share of its channels that each group really keeps.

        Raises:
            PlanError: See `counts`.
        """
        whole, counts = self.whole, self.counts(part)
        return {name: sum(counts[name]) / sum(whole[name]) for name in whole}

    def saved_bytes(self, part: PruningPlan) -> float:
        """Bytes of constants that go, in the types that the float model has.

        Raises:
            PlanError: See `counts`.
        """
        counts = self.counts(part)
        share = np.ones(1 + max((number for group in self._graph.groups for number in group.channels), default=0))
        for group in self._graph.groups:
            for own, count in zip(group.parts, counts[group.name], strict=True):
                share[list(own)] = count / len(own)
        found: dict[str, float] = {}
        for (op, port), axes in self._graph.reads.items():
            source = self._nodes[op].input_value(port).get_node()
            if source.get_type_name() == "Constant":
                kept = [float(np.where(own < 0, 1.0, share[own]).mean()) for own in axes if own is not None]
                found[source.get_name()] = source.get_byte_size() * (1 - math.prod(kept))
        return float(sum(found.values()))

    def counts(self, part: PruningPlan) -> KeptCounts:
        """How many channels each group keeps, by part of it.

        Raises:
            PlanError: The plan names a group that the model does not have, or keeps nothing of one that is no branch.
        """
        known = self.whole
        for name, share in part.kept.items():
            if name not in known:
                msg = f"plan names the group of channels {quoted(name)}, which cannot go: {nearest(name, known)}"
                raise PlanError(msg)
            if not share and name not in self.branches:
                msg = (
                    f"plan keeps no channel of the group {quoted(name)}: of this model, "
                    f"{', '.join(map(quoted, sorted(self.branches))) or 'none'} can go as a whole."
                )
                raise PlanError(msg)
        counts = {name: self._uniform(part.share(name), part.multiple_of)[name] for name in known}
        return without_inner(self._graph, counts)

    def fingerprint(self, part: PruningPlan) -> str:
        """Digest of the pruned model, equal for plans that remove the same; "float" if nothing goes.

        Raises:
            PlanError: See `counts`; or the repair takes runs of the pruned model, which nothing here does.
        """
        if part.repair is Repair.SEQUENTIAL and self._in_turn is None:
            msg = (
                f"plan's repair is {str(part.repair)!r}, which runs the model once for each layer, and nothing here "
                "runs it: use 'one_shot'."
            )
            raise PlanError(msg)
        counts, whole = self.counts(part), self.whole
        cut = {name: count for name, count in counts.items() if count != whole[name]}
        if not cut:
            return FLOAT_FINGERPRINT
        said = json.dumps([cut, str(part.method), str(part.repair)], sort_keys=True)
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()

    def build(self, part: PruningPlan) -> ov.Model:
        """The pruned and repaired model; a new one at each call.

        Raises:
            PlanError: See `fingerprint`.
            DataError: Layers have to be repaired in turn, and there are no data.
            StoredFileError: A model that was repaired in turn cannot be read again.
        """
        fingerprint = self.fingerprint(part)
        runs = None if part.repair is not Repair.SEQUENTIAL or fingerprint == FLOAT_FINGERPRINT else self._in_turn
        if runs is not None and (kept := runs.kept(fingerprint)) is not None:
            return kept
        removed = removed_channels(self._graph, self.counts(part), self._scores(part.method))
        if part.repair is Repair.NONE:
            return remove_channels(self._model, self._graph, removed)
        pruned = pruned_at_once(self._model, self._graph, removed, self._activations, self._grams)
        if runs is not None:
            runs.repair(fingerprint, pruned, self._model, self._graph, removed)
        return pruned

    def _scored(self, method: PruningMethod) -> Mapping[str, NDArray[np.float64]]:
        match method:
            case PruningMethod.MAGNITUDE:
                return magnitudes(self._model, self._graph)
            case PruningMethod.FPGM:
                return distances(self._model, self._graph)
            case PruningMethod.INTERPOLATIVE:
                return interpolative_scores(self._model, self._graph, self._activations, self._grams)

    def _counted(self, share: float, multiple_of: int) -> KeptCounts:
        return kept_counts(self._graph, 1 - share, multiple_of)
