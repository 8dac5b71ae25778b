"""`autoq prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autoq.cli._quantize_options import DATA_HELP, read_scope, scope_options
from autoq.cli._show import as_json, print_json, say_sizes, size_facts
from autoq.cli._trouble import writes_to
from autoq.core import FileLayout


@click.command()
@click.argument("model")
@click.option("-o", "--out", required=True, help="Path of the pruned .xml.")
@click.option("--calibration", help=f"Inputs by which channels are chosen and layers repaired: {DATA_HELP}")
@click.option("--ratio", type=float, help="Share of the channels of each group that goes.")
@click.option("--macs", type=float, help="Or the share of multiplications that may be left.")
@click.option("--latency", type=float, help="Or the share of the float model's measured time that may be left.")
@click.option("--widths", help="chosen (the default with --calibration) or equal: what each group loses.")
@click.option("--device", default="CPU", show_default=True, help="OpenVINO device that --latency is measured on.")
@click.option("--multiple-of", type=int, default=8, show_default=True, help="What widths are multiples of.")
@click.option("--method", default="interpolative", show_default=True, help="interpolative, magnitude or fpgm.")
@click.option("--repair", default="sequential", show_default=True, help="sequential, one_shot or none.")
@click.option("--subset-size", type=int, default=300, show_default=True, help="Samples of the data used.")
@scope_options
@click.option("--ignored-scope", help="Operations that keep their channels: a .yaml as `autoq sensitivity` writes it.")
@as_json
def prune(
    model: str,
    *,
    out: str,
    calibration: str | None,
    names: tuple[str, ...],
    types: tuple[str, ...],
    patterns: tuple[str, ...],
    ignored_scope: str | None,
    json_output: bool,
    **given: Any,  # the other options, by the names above
) -> None:
    """Removes channels of MODEL, and repairs the layers that read them."""
    from autoq.api import prune
    from autoq.config import load_data
    from autoq.export import saver
    from autoq.graph import read_model

    save = saver(out, FileLayout.IR, model)
    writes_to(Path(out).parent)
    scope = read_scope(names, types, patterns, ignored_scope)
    network = read_model(model)
    data = None if calibration is None else load_data(calibration, Path())
    pruned = prune(network, data, ignored_scope=scope, **given)
    path = save(pruned)
    found = size_facts(path, network, pruned)
    if json_output:
        print_json(found)
        return
    say_sizes(found)
