"""`autoq sites`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from autoq.cli._show import as_json, print_json, print_table

if TYPE_CHECKING:
    import openvino as ov

    from autoq.graph import QuantizationGraph


@click.command()
@click.argument("model")
@click.option("--model-type", help="transformer, for its placement rules.")
@click.option("--target-device", default="ANY", show_default=True, help="Hardware table for placement.")
@click.option("--level", help="Show the units of a search at this level: group, block, type, prefix, model.")
@click.option("--channels", is_flag=True, help="Show which channels `autoq prune` can remove, and why others stay.")
@as_json
def sites(
    model: str, *, model_type: str | None, target_device: str, level: str | None, channels: bool, json_output: bool
) -> None:
    """Shows which operations of MODEL can be quantized, and why the others cannot."""
    from autoq.core import Level
    from autoq.graph import analyze, read_model, units

    chosen = None if level is None else Level.parse(level)
    network = read_model(model)
    if channels:
        _show_channels(model, network, json_output=json_output)
        return
    graph = analyze(network, model_type=model_type, target_device=target_device)
    found = {} if chosen is None else units(network, graph, chosen)
    if json_output:
        print_json(_plain(graph) | ({} if chosen is None else {"level": chosen, "units": found}))
        return
    if chosen is not None:
        rows = [[unit, str(len(groups)), ", ".join(groups)] for unit, groups in found.items()]
        print_table(f"Units of {model} at the level {chosen}", ["unit", "", "groups"], rows)
        click.echo(f"{len(found)} units of {len(graph.groups)} groups")
        return
    rows = list(_rows(graph))
    print_table(f"Operations of {model}", ["operation", "type", "", "group", "why"], rows)
    every = list(_every(graph))
    activations, weights = sum(len(part.activations) for part in every), sum(len(part.weights) for part in every)
    click.echo(f"{len(graph.groups)} groups, {activations} activation and {weights} weight quantizers")


def _show_channels(model: str, network: ov.Model, *, json_output: bool) -> None:
    from autoq.graph import find_channels
    from autoq.transform import with_known_shapes

    graph = find_channels(with_known_shapes(network))
    if json_output:
        groups = [
            asdict(replace(group, branch=None))
            | {"channels": len(group.channels), "branch": None if group.branch is None else sorted(group.branch.ops)}
            for group in graph.groups
        ]
        print_json({"groups": groups, "fixed": [asdict(fixed) for fixed in graph.fixed]})
        return
    rows = [
        [one.name, str(len(one.channels)), "yes" if one.branch else "", ", ".join(one.producers[1:]), ""]
        for one in graph.groups
    ]
    rows += [[fixed.name, "", "", "", f"{fixed.count} stay: {fixed.reason}"] for fixed in graph.fixed]
    print_table(f"Channels of {model}", ["layer", "can go", "as a whole", "together with", "why not"], rows)
    whole = sum(group.branch is not None for group in graph.groups)
    click.echo(f"{len(graph.groups)} groups of channels that can go, {whole} of them as a whole")


def _every(graph: QuantizationGraph) -> Iterator[QuantizationGraph]:
    """A graph and the graphs of its bodies, at any depth."""
    yield graph
    for inside in graph.bodies.values():
        yield from _every(inside)


def _rows(graph: QuantizationGraph, where: str = "", group: str | None = None) -> Iterator[list[str]]:
    """Operation, type, "int8", group and reason. The operations of a body follow the operation that has the body."""
    group_of = {op: found.name for found in graph.groups for op in found.ops}
    for decision in graph.decisions:
        held = group or group_of.get(decision.op, "")
        yield [where + decision.op, decision.type, "int8" if decision.quantized else "", held, decision.reason]
        for (op, branch), inside in graph.bodies.items():
            if op == decision.op:
                part = ("then", "else")[branch] if decision.type == "If" else "body"
                yield from _rows(inside, f"{where}{op} {part}: ", held)


def _plain(graph: QuantizationGraph) -> dict[str, Any]:
    return {
        "groups": [asdict(group) for group in graph.groups],
        "sites": [asdict(site) for site in graph.sites],
        "operations": [asdict(decision) for decision in graph.decisions],
        "bodies": [{"op": op, "branch": branch, **_plain(inside)} for (op, branch), inside in graph.bodies.items()],
    }
