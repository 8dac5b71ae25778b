"""`autoq sites`."""

from __future__ import annotations

from dataclasses import asdict

import click

from autoq.cli._show import as_json, print_json, print_table


@click.command()
@click.argument("model")
@click.option("--model-type", help="transformer, for its placement rules.")
@click.option("--target-device", default="ANY", show_default=True, help="Hardware table for placement.")
@click.option(
    "--level", help="Show what a search at this level gives one precision: group, block, type, prefix, model."
)
@as_json
def sites(model: str, *, model_type: str | None, target_device: str, level: str | None, json_output: bool) -> None:
    """Shows what of MODEL can be quantized, and why the rest cannot."""
    from autoq.core import Level
    from autoq.graph import analyze, read_model, units

    chosen = None if level is None else Level.parse(level)
    network = read_model(model)
    graph = analyze(network, model_type=model_type, target_device=target_device)
    found = {} if chosen is None else units(network, graph, chosen)
    if json_output:
        print_json(
            {
                "groups": [asdict(group) for group in graph.groups],
                "sites": [asdict(site) for site in graph.sites],
                "operations": [asdict(decision) for decision in graph.decisions],
            }
            | ({} if chosen is None else {"level": chosen, "units": found})
        )
        return
    if chosen is not None:
        rows = [[unit, str(len(groups)), ", ".join(groups)] for unit, groups in found.items()]
        print_table(f"Units of {model} at the level {chosen}", ["unit", "", "groups"], rows)
        click.echo(f"{len(found)} units of {len(graph.groups)} groups")
        return
    group_of = {op: group.name for group in graph.groups for op in group.ops}
    rows = [
        [
            decision.op,
            decision.type,
            "int8" if decision.quantized else "",
            group_of.get(decision.op, ""),
            decision.reason,
        ]
        for decision in graph.decisions
    ]
    print_table(f"Operations of {model}", ["operation", "type", "", "group", "why"], rows)
    click.echo(
        f"{len(graph.groups)} groups, {len(graph.activations)} activation and {len(graph.weights)} weight quantizers"
    )
