"""Groups of sites that must share a precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autoq.graph.flow import Components
from autoq.graph.operations import QuantizerGroup, QuantizerSite


def group_sites(sites: Iterable[QuantizerSite], order: Mapping[str, int]) -> tuple[QuantizerGroup, ...]:
    """Connected components of sites that quantize inputs of a common operation, or share a range.

    An operation runs in int8 only if all its inputs are quantized. If a part of a component were in float, the other
    quantizers would cost time and accuracy without serving an int8 kernel.

    Args:
        sites: All sites of a model.
        order: Topological position by operation.
    """
    sites = list(sites)
    together = Components()
    for site in sites:
        together.join(f"site {site.name}", *(f"op {op}" for op in site.sinks))
        if site.unified is not None:
            together.join(f"site {site.name}", f"range {site.unified}")
    root = together.roots()
    members: dict[str, list[QuantizerSite]] = {}
    for site in sites:
        members.setdefault(root[f"site {site.name}"], []).append(site)
    groups = []
    for group in members.values():
        ops = sorted({op for site in group for op in site.sinks}, key=order.__getitem__)
        groups.append(QuantizerGroup(ops[0], tuple(sorted(site.name for site in group)), tuple(ops)))
    return tuple(sorted(groups, key=lambda group: order[group.name]))
