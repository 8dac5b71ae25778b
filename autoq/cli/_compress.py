"""`autoq compress`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from autoq.cli._quantize_options import DATA_HELP, read_scope, scope_options
from autoq.cli._show import as_json, in_layout, print_json, say_sizes, size_facts
from autoq.cli._trouble import writes_to
from autoq.core import FileLayout


@click.command()
@click.argument("model")
@click.option("-o", "--out", required=True, help="Path of the compressed .xml; with --layout optimum, a folder.")
@in_layout
@click.option(
    "--mode",
    default="int8_asym",
    show_default=True,
    help="int8_sym, int4_asym, int4_sym, nf4, mxfp4, adaptive_codebook ...",
)
@click.option("--ratio", type=float, help="Share of the weights that takes the mode; the others take the backup mode.")
@click.option("--group-size", type=int, help="Numbers that share a scale; -1 for one scale for each channel.")
@click.option("--all-layers", is_flag=True, help="The last matrix product and embeddings take the mode too.")
@click.option("--sensitivity-metric", help="How weights are ranked with --ratio, by data if given.")
@click.option("--backup-mode", help="none, int8_asym, int8_sym, fp8_e4m3 or mxfp8_e4m3.")
@click.option(
    "--group-size-fallback",
    default="error",
    show_default=True,
    help="What becomes of a weight that groups do not fit: error, ignore or adjust.",
)
@click.option("--codebook-size", type=int, help="Numbers of each codebook of mode adaptive_codebook, 2 to 256.")
@click.option("--codebook-type", help="Type of these numbers: f8e4m3, f16, f32 or i8.")
@click.option("--across-blocks", is_flag=True, help="Weights of one place in all blocks share such a codebook.")
@click.option("--dataset", help=f"Inputs by which weights of up to 4 bits are rounded: {DATA_HELP}")
@click.option("--subset-size", type=int, default=128, show_default=True, help="Samples of the dataset used.")
@click.option("--cache", help="Folder that keeps the statistics of the dataset for the next time.")
@click.option("--rounding", help="compensated, gptq, scale_estimation or nearest.")
@click.option("--awq", is_flag=True, help="Scale columns of weights after activation functions, by data if given.")
@click.option("--lora-correction", is_flag=True, help="Add small matrices that make up for a part of the error.")
@click.option("--objective", help="tokens, or sample_means as NNCF has it.")
@scope_options
@click.option("--ignored-scope", help="Operations that stay in float: a .yaml that `autoq sensitivity` wrote.")
@as_json
def compress(
    model: str,
    *,
    out: str,
    layout: str,
    all_layers: bool,
    dataset: str | None,
    awq: bool,
    lora_correction: bool,
    across_blocks: bool,
    names: tuple[str, ...],
    types: tuple[str, ...],
    patterns: tuple[str, ...],
    ignored_scope: str | None,
    json_output: bool,
    **given: Any,  # the other options, by the names above
) -> None:
    """Stores the weights of MODEL in few bits, more exactly where --dataset is given."""
    from autoq.api import compress_weights
    from autoq.config import load_data
    from autoq.export import saver
    from autoq.graph import read_model
    from autoq.transform import read_plan

    save = saver(out, FileLayout.parse(layout), model)
    writes_to(Path(out).parent)
    scope = read_scope(names, types, patterns, ignored_scope)
    network = read_model(model)
    compressed = compress_weights(
        network,
        ignored_scope=scope,
        all_layers=all_layers or None,
        dataset=None if dataset is None else load_data(dataset, Path()),
        awq=awq or None,
        lora_correction=lora_correction or None,
        across_blocks=across_blocks or None,
        **given,
    )
    path = save(compressed)
    found = size_facts(path, network, compressed)
    plan = read_plan(compressed)
    formats = Counter(map(str, plan.compression.formats.values() if plan is not None else ()))
    if json_output:
        print_json({**found, "weights_by_format": dict(formats)})
        return
    say_sizes(found)
    click.echo(f"weights: {', '.join(f'{count} {name}' for name, count in formats.items())}.")
