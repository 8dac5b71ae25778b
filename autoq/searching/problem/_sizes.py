"""Bytes that choices save, as far as they are known without building: of weights and their scales."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import openvino as ov

from autoq.core import Precision, PruningPlan, WeightFormat
from autoq.evaluation.candidate import size_bytes
from autoq.graph import QuantizerSite, SiteKind
from autoq.searching.problem._problem import Problem
from autoq.searching.sampler import SizeLimit
from autoq.searching.sensitivity import ByChoice
from autoq.searching.space import Unit

_BYTES_OF_SCALE = 4
_FLOAT_BITS = 32


def size_limit(problem: Problem, max_bytes: int) -> SizeLimit:
    """The bytes that plans have to save so that their models keep a size limit.

    Args:
        problem: What is searched.
        max_bytes: Largest size of the weights.
    """
    return SizeLimit(saved_bytes(problem), size_bytes(problem.model) - max_bytes)


def saved_bytes(problem: Problem) -> ByChoice:
    """Bytes that each choice of a unit saves, by the parameter of the unit.

    Channels count as if their weights were quantized in any case: a plan that saves enough then does.
    """
    return _by_groups(problem) | _by_weights(problem) | _by_widths(problem)


def _by_weights(problem: Problem) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, unit in problem.dimensions.weights.items():
        of_weight = partial(problem.weight_builder.size_bytes, unit.name)
        found[name] = {word: of_weight() - of_weight(WeightFormat.parse(word)) for word in unit.choices[1:]}
    return found


def _by_widths(problem: Problem) -> dict[str, dict[str, float]]:
    if not problem.dimensions.widths or problem.widths is None:
        return {}
    pruner, multiple = problem.widths.pruner, problem.space.channel_multiple_of
    share = min((precision.bits / _FLOAT_BITS for precision in problem.space.quantized), default=1.0)

    def saved(unit: Unit, word: str) -> float:
        return share * pruner.saved_bytes(PruningPlan({unit.name: float(word)}, multiple))

    return {
        name: {word: saved(unit, word) for word in unit.choices[1:]} for name, unit in problem.dimensions.widths.items()
    }


def _by_groups(problem: Problem) -> dict[str, dict[str, float]]:
    graph = problem.placements.reference
    ops = {op.get_friendly_name(): op for op in problem.model.get_ops()}
    sites = {site.name: site for site in graph.sites if site.kind is SiteKind.WEIGHT}
    by_group = {group.name: [sites[name] for name in group.sites if name in sites] for group in graph.groups}

    def of(members: Sequence[str], precision: Precision) -> float:
        # A weight that several layers share has one site for each of them.
        return sum({s.tensor: _saved(s, ops, precision) for group in members for s in by_group[group]}.values())

    return {
        unit: {word: of(members, Precision.parse(word)) for word in problem.dimensions.units[unit].choices[1:]}
        for unit, members in problem.dimensions.groups.items()
    }


def _saved(site: QuantizerSite, ops: Mapping[str, ov.Node], precision: Precision) -> float:
    """Bytes that a weight saves. A constant in a narrower type stands behind a Convert."""
    node = ops.get(site.tensor.producer)
    while node is not None and node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    width = int((ov.Type.f32 if node is None else node.get_output_element_type(0)).size)
    channels = math.prod(site.shape[axis] for axis in site.channel_axes)
    return math.prod(site.shape) * (width - precision.bits // 8) - channels * _BYTES_OF_SCALE
