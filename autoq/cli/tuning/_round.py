"""`autoq round`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoq.cli._quantize_options import DATA_HELP
from autoq.cli._show import as_json, print_json, print_table
from autoq.cli._trouble import keeps, writes_to
from autoq.cli.words import Keeping
from autoq.core import FileLayout, shown

if TYPE_CHECKING:
    from autoq.training.rounding import RoundingReport


@click.command("round")
@click.argument("model")
@click.option("-o", "--out", required=True, help="Path of the .xml with other levels.")
@click.option("--data", required=True, help=f"Inputs to learn from: {DATA_HELP}")
@click.option("--teacher", required=True, help="The float model.")
@click.option("--steps", type=int, default=200, show_default=True, help="Steps of each block.")
@click.option("--timeout", "timeout_s", type=float, help="Seconds at most; blocks then have fewer steps.")
@click.option("--loss", help="What decides at the end: kl, for language models, or nmse.")
@click.option("--batch-size", type=int, default=8, show_default=True, help="Samples of a step.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of the samples.")
@click.option("--device", default="auto", show_default=True, help="Where PyTorch computes: cpu, cuda.")
@click.option("--checkpoint", help="Folder that keeps learned blocks: the same command goes on after it was stopped.")
@as_json
def learn_to_round(
    model: str,
    *,
    out: str,
    data: str,
    teacher: str,
    json_output: bool,
    **given: Any,  # the other options, by the names above
) -> None:
    """Learns to which level each weight of MODEL is rounded, block by block; needs PyTorch."""
    from autoq.api import RoundingSettings, learned_rounding
    from autoq.config import load_data
    from autoq.evaluation.candidate import size_bytes
    from autoq.export import saver

    save = saver(out, FileLayout.IR, model)
    writes_to(Path(out).parent)
    if given["checkpoint"] is not None:
        keeps(Keeping.KEPT, Path(given["checkpoint"]).exists)
    settings = RoundingSettings.of(**given)
    rounded = learned_rounding(model, load_data(data, Path()), settings, teacher=teacher)
    path, size = save(rounded.model), size_bytes(rounded.model)
    if json_output:
        print_json({"path": str(path), "size_bytes": size, "rounding": rounded.report.to_dict()})
        return
    _print(rounded.report)
    click.echo(f"{path}: {shown(size / 1e6, least=2)} MB.")


def _print(report: RoundingReport) -> None:
    rows = [
        [block.end or "outputs", str(block.weights), shown(block.before), shown(block.after), str(block.steps)]
        for block in report.blocks
    ]
    print_table("Blocks", ["until", "weights", "held out before", "after", "steps"], rows)
    if report.improved:
        figures = f"{shown(report.start)} before, {shown(report.best)} after"
        click.echo(f"held out: {figures}; {report.changed:.1%} of the numbers changed, {report.seconds:.0f} s.")
    else:
        click.echo(f"held out: {shown(report.start)}; nothing better was learned, so the model is the given one.")
